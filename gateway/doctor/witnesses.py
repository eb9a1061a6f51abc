"""The witnesses of a node's audit log: whether each answers, and whether what it holds is a head of this log.

1. Asked for the checkpoint that it cosigned last, which must verify under the log's key and the pinned one.
2. A head that this log never had means that the log was put back or rewritten: nothing else counts then.
3. One that is away is a warning: the serving process refuses questions only when none cosigns for a long time.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from audit.checkpoints import open_note
from audit.contradictions import contradiction
from audit.notes import NoteKey, parse_vkey
from audit.reader import LogReader
from audit.recovery import is_new
from audit.witness.cosigning import WitnessAddress, held_by
from contracts.edge.doctor.finding import Finding, failed, ok, warning
from contracts.errors import Unavailable
from contracts.text import Text
from gateway.doctor.situation import Situation

_AWAY: Final = Text("见证者没有给出可验证的答复:{why}", "The witness gives no answer that verifies: {why}")
_LOOK: Final = Text(
    "请检查网络、url、vkey 与见证者的日志列表。",
    "Look at the network, at url and vkey, and at the witness's list of logs.",
)
_NOTHING: Final = Text("见证者尚未见证此日志", "The witness has not cosigned this log yet")
_WAIT: Final = Text("serve 启动后数秒内应完成。", "A running serve obtains it within seconds.")
_RESTORE: Final = Text(
    "日志可能被回滚或改写:请勿启动 serve,通知审计员。",
    "The log was put back or rewritten: do not start serve, call the auditor.",
)


def check(situation: Situation) -> Iterator[Finding]:
    """A line for each witness."""
    serve = situation.serve
    if serve is None or not serve.witnesses:
        return
    slot = situation.registry.need().audit_slots.get(serve.slot)
    if slot is not None:
        key = parse_vkey(slot.vkey)
        yield from (judge(serve.audit_dir, witness, key) for witness in serve.witnesses)


def judge(directory: Path, witness: WitnessAddress, key: NoteKey) -> Finding:
    """What one witness says of the log in `directory`; raises `Corrupt` when the log itself cannot be read."""
    where = witness.endpoint.url
    try:
        note = held_by(witness, key)
    except Unavailable as error:
        return warning(_AWAY.fill(why=error), _LOOK, where)
    if note is None:
        return warning(_NOTHING, _WAIT, where)
    held = open_note(note, key)[0]
    if not directory.is_dir() or is_new(directory):
        reason = f"there is no log here, but a witness holds a head of {held.size}" if held.size else None
    else:
        reader = LogReader(directory, key)
        reason = contradiction(held, reader.checkpoint(), reader)
    if reason is not None:
        return failed(Text(reason, reason), _RESTORE, where)
    return ok(f"见证者持有的检查点({held.size} 条)相符", f"The head that it holds ({held.size} records) agrees", where)
