"""What a feed statement does to its stream. Pure.

1. A statement is judged when its own offset is reached: what stands before it in the log is what it speaks of. One
   that covers less than was heard of already is outdated: replayed, or overtaken. It changes nothing.
2. What it covers and nobody has seen is missing.
3. A full one matches if count and all buckets are those of this node's live records of its epoch. Then all gaps are
   cleared (compaction made them), older epochs are covered, and the stream is complete as of the statement.
   If it does not match, the unequal buckets are kept: they name what to send again.
4. A short one keeps a complete stream complete if no number is missing and its count is right. It never makes one so.
"""

from typing import NamedTuple

from contracts.feeds import Statement
from gateway.ingest.decide import Duplicate, Rejected
from gateway.ingest.state import StreamState, Told, promised


class Settled(NamedTuple):
    """Heard. `covers`: the epoch whose older ones are withdrawn from now on, if this statement made it so."""

    state: StreamState
    covers: int | None = None


StatementOutcome = Settled | Duplicate | Rejected


def decide_statement(
    state: StreamState, statement: Statement, buckets: tuple[str, ...] | None, log_key: bytes
) -> StatementOutcome:
    """What `statement` does. `buckets`: this node's digests over its live records of the statement's epoch, by the
    statement's suite; needed for a full one that is due."""
    if log_key != statement.log_key:
        return Rejected(state, "log_key_mismatch", "/buckets")
    if not is_due(state, statement):
        return Duplicate(state) if _repeats(state, statement) else Rejected(state, "statement_outdated", "/seq")
    told = Told(statement.position, statement.issued_at, statement.next_at, statement.buckets is not None)
    heard = promised(state, statement.position)._replace(told=told)
    return Settled(_short(heard, statement)) if statement.buckets is None else _full(heard, statement, buckets)


def is_due(state: StreamState, statement: Statement) -> bool:
    """Rule 1: whether the statement is to be judged."""
    if statement.position != state.head or state.told is None or state.told.position != statement.position:
        return statement.position >= state.head
    newer, known = statement.issued_at, state.told.issued_at
    return newer > known or (newer == known and statement.buckets is not None and not state.told.full)


def _repeats(state: StreamState, statement: Statement) -> bool:
    told = state.told
    return told is not None and (told.position, told.issued_at) == (statement.position, statement.issued_at)


def _full(state: StreamState, statement: Statement, buckets: tuple[str, ...] | None) -> Settled:
    epoch = statement.position.epoch
    if buckets is None or statement.buckets is None:
        raise ValueError("a full statement is judged by the node's own buckets")
    pairs = zip(statement.buckets, buckets, strict=True)
    unequal = tuple(number for number, (theirs, ours) in enumerate(pairs) if theirs != ours)
    if unequal or statement.count != state.live:
        return Settled(state._replace(mismatch=unequal))
    complete = state._replace(gaps=(), merged=False, mismatch=None, covered=epoch, as_of=statement.issued_at)
    return Settled(complete, epoch if epoch != state.covered else None)


def _short(state: StreamState, statement: Statement) -> StreamState:
    if state.gaps:
        return state
    if statement.count != state.live:
        return state if state.mismatch else state._replace(mismatch=())
    unbroken = state.mismatch is None and state.covered == statement.position.epoch
    return state._replace(as_of=statement.issued_at) if unbroken else state
