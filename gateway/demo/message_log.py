"""The demo's message log: the embedded one below its directory, or topics of its own on a Kafka cluster.

1. A run on Kafka has a prefix of its own, after the one that the cluster's rights may ask for: others on a shared
   cluster are not disturbed, and no other demo is.
2. The cluster is asked before anything is written on this machine: does it answer, may we log in, is the prefix free.
3. Where topics may not be created, the administrator gets the commands that make exactly those, and the demo's user
   the command that then runs it on them.
4. Topics that a run created are deleted at its end, and no others: what else comes under the prefix meanwhile is
   somebody's. What stays (made by somebody else, or not to be deleted) is told with the command that deletes it; so it
   is at the start, should the demo be killed.
5. The table `[log]` is tried before it is written into the configurations of the demo's parts.
"""

import json
import re
import secrets
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.edge.config import Section, parse_toml, read_toml
from contracts.edge.transport import LogUnavailable, Transport, open_transport
from contracts.errors import UserError
from contracts.registry.snapshot import Snapshot
from contracts.text import Text
from gateway.topics import create_missing

if TYPE_CHECKING:
    from contracts.edge.transport.kafka import KafkaTransport

EMBEDDED, KAFKA = "embedded", "kafka"
_PATHS = ("ca_file", "password_file", "token_file", "certificate", "private_key")
_TABLE = re.compile(r"^\[log\]\n(?:[^\[\n].*\n)*", re.MULTILINE)

_UNKNOWN = Text("没有这种消息日志:{kind}", "There is no message log of the kind {kind}")
_KINDS = Text("可选:embedded、kafka。", "One of: embedded, kafka.")
_ONLY_KAFKA = Text("该选项只用于 --transport kafka", "This option is for --transport kafka only")
_ADD_KAFKA = Text("请加上 --transport kafka,或去掉该选项。", "Add --transport kafka, or leave it out.")
_WHERE = Text("演示需要知道 Kafka 在哪里", "The demo must know where Kafka is")
_SAY_WHERE = Text(
    "请给出 --bootstrap 主机:端口,或含 [log] 表的 --kafka-config 文件。",
    "Give --bootstrap HOST:PORT, or --kafka-config FILE with a table [log].",
)
_IN_USE = Text("前缀 {prefix} 下的主题已有记录", "Topics under {prefix} hold records already")
_OTHER_PREFIX = Text(
    "请换一个 --topic-prefix,或先删除:{command}", "Choose another --topic-prefix, or delete them: {command}"
)
_REFUSED = Text("集群不允许创建主题:{why}", "The cluster lets us create no topics: {why}")
_HAVE_IT_RUN = Text(
    "请集群管理员运行上面的命令,然后:{command}", "Have its administrator run the commands above, then: {command}"
)
_TOPICS = Text(
    "主题在 {where} 的前缀 {prefix} 下,结束时删除;若演示被强行结束:{command}",
    "Topics are under the prefix {prefix} on {where} and deleted at the end; should the demo be killed: {command}",
)
_DELETED = Text("已删除 {count} 个主题", "{count} topics deleted")
_NOT_DELETED = Text("主题未能删除:{why}", "Topics could not be deleted: {why}")
_LEFT = Text("{count} 个主题仍在集群上;删除:{command}", "{count} topics are still on the cluster; to delete: {command}")

Tell = Callable[[Text], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says of the log. Empty and None: not said."""

    kind: str = EMBEDDED
    bootstrap: str = ""
    config: Path | None = None
    prefix: str = ""

    def again(self, prefix: str) -> str:
        """The command that runs the demo on topics that were made for it."""
        options = {"--bootstrap": self.bootstrap, "--kafka-config": self.config, "--topic-prefix": prefix}
        said = " ".join(f"{name} {shlex.quote(str(value))}" for name, value in options.items() if value)
        return f"oncegate demo --transport kafka {said}"


@dataclass(frozen=True, slots=True)
class MessageLog:
    """A log of a demo. `table`: that of `[log]` with absolute paths; None is the embedded log as configured.

    `created`: the topics that this run created, without the prefix.
    """

    wanted: Wanted = Wanted()
    table: Mapping[str, Any] | None = None
    created: set[str] = field(default_factory=set, compare=False)

    @property
    def prefix(self) -> str:
        return "" if self.table is None else str(self.table["prefix"])

    def configured(self, text: str) -> str:
        """A configuration whose table `[log]` is for this log."""
        table = self.table
        return text if table is None else _TABLE.sub(lambda _: _toml(table) + "\n", text)

    def as_json(self) -> dict[str, str]:
        """For `demo.json`: how to read the log oneself, credentials left out."""
        table = self.table or {}
        return {"kind": self.wanted.kind} | {name: table[name] for name in ("bootstrap", "prefix") if name in table}


EMBEDDED_LOG = MessageLog()


def choose(wanted: Wanted) -> MessageLog:
    """The log that was asked for; raises `UserError`."""
    if wanted.kind not in (EMBEDDED, KAFKA):
        raise UserError(_UNKNOWN.fill(kind=wanted.kind), "--transport", _KINDS)
    said = {"--bootstrap": wanted.bootstrap, "--kafka-config": wanted.config, "--topic-prefix": wanted.prefix}
    if wanted.kind == EMBEDDED:
        for option in (name for name, value in said.items() if value):
            raise UserError(_ONLY_KAFKA, option, _ADD_KAFKA)
        return EMBEDDED_LOG
    if not wanted.bootstrap and wanted.config is None:
        raise UserError(_WHERE, "--transport kafka", _SAY_WHERE)
    section = _none_but_where() if wanted.config is None else read_toml(wanted.config).section("log")
    section.choice("kind", (KAFKA,))
    table = dict(section.table) | ({"bootstrap": wanted.bootstrap} if wanted.bootstrap else {})
    below = section.text("prefix", default="")
    table["prefix"] = wanted.prefix or f"{below}oncegate-demo-{secrets.token_hex(4)}."
    return MessageLog(wanted, _tried(replace(section, table=table)))


def _none_but_where() -> Section:
    return parse_toml(_toml({"kind": KAFKA, "security": "none"}), Path("--bootstrap")).section("log")


def _tried(section: Section) -> dict[str, Any]:
    """The table, if a log can be opened as it says (rule 5), with absolute paths."""
    open_transport(section)
    section.done()
    return {**section.table, **{name: str(section.path(name)) for name in _PATHS if section.has(name)}}


def _toml(table: Mapping[str, Any]) -> str:
    lines = (f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in table.items())
    return "[log]\n" + "".join(lines)


# --- topics of its own -------------------------------------------------------------------------------------------


@contextmanager
def ready(log: MessageLog, tell: Tell) -> Iterator[None]:
    """Rule 2 on the way in, rule 4 on the way out; nothing to do for the embedded log. Raises `UserError`."""
    if log.table is None:
        yield
        return
    cluster = _cluster(log)
    before = _present(cluster)
    command = _deletion(cluster)
    if any(_holds_records(cluster, topic) for topic in before):
        raise UserError(_IN_USE.fill(prefix=cluster.prefix), cluster.bootstrap, _OTHER_PREFIX.fill(command=command))
    if not before:
        tell(_TOPICS.fill(where=cluster.bootstrap, prefix=cluster.prefix, command=command))
    try:
        yield
    finally:
        _clean_up(cluster, log.created, tell)


def create_topics(log: MessageLog, transport: Transport, registry: Snapshot, tell: Tell) -> None:
    """Every topic that the registry calls for; rule 3 where that is refused. Raises `UserError`."""
    try:
        log.created.update(create_missing(transport, registry))
    except UserError as refusal:
        if log.table is None:
            raise
        for line in _plan(log, registry):
            tell(Text(line, line))
        remedy = _HAVE_IT_RUN.fill(command=log.wanted.again(log.prefix))
        raise UserError(_REFUSED.fill(why=refusal.what), refusal.where, remedy) from None


def _cluster(log: MessageLog) -> "KafkaTransport":
    from gateway.topics_cli import cluster

    section = parse_toml(_toml(log.table or {}), log.wanted.config or Path("--bootstrap")).section("log")
    transport = cluster(open_transport(section))
    section.done()
    return transport


def _present(cluster: "KafkaTransport") -> frozenset[str]:
    with cluster.admin() as admin:
        return frozenset(admin.topics())


def _holds_records(cluster: "KafkaTransport", topic: str) -> bool:
    with cluster.reader() as reader:
        return reader.end(topic) > 0


def _plan(log: MessageLog, registry: Snapshot) -> tuple[str, ...]:
    """The demo's parts are one user to the cluster."""
    from gateway.topics_check import Principals
    from gateway.topics_cli import plan_lines

    cluster, user = _cluster(log), f"User:{(log.table or {}).get('username', 'ANONYMOUS')}"
    with cluster.admin() as admin:
        replicas = admin.replicas()
    return plan_lines(cluster, registry, Principals(user, user, user, user), replicas)


def _clean_up(cluster: "KafkaTransport", created: Collection[str], tell: Tell) -> None:
    """Deletes what this run created; never raises what Kafka says, for the demo's own outcome counts."""
    deleted: set[str] = set()
    left: int | str = "?"
    try:
        with cluster.admin() as admin:
            present = admin.topics().keys()
            left = len(present)
            for topic in sorted(present & created):
                admin.delete_topic(topic)
                deleted.add(topic)
                left = len(present) - len(deleted)
    except (UserError, LogUnavailable) as error:
        tell(_NOT_DELETED.fill(why=error))
    if deleted:
        tell(_DELETED.fill(count=len(deleted)))
    if left:
        tell(_LEFT.fill(count=left, command=_deletion(cluster)))


def _deletion(cluster: "KafkaTransport") -> str:
    topics = shlex.quote(re.escape(cluster.prefix) + ".*")
    server = f"--bootstrap-server {cluster.bootstrap} --command-config admin.properties"
    return f"kafka-topics.sh {server} --delete --topic {topics}"
