"""What officers decided, in the outbox: erasures, readmissions, new epochs, corrections not made; who was erased, whose
row may come back.

1. An erasure is requested, then approved by its number, then done: exactly the records that the request named.
   The same request again is the same entry.
2. The reason is the officer's own words. It stays in this table; nothing else repeats it.
3. An erased record id is never used again. Its row stays closed, unless it is readmitted: then it is published as
   another record, and the erased one stays erased.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import apsw
import orjson

from adapters.outbox import Outbox
from adapters.outbox_tables import Sealed, StreamState
from contracts.errors import UserError
from contracts.text import Text

ERASE, READMIT, NEW_EPOCH, KEEP = "erase", "readmit", "new-epoch", "keep"
REQUESTED, APPROVED, DONE = "requested", "approved", "done"

_SAME = "SELECT * FROM journal WHERE (stream, act, state, reason, records) = (?, 'erase', 'requested', ?, ?)"
_ADD = """
INSERT INTO journal (stream, at, act, state, reason, records, done_at) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *
"""
_APPROVE = """
UPDATE journal SET state = 'approved' WHERE id = ? AND act = 'erase' AND state IN ('requested', 'approved')
RETURNING *
"""
_NO_REQUEST = Text("没有待批准的清除申请 {number}", "There is no erasure {number} that waits for approval")
_SEE_JOURNAL = Text("用 oncegate-adapter journal 查看。", "See oncegate-adapter journal.")
_NOT_ERASED = Text("记录 {record} 未被清除", "The record {record} was not erased")


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One decision. Times in Unix s; `stream` is the outbox's number of it."""

    id: int
    stream: int
    at: int
    act: str
    state: str
    reason: str = field(repr=False)
    records: tuple[str, ...]
    done_at: int | None


@dataclass(frozen=True, slots=True)
class Published:
    """What the outbox knows of a record: live or not, its newest message, where its row stood when that was made."""

    live: bool
    identity: str
    file: str | None
    line: int | None


@dataclass(frozen=True, slots=True)
class Closed:
    """Record ids that are never used again: every one that was `erased`; of them those that were `readmitted`."""

    erased: frozenset[str] = frozenset()
    readmitted: frozenset[str] = frozenset()


def request(outbox: Outbox, state: StreamState, records: Sequence[str], reason: str, at: int) -> JournalEntry:
    """Keep a request to erase `records` (rule 1)."""
    text = orjson.dumps(sorted(set(records))).decode()
    with outbox.transaction() as db:
        found = _first(db, _SAME, (state.id, reason, text))
        return found or _added(db, state, at, ERASE, REQUESTED, reason, text)


def approve(outbox: Outbox, number: int) -> JournalEntry:
    """Approve a request; raises `UserError`."""
    with outbox.transaction() as db:
        found = _first(db, _APPROVE, (number,))
    if found is None:
        raise UserError(_NO_REQUEST.fill(number=number), "", _SEE_JOURNAL)
    return found


def approved(outbox: Outbox, state: StreamState) -> tuple[JournalEntry, ...]:
    """The erasures that are to be done, oldest first."""
    query = "SELECT * FROM journal WHERE stream = ? AND act = 'erase' AND state = 'approved' ORDER BY id"
    with outbox.looking() as db:
        return tuple(_entry(row) for row in db.execute(query, (state.id,)))


def open_erasures(outbox: Outbox, state: StreamState) -> tuple[JournalEntry, ...]:
    """The erasures that are not done yet, approved or not."""
    query = "SELECT * FROM journal WHERE stream = ? AND act = 'erase' AND state <> 'done' ORDER BY id"
    with outbox.looking() as db:
        return tuple(_entry(row) for row in db.execute(query, (state.id,)))


def carry_out(outbox: Outbox, state: StreamState, entry: JournalEntry, sealed: Sequence[Sealed], at: int) -> None:
    """The erasure, sealed, into the outbox; the content out of it; the entry done. One transaction."""
    with outbox.transaction() as db:
        outbox.append_erasures(state, sealed)
        db.execute("UPDATE journal SET state = ?, done_at = ? WHERE id = ?", (DONE, at, entry.id))


def readmit(outbox: Outbox, state: StreamState, record: str, reason: str, at: int) -> JournalEntry:
    """Let the row of an erased record be published as another record (rule 3); raises `UserError`."""
    with outbox.transaction() as db:
        db.execute("UPDATE erased SET readmitted = 1 WHERE stream = ? AND rec = ?", (state.id, record))
        if not db.changes():
            raise UserError(_NOT_ERASED.fill(record=record), "", _SEE_JOURNAL)
        return _added(db, state, at, READMIT, DONE, reason, orjson.dumps([record]).decode())


def begin_epoch(outbox: Outbox, state: StreamState, now_ms: int, reason: str) -> int:
    """Begin a new epoch, and say why; the new epoch."""
    epoch = outbox.begin_epoch(state, now_ms)
    with outbox.transaction() as db:
        _added(db, state, now_ms // 1000, NEW_EPOCH, DONE, reason, "[]")
    return epoch


def keep(outbox: Outbox, state: StreamState, request: str, reason: str, at: int) -> JournalEntry:
    """A correction request was looked at, and the data is right."""
    with outbox.transaction() as db:
        return _added(db, state, at, KEEP, DONE, reason, orjson.dumps([request]).decode())


def kept(outbox: Outbox) -> frozenset[str]:
    """The correction requests that were answered so."""
    return frozenset(request for entry in entries(outbox) if entry.act == KEEP for request in entry.records)


def closed(outbox: Outbox, state: StreamState) -> Closed:
    """The record ids of this stream that are never used again."""
    with outbox.looking() as db:
        rows = list(db.execute("SELECT rec, readmitted FROM erased WHERE stream = ?", (state.id,)))
    return Closed(frozenset(record for record, _ in rows), frozenset(record for record, again in rows if again))


def published(outbox: Outbox, state: StreamState, records: Sequence[str]) -> Mapping[str, Published]:
    """What is known of these records, of those that were ever published."""
    query = """
    SELECT rec, digest IS NOT NULL, identity, file, line FROM records
    WHERE stream = ? AND rec IN (SELECT value FROM json_each(?))
    """
    with outbox.looking() as db:
        rows = db.execute(query, (state.id, orjson.dumps(list(records)).decode()))
        return {record: Published(live == 1, *known) for record, live, *known in rows}


def entries(outbox: Outbox) -> tuple[JournalEntry, ...]:
    """Everything, oldest first."""
    with outbox.looking() as db:
        return tuple(_entry(row) for row in db.execute("SELECT * FROM journal ORDER BY id"))


def _added(
    db: apsw.Connection, state: StreamState, at: int, act: str, stage: str, reason: str, records: str
) -> JournalEntry:
    done_at = at if stage == DONE else None
    return _entry(next(db.execute(_ADD, (state.id, at, act, stage, reason, records, done_at))))


def _first(db: apsw.Connection, query: str, bindings: tuple[object, ...]) -> JournalEntry | None:
    row = next(iter(db.execute(query, bindings)), None)
    return None if row is None else _entry(row)


def _entry(row: Sequence[Any]) -> JournalEntry:
    number, stream, at, act, state, reason, records, done_at = row
    return JournalEntry(number, stream, at, act, state, reason, tuple(orjson.loads(records)), done_at)
