"""What a node knows of one stream, as one frozen value; and what people are told of it. Pure.

1. `head` is the highest number heard of, from a message or a statement; `gaps` are the numbers of its epoch that are
   missing below it, rising and apart.
2. At most `MAX_GAPS` intervals are kept. One more joins the two lowest: what lies between counts as missing again, and
   `merged` says so. That errs on the side of "incomplete"; the next matching full statement clears it.
3. `live` counts the records of the epoch that the department supplies, refused ones included; `rejected` those refused.
4. `covered` is the epoch of the last full statement that matched. Only while it is the head's is the stream more than
   `catching_up`: a new epoch restates everything, and until its first match nobody knows what it covers.
5. What is told, first that holds: `stopped`, `catching_up`, `gapped`, `stale` (the promised statement is overdue),
   `complete`. `as_of` is when the last statement was issued that found everything there; it never moves otherwise.
   `overdue` says of any state whether the promised statement is.
"""

from typing import Final, NamedTuple

from contracts.encoding import Json, canonical, parse_object
from contracts.errors import Corrupt, Fault
from contracts.streams import Position

CATCHING_UP: Final = "catching_up"
COMPLETE: Final = "complete"
GAPPED: Final = "gapped"
STALE: Final = "stale"
STOPPED: Final = "stopped"

MAX_GAPS = 256

Gaps = tuple[tuple[int, int], ...]


class Told(NamedTuple):
    """The last statement that counted. `issued_at`, `next_at` in Unix s; `full`: with bucket digests."""

    position: Position
    issued_at: int
    next_at: int
    full: bool


class StreamState(NamedTuple):
    """One stream on one node (rules 1–4). A named tuple, because each message makes a new one."""

    head: Position = Position(0, 0)
    live: int = 0
    rejected: int = 0
    gaps: Gaps = ()
    merged: bool = False
    covered: int = 0
    mismatch: tuple[int, ...] | None = None  # unequal buckets of the last statement; () if only the count differed
    told: Told | None = None
    as_of: int | None = None
    stopped: str = ""  # the code of the alarm

    def to_json(self) -> bytes:
        """Canonical bytes: equal states, equal bytes."""
        told = None if self.told is None else (tuple(self.told.position), *self.told[1:])
        return canonical({**self._asdict(), "head": tuple(self.head), "told": told})

    @classmethod
    def from_json(cls, data: bytes) -> "StreamState":
        """The inverse of `to_json`; raises `Corrupt`."""
        try:
            return _read(parse_object(data))
        except (Fault, KeyError, TypeError, ValueError) as error:
            raise Corrupt("the state of a stream is not readable") from error


def _read(form: dict[str, Json]) -> StreamState:
    told, mismatch = form.pop("told"), form.pop("mismatch")
    return StreamState(
        head=Position(*form.pop("head")),
        gaps=tuple((first, last) for first, last in form.pop("gaps")),
        told=None if told is None else Told(Position(*told[0]), *told[1:]),
        mismatch=None if mismatch is None else tuple(mismatch),
        **form,
    )


class FeedState(NamedTuple):
    """What an answer says of a stream: `state`, complete as of when (Unix s; None: never yet), refused records."""

    state: str
    as_of: int | None
    rejected: int
    overdue: bool = False


def feed_state(state: StreamState, now: int) -> FeedState:
    """Rule 5. `now` in Unix s."""
    overdue = state.told is not None and now > state.told.next_at
    return FeedState(_named(state, overdue), state.as_of, state.rejected, overdue)


def _named(state: StreamState, overdue: bool) -> str:
    if state.stopped:
        return STOPPED
    if state.told is None or state.covered != state.head.epoch:
        return CATCHING_UP
    if state.gaps or state.mismatch is not None:
        return GAPPED
    return STALE if overdue else COMPLETE


def resumed(state: StreamState, lowest_epoch: int) -> StreamState:
    """A stream that stopped for equivocation goes on once the registry no longer counts the epoch where it did."""
    return state._replace(stopped="") if state.stopped == "equivocation" and lowest_epoch > state.head.epoch else state


# --- numbers heard of (rules 1 and 2) -------------------------------------------------------------------------


def heard(state: StreamState, position: Position) -> StreamState:
    """The state once `position`, above the head, was heard of and received."""
    epoch, seq = state.head
    if position.epoch != epoch:
        state = state._replace(live=0, rejected=0, gaps=(), merged=False, mismatch=None)
        seq = 0
    if position.seq > seq + 1:
        state = _missing(state, seq + 1, position.seq - 1)
    return StreamState(position, *state[1:])  # for every message: a third of what `_replace` costs


def promised(state: StreamState, position: Position) -> StreamState:
    """The state once a statement said that numbers up to `position` were published."""
    if position <= state.head:
        return state
    state = heard(state, position)
    return _missing(state, position.seq, position.seq) if position.seq else state


def found(state: StreamState, seq: int) -> StreamState:
    """The state once a missing number of the head's epoch came after all."""
    gaps: list[tuple[int, int]] = []
    for first, last in state.gaps:
        if first <= seq <= last:
            gaps += [piece for piece in ((first, seq - 1), (seq + 1, last)) if piece[0] <= piece[1]]
        else:
            gaps.append((first, last))
    return _bounded(state, tuple(gaps))


def is_missing(state: StreamState, seq: int) -> bool:
    """Whether number `seq` of the head's epoch is missing."""
    return any(first <= seq <= last for first, last in state.gaps)


def _missing(state: StreamState, first: int, last: int) -> StreamState:
    gaps = state.gaps
    if gaps and gaps[-1][1] + 1 == first:
        return state._replace(gaps=(*gaps[:-1], (gaps[-1][0], last)))
    return _bounded(state, (*gaps, (first, last)))


def _bounded(state: StreamState, gaps: Gaps) -> StreamState:
    if len(gaps) <= MAX_GAPS:
        return state._replace(gaps=gaps)
    return state._replace(gaps=((gaps[0][0], gaps[1][1]), *gaps[2:]), merged=True)
