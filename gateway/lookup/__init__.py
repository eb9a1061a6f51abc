"""Lookup: from stored rows to what leaves. Pure."""
