"""What an answer says about the feed that it comes from. Pure.

1. The feed of an evidence type is the streams that the registry lists for it. A stream that this node has not read
   yet is `catching_up`; a type without any stream is `absent`: nobody supplies it.
2. The worst stream is the state of the feed; each stream is listed with its own.
3. `as_of` is the earliest time up to which all its streams are known; null while one of them is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import orjson

from contracts.encoding import Json
from contracts.streams import Stream
from gateway.ingest.state import CATCHING_UP, COMPLETE, GAPPED, STALE, STOPPED, FeedState

ABSENT: Final = "absent"
# From best to worst (rule 2).
STATES: Final = (COMPLETE, STALE, GAPPED, CATCHING_UP, STOPPED, ABSENT)
UNREAD: Final = FeedState(CATCHING_UP, None, 0)


@dataclass(frozen=True, slots=True)
class Feed:
    """The feed of one evidence type. `as_of` in Unix s; `members` is its JSON, `"as_of":…,"feed":…`, for splicing."""

    state: str
    as_of: int | None
    members: bytes


def feed_of(streams: Sequence[tuple[Stream, FeedState]]) -> Feed:
    """The feed that consists of these streams."""
    state = max((one.state for _, one in streams), key=STATES.index, default=ABSENT)
    times = [one.as_of for _, one in streams if one.as_of is not None]
    as_of = min(times) if times and len(times) == len(streams) else None
    form = {"state": state, "streams": [_listed(stream, one) for stream, one in streams]}
    return Feed(state, as_of, b'"as_of":%b,"feed":%b' % (orjson.dumps(timestamp(as_of)), orjson.dumps(form)))


def timestamp(seconds: int | None) -> str | None:
    """RFC 3339, in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _listed(stream: Stream, one: FeedState) -> dict[str, Json]:
    return {
        "organisation": stream.organisation,
        "adapter": stream.adapter,
        "state": one.state,
        "as_of": timestamp(one.as_of),
        "refused": one.rejected,
    }
