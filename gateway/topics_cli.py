"""`oncegate topics plan | check | apply`: composition of the registry, the log and `gateway.topics_check`."""

from pathlib import Path
from typing import TYPE_CHECKING

from contracts.edge.output import emit_json, say
from contracts.edge.transport import Transport
from contracts.errors import UserError
from contracts.plain import to_plain
from contracts.registry.snapshot import Snapshot
from contracts.text import Text
from gateway.node import opened
from gateway.topics import create_missing, topics_of

if TYPE_CHECKING:
    from contracts.edge.transport.kafka import KafkaTransport

_FINE = Text("{count} 个主题均符合要求", "All {count} topics are as they should be")
_REFUSED = Text("{count} 处设置会丢失数据", "{count} settings would lose data")
_MEND = Text("请按上述各行修改后重试。", "Mend the lines above, then check again.")
_NOT_KAFKA = Text("本安装的消息日志不是 Kafka", "This installation's log is not Kafka")
_NOTHING_TO_ASK = Text(
    "内嵌日志无需申请;topics apply 直接创建主题。", "The embedded log needs nobody's leave: topics apply creates them."
)


def plan(
    config: Path,
    as_json: bool,
    node: str = "User:oncegate",
    control: str = "User:oncegate-control",
    adapter: str = "User:{adapter}",
) -> None:
    """Print the commands for the cluster's administrator."""
    from gateway.topics_check import Principals, commands, rights

    with opened(config) as parts:
        cluster, registry = _cluster(parts.transport), parts.registry.current()
        asked = rights(registry, Principals(node, control, adapter))
        lines = commands(topics_of(registry), asked, cluster.bootstrap, cluster.prefix)
    if as_json:
        emit_json({"commands": list(lines)})
        return
    print("\n".join(lines))


def check(config: Path, as_json: bool) -> None:
    """Compare with the live cluster; raises `UserError` if something would lose data."""
    with opened(config) as parts:
        _report(_cluster(parts.transport), parts.registry.current(), as_json)


def apply(config: Path, as_json: bool) -> None:
    """Create what is missing; what is there stays as it is (`check` says whether it may)."""
    with opened(config) as parts:
        created = create_missing(parts.transport, parts.registry.current())
    if as_json:
        emit_json({"created": list(created)})
        return
    say(Text(f"新建主题 {len(created)} 个", f"{len(created)} topics created"))


def _report(cluster: "KafkaTransport", registry: Snapshot, as_json: bool) -> None:
    from gateway.topics_check import LOSES, compare

    wanted = topics_of(registry)
    with cluster.admin() as admin:
        findings = compare(wanted, admin.describe())
    if as_json:
        emit_json({"topics": len(wanted), "findings": [to_plain(finding) for finding in findings]})
    else:
        for one in findings:
            sign = "✘" if one.kind == LOSES else "⚠"
            say(
                Text(
                    f"{sign} {one.topic} {one.what.zh}。{one.remedy.zh}",
                    f"{sign} {one.topic} {one.what.en}. {one.remedy.en}",
                )
            )
    losing = sum(finding.kind == LOSES for finding in findings)
    if losing:
        raise UserError(_REFUSED.fill(count=losing), remedy=_MEND)
    if not as_json:
        say(_FINE.fill(count=len(wanted)))


def _cluster(transport: Transport) -> "KafkaTransport":
    """The Kafka of this installation; raises `UserError` if its log is another."""
    from contracts.edge.transport.kafka import KafkaTransport

    if not isinstance(transport, KafkaTransport):
        raise UserError(_NOT_KAFKA, remedy=_NOTHING_TO_ASK)
    return transport
