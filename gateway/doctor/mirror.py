"""The auditor's mirror of a node's audit log: what it said last of what it holds, and whether this log had that.

1. The highest head that it told lies beside the log. A head that this log never had means that the log was put back or
   rewritten: serve would not start.
2. Where its key is pinned, that head is cosigned by it; how old that is counts only where answers wait for it.
3. The mirror opens no port, so nobody can be asked: a running serve knows more (`serve`, /readyz).
"""

from collections.abc import Iterator
from typing import Final

from audit import cosignatures
from audit.checkpoints import open_note
from audit.contradictions import MIRROR, contradiction
from audit.mirror.heads import LATE_S
from audit.notes import NoteKey, parse_vkey
from audit.reader import MIRRORED, LogReader
from audit.recovery import is_new
from contracts.edge.doctor.finding import Finding, failed, ok, warning
from contracts.edge.doctor.locks import is_held
from contracts.text import Text
from gateway.config import ServeConfig
from gateway.doctor.situation import Situation

_NEVER: Final = Text("镜像尚未报告其持有的检查点", "The mirror has not said yet which head it holds")
_START: Final = Text(
    "请审计员在 mirror.toml 中设置 name、key 并启动镜像;vkey 须与之相符。",
    "The auditor sets name and key in mirror.toml and starts the mirror; vkey must be its key's.",
)
_OLD: Final = Text(
    "镜像已 {seconds} 秒没有消息,应答需等待镜像", "The mirror was not heard for {seconds} s, and answers wait for it"
)
_LOOK: Final = Text(
    "请检查审计员主机上的镜像及其网络。", "Look at the mirror on the auditor's host, and the way to it."
)
_RESTORE: Final = Text(
    "日志可能被回滚或改写:请勿启动 serve,通知审计员。",
    "The log was put back or rewritten: do not start serve, call the auditor.",
)


def check(situation: Situation) -> Iterator[Finding]:
    """One line, where a mirror is configured or was ever heard."""
    serve = situation.serve
    slot = None if serve is None else situation.registry.need().audit_slots.get(serve.slot)
    if serve is None or slot is None:
        return
    if serve.mirror is not None or (serve.audit_dir / MIRRORED).exists():
        yield judge(serve, parse_vkey(slot.vkey), situation.now() // 1000)


def judge(serve: ServeConfig, key: NoteKey, now: int) -> Finding:
    """What the mirror's last word means; raises `Corrupt`, `Fault` when log or head cannot be read."""
    reader = LogReader(serve.audit_dir, key)
    note, where = reader.mirrored_note(), str(serve.audit_dir / MIRRORED)
    if note is None:
        return warning(_NEVER, _START, where)
    held = open_note(note, key)[0]
    if is_new(serve.audit_dir):
        reason = f"there is no log here, but the mirror holds a head of {held.size}" if held.size else None
    else:
        reason = contradiction(held, reader.checkpoint(), reader, MIRROR)
    if reason is not None:
        return failed(Text(reason, reason), _RESTORE, where)
    lines = () if serve.mirror is None else cosignatures.of_note(note, (serve.mirror,))
    if serve.mirror is not None and not lines:
        return warning(_NEVER, _START, where)
    age = now - lines[-1].time if lines else 0
    if serve.mirror_wait_s is not None and age > LATE_S and is_held(serve.audit_dir / "lock"):
        return warning(_OLD.fill(seconds=age), _LOOK, where)
    return ok(f"镜像持有的检查点({held.size} 条)相符", f"The head that it holds ({held.size} records) agrees", where)
