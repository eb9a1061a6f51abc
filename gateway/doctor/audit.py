"""The audit log of a node's slot: what its files say, and what is known of it elsewhere.

1. The published head verifies under the slot's key, the tiles have its root, the newest entries are those that the
   tiles say, and the frames go on from there: what a start would do, without its lock and without writing.
2. A log that is being written changes under our eyes: what does not add up is looked at again, a few times.
3. The highest head on other storage is one that this log had. Without `head_dir`, witness and mirror a rollback is
   undetectable: said.
   On the same device it notices an older copy of the directory, not an older copy of the disk.
4. A running process publishes what is durable within seconds.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from audit import checkpoints
from audit.merkle import leaf_hash
from audit.notes import NoteKey, parse_vkey
from audit.reader import LogReader
from audit.recovery import Recovered, check_head, is_new, recover
from audit.tiles import WIDTH
from contracts.edge.doctor.disk import existing
from contracts.edge.doctor.finding import Finding, failed, ok, warning
from contracts.edge.doctor.locks import is_held
from contracts.errors import Corrupt, Fault, UserError
from contracts.text import Text
from gateway.config import ServeConfig
from gateway.doctor.situation import Situation

LOOKS: Final = 6
PAUSE_SECONDS: Final = 0.3
LATE_SECONDS: Final = 60

_NONE_YET = Text("尚无审计日志", "There is no audit log yet")
_SERVE_FIRST = Text("首次启动 serve 时创建。", "The first start of serve makes it.")
_NO_SLOT = Text("注册库中没有审计日志 {slot}", "The registry lists no audit log {slot}")
_REGISTER = Text("请登记后重新发布注册库。", "Register it and publish the registry again.")
_LATE = Text(
    "已有 {seconds} 秒未发布检查点,{count} 条记录在等待",
    "No checkpoint for {seconds} s, and {count} records wait for one",
)
_RESTART = Text(
    "请查看 serve 的日志与磁盘,必要时重启 serve。",
    "Look at the log of serve and at the disk; start serve again if need be.",
)
_UNPUBLISHED = Text("有 {count} 条记录尚未发布", "{count} durable records are not published")
_START = Text("启动 serve 后会自动发布。", "The next start of serve publishes them.")
_NO_HEAD_DIR = Text(
    "未配置 head_dir、见证者或镜像,审计日志回退将无法察觉",
    "Neither head_dir nor a witness nor a mirror is configured: a rollback of the audit log would go unnoticed",
)
_CONFIGURE = Text(
    "请在 [serve] 中配置另一存储上的 head_dir,或见证者,或审计镜像的公钥。",
    "Set head_dir in [serve] to a directory on other storage, or name a witness, or the auditor's mirror.",
)
_NOT_MOUNTED = Text("head_dir 不是目录(存储未挂载?)", "head_dir is not a directory (is the storage mounted?)")
_MOUNT = Text("请挂载该存储,或先创建该目录。", "Mount that storage, or create the directory first.")
_NO_HEAD = Text("head_dir 中没有该日志的检查点", "head_dir has no checkpoint of this log")
_LOST_HEAD = Text(
    "serve 将拒绝启动:请检查存储是否已挂载;若首次使用 head_dir,请按 serve 提示复制检查点。",
    "serve will not start: is that storage mounted? If it is new, copy the checkpoint there as serve says.",
)
_SAME_DEVICE = Text("head_dir 与审计日志在同一磁盘上", "head_dir is on the same disk as the audit log")
_OTHER_DISK = Text("请将其移到另一存储,否则整盘恢复到旧状态时无法察觉。",
                   "Move it to other storage: an older copy of the whole disk would go unnoticed.")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Log:
    """What the files say. `age`: seconds since the checkpoint was written."""

    size: int
    published: int
    age: int
    running: bool
    where: str


@dataclass(frozen=True, slots=True)
class Head:
    """What is known elsewhere. `size` None: no head is there."""

    configured: bool
    mounted: bool
    size: int | None
    same_device: bool
    where: str


def judge_log(log: Log) -> Finding:
    """Rule 4, of a log whose files verify."""
    waiting = log.size - log.published
    if waiting and log.running and log.age > LATE_SECONDS:
        return failed(_LATE.fill(seconds=log.age, count=waiting), _RESTART, log.where)
    if waiting and not log.running:
        return warning(_UNPUBLISHED.fill(count=waiting), _START, log.where)
    return ok(
        f"{log.size} 条记录,尾部核验无误,检查点写于 {log.age} 秒前",
        f"{log.size} records, the newest verify, checkpoint {log.age} s ago",
        log.where,
    )


def judge_head(head: Head, published: int) -> Finding:
    """Rule 3, of a head that this log had."""
    if not head.configured:
        return warning(_NO_HEAD_DIR, _CONFIGURE)
    if not head.mounted:
        return failed(_NOT_MOUNTED, _MOUNT, head.where)
    if head.size is None and published:
        return failed(_NO_HEAD, _LOST_HEAD, head.where)
    if head.same_device:
        return warning(_SAME_DEVICE, _OTHER_DISK, head.where)
    return ok(
        f"head_dir 中的检查点({head.size or 0} 条)相符",
        f"The head elsewhere ({head.size or 0} records) agrees",
        head.where,
    )


# --- gathering ---------------------------------------------------------------------------------------------------


def check(situation: Situation) -> Iterator[Finding]:
    """The log, then its head elsewhere."""
    serve = situation.serve
    if serve is None:
        return
    slot = situation.registry.need().audit_slots.get(serve.slot)
    if slot is None:
        raise UserError(_NO_SLOT.fill(slot=serve.slot), "", _REGISTER)
    key = parse_vkey(slot.vkey)
    if not serve.audit_dir.is_dir() or is_new(serve.audit_dir):
        yield warning(_NONE_YET, _SERVE_FIRST, serve.audit_dir)
        lost = known_head(serve, key)
        if lost is not None and lost.size:
            raise Corrupt(f"the log directory is empty, but {lost.size} entries were published")
        yield from _judged_head(serve, None, 0)
        return
    running = is_held(serve.audit_dir / "lock")
    size, published, known = _steady(serve, key) if running else _looked(serve, key)
    yield judge_log(Log(size, published, _age(serve.audit_dir, situation.now()), running, str(serve.audit_dir)))
    yield from _judged_head(serve, known, published)


def _judged_head(serve: ServeConfig, known: int | None, published: int) -> Iterator[Finding]:
    """Rule 3. Where a witness or the mirror knows the head instead, `witnesses` or `mirror` has the line. A mirror that
    is not pinned may have been heard once; its word lies in the log's own directory, and is put back with it."""
    if serve.head_dir is not None or not (serve.witnesses or serve.mirror):
        yield judge_head(_head(serve, known), published)


def _steady(serve: ServeConfig, key: NoteKey) -> tuple[int, int, int | None]:
    """(durable, published, known elsewhere) of a log that verifies; raises `Corrupt`, `Fault`, OSError (rule 2)."""
    for _ in range(LOOKS - 1):
        try:
            return _looked(serve, key)
        except (Corrupt, FileNotFoundError):
            time.sleep(PAUSE_SECONDS)
    return _looked(serve, key)


def _looked(serve: ServeConfig, key: NoteKey) -> tuple[int, int, int | None]:
    known = known_head(serve, key)  # written before the log's own: read before it, too
    reader = LogReader(serve.audit_dir, key)
    published = _opened(reader.note(), key)
    recovered: Recovered = recover(reader, published)
    if known is not None:
        check_head(known, reader, published, recovered)
    _verify_newest(reader, published.size)
    return recovered.tree.size, published.size, None if known is None else known.size


def _verify_newest(reader: LogReader, size: int) -> None:
    """The newest bundle's entries have the hashes that the signed root stands on."""
    if size:
        number = (size - 1) // WIDTH
        entries = reader.entries(number, size)
        if [leaf_hash(entry) for entry in entries] != list(reader.hashes(0, number, size)):
            raise Corrupt(f"the entries from {number * WIDTH} on are not those of the signed tree")


def known_head(serve: ServeConfig, key: NoteKey) -> checkpoints.Checkpoint | None:
    """The highest head on other storage; raises `Corrupt`, OSError."""
    path = _head_path(serve, key)
    return _opened(path.read_bytes(), key) if path is not None and path.exists() else None


def _head_path(serve: ServeConfig, key: NoteKey) -> Path | None:
    return None if serve.head_dir is None else serve.head_dir / f"{quote(key.name, safe='')}.checkpoint"


def _opened(note: bytes, key: NoteKey) -> checkpoints.Checkpoint:
    try:
        return checkpoints.open_note(note, key)[0]
    except Fault as fault:
        raise Corrupt(f"the checkpoint does not verify under this log's key: {fault.code}") from None


def _head(serve: ServeConfig, size: int | None) -> Head:
    directory = serve.head_dir
    if directory is None:
        return Head(configured=False, mounted=False, size=None, same_device=False, where="")
    mounted = directory.is_dir()
    same = mounted and directory.stat().st_dev == existing(serve.audit_dir).stat().st_dev
    return Head(configured=True, mounted=mounted, size=size, same_device=same, where=str(directory))


def _age(directory: Path, now: int) -> int:
    written = (directory / "checkpoint").stat().st_mtime
    return max(0, int(now / 1000 - written))
