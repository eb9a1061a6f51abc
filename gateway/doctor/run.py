"""`oncegate doctor`: the table of checks, and their running. Reads only; see each room for what it looks at."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from contracts.edge.doctor.examine import Check, Missing, examine
from contracts.edge.doctor.finding import Finding, Told, ok
from contracts.edge.doctor.show import report
from contracts.text import Text
from gateway.doctor import (
    audit,
    corrections,
    host,
    keys,
    log,
    mirror,
    registry,
    serving,
    shards,
    store,
    supervision,
    witnesses,
)
from gateway.doctor.situation import CONFIGURATION, LOG, REGISTRY, STORE, Situation


def check_configuration(situation: Situation) -> Iterator[Finding]:
    """The file is read as the processes read it; unknown options are told once the log's are known."""
    config = situation.config.get()
    with suppress(Missing):
        situation.transport.need()
        config.file.done()
    where = str(situation.path)
    if config.serve is None:
        yield ok("配置有效;本节点不提供调取服务(没有 [serve])", "Valid; this node does not serve (no [serve])", where)
    else:
        yield ok("配置有效", "Valid", where)


def check_registry(situation: Situation) -> Iterator[Finding]:
    """The registry in the log, as this node would take it."""
    yield registry.judge(situation.found.get(), situation.now())


def check_contents(situation: Situation) -> Iterator[Finding]:
    """What the registry lists."""
    yield from registry.judge_contents(situation.registry.need(), situation.now())


CHECKS: Final[Sequence[Check[Situation]]] = (
    Check("configuration", CONFIGURATION, check_configuration),
    Check("sqlite", Text("SQLite", "SQLite"), host.check_sqlite),
    Check("open_files", Text("打开文件数", "open files"), host.check_open_files),
    Check("disk", Text("磁盘", "disk"), host.check_disks),
    Check("keys", Text("密钥文件", "key files"), keys.check_files),
    Check("certificate", Text("服务器证书", "server certificate"), keys.check_certificate),
    Check("log", LOG, log.check_reachable),
    Check("registry", REGISTRY, check_registry),
    Check("registry_contents", Text("注册库内容", "registry contents"), check_contents),
    Check("registered_keys", Text("密钥登记", "registered keys"), keys.check_listed),
    Check("topics", Text("主题", "topics"), log.check_topics),
    Check("rights", Text("权限", "rights"), log.check_rights),
    Check("store", STORE, store.check),
    Check("streams", Text("数据流", "streams"), store.check_streams),
    Check("audit_log", Text("审计日志", "audit log"), audit.check),
    Check("audit_logs", Text("日志接续与保存", "succession and retention"), shards.check),
    Check("witnesses", Text("见证者", "witnesses"), witnesses.check),
    Check("supervision", Text("电子监察", "supervision"), supervision.check),
    Check("corrections", Text("纠错申请", "corrections"), corrections.check),
    Check("mirror", Text("镜像", "mirror"), mirror.check),
    Check("serve", Text("服务进程", "serving"), serving.check),
    Check("clock", Text("时钟", "clock"), host.check_clock),
)


def doctor(path: Path) -> Iterator[Told]:
    """Everything that is found about the node of this configuration file."""
    return examine(CHECKS, Situation(path))


def run(path: Path, as_json: bool) -> bool:
    """Print it; whether nothing failed."""
    return report(doctor(path), as_json)
