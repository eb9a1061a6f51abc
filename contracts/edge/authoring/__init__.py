"""Tools for those who write evidence types and service items: reading, checking, comparing, starting new ones."""
