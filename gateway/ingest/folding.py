"""From records of the log to one batch for the store: open, verify, decide, collect.

1. A record's topic says its stream; its log key says whether it is a message or a statement.
2. Decisions see the store as it will be: what this batch changes lies over what the file says.
3. A full statement is compared with the store, so the batch ends before it (`Folding.take` says so).
4. A stream that stops keeps its offset at the record that stopped it, and takes nothing more of the batch.
5. What is refused is counted and sealed as a reject; nothing refused stops its neighbours.
6. An erasure takes the rejects of its record that still wait, because they carry its bytes; later ones carry none.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from contracts import feeds, messages, rejects
from contracts.algorithms import SigningKey, Suite
from contracts.edge.transport import Record
from contracts.envelope import Keyring
from contracts.errors import Fault
from contracts.registry.snapshot import Snapshot
from contracts.streams import Position, Stream
from gateway.ingest.decide import Accepted, Duplicate, Known, Received, Rejected, Stopped, decide
from gateway.ingest.rejects import is_senders
from gateway.ingest.state import StreamState
from gateway.ingest.statements import Settled, decide_statement, is_due
from gateway.store.erasures import opened
from gateway.store.rows import ERASED, Stored, Write
from gateway.store.writer import Batch, Change, Reject
from gateway.topics import UNVERIFIED_TOPIC

_NOTHING = Known()


class Rows(Protocol):
    """What a decision asks of the store (`gateway.store.writer.Writer`)."""

    def known(self, stream_id: int, records: Sequence[str]) -> dict[str, Stored]: ...

    def holder_of(self, stream_id: int, position: Position) -> str | None: ...

    def buckets(self, stream_id: int, epoch: int, suite: Suite) -> tuple[str, ...]: ...


@dataclass(slots=True)
class Feed:
    """A stream while it is read. `next`: the offset after the last record taken."""

    id: int
    stream: Stream
    home: bool
    state: StreamState
    next: int
    stopped: bool = False


@dataclass(slots=True)
class Counts:
    """What happened since the process started; for metrics and logs. `refused` and `alarms` by code."""

    records: int = 0
    accepted: int = 0
    duplicates: int = 0
    statements: int = 0
    batches: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    alarms: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Node:
    """Who reads: signs rejects, opens envelopes. `rolls_after_ms`: see `Transport`."""

    id: str
    key: SigningKey
    keyring: Keyring
    rolls_after_ms: int | None = None


class Folding:
    """One batch in the making, under one version of the registry."""

    def __init__(self, node: Node, registry: Snapshot, rows: Rows, counts: Counts) -> None:
        self._node, self._registry, self._rows, self._counts = node, registry, rows, counts
        self._stored: dict[int, dict[str, Stored]] = {}
        self._changes: dict[tuple[int, str], Change] = {}
        self._numbers: dict[tuple[int, Position], str] = {}
        self._refusals: Counter[tuple[int, str]] = Counter()
        self._feeds: dict[int, Feed] = {}
        self._batch = Batch()

    def expect(self, feed: Feed, records: Iterable[Record]) -> None:
        """Look up at once what the store has of the records that come next: a log key names the record, else the
        message is refused. To be called before `take`; what was looked up for the stream is not asked for again."""
        if feed.id not in self._stored:
            keys = {_record(record) for record in records}
            self._stored[feed.id] = self._rows.known(feed.id, list(keys))

    def batch(self) -> Batch:
        """What is to be written."""
        batch = self._batch
        batch.changes, batch.refusals = self._changes.values(), self._refusals
        batch.states = {number: (feed.state, feed.next) for number, feed in self._feeds.items()}
        return batch

    def stopped(self) -> list[Feed]:
        """The streams that stopped in this batch."""
        return [feed for feed in self._feeds.values() if feed.stopped]

    def take(self, feed: Feed, record: Record) -> bool:
        """Fold one record in; False if the batch so far must be written first (rule 3)."""
        if feed.stopped:
            return True
        if record.value is None:
            self._alarm("null_value")
            self._refuse(feed, record, Rejected(feed.state, "null_value"), None, False)
        elif record.key in (feeds.KEY, feeds.FULL_KEY):
            if not self._statement(feed, record, record.value):
                return False
        else:
            self._message(feed, record, record.value)
        self._counts.records += 1
        self._feeds[feed.id] = feed
        heard = self._batch.heard
        heard[feed.id] = max(heard.get(feed.id, 0), record.timestamp_ms)
        if not feed.stopped:
            feed.next = record.offset + 1
        return True

    # --- evidence messages -----------------------------------------------------------------------------------

    def _message(self, feed: Feed, record: Record, value: bytes) -> None:
        try:
            message = self._node.keyring.open(value, feed.stream)
        except Fault as fault:
            self._refuse(feed, record, Rejected(feed.state, fault.code, fault.pointer), None, False)
            return
        opened = messages.open_message(message, self._registry)
        claims = opened.claims
        stored, known = None, _NOTHING
        if claims is not None and claims.record == _record(record) and claims.stream == feed.stream:
            stored, known = self._known(feed, claims.record, claims.position)
        outcome = decide(feed.state, known, Received(feed.stream, feed.home, record.key, message, opened))
        feed.state = outcome.state
        if isinstance(outcome, Accepted):
            self._counts.accepted += 1
            self._change(feed, stored, known, outcome.write, record)
        elif isinstance(outcome, Duplicate):
            self._counts.duplicates += 1
        else:
            self._not_accepted(feed, record, message, outcome, stored, known, opened)

    def _not_accepted(
        self,
        feed: Feed,
        record: Record,
        message: bytes,
        outcome: Rejected | Stopped,
        stored: Stored | None,
        known: Known,
        opened: messages.Evidence | messages.MessageFault,
    ) -> None:
        if isinstance(outcome, Stopped):
            feed.stopped = True
            self._alarm(outcome.alarm)
            outcome = Rejected(outcome.state, outcome.alarm, "/seq")
        if outcome.write is not None:
            self._change(feed, stored, known, outcome.write, record)
        claims = opened.claims
        if claims is None:
            own = is_senders(outcome.code, message, messages.TYP, feed.stream, self._registry)
        else:
            own = claims.stream.adapter == feed.stream.adapter
        self._refuse(feed, record, outcome, None if claims is None else claims.identity, own)

    def _known(self, feed: Feed, record: str, position: Position) -> tuple[Stored | None, Known]:
        """The row in the file, and what decides (rule 2)."""
        change = self._changes.get((feed.id, record))
        if change is None:
            stored = self._stored[feed.id].get(record)
            row = None if stored is None else stored.row
        else:
            stored, row = change.stored, change.write.row
        if position > feed.state.head:
            return stored, _NOTHING if row is None else Known(row)
        identity = self._numbers.get((feed.id, position)) or self._rows.holder_of(feed.id, position)
        return stored, Known(row, identity)

    def _change(self, feed: Feed, stored: Stored | None, known: Known, write: Write, record: Record) -> None:
        number, row, before = feed.id, write.row, known.row
        if before is not None and before.position != row.position:
            self._batch.superseded.append((number, *before.position, before.identity))
        self._numbers[number, row.position] = row.identity
        self._changes[number, write.record] = Change(number, feed.stream, stored, write)
        if row.condition == ERASED:
            self._erase(feed, write.record, record.timestamp_ms)

    def _erase(self, feed: Feed, name: str, at_ms: int) -> None:
        """Rule 6."""
        batch = self._batch
        batch.erased.append((feed.id, name))
        batch.rejects = [one for one in batch.rejects if (one.stream_id, one.record) != (feed.id, name)]
        if self._node.rolls_after_ms is not None:
            batch.open_erasures.append((feed.id, opened(at_ms, self._node.rolls_after_ms)))

    def _is_erased(self, feed: Feed, name: str) -> bool:
        change = self._changes.get((feed.id, name))
        known = self._stored[feed.id].get(name) if change is None else change.write
        return known is not None and known.row.erased

    # --- feed statements -------------------------------------------------------------------------------------

    def _statement(self, feed: Feed, record: Record, value: bytes) -> bool:
        data = b""
        try:
            data = self._node.keyring.open(value, feed.stream)
            statement, suite = feeds.open_statement(data, feed.stream, self._registry)
        except Fault as fault:
            own = is_senders(fault.code, data, feeds.TYP, feed.stream, self._registry)
            self._refuse(feed, record, Rejected(feed.state, fault.code, fault.pointer), None, own)
            return True
        buckets = None
        if record.key == statement.log_key == feeds.FULL_KEY and is_due(feed.state, statement):
            if feed.id in self._feeds:
                return False
            buckets = self._rows.buckets(feed.id, statement.position.epoch, suite)
        outcome = decide_statement(feed.state, statement, buckets, record.key)
        feed.state = outcome.state
        self._counts.statements += 1
        if isinstance(outcome, Settled) and outcome.covers is not None:
            self._batch.covered.append((feed.id, outcome.covers))
        elif isinstance(outcome, Rejected):
            self._refuse(feed, record, outcome, None, True)
        return True

    # --- refusals --------------------------------------------------------------------------------------------

    def _refuse(self, feed: Feed, record: Record, outcome: Rejected, identity: str | None, own: bool) -> None:
        name = _record(record)
        value = None if self._is_erased(feed, name) else record.value
        refused = rejects.Refused(
            record.topic, record.offset, outcome.code, outcome.pointer, identity, record.key, value
        )
        topic = rejects.rejects_topic(feed.stream.adapter) if own else UNVERIFIED_TOPIC
        sealed = rejects.seal_reject(refused, self._node.id, self._node.key)
        self._batch.rejects.append(Reject(topic, rejects.reject_key(refused), sealed, feed.id, name))
        self._refusals[feed.id, outcome.code] += 1
        self._counts.refused[outcome.code] += 1

    def _alarm(self, code: str) -> None:
        self._counts.alarms[code] += 1


def _record(record: Record) -> str:
    """The record id that a key of the log names; of a key that is no text, one that no record has."""
    return messages.record_of(record.key.decode("utf-8", "replace"))
