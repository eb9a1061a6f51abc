"""Building a second store from the log beside the current one, and going over to it.

1. It has an ingest of its own, into a file of its own; the current store, whoever reads it and whoever writes it are
   not disturbed. It sends no rejects: those who read the log for the current store have sent them.
2. It is ready when every stream was read as far as in the current store and is at least as complete. A store that
   cannot be read (damaged, of an old format, none at all) sets no mark; then the log's end does.
3. The two are compared as they stand at one instant of the first; what differs is said, with the reason.
4. Before it becomes the current one it catches up with the first once more. Rejects that nobody has sent yet come with
   it: those of records that the first has not read, and those that wait there.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace

import apsw

from contracts.edge.clock import now_ms
from contracts.edge.transport import LogUnavailable
from contracts.errors import Corrupt, UserError
from contracts.streams import Stream
from gateway.ingest.run import Ingest, IngestParts, RegistryClosed
from gateway.ingest.state import STOPPED, StreamState, feed_state
from gateway.lookup.feeds import STATES
from gateway.store.compare import Difference, compare
from gateway.store.reader import Reader
from gateway.store.stores import Stores

STEP_S = 0.5
PAUSE_S = 1.0
UNLISTED = "unlisted"
REPLACED = "topic_replaced"

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Behind:
    """A stream that is not there yet: its next offset and its state, in the first store and in the second."""

    stream: Stream
    next: tuple[int | None, int | None]
    state: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Built:
    """A second store. `first` None: there was none to compare with, `why` says why. `seconds` it took."""

    number: int
    first: int | None
    why: str
    behind: tuple[Behind, ...]
    differences: tuple[Difference, ...]
    seconds: float

    @property
    def ready(self) -> bool:
        """Whether it may become the current one."""
        return not self.behind and not any(one.objection for one in self.differences)


@dataclass(frozen=True, slots=True)
class Work:
    """What a build works with. `patience_s`: how long it may take from the log's end until rule 2 holds."""

    stores: Stores
    parts: IngestParts  # `store` is the second one's file
    number: int
    stop: threading.Event
    advance: Advance
    patience_s: float


def build(work: Work, switch: bool) -> Built:
    """Build store `work.number`, compare it, and make it the current one if asked to and ready.

    Raises `UserError` (somebody writes that store), `Corrupt` (of the second store).
    """
    started, stores = time.monotonic(), work.stores
    with ExitStack() as stack:
        ingest = stack.enter_context(closing(Ingest(replace(work.parts, sends_rejects=False))))
        second = stack.enter_context(Reader(work.parts.store, work.parts.store_kek))
        _to_the_end(work, ingest)
        first, why = _first(stores, stack)
        behind, differences = _beside(work, ingest, first, second)
        number = None if first is None else stores.current()
        built = Built(work.number, number, why, behind, differences, time.monotonic() - started)
    if switch and built.ready and not work.stop.is_set():
        stores.switch(work.number)
    return built


def _beside(
    work: Work, ingest: Ingest, first: Reader | None, second: Reader
) -> tuple[tuple[Behind, ...], tuple[Difference, ...]]:
    """Rules 2 to 4: what the second is behind with, and how the two differ."""
    if first is None:
        return (), ()
    behind = _until_level(work, ingest, first, second)
    if work.stop.is_set():
        return behind, ()
    with first.snapshot():  # the first stands still for us, the second catches up with it
        _until_level(work, ingest, first, second)
        differences = _compared(first, second, work)
    if not behind:
        _until_level(work, ingest, first, second)
        ingest.keep_rejects(_unsent(first))
    return behind, differences


def _first(stores: Stores, stack: ExitStack) -> tuple[Reader | None, str]:
    """The current store, if it can be read (rule 2), or why not."""
    try:
        return stack.enter_context(stores.open_current()), ""
    except UserError as error:
        return None, error.what.en
    except (Corrupt, apsw.Error) as error:
        return None, str(error)


# --- reading the log ---------------------------------------------------------------------------------------------


def _to_the_end(work: Work, ingest: Ingest) -> None:
    """Everything that the log holds now."""
    _patiently(work, ingest.follow_registry)
    ends = ingest.ends()
    work.advance(0)
    while not work.stop.is_set() and not ingest.reached(ends):
        _patiently(work, lambda: work.advance(ingest.step(STEP_S)))


def _until_level(work: Work, ingest: Ingest, first: Reader, second: Reader) -> tuple[Behind, ...]:
    """Read on until rule 2 holds; what is not there when patience is over."""
    deadline = time.monotonic() + work.patience_s
    while True:
        found = tuple(behind(first, second, _reasons(first, second, work)))
        if not found or work.stop.is_set() or time.monotonic() > deadline:
            return found
        _patiently(work, lambda: work.advance(ingest.step(STEP_S)))


def _patiently(work: Work, act: Callable[[], object]) -> None:
    """Once, whatever is away tried again."""
    while not work.stop.is_set():
        try:
            act()
        except (RegistryClosed, LogUnavailable):
            work.stop.wait(PAUSE_S)
        else:
            return


# --- beside the first --------------------------------------------------------------------------------------------


def _reasons(first: Reader, second: Reader, work: Work) -> Mapping[Stream, str]:
    """Why streams of the first store need not be followed (`compare`, rule 2)."""
    listed, read = set(work.parts.streams(work.parts.registry())), second.offsets()
    reasons: dict[Stream, str] = {}
    topics = {stream: topic for stream, (_, topic) in first.offsets().items()}
    for stream, state in first.all_streams():
        if stream not in listed:
            reasons[stream] = UNLISTED
        elif state.stopped:
            reasons[stream] = state.stopped
        elif stream in read and read[stream][1] and topics.get(stream) != read[stream][1]:
            reasons[stream] = REPLACED
    return reasons


def behind(first: Reader, second: Reader, reasons: Mapping[Stream, str]) -> list[Behind]:
    """The streams with which the second store is not as far as the first, or less complete."""
    now = now_ms() // 1000
    with first.snapshot():
        offsets, states = first.offsets(), dict(first.all_streams())
    with second.snapshot():
        read, made = second.offsets(), dict(second.all_streams())
    found = []
    for stream, (following, _) in offsets.items():
        mine, _ = read.get(stream, (None, ""))
        names = _name(states[stream], now), _name(made.get(stream, StreamState()), now)
        late = following is not None and (mine is None or mine < following)
        if stream not in reasons and (late or STATES.index(names[1]) > STATES.index(names[0])):
            found.append(Behind(stream, (following, mine), names))
    return found


def _name(state: StreamState, now: int) -> str:
    return STOPPED if state.stopped else feed_state(state, now).state


def _compared(first: Reader, second: Reader, work: Work) -> tuple[Difference, ...]:
    """Rule 3. The second stands still: its ingest is ours."""
    with second.snapshot():
        return tuple(compare(first.logical_rows(), second.logical_rows(), _reasons(first, second, work)))


def _unsent(first: Reader) -> Callable[[bytes], bool]:
    """Whether the reject with this log key still has to be sent (rule 4)."""
    with first.snapshot():
        read = {stream.topic: following or 0 for stream, (following, _) in first.offsets().items()}
        waiting = frozenset(first.pending_reject_keys())

    def unsent(key: bytes) -> bool:
        topic, _, offset = key.decode().rpartition("@")
        return key in waiting or int(offset) >= read.get(topic, 0)

    return unsent
