"""The message log: one interface (`interface.py`), a table of implementations, chosen by configuration.

[log]
kind = "embedded"
directory = "log"
prefix = "oncegate."
"""

from collections.abc import Callable, Mapping

from contracts.edge.config import Section
from contracts.edge.transport.embedded import open_embedded
from contracts.edge.transport.interface import (
    COMPACTED,
    MAX_RECORD_BYTES,
    Admin,
    Cleaning,
    Compacted,
    Expiring,
    Headers,
    LogUnavailable,
    OffsetOutOfRange,
    Reader,
    Record,
    TopicNameInvalid,
    TopicReplaced,
    TopicUnknown,
    Transport,
    Writer,
)

__all__ = [
    "COMPACTED",
    "MAX_RECORD_BYTES",
    "Admin",
    "Cleaning",
    "Compacted",
    "Expiring",
    "Headers",
    "LogUnavailable",
    "OffsetOutOfRange",
    "Reader",
    "Record",
    "TopicNameInvalid",
    "TopicReplaced",
    "TopicUnknown",
    "Transport",
    "Writer",
    "open_transport",
]


def _open_kafka(section: Section) -> Transport:
    from contracts.edge.transport.kafka import open_kafka  # half a second of imports that few processes need

    return open_kafka(section)


_OPENERS: Mapping[str, Callable[[Section], Transport]] = {"embedded": open_embedded, "kafka": _open_kafka}


def open_transport(section: Section) -> Transport:
    """The log that configuration table `section` describes; raises `UserError`."""
    return _OPENERS[section.choice("kind", _OPENERS)](section)
