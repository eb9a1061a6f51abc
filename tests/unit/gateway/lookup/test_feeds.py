"""What an answer says about its feed: the worst stream, the earliest time."""

import orjson
import pytest

from contracts.streams import Stream
from gateway.ingest.state import CATCHING_UP, COMPLETE, GAPPED, STALE, STOPPED, FeedState
from gateway.lookup.feeds import ABSENT, UNREAD, feed_of

A, B = Stream("police", "a", "t"), Stream("market", "b", "t")


@pytest.mark.parametrize(
    ("states", "worst"),
    [
        ((COMPLETE, COMPLETE), COMPLETE),
        ((COMPLETE, STALE), STALE),
        ((GAPPED, STALE), GAPPED),
        ((GAPPED, CATCHING_UP), CATCHING_UP),
        ((STOPPED, CATCHING_UP), STOPPED),
    ],
)
def test_the_worst_stream_is_the_state_of_the_feed(states: tuple[str, str], worst: str) -> None:
    for pair in (states, states[::-1]):
        feed = feed_of([(stream, FeedState(state, 5, 0)) for stream, state in zip((A, B), pair, strict=True)])
        assert feed.state == worst


def test_each_stream_is_listed() -> None:
    feed = feed_of([(A, FeedState(COMPLETE, 60, 2)), (B, FeedState(STALE, 0, 0))])
    form = orjson.loads(b"{%b}" % feed.members)
    assert (form["as_of"], form["feed"]["state"]) == ("1970-01-01T00:00:00Z", "stale")
    assert form["feed"]["streams"] == [
        listed("police", "a", "complete", "1970-01-01T00:01:00Z", 2),
        listed("market", "b", "stale", "1970-01-01T00:00:00Z", 0),
    ]


def listed(organisation: str, adapter: str, state: str, as_of: str, refused: int) -> dict[str, object]:
    return {"organisation": organisation, "adapter": adapter, "state": state, "as_of": as_of, "refused": refused}


def test_the_time_is_unknown_while_one_stream_is() -> None:
    assert feed_of([(A, FeedState(COMPLETE, 60, 0)), (B, UNREAD)]).as_of is None


def test_a_type_that_nobody_supplies_is_absent() -> None:
    feed = feed_of([])
    assert (feed.state, feed.as_of) == (ABSENT, None)
