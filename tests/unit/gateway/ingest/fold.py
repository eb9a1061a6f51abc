"""The fold of a log in memory: what store and ingest do, in a few lines, as the oracle and for the rules' tests."""

from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.feeds import LiveRecord, Statement, bucket_digests
from contracts.messages import open_message
from contracts.registry import Snapshot
from contracts.streams import Position
from gateway.ingest.decide import Accepted, Duplicate, Known, Outcome, Received, Rejected, Stopped, decide
from gateway.ingest.state import StreamState
from gateway.ingest.statements import Settled, StatementOutcome, decide_statement
from gateway.store.rows import COUNTED, ERASED, WITHDRAWN, Write
from tests.unit.gateway.ingest import world

REGISTRY = world.registry()
NEW = StreamState()


class Entry(NamedTuple):
    """A record of the log, opened: a message's bytes or a statement."""

    key: bytes
    content: bytes | Statement


@dataclass
class Node:
    """One stream's state and rows."""

    home: bool = True
    registry: Snapshot = REGISTRY
    state: StreamState = NEW
    rows: dict[str, Write] = field(default_factory=dict)
    superseded: dict[Position, str] = field(default_factory=dict)

    def read(self, *entries: Entry) -> "Node":
        for entry in entries:
            self.take(entry)
        return self

    def take(self, entry: Entry) -> Outcome | StatementOutcome:
        content = entry.content
        return self._told(content, entry.key) if isinstance(content, Statement) else self._message(content, entry.key)

    def _message(self, data: bytes, key: bytes) -> Outcome:
        opened = open_message(data, self.registry)
        known, before = Known(), None
        if opened.claims is not None:
            before = self.rows.get(opened.claims.record)
            identity = self._holder(opened.claims.position)
            known = Known(None if before is None else before.row, identity)
        outcome = decide(self.state, known, Received(world.STREAM, self.home, key, data, opened))
        self.state = outcome.state
        if isinstance(outcome, Accepted | Rejected) and outcome.write is not None:
            if before is not None:
                self.superseded[before.row.position] = before.row.identity
            self.rows[outcome.write.record] = outcome.write
        return outcome

    def _holder(self, position: Position) -> str | None:
        current = (write.row.identity for write in self.rows.values() if write.row.position == position)
        return next(current, self.superseded.get(position))

    def _told(self, statement: Statement, key: bytes) -> StatementOutcome:
        outcome = decide_statement(self.state, statement, self.buckets(statement.position.epoch), key)
        self.state = outcome.state
        if isinstance(outcome, Settled) and outcome.covers is not None:
            self._cover(outcome.covers)
        return outcome

    def _cover(self, epoch: int) -> None:
        for record, write in self.rows.items():
            row = write.row
            if row.position.epoch < epoch and row.condition in COUNTED:
                stub = row._replace(condition=ERASED if row.erased else WITHDRAWN)
                self.rows[record] = Write(record, stub, write.vct)

    def live(self, epoch: int | None = None) -> list[LiveRecord]:
        return [
            LiveRecord(write.record, write.row.position, write.row.identity)
            for write in self.rows.values()
            if write.row.condition in COUNTED and epoch in (None, write.row.position.epoch)
        ]

    def buckets(self, epoch: int | None = None) -> tuple[str, ...]:
        return bucket_digests(self.live(epoch), world.SUITE)

    def condition(self, record: str) -> str:
        return self.rows[record].row.condition


__all__ = ["Accepted", "Duplicate", "Entry", "Node", "Rejected", "Settled", "Stopped"]
