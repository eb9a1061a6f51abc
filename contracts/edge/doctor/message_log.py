"""The message log as a doctor opens it: nothing is made, and nobody waits for a cluster to come back."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from contracts.edge.config import Section
from contracts.edge.doctor import cluster
from contracts.edge.doctor.finding import Finding, ok
from contracts.edge.transport import Transport, open_transport
from contracts.errors import UserError
from contracts.text import Text

if TYPE_CHECKING:
    from contracts.edge.transport.kafka import KafkaTransport

TITLE: Final = Text("消息日志", "message log")
_NO_DIRECTORY = Text("内嵌日志的目录不存在", "The directory of the embedded log is not there")
_CHECK_DIRECTORY = Text("请核对 [log] directory。", "Check [log] directory.")


def open_log(section: Section) -> Transport:
    """The log of a configuration table; raises `UserError`."""
    refuse_absent(section)
    transport = open_transport(section)
    found = kafka(transport)
    return transport if found is None else replace(found, patience_s=min(found.patience_s, cluster.PATIENCE_S))


def refuse_absent(section: Section) -> None:
    """Opening an embedded log makes its directory; who only looks says that it is not there. Raises `UserError`."""
    if is_embedded(section) and not section.path("directory").is_dir():
        raise UserError(_NO_DIRECTORY, str(section.path("directory")), _CHECK_DIRECTORY)


def is_embedded(section: Section) -> bool:
    """Whether a configuration table describes an embedded log."""
    return section.text("kind", "") == "embedded"


def kafka(transport: Transport) -> "KafkaTransport | None":
    """The transport, if it is Kafka's."""
    if type(transport).__module__ != "contracts.edge.transport.kafka":  # half a second of imports that others spare
        return None
    from contracts.edge.transport.kafka import KafkaTransport

    return transport if isinstance(transport, KafkaTransport) else None


def reachable(transport: Transport, now: int) -> Iterator[Finding]:
    """The log answers, and is what was tried. `now` in Unix ms; raises our errors."""
    found = kafka(transport)
    if found is None:
        with transport.admin() as admin:
            count = len(admin.topics())
        yield ok(f"内嵌日志,{count} 个主题", f"The embedded log, {count} topics")
        return
    servers, encrypted = cluster.servers(found)
    yield from cluster.judge_servers(servers, encrypted, now)
    with found.admin() as cluster_admin:
        yield cluster.judge_release(cluster_admin.release())
