"""Who asks a store: lookups by blind token, the states of streams, and the rows as they are for tests and doctors.

Each reader has a connection of its own and never writes. Ask for `stream_states` before `find`: what is found is then
at least as new as what is said of the feed.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from contracts.algorithms import Suite
from contracts.edge.scrubbing import never_checkpoints
from contracts.evidence_types import EvidenceType
from contracts.feeds import LiveRecord, bucket_digests_in_order
from contracts.identifiers import normalise
from contracts.streams import Position, Stream
from gateway.ingest.state import StreamState
from gateway.store import database, erasures
from gateway.store.rows import COUNTED, SUPERSEDES, TOKEN_SIZE, LogicalRow, Row, StoredRecord
from gateway.store.sealing import place

MAX_FOUND = 101  # an answer carries 100 records at most; one more says that there are more

# CROSS JOIN fixes the order: from the token to its records, never the other way round.
_FIND = """
SELECT r.stream, r.rec, r.epoch, r.seq, r.identity, r.condition, r.status, r.vct, r.code, c.sealed
FROM blind b CROSS JOIN records r ON r.id = b.record LEFT JOIN contents c ON c.record = r.id
WHERE b.token = ? LIMIT ?
"""
_SUCCESSORS = "SELECT r.stream, r.rec FROM blind b CROSS JOIN records r ON r.id = b.record WHERE b.token = ?"
_ROW = """
SELECT r.epoch, r.seq, r.identity, r.condition, r.erased FROM streams s JOIN records r ON r.stream = s.id
WHERE (s.organisation, s.adapter, s.evidence_type, r.rec) = (?, ?, ?, ?)
"""
_ALL = """
SELECT s.organisation, s.adapter, s.evidence_type, r.rec, r.epoch, r.seq, r.identity, r.condition, r.erased, r.status,
  r.vct, r.code, length(r.tokens), c.sealed
FROM records r JOIN streams s ON s.id = r.stream LEFT JOIN contents c ON c.record = r.id
ORDER BY s.organisation, s.adapter, s.evidence_type, r.rec
"""
_STREAMS = "SELECT organisation, adapter, evidence_type, state FROM streams ORDER BY id"
_OFFSETS = "SELECT organisation, adapter, evidence_type, next, topic FROM streams"
_STREAM = "SELECT organisation, adapter, evidence_type FROM streams WHERE id = ?"
_REFUSALS = """
SELECT s.organisation, s.adapter, s.evidence_type, f.code, f.count
FROM refusals f JOIN streams s ON s.id = f.stream ORDER BY s.id, f.code
"""

States = tuple[tuple[Stream, StreamState], ...]


class Reader:
    """For one thread, the event loop's for instance: a `find` takes some 30 µs. Raises `StoreAbsent`, `UserError`."""

    def __init__(self, path: Path, kek: bytes) -> None:
        self.path = path
        self._db, self._sealer = database.open_store(path, kek)
        never_checkpoints(self._db)
        self._db.pragma("query_only", True)
        self._execute = self._db.execute
        self._version: int | None = None
        self._states: dict[str, States] = {}
        self._streams: dict[int, Stream] = {}

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything asked for in a `with` is of the same instant."""
        if self._db.in_transaction:
            yield
            return
        self._execute("BEGIN")
        try:
            yield
        finally:
            self._execute("ROLLBACK")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def token_for_holder(self, evidence_type: EvidenceType, scheme: str, identifier: str) -> bytes:
        """The token of a holder, in any way of writing the identifier."""
        return self._sealer.token(evidence_type.id, f"holder:{scheme}", normalise(scheme, identifier))

    def token_for_field(self, evidence_type: EvidenceType, field: str, value: str) -> bytes:
        """The token of a key field's value; `KeyError` if the type has no such field."""
        return self._sealer.token(evidence_type.id, field, normalise(evidence_type.key_format(field), value))

    def token_for_successor(self, evidence_type: EvidenceType, record: str) -> bytes:
        """The token of the records that supersede `record`."""
        return self._sealer.token(evidence_type.id, SUPERSEDES, record)

    def find(self, evidence_type: str, token: bytes, limit: int = MAX_FOUND) -> tuple[StoredRecord, ...]:
        """The live and the rejected records of this type (an id) that `token` finds; raises `Corrupt`."""
        found = [self._record(row) for row in self._execute(_FIND, (token, limit))]
        return tuple([record for record in found if record.stream.evidence_type == evidence_type])

    def row(self, stream: Stream, record: str) -> Row | None:
        """How a record stands, whatever is left of it; None: this node never had one of this id."""
        names = (stream.organisation, stream.adapter, stream.evidence_type, record)
        for epoch, seq, identity, condition, erased in self._execute(_ROW, names):
            return Row(Position(epoch, seq), identity, condition, erased != 0)
        return None

    def superseded(self, evidence_type: EvidenceType, record: StoredRecord) -> bool:
        """Whether another record of the same stream supersedes this one."""
        rows: list[Any] = self._execute(
            _SUCCESSORS, (self.token_for_successor(evidence_type, record.record),)
        ).fetchall()
        return any(self._stream_of(number) == record.stream and name != record.record for number, name in rows)

    def _record(self, row: tuple[int, str, int, int, str, str, str, str, str, bytes | None]) -> StoredRecord:
        number, record, epoch, seq, identity, condition, status, vct, code, sealed = row
        stream = self._stream_of(number)
        message = None if sealed is None else self._sealer.open(sealed, place(str(stream), record, epoch, seq))
        return StoredRecord(stream, record, Position(epoch, seq), identity, condition, status, vct, code, message)

    def _stream_of(self, number: int) -> Stream:
        return self._streams.get(number) or self._stream(number)

    def _stream(self, number: int) -> Stream:
        """A stream keeps its number for life."""
        ((organisation, adapter, type_id),) = self._execute(_STREAM, (number,))
        stream = self._streams[number] = Stream(organisation, adapter, type_id)
        return stream

    def stream_states(self, evidence_type: str) -> States:
        """Every stream of this type that ingest has met, with its state. Cheap: read again only after a change."""
        version = self._execute("PRAGMA data_version").get
        if version != self._version:
            self._version, self._states = version, {}
        found = self._states.get(evidence_type)
        if found is None:
            found = tuple(pair for pair in self.all_streams() if pair[0].evidence_type == evidence_type)
            self._states[evidence_type] = found
        return found

    def all_streams(self) -> States:
        """Every stream that ingest has met, with its state."""
        return tuple((Stream(*names), StreamState.from_json(state)) for *names, state in self._execute(_STREAMS))

    def offsets(self) -> dict[Stream, tuple[int | None, str]]:
        """Each stream's next offset (None: not begun) and the identity of the topic that it is of."""
        return {Stream(*names): (following, topic) for *names, following, topic in self._execute(_OFFSETS)}

    def refusals(self) -> tuple[tuple[Stream, str, int], ...]:
        """(stream, code, how many messages were refused so)."""
        return tuple((Stream(*names), code, count) for *names, code, count in self._execute(_REFUSALS))

    def erasures_held_up(self, now: int) -> dict[Stream, int]:
        """Streams whose erased content cannot leave the log, and since when it should (Unix s), at `now` (Unix s)."""
        return erasures.held_up(self._db, now * 1000)

    def rejects_pending(self) -> int:
        """Rejects that are decided but not yet known to be in the log."""
        count: int = self._execute("SELECT count(*) FROM rejects").get
        return count

    def pending_reject_keys(self) -> list[bytes]:
        """The log keys of those rejects."""
        return [key for (key,) in self._execute("SELECT key FROM rejects")]

    def logical_rows(self) -> Iterator[LogicalRow]:
        """Every record, in order, without what differs from store to store."""
        for *names, record, epoch, seq, identity, condition, erased, status, vct, code, tokens, sealed in self._execute(
            _ALL
        ):
            stream, row = Stream(*names), Row(Position(epoch, seq), identity, condition, erased != 0)
            message = None if sealed is None else self._sealer.open(sealed, place(str(stream), record, epoch, seq))
            yield LogicalRow(stream, record, row, status, vct, code, tokens // TOKEN_SIZE, message)

    def bucket_digests(self, stream: Stream, suite: Suite) -> tuple[str, ...]:
        """The 256 digests of what this node holds live of `stream`."""
        return bucket_digests_in_order(live_of(stream, self.logical_rows()), suite)


def live_of(stream: Stream, rows: Iterable[LogicalRow]) -> Iterator[LiveRecord]:
    """The records of `stream` that count in statements."""
    for row in rows:
        if row.stream == stream and row.row.condition in COUNTED:
            yield LiveRecord(row.record, row.row.position, row.row.identity)
