"""When a department's feed is late, and when it is there again. Pure.

1. Late is a stream whose promised statement is overdue (`stale`), that has gaps (`gapped`), or that stopped. It
   recovers when it is `complete`.
2. `catching_up` tells nothing at first: the node does not know yet, and may itself be what is behind. When it lasts,
   the department is late: its feed never came, or ended in the middle of a new epoch. `Patience` says when.
3. Each change of what is told is told once. A stream that was never late and is complete has nothing to tell.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from audit import notices
from audit.notices import Notice
from contracts.streams import Stream
from gateway.ingest.state import CATCHING_UP, COMPLETE, GAPPED, STALE, STOPPED, FeedState
from gateway.supervision.seen import stream_facts

LATE_STATES: Final = frozenset({STALE, GAPPED, STOPPED, CATCHING_UP})


class Patience(NamedTuple):
    """How long (s) a stream may be catching up: past its promised statement, it is `stale` then, and at all."""

    overdue_s: float = 600.0
    whole_s: float = 86_400.0


PATIENCE: Final = Patience()


def transitions(
    late: Mapping[Stream, str],
    states: Iterable[tuple[Stream, FeedState]],
    waits: Mapping[Stream, float],
    patience: Patience,
    now: int,
) -> Iterator[tuple[Stream, Notice]]:
    """What is to be told: `late` was told before, `states` is how it is at `now` (Unix ms), `waits` for how long
    streams are catching up (s)."""
    for stream, feed in states:
        before, told = late.get(stream), _told(feed, waits.get(stream, 0.0), patience)
        if told in LATE_STATES and told != before:
            yield stream, _notice(notices.FEED_LATE, stream, told, feed, now)
        elif told == COMPLETE and before is not None:
            yield stream, _notice(notices.FEED_RECOVERED, stream, told, feed, now)


def _told(feed: FeedState, waited: float, patience: Patience) -> str:
    """What is told of its state, "": nothing (rule 2)."""
    if feed.state != CATCHING_UP:
        return feed.state
    if feed.overdue and waited >= patience.overdue_s:
        return STALE
    return CATCHING_UP if waited >= patience.whole_s else ""


def _notice(kind: str, stream: Stream, state: str, feed: FeedState, now: int) -> Notice:
    return Notice(kind, now, {**stream_facts(stream), "state": state, "as_of": feed.as_of})
