"""Control: the registry, from readable TOML files to a signed manifest, and onto the log."""
