"""What the machine and its libraries give: SQLite's version, and how many files a process may open."""

import resource
from collections.abc import Iterator
from dataclasses import dataclass

from contracts.edge.doctor.finding import Finding, failed, ok, warning
from contracts.text import Text

_SQLITE = Text("SQLite {version} 的 WAL 在多个写入者下有缺陷", "SQLite {version} has a WAL fault under several writers")
_UPGRADE = Text(
    "请按锁定文件重新安装依赖(需要 {needed})。", "Install the dependencies from the lock file ({needed} is needed)."
)
_FEW = Text(
    "本会话最多打开 {soft} 个文件,服务可能需要 {needed} 个",
    "This session may open {soft} files; up to {needed} may be needed",
)
_RAISE = Text(
    "请提高上限:systemd 的 LimitNOFILE={needed},或 ulimit -n {needed}。",
    "Raise the limit: LimitNOFILE={needed} for systemd, or ulimit -n {needed}.",
)


@dataclass(frozen=True, slots=True)
class OpenFiles:
    """The limit of this session, and what a process of ours may need at most."""

    soft: int
    needed: int


def judge_sqlite(version: tuple[int, ...], needed: tuple[int, ...]) -> Finding:
    """SQLite as it is linked."""
    text, least = ".".join(map(str, version)), ".".join(map(str, needed))
    if version < needed:
        return failed(_SQLITE.fill(version=text), _UPGRADE.fill(needed=least))
    return ok(f"SQLite {text}", f"SQLite {text}")


def judge_open_files(files: OpenFiles) -> Finding:
    """The limit of open files."""
    if files.soft < files.needed:
        return warning(_FEW.fill(soft=files.soft, needed=files.needed), _RAISE.fill(needed=files.needed))
    return ok(f"可打开 {files.soft} 个文件", f"{files.soft} files may be open")


def sqlite() -> Iterator[Finding]:
    """The SQLite that this installation uses."""
    import apsw

    from contracts.edge.transport.topic_file import SQLITE_MIN

    yield judge_sqlite(tuple(map(int, apsw.sqlite_lib_version().split("."))), SQLITE_MIN)


def open_files(needed: int) -> OpenFiles:
    """The limit as this process has it; no limit is a large one."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return OpenFiles(2**31 if soft == resource.RLIM_INFINITY else soft, needed)
