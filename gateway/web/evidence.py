"""Asking the store: what the rooms of lookup get their rows and feeds from. One instance for each serving process.

1. The state of the feed is read before the rows, so that it is never newer than what was found. All questions of one
   turn of the event loop, some milliseconds at most, share the state read by the first of them.
2. The store is opened on first use, because ingest may start after us; until then it is `store_unavailable`.
3. A question by key field finds the record with that key and what superseded it since, number by number: whoever
   holds an old number asks for the current certificate. A question about a holder never follows: the successor may be
   somebody else's. That there is one is said.
4. Whatever goes wrong in reading is `store_unavailable` to the client and an error in our log; nothing is released.
5. When another store becomes the current one, it is opened between two questions, then the old one is closed.

Reads happen in the event loop's thread: a lookup takes some 30 µs, less than handing it to another thread would.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import apsw
import structlog

from audit.record import MAX_RECORDS
from contracts.errors import Corrupt, Fault, UserError
from contracts.evidence_types import EvidenceType
from contracts.registry import Snapshot
from contracts.streams import Stream
from gateway.access.decide import Granted
from gateway.access.question import ByHolder, ByKey
from gateway.ingest.state import FeedState, feed_state
from gateway.lookup.feeds import UNREAD, Feed, feed_of
from gateway.store.reader import Reader, States
from gateway.store.rows import Row, StoredRecord

_LOOK_SECONDS = 0.5

_log = structlog.get_logger("oncegate.serve")


class Evidence:
    """The node's evidence, for one event loop."""

    def __init__(self, open_store: Callable[[], Reader], current: Callable[[], Path] | None = None) -> None:
        self._open_store, self._current = open_store, current
        self._reader: Reader | None = None
        self._this_turn: dict[str, Feed] = {}  # by evidence type; empty between turns
        self._composed: dict[str, tuple[object, Feed]] = {}

    def find(self, granted: Granted, registry: Snapshot, now: int) -> tuple[Feed, tuple[StoredRecord, ...]]:
        """Feed and records of a granted question (rule 1); raises `Fault` `store_unavailable`. `now` in Unix ms."""
        try:
            reader, type_id = self._open(), granted.listing.type.id
            feed = self._this_turn.get(type_id) or self._read_feed(reader, type_id, registry, now)
            return feed, _rows(reader, granted)
        except (apsw.Error, Corrupt, UserError) as error:
            raise _unavailable(error) from None

    def states(self, streams: tuple[Stream, ...], now: int) -> list[tuple[Stream, FeedState]]:
        """The state of each of `streams`; raises `Fault` `store_unavailable`."""
        try:
            return _listed(streams, self._open().all_streams(), now)
        except (apsw.Error, Corrupt, UserError) as error:
            raise _unavailable(error) from None

    def erasures_held_up(self, now: int) -> dict[Stream, int]:
        """Streams whose erased content cannot leave the log, and since when it should (Unix s); `now` in Unix ms.

        Raises `Fault` `store_unavailable`.
        """
        try:
            return self._open().erasures_held_up(now // 1000)
        except (apsw.Error, Corrupt, UserError) as error:
            raise _unavailable(error) from None

    def row(self, stream: Stream, record: str) -> Row | None:
        """How a record stands; None: this node never had one of this id. Raises `Fault` `store_unavailable`."""
        try:
            return self._open().row(stream, record)
        except (apsw.Error, Corrupt, UserError) as error:
            raise _unavailable(error) from None

    async def follow(self) -> None:
        """Rule 5, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Go over to the current store if it is another one. If it cannot be read, the old one goes on answering."""
        reader = self._reader
        if reader is None or self._current is None:
            return
        try:
            if self._current() == reader.path:
                return
            self._reader = self._open_store()
        except (apsw.Error, Corrupt, UserError) as error:
            _log.error("store_not_switched", error=type(error).__name__, still=reader.path.name)
            return
        self._this_turn.clear()
        reader.close()
        _log.info("store_switched", store=self._reader.path.name)

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _open(self) -> Reader:
        if self._reader is None:
            self._reader = self._open_store()
        return self._reader

    def _read_feed(self, reader: Reader, type_id: str, registry: Snapshot, now: int) -> Feed:
        feed = self._feed(reader, type_id, registry, now)
        if not self._this_turn:
            asyncio.get_running_loop().call_soon(self._this_turn.clear)
        self._this_turn[type_id] = feed
        return feed

    def _feed(self, reader: Reader, type_id: str, registry: Snapshot, now: int) -> Feed:
        # The same streams and states in the same second make the same feed: composed once, not for each turn.
        states, listed, second = reader.stream_states(type_id), registry.streams_by_type.get(type_id, ()), now // 1000
        known = self._composed.get(type_id)
        if known is not None and known[0] == (second, states, listed):
            return known[1]
        feed = feed_of(_listed(listed, states, now))
        self._composed[type_id] = (second, states, listed), feed
        return feed


def _listed(streams: tuple[Stream, ...], states: States, now: int) -> list[tuple[Stream, FeedState]]:
    known = dict(states)
    return [(one, feed_state(known[one], now // 1000) if one in known else UNREAD) for one in streams]


def _token(reader: Reader, granted: Granted) -> bytes:
    by = granted.by
    if isinstance(by, ByHolder):
        return reader.token_for_holder(granted.type, by.scheme, by.id)
    return reader.token_for_field(granted.type, by.field, by.value)


def _rows(reader: Reader, granted: Granted) -> tuple[StoredRecord, ...]:
    rows = reader.find(granted.type.id, _token(reader, granted))
    if not granted.type.supersession:
        return rows
    if isinstance(granted.by, ByKey):
        rows = _with_successors(reader, granted.type, rows)
    return tuple([row._replace(superseded=True) if reader.superseded(granted.type, row) else row for row in rows])


def _with_successors(
    reader: Reader, evidence_type: EvidenceType, rows: tuple[StoredRecord, ...]
) -> tuple[StoredRecord, ...]:
    """Rule 3: `rows` and the records that supersede them, directly or not. One more than an answer may have is enough:
    it is refused then."""
    found = {(row.stream, row.record): row for row in rows}
    waiting = list(rows)
    while waiting and len(found) <= MAX_RECORDS:
        row = waiting.pop()
        for later in reader.find(evidence_type.id, reader.token_for_successor(evidence_type, row.record)):
            if later.stream == row.stream and (later.stream, later.record) not in found:
                found[later.stream, later.record] = later
                waiting.append(later)
    return tuple(found.values())


def _unavailable(error: Exception) -> Fault:
    _log.error("store_unavailable", error=type(error).__name__)
    return Fault("store_unavailable")
