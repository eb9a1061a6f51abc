"""What the node stands on: disks, clock, libraries and limits."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from contracts.edge.doctor import clock, disk, machine
from contracts.edge.doctor.clock import Mark
from contracts.edge.doctor.disk import Place
from contracts.edge.doctor.examine import Missing
from contracts.edge.doctor.finding import Finding
from contracts.edge.doctor.message_log import is_embedded
from contracts.text import Text
from gateway.config import NodeConfig
from gateway.doctor.situation import Situation
from gateway.web.server import MAX_CONNECTIONS

_FILES_BESIDE = 256  # libraries, sockets to the log, stores, tiles
_FILES_A_TOPIC = 3  # of the embedded log: the file, its WAL, its shared memory
_ISSUED = Text("注册库签发", "The issuing of the registry")
_APPENDED = Text("消息日志写入注册库", "The log's writing of the registry")
_STATEMENT = Text("部门的对账单", "The feed statement of a department")


def check_disks(situation: Situation) -> Iterator[Finding]:
    """Every file system that holds something of ours."""
    for found in disk.gather(places(situation.config.need())):
        yield disk.judge(found)


def places(config: NodeConfig) -> Iterator[Place]:
    """Where the node keeps something."""
    yield Place(config.data_dir)
    yield Place(config.stores_dir)
    if config.serve is not None:
        yield Place(config.serve.audit_dir, sqlite=False)
        if config.serve.head_dir is not None:
            yield Place(config.serve.head_dir, sqlite=False)
    if is_embedded(config.log):
        yield Place(config.log.path("directory"))


def check_clock(situation: Situation) -> Iterator[Finding]:
    """The clock, against everything that has a time in it."""
    marks = tuple(_marks(situation))
    yield from clock.judge(clock.Clock(clock.synchronised(), situation.began, clock.sample(), marks))


def _marks(situation: Situation) -> Iterator[Mark]:
    """What is missing is told elsewhere; what is there counts."""
    with suppress(Missing):
        yield from clock.file_marks(_written(situation.config.need()))
    with suppress(Missing):
        found = situation.found.need()
        times = ((_ISSUED, found.issued_at), (_APPENDED, found.appended_at))
        yield from (Mark(whose, at) for whose, at in times if at is not None)
    with suppress(Missing):
        for stream, state in situation.states.need().items():
            if state.told is not None:
                yield Mark(_STATEMENT, state.told.issued_at * 1000, str(stream))


def _written(config: NodeConfig) -> tuple[Path, ...]:
    paths = (config.data_dir / "registry-seen.json", config.stores_dir / "current")
    return paths if config.serve is None else (*paths, config.serve.audit_dir / "checkpoint")


def check_sqlite(_: Situation) -> Iterator[Finding]:
    """SQLite's version."""
    return machine.sqlite()


def check_open_files(situation: Situation) -> Iterator[Finding]:
    """How many files may be open."""
    needed = MAX_CONNECTIONS + _FILES_BESIDE
    with suppress(Missing):  # the least that is needed is known
        if is_embedded(situation.config.need().log):
            needed += _FILES_A_TOPIC * len(situation.registry.need().streams)
    yield machine.judge_open_files(machine.open_files(needed))
