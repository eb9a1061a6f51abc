"""What `oncegate status` shows: each stream as this node has it. Values only; the command line renders them.

1. Every stream that the registry lists is there, also those that ingest has not met yet (`catching_up`, nothing else).
2. Streams that the store has and the registry no longer lists come last; nobody reads them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from contracts.registry.snapshot import Snapshot
from contracts.streams import Stream
from gateway.ingest.state import StreamState, feed_state
from gateway.store.reader import Reader


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """One stream. Times in Unix s, None: never yet. `missing`: numbers not seen; with `merged` some of
    them were, because so many gaps are not kept apart. `unequal`: buckets that did not match the last statement
    (empty if only the count differed, None if all is well). `erasure_due`: an alarm; since then erased content should
    have been leaving the log, and cannot while the adapter is silent. `refused`: messages by code since the store was
    made."""

    stream: Stream
    listed: bool
    state: str
    as_of: int | None
    epoch: int
    seq: int
    live: int
    rejected: int
    gaps: tuple[tuple[int, int], ...]
    missing: int
    merged: bool
    unequal: tuple[int, ...] | None
    last_statement: int | None
    next_due: int | None
    stopped: str
    erasure_due: int | None = None
    refused: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Status:
    """A node's streams, and the rejects that wait for the log."""

    streams: tuple[StreamStatus, ...]
    rejects_pending: int


def status(reader: Reader, registry: Snapshot, now: int) -> Status:
    """The status of a node's store under this registry. `now` in Unix s."""
    states = dict(reader.all_streams())
    refused: dict[Stream, Counter[str]] = {}
    for stream, code, count in reader.refusals():
        refused.setdefault(stream, Counter())[code] = count
    listed, held_up = registry.streams, reader.erasures_held_up(now)
    ordered = (*listed, *sorted(states.keys() - set(listed)))
    found = (
        _status(stream, stream in listed, states.get(stream, StreamState()), refused.get(stream, {}), now)
        for stream in ordered
    )
    found = (replace(one, erasure_due=held_up.get(one.stream)) for one in found)
    return Status(tuple(found), reader.rejects_pending())


def _status(stream: Stream, listed: bool, state: StreamState, refused: Mapping[str, int], now: int) -> StreamStatus:
    said = feed_state(state, now)
    return StreamStatus(
        stream=stream,
        listed=listed,
        state=said.state,
        as_of=said.as_of,
        epoch=state.head.epoch,
        seq=state.head.seq,
        live=state.live,
        rejected=state.rejected,
        gaps=state.gaps,
        missing=sum(last - first + 1 for first, last in state.gaps),
        merged=state.merged,
        unequal=state.mismatch,
        last_statement=None if state.told is None else state.told.issued_at,
        next_due=None if state.told is None else state.told.next_at,
        stopped=state.stopped,
        refused=dict(refused),
    )
