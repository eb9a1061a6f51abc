"""The token rooms' I/O."""
