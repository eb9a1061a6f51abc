"""Managing the topics of a Kafka cluster.

1. A created topic is there for whoever asks any broker next; a deleted one is gone for them.
2. It has one partition, and replicas and settings as `kafka_topics.py` says.
3. Nothing is kept open between calls, unless the admin is used in a `with`: then one connection serves all of them.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from kafka import errors
from kafka.admin import ConfigResourceType
from kafka.protocol.admin import CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest

from contracts.edge.transport import kafka_about
from contracts.edge.transport.closing import Closing
from contracts.edge.transport.interface import (
    COMPACTED,
    Cleaning,
    LogUnavailable,
    TopicUnknown,
    full_name,
)
from contracts.edge.transport.kafka_errors import code_error, translated
from contracts.edge.transport.kafka_link import Link
from contracts.edge.transport.kafka_topics import REPLICAS, LiveTopic, topic_settings

PORTION = 200  # topics described in one request
TOPIC = int(ConfigResourceType.TOPIC)
ANSWER_MS = 10_000  # within which the controller does it or says that it did not


class KafkaAdmin(Closing):
    """An `Admin`."""

    def __init__(self, open_link: Callable[[], Link], prefix: str) -> None:
        self._open_link = open_link
        self._prefix = prefix
        self._keeps = False
        self._kept: Link | None = None

    def __enter__(self) -> Self:
        self._keeps = True
        return self

    def create_topic(self, topic: str, cleaning: Cleaning = COMPACTED) -> bool:
        return bool(self.create_topics({topic: cleaning}))

    def create_topics(self, topics: Mapping[str, Cleaning]) -> Sequence[str]:
        names = {full_name(self._prefix, topic): topic for topic in topics}
        created: list[str] = []
        with self._link() as link:
            cluster = link.run(link.all_topics)
            replicas = min(REPLICAS, len(cluster.brokers))
            for portion in _portions(list(names)):
                wanted = {name: topic_settings(topics[names[name]], replicas) for name in portion}
                created += _created(link, _creation(wanted, replicas), cluster.controller_id)
                _wait_until(link, portion, there=True)
        return [names[name] for name in created]

    def delete_topic(self, topic: str) -> None:
        name = full_name(self._prefix, topic)
        state = DeleteTopicsRequest.DeleteTopicState
        request = DeleteTopicsRequest(topics=[state(name=name)], timeout_ms=ANSWER_MS, min_version=6)
        with self._link() as link:
            [answer] = link.ask(lambda: request, link.run(link.all_topics).controller_id).responses
            error = code_error(answer.error_code)
            if isinstance(error, errors.UnknownTopicOrPartitionError):
                raise TopicUnknown(topic)
            if error is not None:
                raise translated(error, name)
            _wait_until(link, [name], there=False)

    def topics(self) -> Mapping[str, str]:
        with self._link() as link:
            topics = self._ours(link.run(link.all_topics).topics)
        return {topic.name.removeprefix(self._prefix): str(topic.topic_id) for topic in topics}

    def replicas(self) -> int:
        """How many replicas a topic gets here."""
        with self._link() as link:
            return min(REPLICAS, len(link.run(link.all_topics).brokers))

    def describe(self) -> Mapping[str, LiveTopic]:
        """Every topic under the prefix as the cluster has it. Needs the right to describe settings."""
        live: dict[str, LiveTopic] = {}
        with self._link() as link:
            topics = {topic.name: topic for topic in self._ours(link.run(link.all_topics).topics)}
            for names in _portions(list(topics)):
                for name, settings in _settings(link, names).items():
                    partitions = topics[name].partitions
                    replicas = min(len(partition.replica_nodes) for partition in partitions)
                    live[name.removeprefix(self._prefix)] = LiveTopic(len(partitions), replicas, settings)
        return live

    def permitted(self, topics: Iterable[str]) -> Mapping[str, frozenset[str] | None]:
        """What this principal may do with topics, by Kafka's names of operations; None: the cluster does not say."""
        names = [full_name(self._prefix, topic) for topic in topics]
        with self._link() as link:
            found = kafka_about.permitted(link, names)
        return {name.removeprefix(self._prefix): operations for name, operations in found.items()}

    def release(self) -> str:
        """Kafka's release, such as "4.3", as far as the brokers let it be known."""
        with self._link() as link:
            return kafka_about.release(link)

    def maintain(self, now_ms: int) -> None:
        """Brokers clean by themselves."""

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
        self._keeps, self._kept = False, None

    def _ours(self, topics: Iterable[Any]) -> list[Any]:
        named = (topic for topic in topics if topic.name.startswith(self._prefix))
        return [topic for topic in named if not topic.is_internal and not topic.error_code]

    @contextmanager
    def _link(self) -> Iterator[Link]:
        link = self._kept or self._open_link()
        if self._keeps:
            self._kept = link
        try:
            yield link
        finally:
            if link is not self._kept:
                link.close()


def _creation(topics: Mapping[str, Mapping[str, str]], replicas: int) -> CreateTopicsRequest:
    topic = CreateTopicsRequest.CreatableTopic
    config = topic.CreatableTopicConfig
    creations = [
        topic(
            name=name,
            num_partitions=1,
            replication_factor=replicas,
            assignments=[],
            configs=[config(name=key, value=value) for key, value in settings.items()],
        )
        for name, settings in topics.items()
    ]
    return CreateTopicsRequest(topics=creations, timeout_ms=ANSWER_MS, validate_only=False)


def _created(link: Link, request: CreateTopicsRequest, controller: int) -> list[str]:
    """Those that were not there before; raises our error for the first that can not be created."""
    answers = {answer.name: code_error(answer.error_code) for answer in link.ask(lambda: request, controller).topics}
    for name, error in answers.items():
        if error is not None and not isinstance(error, errors.TopicAlreadyExistsError):
            raise translated(error, name)
    return [name for name, error in answers.items() if error is None]


def _portions(names: list[str]) -> Iterator[list[str]]:
    return (names[start : start + PORTION] for start in range(0, len(names), PORTION))


def _settings(link: Link, names: list[str]) -> Mapping[str, Mapping[str, str]]:
    resource = DescribeConfigsRequest.DescribeConfigsResource
    request = DescribeConfigsRequest(
        resources=[resource(resource_type=TOPIC, resource_name=name, configuration_keys=None) for name in names],
        include_synonyms=False,
        include_documentation=False,
    )
    results = link.ask(lambda: request).results
    for result in results:
        if (error := code_error(result.error_code)) is not None:
            raise translated(error, result.resource_name)
    return {item.resource_name: {entry.name: entry.value for entry in item.configs} for item in results}


def _wait_until(link: Link, names: list[str], *, there: bool) -> None:
    """Until every broker that answers knows the topics, or none does."""
    deadline = time.monotonic() + link.patience_s
    while any(_still(link, node, names, there=there) for node in link.brokers()):
        if time.monotonic() > deadline:
            raise LogUnavailable(f"{', '.join(names[:3])}: not every broker has heard of it")
        time.sleep(0.02)


def _still(link: Link, node: int, names: list[str], *, there: bool) -> bool:
    """Whether a broker has news to hear of these topics and their leaders; one that does not answer will have heard."""
    try:
        known = link.net.run(lambda: link.known_to(node, names))
    except errors.LeaderNotAvailableError:
        return there
    except (errors.KafkaError, OSError):
        return False
    return any((known[name] is not None) is not there for name in names)
