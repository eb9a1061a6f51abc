"""Reading from Kafka: a fetch loop for each broker runs ahead in the link's thread; `read` takes what has come.

1. The reader keeps its own positions; no consumer group, no commits, no reset. `read_committed`.
2. Topics are fetched by id (fetch protocol 13 and up): one that was deleted, or made anew under its name, is out of
   range for ever, whatever its offsets. So is a position that the log has lost (truncation after a bad failover).
3. Incremental fetch sessions: a request names only what changed since the last, so that idle topics cost nothing.
4. The loop knows the next offset from the batches' heads and fetches on at once; records are unpacked in `read`, in
   the caller's thread. What was fetched and not yet read is bounded, for each topic and in all.
5. While no broker answers, `read` raises `LogUnavailable` when its time is over; the loop goes on trying.
"""

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kafka import errors
from kafka.net.wakeup_notifier import WakeupNotifier
from kafka.protocol.consumer import FetchRequest, IsolationLevel, ListOffsetsRequest, OffsetSpec

from contracts.edge.transport.interface import OffsetOutOfRange, Record, TopicUnknown, full_name
from contracts.edge.transport.kafka_batches import Fetched, heads, unpack
from contracts.edge.transport.kafka_errors import code_error, translated
from contracts.edge.transport.kafka_link import MAX_PAUSE_S, MIN_PAUSE_S, Closing, Link, Place
from contracts.errors import UserError

FETCH_WAIT_MS = 500  # how long a broker holds a fetch that has nothing to say
CROWDED_WAIT_MS = 20  # the same while a topic waits for room: it must be asked for soon after it has some
FETCH_BYTES = 16 * 1024 * 1024  # of one answer
TOPIC_FETCH_BYTES = 1024 * 1024  # of one topic in it; a larger batch comes whole
TOPIC_AHEAD_BYTES = 4 * 1024 * 1024
AHEAD_BYTES = 64 * 1024 * 1024

_COMMITTED = int(IsolationLevel.READ_COMMITTED)


def _partition(offset: int, leader_epoch: int, epoch: int) -> Any:
    return FetchRequest.FetchTopic.FetchPartition(
        partition=0,
        current_leader_epoch=leader_epoch,
        fetch_offset=offset,
        last_fetched_epoch=epoch,
        log_start_offset=-1,
        partition_max_bytes=TOPIC_FETCH_BYTES,
    )


@dataclass(slots=True, eq=False)
class _Feed:
    """One topic that is read. The link's thread moves `next`, the reading thread `position`."""

    topic: str
    name: str
    place: Place
    position: int  # of the next record to hand out
    next: int  # of the next batch to fetch
    epoch: int = -1  # of the leader that wrote the last batch fetched
    ahead: int = 0  # bytes fetched and not yet unpacked
    fetched: deque[Fetched] = field(default_factory=deque)
    ready: list[Record] = field(default_factory=list)
    taken: int = 0  # of `ready`
    limit: int = 0  # where to read on when all of `ready` is taken

    @property
    def has_room(self) -> bool:
        return self.ahead < TOPIC_AHEAD_BYTES


@dataclass(slots=True)
class _Session:
    """What a broker has been told (KIP-227): by topic id the offset and epochs last named."""

    id: int = 0
    epoch: int = 0
    told: dict[uuid.UUID, tuple[int, int, int]] = field(default_factory=dict)


class _Loop:
    """The fetch loop of one broker: runs in the link's thread, ends with the reader."""

    def __init__(self, reader: "KafkaReader", node: int) -> None:
        self._reader = reader
        self._node = node
        self._session = _Session()
        self._feeds: dict[uuid.UUID, _Feed] = {}
        self._changed: set[_Feed] = set()
        self._crowded: set[_Feed] = set()
        self._wake = WakeupNotifier(reader.link.net)
        self._pause = MIN_PAUSE_S
        self.trouble: Exception | None = None

    def touch(self, feed: _Feed) -> None:
        """Look at this topic again: it is new here, gone, read on, or has room."""
        self._changed.add(feed)
        self._wake.notify()

    def wake(self) -> None:
        """There is room again."""
        self._wake.notify()

    async def run(self) -> None:
        while not self._reader.closed:
            request = self._request()
            if request is None:
                await self._wake(1.0)
                continue
            try:
                response = await self._reader.link.fetch(request, self._node)
                if (error := code_error(response.error_code)) is not None:
                    raise error
            except (errors.KafkaError, OSError) as error:
                await self._failed(error)
            else:
                self._pause, self.trouble = MIN_PAUSE_S, None
                self._told(response)
                await self._take(response)

    # --- asking ------------------------------------------------------------------------------------------------

    def _request(self) -> Any:
        """The next fetch; None while there is nothing to ask for."""
        if self._reader.is_full():
            return None
        named, forgotten = self._changes()
        if not self._session.told:
            self.trouble = None
            return None
        topic = FetchRequest.FetchTopic
        return FetchRequest(
            max_wait_ms=CROWDED_WAIT_MS if self._crowded else FETCH_WAIT_MS,
            min_bytes=1,
            max_bytes=FETCH_BYTES,
            isolation_level=_COMMITTED,
            session_id=self._session.id,
            session_epoch=self._session.epoch,
            topics=[topic(topic_id=key, partitions=[_partition(*told)]) for key, told in named.items()],
            forgotten_topics_data=[
                FetchRequest.ForgottenTopic(topic_id=key, partitions=[0]) for key in forgotten
            ],
            rack_id="",
            min_version=13,
        )

    def _changes(self) -> tuple[dict[uuid.UUID, tuple[int, int, int]], list[uuid.UUID]]:
        named: dict[uuid.UUID, tuple[int, int, int]] = {}
        forgotten: list[uuid.UUID] = []
        told = self._session.told
        while self._changed:
            feed = self._changed.pop()
            key = feed.place.id
            wanted = self._wants(feed)
            if wanted is not None:
                self._feeds[key] = feed
                if told.get(key) != wanted:
                    told[key] = named[key] = wanted
            elif self._feeds.get(key) is feed and told.pop(key, None) is not None:
                forgotten.append(key)
        if self._session.epoch == 0:  # a new session is told everything
            return dict(told), []
        return named, [key for key in forgotten if key not in told]

    def _wants(self, feed: _Feed) -> tuple[int, int, int] | None:
        if self._reader.loop_of(feed) is not self:
            self._crowded.discard(feed)
            return None
        if not feed.has_room:
            self._crowded.add(feed)
            return None
        self._crowded.discard(feed)
        return feed.next, feed.place.epoch, feed.epoch

    # --- answers -----------------------------------------------------------------------------------------------

    def _told(self, response: Any) -> None:
        session = self._session
        session.id = response.session_id
        session.epoch = session.epoch % (2**31 - 1) + 1 if session.id else 0

    async def _take(self, response: Any) -> None:
        lost: list[_Feed] = []
        for topic in response.responses:
            feed = self._feeds.get(topic.topic_id)
            told = self._session.told.get(topic.topic_id)
            if feed is None or told is None or told[0] != feed.next or self._reader.loop_of(feed) is not self:
                continue  # no longer read, or from elsewhere
            self._changed.add(feed)
            [partition] = topic.partitions
            error = self._put(feed, partition)
            if error is not None:
                self.trouble = error
                lost.append(feed)
        if lost:
            await self._find_again(lost)

    def _put(self, feed: _Feed, partition: Any) -> Exception | None:
        """Hand one topic's bytes to the reader. What is wrong, if looking for the topic again may mend it."""
        error = code_error(partition.error_code)
        diverging = partition.diverging_epoch
        if isinstance(error, errors.OffsetOutOfRangeError) or (diverging is not None and diverging.end_offset >= 0):
            self._reader.lose(feed)
            return None
        if error is not None:
            return translated(error, feed.name)
        data = bytes(partition.records or b"")
        if data:
            aborted = tuple((item.producer_id, item.first_offset) for item in partition.aborted_transactions or ())
            start = feed.next
            feed.next, feed.epoch = heads(data, start, feed.epoch)
            self._reader.put(feed, Fetched(start, data, aborted, feed.next))
        return None

    async def _failed(self, error: Exception) -> None:
        """The broker did not answer, or forgot the session: begin a new one, perhaps with another broker."""
        self._session.id = self._session.epoch = 0
        if isinstance(error, errors.FetchSessionIdNotFoundError | errors.InvalidFetchSessionEpochError):
            return
        self.trouble = translated(error, self._reader.link.where)
        await self._find_again([feed for feed in self._feeds.values() if self._reader.loop_of(feed) is self])

    async def _find_again(self, feeds: list[_Feed]) -> None:
        """Ask where these topics are now. If nobody tells, the next fetch fails again and leads here."""
        await self._reader.link.net.sleep(self._pause)
        self._pause = min(self._pause * 2, MAX_PAUSE_S)
        try:
            places = await self._reader.link.find([feed.name for feed in feeds])
        except UserError as error:
            self.trouble = error
        except (errors.KafkaError, OSError) as error:
            self.trouble = translated(error, self._reader.link.where)
        else:
            for feed in feeds:
                self._reader.move(feed, places[feed.name])


class KafkaReader(Closing):
    """A `Reader`."""

    def __init__(self, open_link: Callable[[], Link], prefix: str) -> None:
        self.link = open_link()
        self.closed = False
        self._prefix = prefix
        self._feeds: dict[str, _Feed] = {}
        self._loops: dict[int, _Loop] = {}
        self._lost: set[_Feed] = set()
        self._turn: deque[_Feed] = deque()  # topics with something to take
        self._ahead = 0
        self._arrival = threading.Condition()

    # --- the interface -----------------------------------------------------------------------------------------

    def assign(self, positions: Mapping[str, int]) -> None:
        places = self._places(positions)
        for topic in list(self._feeds):
            self.remove(topic)
        for topic, offset in positions.items():
            self._begin(topic, offset, places[topic])

    def add(self, topic: str, offset: int) -> None:
        place = self._places([topic])[topic]
        self.remove(topic)
        self._begin(topic, offset, place)

    def remove(self, topic: str) -> None:
        with self._arrival:
            feed = self._feeds.pop(topic, None)
            if feed is None:
                return
            self._lost.discard(feed)
            self._ahead -= feed.ahead
            if feed in self._turn:
                self._turn.remove(feed)
        self._touch(feed, feed.place.leader)

    def read(self, max_records: int, timeout_s: float) -> list[Record]:
        deadline = time.monotonic() + timeout_s
        while True:
            self._raise_fault()
            records = self._take(max_records)
            left = deadline - time.monotonic()
            if records or left <= 0:
                break
            with self._arrival:
                self._arrival.wait_for(lambda: self._turn or self._lost, left)
        if not records:
            self._raise_trouble()
        return records

    def position(self, topic: str) -> int:
        return self._feeds[topic].position

    def earliest(self, topic: str) -> int:
        return self._offset(topic, OffsetSpec.EARLIEST)

    def end(self, topic: str) -> int:
        return self._offset(topic, OffsetSpec.LATEST)

    def close(self) -> None:
        self.closed = True
        self.link.close()

    # --- for the loops, in the link's thread -------------------------------------------------------------------

    def loop_of(self, feed: _Feed) -> _Loop | None:
        """The loop that should fetch this topic; None if it is no longer read, or out of range."""
        if self._feeds.get(feed.topic) is not feed or feed in self._lost:
            return None
        return self._loops.get(feed.place.leader)

    def is_full(self) -> bool:
        return self._ahead >= AHEAD_BYTES

    def put(self, feed: _Feed, fetched: Fetched) -> None:
        """Fetched bytes, to be read."""
        with self._arrival:
            if self._feeds.get(feed.topic) is not feed:
                return
            feed.fetched.append(fetched)
            feed.ahead += len(fetched.data)
            self._ahead += len(fetched.data)
            if feed not in self._turn:
                self._turn.append(feed)
            self._arrival.notify_all()

    def lose(self, feed: _Feed) -> None:
        """The topic's position is not in the log."""
        with self._arrival:
            self._lost.add(feed)
            self._arrival.notify_all()

    def move(self, feed: _Feed, place: Place | None) -> None:
        """The topic is there now."""
        before = feed.place
        if place is None or place.id != before.id:
            self.lose(feed)
        else:
            feed.place = place
            self._touch(feed, place.leader)
        self._touch(feed, before.leader)

    # --- inside ------------------------------------------------------------------------------------------------

    def _places(self, topics: Iterable[str]) -> dict[str, Place]:
        names = {full_name(self._prefix, topic): topic for topic in topics}
        found = self.link.run(lambda: self.link.find(names)) if names else {}
        places = {topic: found[name] for name, topic in names.items()}
        return {topic: _there(topic, place) for topic, place in places.items()}

    def _begin(self, topic: str, offset: int, place: Place) -> None:
        feed = _Feed(topic, full_name(self._prefix, topic), place, offset, offset)
        with self._arrival:
            self._feeds[topic] = feed
        self._touch(feed, place.leader)

    def _touch(self, feed: _Feed, leader: int) -> None:
        with self._arrival:
            loop = self._loops.get(leader)
            if loop is None:
                loop = self._loops[leader] = _Loop(self, leader)
                self.link.net.call_soon_threadsafe(loop.run)
        loop.touch(feed)

    def _raise_fault(self) -> None:
        with self._arrival:
            feed = next(iter(self._lost), None)
        if feed is not None:
            raise OffsetOutOfRange(feed.topic, feed.next, *self._bounds(feed))

    def _bounds(self, feed: _Feed) -> tuple[int, int]:
        try:
            place = self.link.place(feed.name, feed.topic)
            same = place.id == feed.place.id
            return (self.earliest(feed.topic), self.end(feed.topic)) if same else (0, 0)
        except TopicUnknown:
            return 0, 0

    def _raise_trouble(self) -> None:
        for loop in list(self._loops.values()):
            if loop.trouble is not None:
                raise loop.trouble

    def _offset(self, topic: str, which: OffsetSpec) -> int:
        name = full_name(self._prefix, topic)
        places = [feed.place] if (feed := self._feeds.get(topic)) is not None else []

        async def ask() -> int:
            place = places.pop() if places else _there(topic, (await self.link.find([name]))[name])
            return await self._listed(name, place, which)

        return self.link.run(ask)

    async def _listed(self, name: str, place: Place, which: OffsetSpec) -> int:
        topic = ListOffsetsRequest.ListOffsetsTopic
        partition = topic.ListOffsetsPartition(partition_index=0, current_leader_epoch=-1, timestamp=int(which))
        request = ListOffsetsRequest(
            replica_id=-1,
            isolation_level=_COMMITTED,
            topics=[topic(name=name, partitions=[partition])],
            timeout_ms=0,
        )
        [answer] = (await self.link.send(request, place.leader)).topics[0].partitions
        if (error := code_error(answer.error_code)) is not None:
            raise error
        offset: int = answer.offset
        return offset

    # --- taking ------------------------------------------------------------------------------------------------

    def _take(self, max_records: int) -> list[Record]:
        with self._arrival:
            feeds = list(self._turn)
            self._turn.rotate(-1)
        for feed in feeds[:max_records]:
            self._unpack(feed)  # of all before positions move: an error loses nothing
        taken: list[Record] = []
        for index, feed in enumerate(feeds[:max_records]):
            share = -(-(max_records - len(taken)) // (len(feeds) - index))
            taken += self._share(feed, share)
        return taken

    def _unpack(self, feed: _Feed) -> None:
        """See to it that the topic has records ready, if it has any at all."""
        while feed.taken == len(feed.ready) and feed.fetched:
            fetched = feed.fetched[0]
            try:
                feed.ready = unpack(feed.topic, fetched)
            except errors.KafkaError as error:
                self.add(feed.topic, feed.position)  # fetched anew: it may have been altered on its way
                raise translated(error, feed.name) from None
            feed.taken, feed.limit = 0, fetched.end
            if not feed.ready:
                feed.position = fetched.end
            self._unpacked(feed)

    def _unpacked(self, feed: _Feed) -> None:
        with self._arrival:
            size = len(feed.fetched.popleft().data)
            had_room, was_full = feed.has_room, self.is_full()
            feed.ahead -= size
            self._ahead -= size
            if not feed.fetched and not feed.ready:
                self._turn.remove(feed)
            full = self.is_full()
        if feed.has_room and not had_room:
            self._touch(feed, feed.place.leader)
        if was_full and not full:
            for loop in list(self._loops.values()):
                loop.wake()

    def _share(self, feed: _Feed, count: int) -> list[Record]:
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
