"""Reading from Kafka: `read` takes what the fetch loops (`kafka_fetch.py`) have brought.

1. The reader keeps its own positions; no consumer group, no commits, no reset. `read_committed`.
2. Records are unpacked in `read`, in the caller's thread; the network never waits for that.
3. A lost position is told before any record is taken; positions move when everything was unpacked.
4. What is fetched and not yet read is bounded, for each topic and in all.
5. While no broker answers, `read` raises `LogUnavailable` when its time is over; the loops go on trying.
6. What the log is known to hold is waited for, up to `GRACE_S` beyond the time given: a `read` without any time still
   finds what is there, as in a log on this machine.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from kafka import errors
from kafka.protocol.consumer import OffsetSpec

from contracts.edge.transport.closing import Closing
from contracts.edge.transport.interface import (
    LogUnavailable,
    OffsetOutOfRange,
    Record,
    TopicReplaced,
    TopicUnknown,
    full_name,
)
from contracts.edge.transport.kafka_batches import Fetched, unpack
from contracts.edge.transport.kafka_errors import translated
from contracts.edge.transport.kafka_fetch import Feed, FetchLoop
from contracts.edge.transport.kafka_link import Link, Place
from contracts.edge.transport.kafka_offsets import EARLIEST, LATEST, offsets

AHEAD_BYTES = 64 * 1024 * 1024
GRACE_S = 1.0


class KafkaReader(Closing):
    """A `Reader`."""

    def __init__(self, open_link: Callable[[], Link], prefix: str) -> None:
        self.link = open_link()
        self.closed = False
        self._prefix = prefix
        self._feeds: dict[str, Feed] = {}
        self._loops: dict[int, FetchLoop] = {}
        self._lost: set[Feed] = set()
        self._turn: deque[Feed] = deque()  # topics with something to take
        self._ahead = 0
        self._bug: BaseException | None = None
        self._arrival = threading.Condition()

    # --- the interface -----------------------------------------------------------------------------------------

    def assign(self, positions: Mapping[str, int], identities: Mapping[str, str] = {}) -> None:
        places = self._places(positions)
        for topic in list(self._feeds):
            self.remove(topic)
        self._begin(positions, places, identities)

    def add(self, topic: str, offset: int, identity: str = "") -> None:
        self.extend({topic: offset}, {topic: identity})

    def extend(self, positions: Mapping[str, int], identities: Mapping[str, str] = {}) -> None:
        places = self._places(positions)
        for topic in positions:
            self.remove(topic)
        self._begin(positions, places, identities)

    def remove(self, topic: str) -> None:
        with self._arrival:
            feed = self._feeds.pop(topic, None)
            if feed is None:
                return
            self._lost.discard(feed)
            self._ahead -= feed.ahead
            if feed in self._turn:
                self._turn.remove(feed)
        self._touch([feed], feed.place.leader)

    def read(self, max_records: int, timeout_s: float) -> list[Record]:
        deadline = time.monotonic() + timeout_s
        while True:
            self._raise_fault()
            records = self._take(max_records)
            if records or not self._wait(deadline):
                break
        if not records:
            self._raise_trouble()
        return records

    def position(self, topic: str) -> int:
        return self._feeds[topic].position

    def earliest(self, topic: str) -> int:
        return self._offset(topic, EARLIEST)

    def end(self, topic: str) -> int:
        return self._offset(topic, LATEST)

    def starts(self, topics: Iterable[str]) -> Mapping[str, int]:
        return self._offsets(topics, EARLIEST)

    def ends(self, topics: Iterable[str]) -> Mapping[str, int]:
        return self._offsets(topics, LATEST)

    def identities(self, topics: Iterable[str]) -> Mapping[str, str]:
        return {topic: str(place.id) for topic, place in self._found(topics).items() if place is not None}

    def close(self) -> None:
        self.closed = True
        self.link.close()

    # --- for the loops, in the link's thread -------------------------------------------------------------------

    def loop_of(self, feed: Feed) -> FetchLoop | None:
        if self._feeds.get(feed.topic) is not feed or feed in self._lost:
            return None
        return self._loops.get(feed.place.leader)

    def is_full(self) -> bool:
        return self._ahead >= AHEAD_BYTES

    def put(self, feed: Feed, fetched: Fetched) -> None:
        with self._arrival:
            if self._feeds.get(feed.topic) is not feed:
                return
            feed.fetched.append(fetched)
            feed.ahead += len(fetched.data)
            self._ahead += len(fetched.data)
            if feed not in self._turn:
                self._turn.append(feed)
            self._arrival.notify_all()

    def heard(self) -> None:
        with self._arrival:
            self._arrival.notify_all()

    def lose(self, feed: Feed) -> None:
        with self._arrival:
            self._lost.add(feed)
            self._arrival.notify_all()

    def move(self, feed: Feed, place: Place | None) -> None:
        before = feed.place
        if place is None or place.id != before.id:
            self.lose(feed)
        else:
            feed.place = place
            self._touch([feed], place.leader)
        self._touch([feed], before.leader)

    # --- inside ------------------------------------------------------------------------------------------------

    def _places(self, topics: Iterable[str]) -> dict[str, Place]:
        return {topic: _there(topic, place) for topic, place in self._found(topics).items()}

    def _found(self, topics: Iterable[str]) -> dict[str, Place | None]:
        names = {full_name(self._prefix, topic): topic for topic in topics}
        found = self.link.run(lambda: self.link.find(names)) if names else {}
        return {topic: found[name] for name, topic in names.items()}

    def _begin(self, positions: Mapping[str, int], places: Mapping[str, Place], identities: Mapping[str, str]) -> None:
        feeds = [
            self._feed(topic, places[topic], offset, identities.get(topic, "")) for topic, offset in positions.items()
        ]
        with self._arrival:
            self._feeds.update((feed.topic, feed) for feed in feeds)
            self._lost.update(feed for feed in feeds if feed.identity != str(feed.place.id))
        for leader in {feed.place.leader for feed in feeds}:  # all at once: the first fetch is fair already
            self._touch([feed for feed in feeds if feed.place.leader == leader], leader)

    def _feed(self, topic: str, place: Place, offset: int, identity: str) -> Feed:
        return Feed(topic, full_name(self._prefix, topic), place, offset, offset, identity or str(place.id))

    def _touch(self, feeds: list[Feed], leader: int) -> None:
        with self._arrival:
            loop = self._loops.get(leader)
            if loop is None:
                loop = self._loops[leader] = FetchLoop(self, leader)
                loop.touch(feeds)
                self.link.net.call_soon_with_future(loop.run).add_errback(self._broken)
                return
        loop.touch(feeds)

    def _raise_fault(self) -> None:
        with self._arrival:
            feed = next(iter(self._lost), None)
        if feed is not None:
            if self.identities([feed.topic]).get(feed.topic) != feed.identity:
                raise TopicReplaced(feed.topic, feed.next)
            raise OffsetOutOfRange(feed.topic, feed.next, *self._bounds(feed))

    def _bounds(self, feed: Feed) -> tuple[int, int]:
        try:
            return self.earliest(feed.topic), self.end(feed.topic)
        except TopicUnknown:  # deleted this very moment
            return 0, 0

    def _broken(self, error: BaseException) -> None:
        """A loop ended that must not: say so for ever, rather than have no news for ever."""
        with self._arrival:
            self._bug = error
            self._arrival.notify_all()

    def _raise_trouble(self) -> None:
        if self._bug is not None and not self.closed:
            raise LogUnavailable(f"reading from Kafka {self.link.where} has broken off") from self._bug
        for loop in list(self._loops.values()):
            if loop.trouble is not None:
                raise loop.trouble.with_traceback(None)

    def _offset(self, topic: str, which: OffsetSpec) -> int:
        found = self._offsets([topic], which)
        if topic not in found:
            raise TopicUnknown(topic)
        return found[topic]

    def _offsets(self, topics: Iterable[str], which: OffsetSpec) -> dict[str, int]:
        names = {full_name(self._prefix, topic): topic for topic in topics}
        places = {name: self._feeds[topic].place for name, topic in names.items() if topic in self._feeds}

        async def ask() -> dict[str, int]:
            unknown = [name for name in names if name not in places]
            found = dict(places) | (await self.link.find(unknown) if unknown else {})
            places.clear()  # who has to try again looks for all of them anew
            return await offsets(self.link, {name: place for name, place in found.items() if place is not None}, which)

        return {names[name]: offset for name, offset in self.link.run(ask).items()}

    # --- waiting -----------------------------------------------------------------------------------------------

    def _wait(self, deadline: float) -> bool:
        """Wait for something to take until the deadline, by rule 6 beyond it; False if there is nothing."""
        left = deadline - time.monotonic()
        with self._arrival:
            if left > 0:
                self._arrival.wait_for(self._has_news, left)
            else:
                self._arrival.wait_for(lambda: self._has_news() or not self._expects(), max(left + GRACE_S, 0))
            return self._bug is None and (left > 0 or self._has_news())

    def _has_news(self) -> bool:
        return bool(self._turn or self._lost or self._bug)

    def _expects(self) -> bool:
        """Whether the log is known, or not yet known not, to hold more."""
        if any(loop.trouble is not None for loop in self._loops.values()):
            return False
        return any(feed.head < 0 or feed.next < feed.head for feed in self._feeds.values())

    # --- taking ------------------------------------------------------------------------------------------------

    def _take(self, max_records: int) -> list[Record]:
        with self._arrival:
            feeds = list(self._turn)
            self._turn.rotate(-1)
        for feed in feeds[:max_records]:
            self._unpack(feed, -(-max_records // len(feeds)))  # all before positions move: an error loses nothing
        taken: list[Record] = []
        for index, feed in enumerate(feeds[:max_records]):
            share = -(-(max_records - len(taken)) // (len(feeds) - index))
            taken += self._share(feed, share)
        return taken

    def _unpack(self, feed: Feed, count: int) -> None:
        """See to it that the topic has `count` records ready, if it has as many."""
        while len(feed.ready) - feed.taken < count and feed.fetched:
            fetched = feed.fetched[0]
            try:
                feed.ready = feed.ready[feed.taken :] + unpack(feed.topic, fetched)
            except errors.KafkaError as error:
                self.add(feed.topic, feed.position, feed.identity)  # fetched anew: it may have been altered on its way
                raise translated(error, feed.name) from None
            feed.taken, feed.limit = 0, fetched.end
            if not feed.ready:
                feed.position = fetched.end
            self._unpacked(feed)

    def _unpacked(self, feed: Feed) -> None:
        with self._arrival:
            size = len(feed.fetched.popleft().data)
            had_room, was_full = feed.has_room, self.is_full()
            feed.ahead -= size
            self._ahead -= size
            if not feed.fetched and not feed.ready:
                self._turn.remove(feed)
            full = self.is_full()
        if feed.has_room and not had_room:
            self._touch([feed], feed.place.leader)
        if was_full and not full:
            for loop in list(self._loops.values()):
                loop.wake()

    def _share(self, feed: Feed, count: int) -> list[Record]:
        records = feed.ready[feed.taken : feed.taken + count]
        feed.taken += len(records)
        if feed.taken < len(feed.ready):
            feed.position = records[-1].offset + 1 if records else feed.position
            return records
        if records:
            feed.position, feed.ready, feed.taken = feed.limit, [], 0
            with self._arrival:
                if not feed.fetched:
                    self._turn.remove(feed)
        return records


def _there(topic: str, place: Place | None) -> Place:
    if place is None:
        raise TopicUnknown(topic)
    return place
