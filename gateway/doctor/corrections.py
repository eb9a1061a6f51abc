"""Correction requests under way: what is open, what did not get to its department, and what cannot be read.

1. One that its department has not got within `STUCK_MS` is a warning: the serving process says why in its log.
2. A file that cannot be read is a failure: that request goes nowhere. Others do.
3. Late ones are told, not warned of: that is the department's affair, and a notice in the audit log.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from contracts.edge.doctor.finding import Finding, failed, ok, warning
from contracts.errors import Corrupt
from contracts.text import Text
from gateway.corrections.judge import Open
from gateway.corrections.spool import MAX_OPEN, Spool
from gateway.doctor.situation import Situation

STUCK_MS: Final = 5 * 60_000
_FINE: Final = Text("未办结 {count} 件,其中逾期 {late} 件", "{count} open, {late} of them late")
_STUCK: Final = Text(
    "有 {count} 件超过 {minutes} 分钟未送交部门", "{count} have not got to their department in {minutes} min"
)
_LOOK: Final = Text(
    "请查看 serve 日志中的 corrections_trouble;主题可用 oncegate topics apply 补建。",
    "See corrections_trouble in the log of serve; oncegate topics apply makes missing topics.",
)
_FULL: Final = Text("未办结 {count} 件,已达上限,不再受理", "{count} are open: no more are taken")
_ASK: Final = Text("请催促有关部门答复。", "Have the departments answer.")
_BAD: Final = Text("有无法读取的文件", "A file cannot be read")
_ASIDE: Final = Text("请移走该文件,并请窗口重新提出。", "Move it away, and have the request made again.")


def check(situation: Situation) -> Iterator[Finding]:
    """What lies below `corrections/` for this slot."""
    if (serve := situation.serve) is None:
        return
    directory = situation.config.need().data_dir / "corrections" / serve.slot
    opened: list[Open] = []
    try:
        opened.extend(Spool(directory).all())  # what came before an error stays
    except Corrupt as error:
        yield failed(_BAD, _ASIDE, str(error).partition(" ")[0])
    yield judge(opened, situation.now())


def judge(opened: Sequence[Open], now: int) -> Finding:
    """Rules 1 and 3. `now` in Unix ms."""
    waits = [now - one.correction.asked_at for one in opened if not one.sent_at]
    if stuck := [wait for wait in waits if wait > STUCK_MS]:
        return warning(_STUCK.fill(count=len(stuck), minutes=max(stuck) // 60_000), _LOOK, "corrections")
    if len(opened) >= MAX_OPEN:
        return warning(_FULL.fill(count=len(opened)), _ASK, "corrections")
    found = _FINE.fill(count=len(opened), late=sum(one.late for one in opened))
    return ok(found.zh, found.en, "corrections")
