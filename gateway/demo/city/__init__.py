"""The demo city's files, as templates: a registry in readable TOML and a node's configuration."""
