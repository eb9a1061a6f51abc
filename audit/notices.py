"""Notices: what happens to a log itself, and what supervision is told beside accesses, as entries between the access
records. Pure.

1. A notice is canonical JSON `{"facts": …, "kind": …, "time": Unix ms, "v": 1}`. An access record has no `kind`.
2. Each kind has exactly its facts (`KINDS`); another kind, or other facts, is no notice that we made.
3. Nothing personal is in a notice: positions, digests, origins, names of sinks. Its opening is `NO_OPENING`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from contracts.encoding import Json, canonical, parse_object
from contracts.errors import Fault

VERSION: Final = 1
NO_OPENING: Final = b"{}"

LOG_OPENED: Final = "log_opened"  # the first entry of a log that goes on from another one
LOG_CLOSED: Final = "log_closed"  # the last entry: nothing comes after it
OPENINGS_RESTRICTED: Final = "openings_restricted"
RESTRICTION_LIFTED: Final = "restriction_lifted"
OPENINGS_ERASED: Final = "openings_erased"
SUPERVISION_ON: Final = "supervision_on"
SUPERVISION_OFF: Final = "supervision_off"
FEED_LATE: Final = "feed_late"  # a stream of evidence is overdue, has gaps, stopped or never came: answers say so
FEED_RECOVERED: Final = "feed_recovered"
CORRECTION_LATE: Final = "correction_late"  # a department has not answered a correction request in its time
CORRECTION_ANSWERED: Final = "correction_answered"

_FEED = frozenset({"organisation", "adapter", "evidence_type", "state", "as_of"})

KINDS: Mapping[str, frozenset[str]] = {
    LOG_OPENED: frozenset({"predecessor", "size", "root"}),
    LOG_CLOSED: frozenset({"successor"}),
    OPENINGS_RESTRICTED: frozenset({"log", "order", "positions"}),
    RESTRICTION_LIFTED: frozenset({"log", "order", "positions"}),
    OPENINGS_ERASED: frozenset({"log", "order", "positions"}),
    SUPERVISION_ON: frozenset({"sinks"}),
    SUPERVISION_OFF: frozenset({"sinks"}),
    FEED_LATE: _FEED,
    FEED_RECOVERED: _FEED,
    CORRECTION_LATE: frozenset({"correction", "organisation", "adapter", "evidence_type"}),
    CORRECTION_ANSWERED: frozenset({"correction", "organisation", "adapter", "evidence_type", "answer"}),
}


@dataclass(frozen=True, slots=True)
class Notice:
    """One of `KINDS`. `time` in Unix ms."""

    kind: str
    time: int
    facts: Mapping[str, Json]

    def encode(self) -> bytes:
        """The entry (rule 1); raises ValueError for facts that the kind has not."""
        if KINDS.get(self.kind) != frozenset(self.facts):
            raise ValueError(f"{self.kind}: not its facts")
        return canonical({"facts": dict(self.facts), "kind": self.kind, "time": self.time, "v": VERSION})


def parse(entry: bytes) -> Notice | None:
    """The notice in an entry; None when it is none (rule 2)."""
    if b'"kind"' not in entry:  # nearly every entry is an access record: not parsed for this
        return None
    try:
        members = parse_object(entry)
    except Fault:
        return None
    if members.keys() != {"facts", "kind", "time", "v"} or members["v"] != VERSION:
        return None
    kind, time, facts = members["kind"], members["time"], members["facts"]
    if type(kind) is not str or type(time) is not int or type(facts) is not dict:
        return None
    return Notice(kind, time, facts) if KINDS.get(kind) == frozenset(facts) else None
