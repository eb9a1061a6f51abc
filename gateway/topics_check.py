"""What an installation asks of a shared Kafka cluster, and whether the cluster grants it. Values in, values out.

1. `commands`: the exact lines for the cluster's administrator, one for each topic, then one for each principal and
   kind of right (each line starts a JVM). Who may what: an adapter writes its own streams, reads its own rejects
   and its correction requests, and writes replies to nodes; control writes the registry; a node reads everything,
   writes rejects, correction requests and the supervision feed, and may see settings; supervision reads its feed.
   Nobody may delete, alter or create.
2. `compare`: what the live topics have and should not. `LOSES`: data would be lost, withheld or kept beyond its time;
   installations with one of these are refused. `WEAK`: allowed, and worth knowing.
"""

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from contracts.corrections import replies_topic, requests_topic
from contracts.edge.transport import Cleaning
from contracts.edge.transport.kafka_topics import REPLICAS, LiveTopic, topic_settings
from contracts.registry.snapshot import Snapshot
from contracts.rejects import rejects_topic
from contracts.text import Text
from gateway.control.build import REGISTRY_TOPIC
from gateway.supervision import SUPERVISION_TOPIC
from gateway.topics import UNVERIFIED_TOPIC, topics_of

LOSES = "loses"
WEAK = "weak"

TOPICS_A_LINE = 100
_READ = ("Read", "Describe", "DescribeConfigs")
_WRITE = ("Write", "Describe")


@dataclass(frozen=True, slots=True)
class Principals:
    """Who the parts are to the cluster. `{adapter}` stands for an adapter's id."""

    node: str = "User:oncegate"
    control: str = "User:oncegate-control"
    adapter: str = "User:{adapter}"
    supervision: str = "User:oncegate-supervision"


@dataclass(frozen=True, slots=True)
class Right:
    """A principal may do this with a topic."""

    principal: str
    operations: tuple[str, ...]
    topic: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a topic, and how to mend it."""

    topic: str
    kind: str
    what: Text
    remedy: Text


# --- rights and commands -----------------------------------------------------------------------------------------


def rights(registry: Snapshot, principals: Principals) -> tuple[Right, ...]:
    """Every right that the registry as it is calls for, each topic by its own name."""
    return (*_node_rights(registry, principals.node), *_other_rights(registry, principals))


def _node_rights(registry: Snapshot, node: str) -> Iterator[Right]:
    for topic in topics_of(registry):
        yield Right(node, _READ, topic)
    adapters = (*map(rejects_topic, registry.adapters), *map(requests_topic, registry.adapters))
    for topic in (UNVERIFIED_TOPIC, SUPERVISION_TOPIC, *adapters):
        yield Right(node, ("Write",), topic)


def _other_rights(registry: Snapshot, principals: Principals) -> Iterator[Right]:
    yield Right(principals.control, ("Read", *_WRITE), REGISTRY_TOPIC)
    yield Right(principals.supervision, ("Read", "Describe"), SUPERVISION_TOPIC)
    for stream in registry.streams:
        yield Right(principals.adapter.format(adapter=stream.adapter), _WRITE, stream.topic)
    for adapter in registry.adapters:
        principal = principals.adapter.format(adapter=adapter)
        for topic in (rejects_topic(adapter), requests_topic(adapter)):
            yield Right(principal, ("Read", "Describe"), topic)
        for node in registry.contents.nodes:
            yield Right(principal, _WRITE, replies_topic(node.id))


def commands(
    topics: Mapping[str, Cleaning], rights: tuple[Right, ...], bootstrap: str, prefix: str, replicas: int = REPLICAS
) -> tuple[str, ...]:
    """Kafka's own commands for topics and rights, to be run by whoever may (`admin.properties`: how they log in)."""
    server = f"--bootstrap-server {bootstrap} --command-config admin.properties"
    made = (
        f"kafka-topics.sh {server} {_creation(prefix + topic, topic_settings(cleaning, replicas), replicas)}"
        for topic, cleaning in topics.items()
    )
    return (*made, *(f"kafka-acls.sh {server} {grant}" for grant in _grants(rights, prefix)))


def _creation(name: str, settings: Mapping[str, str], replicas: int) -> str:
    configs = " ".join(f"--config {key}={value}" for key, value in settings.items())
    return f"--create --if-not-exists --topic {name} --partitions 1 --replication-factor {replicas} {configs}"


def _grants(rights: tuple[Right, ...], prefix: str) -> Iterator[str]:
    wanted: dict[tuple[str, str], set[str]] = {}
    for right in rights:
        wanted.setdefault((right.principal, right.topic), set()).update(right.operations)
    granted: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (principal, topic), named in wanted.items():
        granted.setdefault((principal, tuple(sorted(named))), []).append(prefix + topic)
    for (principal, operations), names in granted.items():
        allowed = " ".join(f"--operation {operation}" for operation in operations)
        for some in _portions(names, TOPICS_A_LINE):
            topics = " ".join(f"--topic {name}" for name in some)
            yield f"--add --allow-principal {shlex.quote(principal)} {allowed} {topics}"


def _portions(names: list[str], size: int) -> Iterator[list[str]]:
    return (names[start : start + size] for start in range(0, len(names), size))


# --- comparison --------------------------------------------------------------------------------------------------

Judge = Callable[[str, str], bool]  # (live, wanted) → acceptable


def _same(live: str, wanted: str) -> bool:
    return live == wanted


def _at_least(live: str, wanted: str) -> bool:
    return int(live) >= int(wanted)


def _at_most(live: str, wanted: str) -> bool:
    return int(live) <= int(wanted)


def _readable(live: str, _: str) -> bool:
    return live in {"producer", "uncompressed", "gzip"}


_RULES: Mapping[str, tuple[Judge, Text]] = {
    "cleanup.policy": (_same, Text("会丢弃应保留的记录", "would drop records that must stay")),
    "min.compaction.lag.ms": (
        _at_least,
        Text("对账前就可能清理记录", "may clean records away before a full statement is compared"),
    ),
    "max.compaction.lag.ms": (_at_most, Text("删除的内容会留存过久", "keeps erased content beyond its time")),
    "retention.ms": (_same, Text("记录过早丢失或留存过久", "drops records too early or keeps them too long")),
    "retention.bytes": (_same, Text("会按容量丢弃记录", "drops records by size")),
    "segment.ms": (_at_most, Text("过期或已清除的记录会留存过久", "keeps expired or erased records beyond their time")),
    "max.message.bytes": (_at_least, Text("会拒收较大的证照", "refuses evidence that is large")),
    "min.insync.replicas": (_at_least, Text("已确认的记录可能丢失", "may lose acknowledged records")),
    "unclean.leader.election.enable": (_same, Text("已确认的记录可能丢失", "may lose acknowledged records")),
    "message.timestamp.type": (
        _same,
        Text("写入方的时钟可能妨碍清理", "lets a writer's clock hold up or hasten cleaning"),
    ),
    "compression.type": (_readable, Text("节点无法读取该压缩方式", "compresses in a way that nodes cannot read")),
}


def compare(wanted: Mapping[str, Cleaning], live: Mapping[str, LiveTopic]) -> tuple[Finding, ...]:
    """Everything to say about the topics that the registry calls for."""
    return tuple(finding for topic, cleaning in wanted.items() for finding in _findings(topic, cleaning, live))


def _findings(topic: str, cleaning: Cleaning, live: Mapping[str, LiveTopic]) -> Iterator[Finding]:
    found = live.get(topic)
    if found is None:
        remedy = Text("运行 oncegate topics apply 或 plan。", "Run oncegate topics apply, or plan.")
        yield Finding(topic, LOSES, Text("主题不存在", "is not there"), remedy)
        return
    yield from _shape(topic, found)
    for name, value in topic_settings(cleaning, found.replicas).items():
        judge, why = _RULES[name]
        now = found.settings.get(name, "")  # a broker that is too old for a setting does not keep to it
        if not now or not judge(now, value):
            what = Text(f"{name}={now} {why.zh}", f"{name}={now} {why.en}")
            yield Finding(topic, LOSES, what, Text(f"设为 {name}={value}。", f"Set {name}={value}."))


def _shape(topic: str, found: LiveTopic) -> Iterator[Finding]:
    if found.partitions != 1:
        what = Text(f"有 {found.partitions} 个分区,顺序不成立", f"has {found.partitions} partitions: no order")
        yield Finding(topic, LOSES, what, Text("以一个分区重建。", "Create it anew with one."))
    needed = int(found.settings.get("min.insync.replicas", "1"))
    if needed > found.replicas:
        what = Text(
            f"min.insync.replicas={needed} 多于 {found.replicas} 个副本,任何写入都会被拒绝",
            f"min.insync.replicas={needed} with {found.replicas} replica(s) refuses every write",
        )
        yield Finding(topic, LOSES, what, Text("请增加副本或调低该值。", "Add replicas, or lower it."))
    if found.replicas < REPLICAS:
        what = Text(f"只有 {found.replicas} 个副本", f"has {found.replicas} replica(s): one disk's loss is the log's")
        yield Finding(topic, WEAK, what, Text(f"增至 {REPLICAS} 个副本。", f"Give it {REPLICAS}."))
