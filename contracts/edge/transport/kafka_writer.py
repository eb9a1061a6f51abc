"""Writing to Kafka: acknowledged by all in-sync replicas, in order, once.

1. `acks=all`. The next batch of a topic is sent when the one before it is acknowledged; it is made meanwhile.
2. Idempotent: a batch carries producer id, epoch and sequence, and is sent again unchanged. The broker takes it once.
3. A batch whose outcome stays unknown may still be on its way. The topic's producer epoch rises, so that the broker
   refuses it should it come late: an old record must never land behind a newer one of its key.
4. Topics are written by id: what was meant for a deleted topic never lands in one made anew.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kafka import errors
from kafka.protocol.producer import InitProducerIdRequest, ProduceRequest
from kafka.record import MemoryRecordsBuilder

from contracts.edge.clock import now_ms
from contracts.edge.transport.closing import Closing
from contracts.edge.transport.interface import Headers, LogUnavailable, TopicUnknown, check_sizes, full_name
from contracts.edge.transport.kafka_errors import code_error, passes_by_itself, translated
from contracts.edge.transport.kafka_link import MAX_PAUSE_S, MIN_PAUSE_S, Link, Place
from contracts.errors import UserError

BATCH_BYTES = 524_288  # large enough that a round trip costs little, half of what a broker takes by default
ACKNOWLEDGE_MS = 10_000  # how long a broker waits for its replicas before it says that they are too slow
MAX_EPOCH = 32_000  # of a producer; it is an int16

Entry = tuple[bytes, bytes]

_GONE = (errors.UnknownTopicIdError, errors.UnknownTopicOrPartitionError, errors.InconsistentTopicIdError)
_FORGOTTEN = (
    errors.OutOfOrderSequenceNumberError,
    errors.UnknownProducerIdError,
    errors.InvalidProducerEpochError,
    errors.InvalidProducerIdMappingError,
)


@dataclass(slots=True)
class _Lane:
    """One topic: where it is, and the stamp of the next batch. One writing thread at a time."""

    name: str
    topic: str
    lock: threading.Lock = field(default_factory=threading.Lock)
    place: Place | None = None
    producer: int = -1
    epoch: int = 0
    sequence: int = 0

    def fence(self) -> None:
        """Nothing that was sent before counts from now on (rule 3)."""
        self.epoch, self.sequence = self.epoch + 1, 0
        if self.epoch > MAX_EPOCH:
            self.producer, self.epoch = -1, 0


@dataclass(frozen=True, slots=True)
class _Batch:
    """Records as they go to the broker, and their stamp."""

    entries: Sequence[Entry]
    data: bytearray
    producer: int
    epoch: int
    sequence: int


class KafkaWriter(Closing):
    """A `Writer`."""

    def __init__(self, open_link: Callable[[], Link], prefix: str) -> None:
        self._link = open_link()
        self._prefix = prefix
        self._lanes: dict[str, _Lane] = {}
        self._producer = -1
        self._lock = threading.Lock()

    def write(self, topic: str, key: bytes, value: bytes, headers: Headers = ()) -> int:
        return self.write_many(topic, ((key, value),), headers)[0]

    def write_many(self, topic: str, entries: Iterable[Entry], headers: Headers = ()) -> Sequence[int]:
        batch = entries if isinstance(entries, list | tuple) else list(entries)
        check_sizes(batch)
        lane = self._lane(topic)
        with lane.lock:
            return _Writing(self, lane, headers).write(batch)

    def close(self) -> None:
        self._link.close()

    def _lane(self, topic: str) -> _Lane:
        name = full_name(self._prefix, topic)
        with self._lock:
            return self._lanes.setdefault(topic, _Lane(name, topic))

    def stamp(self, lane: _Lane) -> None:
        """Give the lane a producer id if it has none, the writer's own unless the broker has forgotten that."""
        if lane.producer >= 0:
            return
        with self._lock:
            if self._producer < 0:
                self._producer = self.new_producer()
            lane.producer, lane.sequence = self._producer, 0

    def new_producer(self) -> int:
        """A producer id that nobody has had."""
        request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=0, min_version=3)

        async def ask() -> int:
            response = await self._link.send(request)
            if (error := code_error(response.error_code)) is not None:
                raise error
            producer: int = response.producer_id
            return producer

        return self._link.run(ask)

    @property
    def link(self) -> Link:
        return self._link


class _Writing:
    """One call of `write_many`."""

    def __init__(self, writer: KafkaWriter, lane: _Lane, headers: Headers) -> None:
        self._writer = writer
        self._link = writer.link
        self._lane = lane
        self._headers = list(headers)
        self._offsets: list[int] = []
        self._deadline = time.monotonic() + writer.link.patience_s
        self._uncertain = False  # whether the batch at hand may be in the log already
        self._pause = MIN_PAUSE_S

    def write(self, entries: Sequence[Entry]) -> list[int]:
        self._place()
        self._writer.stamp(self._lane)
        start, sequence = 0, self._lane.sequence
        batch = self._make(entries, 0, sequence)
        while batch is not None:
            answer = self._send(batch)
            start += len(batch.entries)
            following = self._make(entries, start, batch.sequence + len(batch.entries))
            self._settle(batch, answer)
            batch = self._stamped(following)
        return self._offsets

    # --- batches -----------------------------------------------------------------------------------------------

    def _make(self, entries: Sequence[Entry], start: int, sequence: int) -> _Batch | None:
        if start >= len(entries):
            return None
        lane = self._lane
        builder = MemoryRecordsBuilder(
            2, 0, BATCH_BYTES, producer_id=lane.producer, producer_epoch=lane.epoch, base_sequence=sequence % 2**31
        )
        now = now_ms()
        end = start
        while end < len(entries) and builder.append(now, *entries[end], self._headers) is not None:
            end += 1
        builder.close()
        return _Batch(entries[start:end], builder.buffer(), lane.producer, lane.epoch, sequence)

    def _stamped(self, batch: _Batch | None) -> _Batch | None:
        """The batch with the lane's stamp, should that have changed meanwhile."""
        lane = self._lane
        if batch is None or (batch.producer, batch.epoch, batch.sequence) == (lane.producer, lane.epoch, lane.sequence):
            return batch
        return self._make(batch.entries, 0, lane.sequence)

    def _send(self, batch: _Batch) -> Callable[[], Any]:
        place = self._place()
        topic = ProduceRequest.TopicProduceData
        partition = topic.PartitionProduceData(index=0, records=batch.data)
        request = ProduceRequest(
            transactional_id=None,
            acks=-1,
            timeout_ms=ACKNOWLEDGE_MS,
            topic_data=[topic(topic_id=place.id, name=self._lane.name, partition_data=[partition])],
        )
        return self._link.start(lambda: self._link.send(request, place.leader))

    def _place(self) -> Place:
        lane = self._lane
        if lane.place is None:
            lane.place = self._link.place(lane.name, lane.topic)
        return lane.place

    # --- outcomes ----------------------------------------------------------------------------------------------

    def _settle(self, batch: _Batch, answer: Callable[[], Any]) -> None:
        """Wait until the batch is in the log; send it again where that may help. Raises what it is if it is not."""
        while (error := self._refusal(batch, answer)) is not None:
            if isinstance(error, _GONE):
                self._find_again(error)
            elif isinstance(error, _FORGOTTEN) and not self._uncertain:
                self._lane.producer = self._writer.new_producer()
                self._lane.epoch = self._lane.sequence = 0
            elif passes_by_itself(error):
                self._uncertain |= not isinstance(error, errors.NodeNotReadyError)  # that was never sent
                self._wait(error)
                self._find_again(error)
            else:
                raise self._given_up(error)
            batch = self._stamped(batch) or batch
            answer = self._send(batch)
        self._uncertain = False

    def _refusal(self, batch: _Batch, answer: Callable[[], Any]) -> Exception | None:
        try:
            [topic] = answer().responses
        except (errors.KafkaError, OSError, UserError) as error:
            return error
        [partition] = topic.partition_responses
        refusal = code_error(partition.error_code)
        if refusal is None:
            count = len(batch.entries)
            self._offsets.extend(range(partition.base_offset, partition.base_offset + count))
            self._lane.sequence = batch.sequence + count
        return refusal

    def _find_again(self, error: Exception) -> None:
        lane = self._lane
        before, lane.place = lane.place, None
        try:
            place = self._place()
        except (LogUnavailable, TopicUnknown):
            lane.fence()
            raise
        if before is not None and before.id != place.id:
            lane.fence()
            if self._uncertain or self._offsets:
                raise LogUnavailable(f"{lane.topic} was made anew while it was written")
        elif isinstance(error, _GONE):
            self._wait(error)

    def _wait(self, error: Exception) -> None:
        if time.monotonic() + self._pause > self._deadline:
            raise self._given_up(error)
        time.sleep(self._pause)
        self._pause = min(self._pause * 2, MAX_PAUSE_S)

    def _given_up(self, error: Exception) -> Exception:
        if self._uncertain:
            self._lane.fence()
        return translated(error, self._lane.topic)
