"""A node's store: one SQLite file, rebuilt from the message log whenever one likes.

`rows` are its values; `sealing` keeps contents and the blind index unreadable; `database` is the file; `writer` the
one process that changes it (ingest); `reader` everybody who asks.
"""
