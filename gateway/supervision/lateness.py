"""When a department's feed is late, and when it is there again. Pure.

1. Late is a stream whose promised statement is overdue (`stale`), that has gaps (`gapped`), or that stopped. It
   recovers when it is `complete`.
2. Each change of the state is told once. `catching_up` tells nothing: the node does not know yet.
3. A stream that was never late and is complete has nothing to tell.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from audit import notices
from audit.notices import Notice
from contracts.streams import Stream
from gateway.ingest.state import COMPLETE, GAPPED, STALE, STOPPED, FeedState
from gateway.supervision.seen import stream_facts

LATE_STATES: Final = frozenset({STALE, GAPPED, STOPPED})


def transitions(
    late: Mapping[Stream, str], states: Iterable[tuple[Stream, FeedState]], now: int
) -> Iterator[tuple[Stream, Notice]]:
    """What is to be told: `late` was told before, `states` is how it is at `now` (Unix ms)."""
    for stream, feed in states:
        before = late.get(stream)
        if feed.state in LATE_STATES and feed.state != before:
            yield stream, _notice(notices.FEED_LATE, stream, feed, now)
        elif feed.state == COMPLETE and before is not None:
            yield stream, _notice(notices.FEED_RECOVERED, stream, feed, now)


def _notice(kind: str, stream: Stream, feed: FeedState, now: int) -> Notice:
    return Notice(kind, now, {**stream_facts(stream), "state": feed.state, "as_of": feed.as_of})
