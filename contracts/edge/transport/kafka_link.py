"""Connections to a Kafka cluster: requests out, responses back. The only file that drives kafka-python's network.

1. A link has one thread of kafka-python's in which its sockets, TLS and SASL live. Calls block the caller, never it.
2. Brokers answer the requests of one connection in turn, and a fetch waits for records. So a reader has connections
   of their own for fetching; what is asked meanwhile does not wait for it.
3. A topic that one broker does not know may be too new for it: it is unknown when no broker that answers knows it.
4. Calls try again what passes by itself, for a link's patience, and then are `LogUnavailable`.
"""

import contextlib
import logging
import secrets
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from kafka import errors
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.protocol.metadata import MetadataRequest

from contracts.edge.transport.interface import LogUnavailable, TopicUnknown
from contracts.edge.transport.kafka_errors import code_error, passes_by_itself, translated
from contracts.edge.transport.kafka_sockets import close_failures
from contracts.errors import UserError
from contracts.text import Text

T = TypeVar("T")

PATIENCE_S = 30.0  # unless configured
MIN_PAUSE_S = 0.05
MAX_PAUSE_S = 1.0
CLOSING_MS = 1000

# It logs each attempt that fails, which is ours to tell, and at lower levels whole requests.
logging.getLogger("kafka").setLevel(logging.CRITICAL)

_ONE_PARTITION = Text("主题 {topic} 有 {count} 个分区", "Topic {topic} has {count} partitions")
_MAKE_ANEW = Text(
    "顺序只在一个分区内成立:请以一个分区重建该主题。",
    "Order holds within one partition only: create the topic anew with one.",
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a topic is: its id (another one if it was made anew), the broker that leads it, and that reign's number."""

    id: uuid.UUID
    leader: int
    epoch: int


class Link:
    """Connections of one reader, writer or admin. Safe from several threads."""

    def __init__(self, options: Mapping[str, Any], patience_s: float = PATIENCE_S) -> None:
        self._options = options
        self.patience_s = patience_s
        self.net = NetworkSelector(**options)
        self._asking = close_failures(KafkaConnectionManager(self.net, **options))
        self._fetching: KafkaConnectionManager | None = None
        self._closed = False
        self.net.start()

    @property
    def where(self) -> str:
        return str(self._options["bootstrap_servers"])

    def close(self) -> None:
        """Close all connections and end the thread. Twice does no harm."""
        if not self._closed:
            self._closed = True
            try:
                self.net.run(self._shut)
            finally:
                self.net.stop()
                self.net.close()

    # --- inside the link's thread ------------------------------------------------------------------------------

    async def send(self, request: Any, node: int | None = None) -> Any:
        """The response of a broker, any one unless given. Raises kafka-python's errors."""
        return await self._send(self._asking, request, node)

    async def fetch(self, request: Any, node: int) -> Any:
        """As `send`, over the connections for fetching."""
        if self._fetching is None:
            self._fetching = close_failures(KafkaConnectionManager(self.net, **self._options))
        self._fetching.cluster._brokers = self._asking.cluster._brokers
        return await self._send(self._fetching, request, node)

    async def find(self, names: Iterable[str]) -> dict[str, Place | None]:
        """Where topics are; None for those that no broker knows. Raises kafka-python's errors, `UserError`."""
        found = await self._find(list(names), None)
        for broker in self._asking.cluster.brokers():
            missing = [name for name, place in found.items() if place is None]
            if not missing:
                break
            with contextlib.suppress(errors.KafkaError):
                found |= await self._find(missing, broker.node_id)
        return found

    async def known_to(self, node: int, names: list[str]) -> dict[str, Place | None]:
        """Where one broker thinks that topics are; None for those that it does not know."""
        return await self._find(names, node)

    async def all_topics(self) -> Any:
        """The metadata response about every topic."""
        return await self._metadata(None, None)

    def brokers(self) -> list[int]:
        """The brokers known so far."""
        return [broker.node_id for broker in self._asking.cluster.brokers()]

    async def _send(self, manager: KafkaConnectionManager, request: Any, node: int | str | None) -> Any:
        manager._auth_failures.clear()  # it would never try again; a password or token may have been renewed
        if node is None:
            node = manager.least_loaded_node()
        if node is None:
            node = secrets.choice(manager.cluster.bootstrap_brokers()).node_id
        return await manager.send(request, node)

    async def _metadata(self, names: list[str] | None, node: int | None) -> Any:
        topic = MetadataRequest.MetadataRequestTopic
        request = MetadataRequest(
            topics=None if names is None else [topic(name=name) for name in names],
            allow_auto_topic_creation=False,
            include_cluster_authorized_operations=False,
            include_topic_authorized_operations=False,
            min_version=12,
        )
        response = await self.send(request, node)
        self._asking.cluster.update_metadata(response)
        return response

    async def _find(self, names: list[str], node: int | None) -> dict[str, Place | None]:
        response = await self._metadata(names, node)
        return {topic.name: _place(topic) for topic in response.topics}

    async def _shut(self) -> None:
        managers = [manager for manager in (self._asking, self._fetching) if manager is not None]
        for manager in managers:
            for connection in list(manager._conns.values()):  # one that is being made would be left open
                with contextlib.suppress(errors.KafkaError, OSError, UserError):
                    await manager.wait_for(connection.init_future, CLOSING_MS)
            manager.close()

    # --- from other threads ------------------------------------------------------------------------------------

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work` in the link's thread, tried again by rule 4. Raises our errors."""
        deadline = time.monotonic() + self.patience_s
        pause = MIN_PAUSE_S
        while True:
            try:
                return self._once(work)
            except (errors.KafkaError, OSError) as error:
                if not passes_by_itself(error) or time.monotonic() + pause > deadline:
                    raise translated(error, self.where) from None
            time.sleep(pause)
            pause = min(pause * 2, MAX_PAUSE_S)

    def start(self, work: Callable[[], Awaitable[T]]) -> Callable[[], T]:
        """Begin `work` in the link's thread; the function given waits for its result. Raises kafka-python's errors."""
        done = threading.Event()
        future = self.net.call_soon_with_future(work)
        future.add_both(lambda _: done.set())

        def result() -> T:
            done.wait()
            if future.exception is not None:
                raise future.exception
            value: T = future.value
            return value

        return result

    def place(self, name: str, topic: str) -> Place:
        """Where a topic is (`topic` is its name without prefix). Raises `TopicUnknown`, `LogUnavailable`."""
        place = self.run(lambda: self.find([name]))[name]
        if place is None:
            raise TopicUnknown(topic)
        return place

    def ask(self, request: Callable[[], Any], node: int | None = None) -> Any:
        """The response to what `request` makes (anew for each attempt)."""
        return self.run(lambda: self.send(request(), node))

    def _once(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            result: T = self.net.run(work)
        except RuntimeError as error:  # a link that was closed
            raise LogUnavailable(f"Kafka {self.where}: {error}") from None
        return result


def _place(topic: Any) -> Place | None:
    """What a metadata response says of one topic."""
    error = code_error(topic.error_code)
    if isinstance(error, errors.UnknownTopicOrPartitionError | errors.InvalidTopicError):
        return None
    if error is not None:
        raise error
    if len(topic.partitions) != 1:
        what = _ONE_PARTITION.fill(topic=topic.name, count=len(topic.partitions))
        raise UserError(what, remedy=_MAKE_ANEW)
    [partition] = topic.partitions
    if partition.leader_id < 0:
        raise errors.LeaderNotAvailableError(topic.name)
    return Place(topic.topic_id, partition.leader_id, partition.leader_epoch)
