"""From a plan to what goes to the log: numbers, messages, envelopes, statements. Pure: time, salts, IVs are given.

1. Numbers go up by one from the stream's next: erasures, then puts in the order of the source, then withdrawals.
2. A message is signed first, then closed with the stream's feed key.
3. A statement is full when it is the first, when one was asked for, and when a day would otherwise pass without one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from adapters.outbox_tables import Sealed, StreamState
from adapters.plan import Plan
from contracts import envelope, feeds, messages
from contracts.algorithms import SigningKey
from contracts.envelope import FeedKey
from contracts.evidence_types import EvidenceType
from contracts.feeds import LiveRecord, Statement
from contracts.messages import ERASE, PUT, WITHDRAW, Change, log_keys
from contracts.streams import Position, Stream

FULL_EVERY_S = 86_400


@dataclass(frozen=True, slots=True)
class Sealer:
    """Everything that a stream's messages are made with. `issued_at` in Unix s; `salts` and `ivs` never repeat."""

    stream: Stream
    evidence_type: EvidenceType
    key: SigningKey
    feed_key: FeedKey
    salts: Iterator[bytes]
    ivs: Iterator[bytes]
    issued_at: int

    def seal_erasures(self, records: Iterable[str], state: StreamState) -> Iterator[Sealed]:
        """The sealed erasures of `records`, one at a time (rules 1 and 2)."""
        for seq, record in enumerate(records, state.next_seq):
            change = Change(self.stream, record, ERASE, Position(state.epoch, seq), self.issued_at)
            yield self._seal(change, None)

    def seal_plan(self, plan: Plan, state: StreamState) -> Iterator[Sealed]:
        """The sealed messages of `plan`, one at a time (rules 1 and 2)."""
        yield from self.seal_erasures(plan.erased, state)
        seq = state.next_seq + len(plan.erased)
        for put in plan.puts:
            document = put.document
            time = self.issued_at if document.source_time is None else document.source_time
            change = Change(self.stream, document.record, PUT, Position(state.epoch, seq), time, document.body)
            yield replace(self._seal(change, put.digest), file=document.file, line=document.line)
            seq += 1
        for record in plan.withdrawals:
            change = Change(self.stream, record, WITHDRAW, Position(state.epoch, seq), self.issued_at)
            yield self._seal(change, None)
            seq += 1

    def _seal(self, change: Change, digest: bytes | None) -> Sealed:
        message = messages.seal(change, self.evidence_type, self.key, self.salts, self.issued_at)
        signing_input = message[: message.index(b"~")].rpartition(b".")[0]
        identity = self.key.suite.digest_text(signing_input)
        value = envelope.close(message, self.feed_key, next(self.ivs))
        keys = log_keys(change.record, change.operation)
        return Sealed(change.record, change.position.seq, digest, identity, value, keys)

    def seal_statement(
        self, position: Position, live: Iterable[LiveRecord], next_at: int, full: bool
    ) -> tuple[bytes, bytes]:
        """Key and value on the log of the statement about what is live at `position`."""
        records = list(live)
        buckets = feeds.bucket_digests(records, self.key.suite) if full else None
        statement = Statement(self.stream, position, len(records), self.issued_at, next_at, buckets)
        value = envelope.close(feeds.seal(statement, self.key), self.feed_key, next(self.ivs))
        return statement.log_key, value


def full_due(state: StreamState, now_s: int, every_s: int, asked: bool) -> bool:
    """Rule 3: whether the statement made now must be a full one."""
    return asked or state.full_at is None or now_s + every_s >= state.full_at + FULL_EVERY_S


def statement_due(state: StreamState, now_s: int, every_s: int) -> bool:
    """Whether a new statement should be made now: the last tenth of its promised time has begun, or it is promised for
    later than any could be promised now, because the clock has gone back."""
    return state.next_at is None or now_s >= state.next_at - every_s // 10 or state.next_at > now_s + every_s
