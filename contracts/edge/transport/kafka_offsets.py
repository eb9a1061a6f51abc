"""Where topics begin and end, asked of their leaders: hundreds of topics in one request."""

from collections.abc import Iterable, Iterator, Mapping

from kafka.protocol.consumer import ListOffsetsRequest, OffsetSpec

from contracts.edge.transport.kafka_errors import code_error
from contracts.edge.transport.kafka_fetch import COMMITTED
from contracts.edge.transport.kafka_link import Link, Place

EARLIEST, LATEST = OffsetSpec.EARLIEST, OffsetSpec.LATEST
PORTION = 500  # topics in one request


async def offsets(link: Link, places: Mapping[str, Place], which: OffsetSpec) -> dict[str, int]:
    """By topic name. Raises kafka-python's errors."""
    found: dict[str, int] = {}
    for leader, names in _portions(places):
        response = await link.send(_request(names, which), leader)
        for topic in response.topics:
            [partition] = topic.partitions
            if (error := code_error(partition.error_code)) is not None:
                raise error
            found[topic.name] = partition.offset
    return found


def _portions(places: Mapping[str, Place]) -> Iterator[tuple[int, list[str]]]:
    led: dict[int, list[str]] = {}
    for name, place in places.items():
        led.setdefault(place.leader, []).append(name)
    for leader, names in led.items():
        for first in range(0, len(names), PORTION):
            yield leader, names[first : first + PORTION]


def _request(names: Iterable[str], which: OffsetSpec) -> ListOffsetsRequest:
    topic = ListOffsetsRequest.ListOffsetsTopic
    partition = topic.ListOffsetsPartition(partition_index=0, current_leader_epoch=-1, timestamp=int(which))
    return ListOffsetsRequest(
        replica_id=-1,
        isolation_level=COMMITTED,
        topics=[topic(name=name, partitions=[partition]) for name in names],
        timeout_ms=0,
    )
