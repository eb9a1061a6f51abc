"""Witnessing (https://c2sp.org/tlog-witness): the protocol, a witness of our own, and the log's side of it."""
