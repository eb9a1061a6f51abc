"""The fetch loop of one broker: runs ahead of the reader, in the link's thread.

1. Topics are fetched by id (fetch protocol 13 and up): one that was deleted, or made anew under its name, is lost for
   ever, whatever its offsets. So is a position that the log no longer has (truncation after a bad failover).
2. Incremental fetch sessions (KIP-227): a request names only what changed since the last, so that idle topics cost
   nothing, however many.
3. The heads of the batches tell the next offset, so that the next fetch begins before anything is unpacked.
4. A topic with much unread is left out until it has room; while the reader is full, nothing is fetched.
5. What fails is looked for again (the topic may have moved to another broker), and told as `trouble` meanwhile.
"""

import uuid
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from kafka import errors
from kafka.net.wakeup_notifier import WakeupNotifier
from kafka.protocol.consumer import FetchRequest, IsolationLevel

from contracts.edge.transport.interface import Record
from contracts.edge.transport.kafka_batches import Fetched, heads
from contracts.edge.transport.kafka_errors import code_error, translated
from contracts.edge.transport.kafka_link import MAX_PAUSE_S, MIN_PAUSE_S, Link, Place
from contracts.errors import UserError

FETCH_WAIT_MS = 500  # how long a broker holds a fetch that has nothing to say
CROWDED_WAIT_MS = 20  # the same while a topic waits for room: it must be asked for soon after it has some
FETCH_BYTES = 16 * 1024 * 1024  # of one answer
TOPIC_FETCH_BYTES = 1024 * 1024  # of one topic in it; a larger batch comes whole
TOPIC_AHEAD_BYTES = 4 * 1024 * 1024

COMMITTED = int(IsolationLevel.READ_COMMITTED)


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
class Feed:
    """One topic that is read. The link's thread moves `next`, the reading thread `position`."""

    topic: str
    name: str
    place: Place
    position: int  # of the next record to hand out
    next: int  # of the next batch to fetch
    identity: str  # of the topic that the position is from
    epoch: int = -1  # of the leader that wrote the last batch fetched
    head: int = -1  # where the log ended when last heard of; -1 before the first answer
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


class FetchHost(Protocol):
    """What a loop needs of the reader it works for."""

    @property
    def link(self) -> Link: ...

    @property
    def closed(self) -> bool: ...

    def loop_of(self, feed: Feed) -> "FetchLoop | None":
        """The loop that should fetch this topic; None if it is no longer read, or lost."""

    def is_full(self) -> bool:
        """Whether too much is fetched and not yet read."""

    def put(self, feed: Feed, fetched: Fetched) -> None:
        """Fetched bytes, to be read."""

    def heard(self) -> None:
        """There was an answer, perhaps without anything new."""

    def lose(self, feed: Feed) -> None:
        """The topic's position is not in the log."""

    def move(self, feed: Feed, place: Place | None) -> None:
        """The topic is there now; None: nowhere."""


class FetchLoop:
    """Created by the reader; `run` ends when the reader is closed."""

    def __init__(self, reader: FetchHost, node: int) -> None:
        self._reader = reader
        self._node = node
        self._session = _Session()
        self._feeds: dict[uuid.UUID, Feed] = {}
        self._changed: set[Feed] = set()
        self._crowded: set[Feed] = set()
        self._wake = WakeupNotifier(reader.link.net)
        self._pause = MIN_PAUSE_S
        self.trouble: Exception | None = None

    def touch(self, feeds: Iterable[Feed]) -> None:
        """Look at these topics again: they are new here, gone, read on, or have room."""
        self._changed.update(feeds)
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
            except (errors.KafkaError, OSError, UserError) as error:
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
            max_wait_ms=self._patience_ms(named),
            min_bytes=1,
            max_bytes=FETCH_BYTES,
            isolation_level=COMMITTED,
            session_id=self._session.id,
            session_epoch=self._session.epoch,
            topics=[topic(topic_id=key, partitions=[_partition(*told)]) for key, told in named.items()],
            forgotten_topics_data=[FetchRequest.ForgottenTopic(topic_id=key, partitions=[0]) for key in forgotten],
            rack_id="",
            min_version=13,
        )

    def _patience_ms(self, named: Iterable[uuid.UUID]) -> int:
        if any(self._feeds[key].head < 0 for key in named):
            return 0  # whoever begins to read should hear soon how long the topic is
        return CROWDED_WAIT_MS if self._crowded else FETCH_WAIT_MS

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

    def _wants(self, feed: Feed) -> tuple[int, int, int] | None:
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
        lost: list[Feed] = []
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
        self._reader.heard()
        if lost:
            await self._find_again(lost)

    def _put(self, feed: Feed, partition: Any) -> Exception | None:
        """Hand one topic's bytes to the reader. What is wrong, if looking for the topic again may mend it."""
        error = code_error(partition.error_code)
        diverging = partition.diverging_epoch
        if isinstance(error, errors.OffsetOutOfRangeError) or (diverging is not None and diverging.end_offset >= 0):
            self._reader.lose(feed)
            return None
        if error is not None:
            return translated(error, feed.name)
        feed.head = partition.last_stable_offset
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

    async def _find_again(self, feeds: list[Feed]) -> None:
        """Ask where these topics are now. If nobody tells, the next fetch fails again and leads here."""
        await self._reader.link.net.sleep(self._pause)
        self._pause = min(self._pause * 2, MAX_PAUSE_S)
        try:
            places = await self._reader.link.find([feed.name for feed in feeds])
        except (errors.KafkaError, OSError, UserError) as error:
            self.trouble = translated(error, self._reader.link.where)
        else:
            for feed in feeds:
                self._reader.move(feed, places[feed.name])
