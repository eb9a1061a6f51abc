"""The gateway: ingest, access, lookup, tokens, web, stores, control, console. Knows no adapter's code."""
