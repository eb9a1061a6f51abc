"""Shards: a log is closed and never written again, and another one, with its own name and key, goes on from it.

1. Whether a log is closed is proved: its last entry must be under its signed head.
2. Closing: as its only writer, with its key; recover, append `log_closed`, publish. Done again it changes nothing, so
   a death at any instant is made good by the next try. For another successor it is refused.
3. Going on: the former log is closed first, then the new one begins, and its first entry is durable before anybody
   gets to see it open. A log that has begun needs the former one no more.
4. A log that goes on from another one never begins without it: no directory, no key, no beginning.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from audit import succession
from audit.checkpoints import Checkpoint
from audit.disk import Disk
from audit.log import AuditLog, LogSettings
from audit.merkle import leaf_hash, verify_inclusion
from audit.notices import NO_OPENING
from audit.reader import LogReader
from audit.start import prepare, signer_of
from audit.succession import Ending
from contracts.errors import Corrupt, Fault, Unavailable, UserError
from contracts.text import Text

Clock = Callable[[], float]  # Unix seconds

_NOT_HERE = Text("前一审计日志不在此处,无法接续", "The log that this one goes on from is not here")
_BRING_IT = Text(
    "请将其目录移回(或从备份恢复);若此日志确实无前身,请从注册库中删去 predecessor。",
    "Bring its directory back; if this log is to begin without one, take `predecessor` out of the registry.",
)
_NO_KEY = Text("前一审计日志尚未关闭,需要其密钥", "The log that this one goes on from is not closed: its key is needed")
_GIVE_KEY = Text(
    "请在 [serve] 中以 predecessor_key 给出旧日志的密钥文件;首次启动成功后即可删去。",
    "Give the old log's key as predecessor_key in [serve]; after the first start it can go.",
)
_OTHER_SUCCESSOR = Text("该日志已关闭,后继为 {successor}", "This log was closed in favour of {successor}")
_COMPARE = Text("请核对注册库中的 predecessor。", "Compare it with `predecessor` in the registry.")
_BEGAN_OTHERWISE = Text(
    "该日志已有条目,但并非接续 {predecessor}", "This log has entries already, and does not go on from {predecessor}"
)


@dataclass(frozen=True, slots=True)
class Former:
    """The log that another one goes on from. `writer`: how to open it for closing; None: its key is not given."""

    reader: LogReader
    writer: LogSettings | None

    @property
    def here(self) -> bool:
        return (self.reader.directory / "checkpoint").is_file()


def proven(reader: LogReader, index: int) -> bytes:
    """Entry `index`, proved under the published head; raises `Corrupt`, `Fault` of `open_note` or `entry_unknown`."""
    head = reader.checkpoint()
    entry = reader.entry(index, head.size)
    proof = reader.inclusion_proof(index, head.size)
    if not verify_inclusion(index, head.size, leaf_hash(entry), proof, head.root):
        raise Corrupt(f"{reader.directory}: entry {index} is not under the signed head")
    return entry


def ending(reader: LogReader) -> Ending | None:
    """How a log ended (rule 1); None: it is open. Raises as `proven`."""
    head = reader.checkpoint()
    return succession.ending_of(proven(reader, head.size - 1), head) if head.size else None


def close(settings: LogSettings, successor: str, disk: Disk | None = None, clock: Clock = time.time) -> Ending:
    """Close a log in favour of the origin `successor` (rule 2).

    Raises `UserError` (another writer, another successor), `Corrupt`, `Unavailable` when it cannot be written; OSError.
    """
    failed: list[BaseException] = []
    log = AuditLog.begin(prepare(settings, disk or Disk()), failed.append, clock)
    _write(log, lambda: _close(log, successor, clock), failed)
    found = ending(LogReader(settings.directory, log.verifier))
    if found is None:
        raise Corrupt(f"{settings.directory}: the entry that closes the log is not its last")
    return found


def _close(log: AuditLog, successor: str, clock: Clock) -> None:
    if log.successor is None:
        log.append_blocking(succession.closing(successor, int(clock() * 1000)), NO_OPENING)
    elif log.successor != successor:
        raise UserError(_OTHER_SUCCESSOR.fill(successor=log.successor), log.origin, _COMPARE)


def _write(log: AuditLog, act: Callable[[], None], failed: list[BaseException]) -> None:
    """`act`, then the log's end: whatever was written is durable and published, or this raises."""
    try:
        act()
    except Fault:
        pass  # the log died; why is in `failed` once its threads have ended
    finally:
        log.close()
    if failed:
        raise Unavailable(f"{log.origin}: {failed[0]}")


def open_after(
    settings: LogSettings,
    former: Former,
    on_fatal: Callable[[BaseException], None],
    disk: Disk | None = None,
    clock: Clock = time.time,
) -> AuditLog:
    """Open a log that goes on from another one (rules 3 and 4).

    Raises as `AuditLog.open` and `close`.
    """
    disk = disk or Disk()
    if not _begun(settings):
        head = _closed(former, settings.origin, disk, clock).head
        failed: list[BaseException] = []
        new = AuditLog.open(settings, failed.append, disk, clock)
        _write(new, lambda: _begin(new, head, clock), failed)
    log = AuditLog.open(settings, on_fatal, disk, clock)
    said = succession.beginning_of(log.entry(0))
    if said is None or said.predecessor != former.reader.key.name:
        log.close()
        raise UserError(_BEGAN_OTHERWISE.fill(predecessor=former.reader.key.name), settings.origin, _COMPARE)
    return log


def _begun(settings: LogSettings) -> bool:
    """Whether the log has a published entry. One that is durable only is found by whoever opens it."""
    reader = LogReader(settings.directory, signer_of(settings).public)
    try:
        return (settings.directory / "checkpoint").is_file() and reader.checkpoint().size > 0
    except Fault:
        return True  # whoever opens it says what is wrong


def _begin(log: AuditLog, head: Checkpoint, clock: Clock) -> None:
    if log.size == 0:
        log.append_blocking(succession.opening(head, int(clock() * 1000)), NO_OPENING)


def _closed(former: Former, successor: str, disk: Disk, clock: Clock) -> Ending:
    if not former.here:
        raise UserError(_NOT_HERE, str(former.reader.directory), _BRING_IT)
    found = ending(former.reader)
    if found is None:
        if former.writer is None:
            raise UserError(_NO_KEY, str(former.reader.directory), _GIVE_KEY)
        found = close(former.writer, successor, disk, clock)
    if found.successor != successor:
        raise UserError(_OTHER_SUCCESSOR.fill(successor=found.successor), str(former.reader.directory), _COMPARE)
    return found
