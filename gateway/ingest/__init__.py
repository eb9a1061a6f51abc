"""Ingest: from the message log into a node's store.

`decide` and `statements` decide, purely; `validity` and `lookups` say what a message is worth and what finds it;
`state` is what a node knows of a stream; `rejects` is what the department hears; `run` does all that is I/O.
"""
