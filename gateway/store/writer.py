"""The one writer of a store: what ingest asks before it decides, and one transaction for what it decided.

1. `known` and `holder_of` answer from the file; what the batch at hand has changed is the caller's to overlay.
2. `apply` writes a whole batch in one transaction: records, stream states, offsets, rejects. All of it or nothing.
3. A record keeps its row id for life. Superseded content is overwritten (`secure_delete`).
4. An erasure takes the record's rejects that still wait, too; then the WAL file is emptied as soon as no reader holds
   it. `tidy` never waits for a reader: it is called again until it is done.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import apsw
import orjson

from contracts.algorithms import Suite
from contracts.edge import scrubbing
from contracts.feeds import LiveRecord, bucket_digests_in_order
from contracts.streams import Position, Stream
from gateway.ingest.state import StreamState
from gateway.store import database, erasures
from gateway.store.rows import ERASED, TOKEN_SIZE, Row, Stored, Write
from gateway.store.sealing import place

MAX_SUPERSEDED = 10_000

_NEW_STREAM = """
INSERT OR IGNORE INTO streams (organisation, adapter, evidence_type, topic, state) VALUES (?, ?, ?, '', ?)
"""
_KNOWN = """
SELECT rec, id, epoch, seq, identity, condition, erased, tokens FROM records
WHERE stream = ? AND rec IN (SELECT value FROM json_each(?))
"""
_HOLDER = """
SELECT identity FROM records WHERE stream = ?1 AND epoch = ?2 AND seq = ?3
UNION ALL SELECT identity FROM superseded WHERE stream = ?1 AND epoch = ?2 AND seq = ?3
"""
# In the order of the index, so that a million rows are neither sorted nor held.
_LIVE = """
SELECT rec, epoch, seq, identity FROM records INDEXED BY by_record
WHERE stream = ? AND epoch = ? AND condition IN ('live', 'rejected') ORDER BY rec
"""
_INSERT = """
INSERT INTO records (id, stream, rec, epoch, seq, identity, condition, erased, status, vct, code, tokens)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE = """
UPDATE records SET epoch = ?4, seq = ?5, identity = ?6, condition = ?7, erased = ?8, status = ?9, vct = ?10,
  code = ?11, tokens = ?12
WHERE id = ?1 AND stream = ?2 AND rec = ?3
"""
_PRUNE = """
DELETE FROM superseded WHERE stream = ?1 AND (epoch, seq) <=
  (SELECT epoch, seq FROM superseded WHERE stream = ?1 ORDER BY epoch DESC, seq DESC LIMIT 1 OFFSET ?2)
"""
# What an older epoch still supplied and the new one does not: stubs from now on.
_OLDER_TOKENS = """
SELECT tokens, id FROM records
WHERE stream = ? AND epoch < ? AND condition IN ('live', 'rejected') AND length(tokens) > 0
"""
_COVER = (
    """
DELETE FROM contents WHERE record IN
  (SELECT id FROM records WHERE stream = ? AND epoch < ? AND condition IN ('live', 'rejected'))
""",
    """
UPDATE records SET condition = CASE erased WHEN 0 THEN 'withdrawn' ELSE 'erased' END,
  status = '', code = '', tokens = x''
WHERE stream = ? AND epoch < ? AND condition IN ('live', 'rejected')
""",
)


class StreamRow(NamedTuple):
    """A stream as stored. `next` is None before `begin`; `topic` is the identity of the topic that it is of."""

    id: int
    stream: Stream
    next: int | None
    topic: str
    state: StreamState


class Change(NamedTuple):
    """One record's new state, and its row in the file before this batch (None: it has none)."""

    stream_id: int
    stream: Stream
    stored: Stored | None
    write: Write


class Reject(NamedTuple):
    """What is still to be written to a topic of rejects."""

    topic: str
    key: bytes
    value: bytes
    stream_id: int = 0
    record: str = ""


@dataclass(slots=True)
class Batch:
    """What one transaction writes. `covered`: (stream id, epoch) whose older epochs are withdrawn, done last.

    `erased`: (stream id, record) whose earlier rejects go; `open_erasures` and `heard`: see `erasures.keep`.
    """

    changes: Iterable[Change] = ()
    superseded: list[tuple[int, int, int, str]] = field(default_factory=list)  # stream id, epoch, seq, identity
    states: dict[int, tuple[StreamState, int]] = field(default_factory=dict)  # stream id → state, next offset
    covered: list[tuple[int, int]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    erased: list[tuple[int, str]] = field(default_factory=list)
    open_erasures: list[tuple[int, erasures.Open]] = field(default_factory=list)
    heard: dict[int, int] = field(default_factory=dict)
    refusals: Mapping[tuple[int, str], int] = field(default_factory=dict)  # (stream id, code) → how many more


class Writer:
    """For one thread. Raises `UserError` if another process writes this store."""

    def __init__(self, path: Path, kek: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as opened:  # a full disk may stop it at any step, and it is opened again later
            lock = database.lock_writer(path)
            opened.callback(os.close, lock)
            database.create_if_absent(path, kek)
            self._db, self._sealer = database.open_store(path, kek, scrubbing.VFS)
            opened.callback(self._db.close)
            self._db.wal_autocheckpoint(database.CHECKPOINT_PAGES)
            self._next_id = (self._db.execute("SELECT max(id) FROM records").get or 0) + 1
            self._opened = opened.pop_all()
        self._untidy = True  # an erasure before a crash may have left its WAL file

    def close(self) -> None:
        """Give back file and lock, the lock also when closing the file fails (a full disk)."""
        self._opened.close()

    # --- asked before deciding -------------------------------------------------------------------------------

    def stream(self, stream: Stream) -> StreamRow:
        """The stream as stored; added if it is new."""
        key = (stream.organisation, stream.adapter, stream.evidence_type)
        self._db.execute(_NEW_STREAM, (*key, StreamState().to_json()))
        found = self._db.execute(
            "SELECT id, next, topic, state FROM streams WHERE (organisation, adapter, evidence_type) = (?, ?, ?)", key
        )
        number, following, topic, state = next(found)
        return StreamRow(number, stream, following, topic, StreamState.from_json(state))

    def begin(self, stream_id: int, following: int, topic: str) -> None:
        """The stream is read from offset `following` of the topic with this identity, from now on."""
        self._db.execute("UPDATE streams SET next = ?, topic = ? WHERE id = ?", (following, topic, stream_id))

    def known(self, stream_id: int, records: Sequence[str]) -> dict[str, Stored]:
        """The rows of these records, of those that have one. One query for a batch costs a third of many."""
        return {
            record: Stored(number, Row(Position(epoch, seq), identity, condition, erased != 0), tokens)
            for record, number, epoch, seq, identity, condition, erased, tokens in self._db.execute(
                _KNOWN, (stream_id, orjson.dumps(records).decode())
            )
        }

    def holder_of(self, stream_id: int, position: Position) -> str | None:
        """The identity of the message that had this number, if a record or one of the last numbers still says."""
        identity: str | None = self._db.execute(_HOLDER, (stream_id, *position)).get
        return identity

    def buckets(self, stream_id: int, epoch: int, suite: Suite) -> tuple[str, ...]:
        """The 256 digests over what the department supplies in this epoch."""
        return bucket_digests_in_order(self._live_records(stream_id, epoch), suite)

    def _live_records(self, stream_id: int, epoch: int) -> Iterator[LiveRecord]:
        for record, at_epoch, seq, identity in self._db.execute(_LIVE, (stream_id, epoch)):
            yield LiveRecord(record, Position(at_epoch, seq), identity)

    # --- one transaction -------------------------------------------------------------------------------------

    def apply(self, batch: Batch) -> None:
        """Write `batch`, all of it or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._write(batch)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self.tidy()

    def _write(self, batch: Batch) -> None:
        db = self._db
        self._records(batch.changes)
        db.executemany("INSERT OR REPLACE INTO superseded VALUES (?, ?, ?, ?)", batch.superseded)
        for stream_id in {row[0] for row in batch.superseded}:
            db.execute(_PRUNE, (stream_id, MAX_SUPERSEDED))
        for stream_id, epoch in batch.covered:
            self._cover(stream_id, epoch)
        states = ((following, state.to_json(), number) for number, (state, following) in batch.states.items())
        db.executemany("UPDATE streams SET next = ?, state = ? WHERE id = ?", states)
        db.executemany("DELETE FROM rejects WHERE stream = ? AND rec = ?", batch.erased)
        self._untidy = self._untidy or bool(batch.erased)
        db.executemany("INSERT INTO rejects (topic, key, value, stream, rec) VALUES (?, ?, ?, ?, ?)", batch.rejects)
        erasures.keep(db, batch.open_erasures, batch.heard)
        counts = ((*key, count) for key, count in batch.refusals.items())
        db.executemany(
            "INSERT INTO refusals VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count", counts
        )

    def _records(self, changes: Iterable[Change]) -> None:
        plan = _Plan()
        for change in changes:
            self._plan(plan, change)
        db = self._db
        db.executemany("DELETE FROM blind WHERE token = ? AND record = ?", plan.unfound)
        db.executemany("DELETE FROM contents WHERE record = ?", plan.emptied)
        db.executemany(_UPDATE, plan.updated)
        db.executemany(_INSERT, plan.inserted)
        plan.found.sort()  # in the order of the index: neighbours share a page
        db.executemany("INSERT INTO blind VALUES (?, ?)", plan.found)
        db.executemany("INSERT OR REPLACE INTO contents VALUES (?, ?)", plan.sealed)

    def _plan(self, plan: "_Plan", change: Change) -> None:
        stream_id, stream, stored, write = change
        (epoch, seq), identity, condition, erased = write.row
        token = self._sealer.token
        tokens = {token(stream.evidence_type, name, value) for name, value in write.lookups}
        former: set[bytes] = set()
        if stored is None:
            number, self._next_id = self._next_id, self._next_id + 1
        else:
            number, former = stored.id, set(_split(stored.tokens))
            if write.message is None:
                plan.emptied.append((number,))
                self._untidy = self._untidy or condition == ERASED
        plan.unfound += [(one, number) for one in former - tokens]
        plan.found += [(one, number) for one in tokens - former]
        (plan.inserted if stored is None else plan.updated).append(
            (number, stream_id, write.record, epoch, seq, identity, condition, erased, write.status, write.vct,
             write.code, b"".join(sorted(tokens)))
        )  # fmt: skip
        if write.message is not None:
            where = place(str(stream), write.record, epoch, seq)
            plan.sealed.append((number, self._sealer.seal(write.message, where)))

    def _cover(self, stream_id: int, epoch: int) -> None:
        doomed = [
            (token, number)
            for tokens, number in self._db.execute(_OLDER_TOKENS, (stream_id, epoch))
            for token in _split(tokens)
        ]
        self._db.executemany("DELETE FROM blind WHERE token = ? AND record = ?", doomed)
        for statement in _COVER:
            self._db.execute(statement, (stream_id, epoch))

    def tidy(self) -> bool:
        """Empty the WAL file if an erasure passed through it (rule 4); False while a reader holds it."""
        if self._untidy:
            self._db.set_busy_timeout(0)
            try:
                self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
                self._untidy = False
            except apsw.BusyError:
                pass
            finally:
                self._db.set_busy_timeout(database.BUSY_MS)
        return not self._untidy

    def erasures_held_up(self, now_ms: int) -> dict[Stream, int]:
        """`erasures.held_up` of this store."""
        return erasures.held_up(self._db, now_ms)

    # --- rejects on their way --------------------------------------------------------------------------------

    def reject_topics(self) -> list[str]:
        """The topics that rejects are waiting for."""
        return [topic for (topic,) in self._db.execute("SELECT DISTINCT topic FROM rejects ORDER BY topic")]

    def pending_rejects(self, topic: str, limit: int = 50) -> list[tuple[int, bytes, bytes]]:
        """The oldest (id, key, value) not yet known to be in this topic."""
        rows = self._db.execute(
            "SELECT id, key, value FROM rejects WHERE topic = ? ORDER BY id LIMIT ?", (topic, limit)
        )
        return [(number, key, value) for number, key, value in rows]

    def keep_rejects(self, wanted: Callable[[bytes], bool]) -> None:
        """Forget the waiting rejects whose log key is not `wanted`: another store's ingest has sent them."""
        rows = [(number, key) for number, key in self._db.execute("SELECT id, key FROM rejects")]
        self.rejects_sent(number for number, key in rows if not wanted(key))

    def rejects_sent(self, numbers: Iterable[int]) -> None:
        """These are in the log."""
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany("DELETE FROM rejects WHERE id = ?", ((number,) for number in numbers))
        self._db.execute("COMMIT")


class _Plan:
    """A batch, sorted by statement."""

    __slots__ = ("emptied", "found", "inserted", "sealed", "unfound", "updated")

    def __init__(self) -> None:
        self.unfound: list[tuple[bytes, int]] = []
        self.found: list[tuple[bytes, int]] = []
        self.emptied: list[tuple[int]] = []
        self.updated: list[tuple[object, ...]] = []
        self.inserted: list[tuple[object, ...]] = []
        self.sealed: list[tuple[int, bytes]] = []


def _split(tokens: bytes) -> list[bytes]:
    return [tokens[at : at + TOKEN_SIZE] for at in range(0, len(tokens), TOKEN_SIZE)]
