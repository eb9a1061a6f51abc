"""What is watched after an erasure: that the log can forget what the store has forgotten.

1. A log with servers cleans a topic up to its last segment, and a segment ends only when something is appended long
   enough after its first record (`Transport.rolls_after_ms`). An erasure in the last segment of a silent topic is
   never acted upon: the erased bytes stay in the files. Feed statements are the heartbeat that ends segments.
2. `due` is the time, by the log's clock, after which an append proves that the erasure's segment has ended; from then
   on only time is needed. Until such an append the erasure is open; a quarter of that time later it is an alarm.
3. Erasures of a stream at nearly the same time share a row: at most `_STEPS` for each stream whose adapter speaks.
4. It decides nothing about records: it is told to people, and an append alone ends it.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import apsw

from contracts.streams import Stream

SCHEMA = """
CREATE TABLE erasures (     -- whose segment of the log is not known to have ended
  stream INTEGER NOT NULL,
  due INTEGER NOT NULL,     -- Unix ms: an append after it ends the segment
  alarm_at INTEGER NOT NULL,  -- Unix ms
  PRIMARY KEY (stream, due)
) STRICT, WITHOUT ROWID;
"""
_STEPS = 64
_HELD_UP = """
SELECT s.organisation, s.adapter, s.evidence_type, min(e.due) FROM erasures e JOIN streams s ON s.id = e.stream
WHERE e.alarm_at < ? GROUP BY e.stream ORDER BY e.stream
"""


class Open(NamedTuple):
    """An erasure that the log cannot act upon yet. Unix ms; `alarm_at`: from when on people are told."""

    due: int
    alarm_at: int


def opened(at_ms: int, rolls_after_ms: int) -> Open:
    """An erasure that was appended at `at_ms` (the log's clock), under rule 3."""
    step = max(rolls_after_ms // _STEPS, 1)
    due = -(-(at_ms + rolls_after_ms) // step) * step
    return Open(due, due + rolls_after_ms // 4)


def keep(db: apsw.Connection, erasures: Iterable[tuple[int, Open]], heard: Mapping[int, int]) -> None:
    """Add (stream id, erasure), then forget those that the streams' newest records (stream id → Unix ms) have ended."""
    rows = [(stream, *one) for stream, one in erasures]
    if rows:
        db.executemany("INSERT OR IGNORE INTO erasures VALUES (?, ?, ?)", rows)
    db.executemany("DELETE FROM erasures WHERE stream = ? AND due < ?", heard.items())


def held_up(db: apsw.Connection, now_ms: int) -> dict[Stream, int]:
    """The streams with an alarm at `now_ms`, and since when (Unix s) their erased content should have been leaving."""
    return {Stream(*names): due // 1000 for *names, due in db.execute(_HELD_UP, (now_ms,))}
