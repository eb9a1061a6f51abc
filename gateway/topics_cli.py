"""`oncegate topics plan | check | apply`: composition of the registry, the log and `gateway.topics_check`.

The registry is the one in force on the log or, given a directory, the one built there: on a cluster where nobody may
create topics, `control publish` needs its topic before there is any registry to read.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.edge.clock import now_ms
from contracts.edge.keys import load_public_key
from contracts.edge.output import emit_json, say
from contracts.edge.transport import Transport, open_transport
from contracts.errors import UserError
from contracts.plain import to_plain
from contracts.registry.snapshot import Snapshot
from contracts.text import Text
from gateway.config import load
from gateway.control.build import built_snapshot
from gateway.node import opened
from gateway.topics import create_missing, topics_of

if TYPE_CHECKING:
    from contracts.edge.transport.kafka import KafkaTransport
    from gateway.topics_check import Principals

_FINE = Text("{count} 个主题均符合要求", "All {count} topics are as they should be")
_REFUSED = Text("{count} 处设置会丢失数据", "{count} settings would lose data")
_MEND = Text("请按上述各行修改后重试。", "Mend the lines above, then check again.")
_NOT_KAFKA = Text("本安装的消息日志不是 Kafka", "This installation's log is not Kafka")
_NOTHING_TO_ASK = Text(
    "内嵌日志无需申请;topics apply 直接创建主题。", "The embedded log needs nobody's leave: topics apply creates them."
)


def plan(config: Path, registry: Path | None, as_json: bool, principals: "Principals", replicas: int) -> None:
    """Print the commands for the cluster's administrator."""
    with _source(config, registry) as (log, snapshot):
        lines = plan_lines(cluster(log), snapshot, principals, replicas)
    if as_json:
        emit_json({"commands": list(lines)})
        return
    print("\n".join(lines))


def plan_lines(log: "KafkaTransport", registry: Snapshot, principals: "Principals", replicas: int) -> tuple[str, ...]:
    """The commands by which this cluster gets what the registry calls for."""
    from gateway.topics_check import commands, rights

    return commands(topics_of(registry), rights(registry, principals), log.bootstrap, log.prefix, replicas)


def check(config: Path, registry: Path | None, as_json: bool) -> None:
    """Compare with the live cluster; raises `UserError` if something would lose data."""
    with _source(config, registry) as (log, snapshot):
        _report(cluster(log), snapshot, as_json)


def apply(config: Path, registry: Path | None, as_json: bool) -> None:
    """Create what is missing; what is there stays as it is (`check` says whether it may)."""
    with _source(config, registry) as (log, snapshot):
        created = create_missing(log, snapshot)
    if as_json:
        emit_json({"created": list(created)})
        return
    say(Text(f"新建主题 {len(created)} 个", f"{len(created)} topics created"))


@contextmanager
def _source(config: Path, registry: Path | None) -> Iterator[tuple[Transport, Snapshot]]:
    """The log, and the registry in force on it or built in a directory. Raises `UserError`."""
    if registry is None:
        with opened(config) as node:
            yield node.transport, node.registry.current()
        return
    settings = load(config)
    transport = open_transport(settings.log)
    settings.file.done()
    root = load_public_key(settings.root_key, settings.root_alg)
    yield transport, built_snapshot(registry, root, now_ms())


def _report(log: "KafkaTransport", registry: Snapshot, as_json: bool) -> None:
    from gateway.topics_check import LOSES, compare

    wanted = topics_of(registry)
    with log.admin() as admin:
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


def cluster(log: Transport) -> "KafkaTransport":
    """The Kafka of this installation; raises `UserError` if its log is another."""
    from contracts.edge.transport.kafka import KafkaTransport

    if not isinstance(log, KafkaTransport):
        raise UserError(_NOT_KAFKA, remedy=_NOTHING_TO_ASK)
    return log
