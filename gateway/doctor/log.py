"""The message log of a node: there, trusted, with every topic that the registry calls for, kept as it must be.

The embedded log has neither servers nor rights; its topics are files, made with the right settings.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from contracts.edge.doctor import cluster
from contracts.edge.doctor.finding import Finding, failed, ok, warning
from contracts.edge.doctor.message_log import kafka, reachable
from contracts.edge.transport import Transport
from contracts.registry.snapshot import Snapshot
from contracts.text import Text
from gateway.doctor.situation import Situation
from gateway.topics import topics_of
from gateway.topics_check import LOSES, Principals, compare, rights
from gateway.topics_check import Finding as Difference

if TYPE_CHECKING:
    from contracts.edge.transport.kafka import KafkaTransport

_ABSENT = Text("缺少主题 {topic}", "There is no topic {topic}")
_APPLY = Text("请运行 oncegate topics apply。", "Run oncegate topics apply.")


def check_reachable(situation: Situation) -> Iterator[Finding]:
    """The log answers, and is what was tried."""
    yield from reachable(situation.transport.get(), situation.now())


def check_topics(situation: Situation) -> Iterator[Finding]:
    """Every topic of the registry is there, with settings that lose nothing."""
    wanted = topics_of(situation.registry.need())
    transport = situation.transport.need()
    found = kafka(transport)
    findings = list(_embedded(transport, wanted)) if found is None else list(_live(found, situation.registry.need()))
    yield from findings
    if not findings:
        yield ok(f"{len(wanted)} 个主题均符合要求", f"All {len(wanted)} topics are as they should be")


def _embedded(transport: Transport, wanted: Iterable[str]) -> Iterator[Finding]:
    with transport.admin() as admin:
        there = admin.topics()
    return (failed(_ABSENT.fill(topic=topic), _APPLY) for topic in wanted if topic not in there)


def _live(transport: "KafkaTransport", registry: Snapshot) -> Iterator[Finding]:
    with transport.admin() as admin:
        found = compare(topics_of(registry), admin.describe())
    return judge_topics(found)


def judge_topics(found: Iterable[Difference]) -> Iterator[Finding]:
    """What differs, once for all topics that differ alike."""
    grouped: dict[tuple[str, Text, Text], list[str]] = {}
    for one in found:
        grouped.setdefault((one.kind, one.what, one.remedy), []).append(one.topic)
    for (kind, what, remedy), topics in grouped.items():
        yield (failed if kind == LOSES else warning)(what, remedy, cluster.some(topics))


def check_rights(situation: Situation) -> Iterator[Finding]:
    """The node may do what it must, and nothing that it must not."""
    registry = situation.registry.need()
    transport = kafka(situation.transport.need())
    if transport is not None:
        with transport.admin() as admin:
            yield from cluster.judge_rights(cluster.rights_of(admin, needed(registry)))


def needed(registry: Snapshot) -> Mapping[str, frozenset[str]]:
    """What a node must be permitted to do, by topic."""
    who = Principals()
    found: dict[str, frozenset[str]] = {}
    for right in rights(registry, who):
        if right.principal == who.node:
            found[right.topic] = found.get(right.topic, frozenset()) | set(right.operations)
    return found
