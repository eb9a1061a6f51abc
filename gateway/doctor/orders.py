"""Orders about openings that nobody carries out: countersigned, put where the serving process looks, and still there.

1. The serving process takes seconds. An order that waits for more than LATE_MS is said, for each log of the node,
   closed ones as well.
2. How long it waits is how old its file is.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from audit.orders import files
from contracts.edge.doctor.finding import Finding, warning
from contracts.text import Text

LATE_MS: Final = 3_600_000

_PENDING: Final = Text(
    "日志 {slot} 有 {count} 个指令已等待执行 {hours} 小时",
    "Orders about the log {slot} wait to be carried out: {count}, for {hours} h",
)
_LOOK: Final = Text(
    "请查看 serve 是否运行及其日志(order_delayed),并确认该日志及其后继均在此处。",
    "See whether serve runs, and its log (order_delayed); that log and those that go on from it must be here.",
)


def judge(slot: str, since: list[int], now: int) -> Iterator[Finding]:
    """Of one log: when each waiting order was put there, and now, in Unix ms."""
    late = [now - time for time in since if now - time > LATE_MS]
    if late:
        yield warning(_PENDING.fill(slot=slot, count=len(late), hours=max(late) // LATE_MS), _LOOK)


def waiting(logs: Path, now: int) -> Iterator[Finding]:
    """Of each log below `logs`; `now` in Unix ms."""
    for directory in sorted(logs.glob("*")):
        yield from judge(directory.name, [_time(path) for path in files.pending(directory)], now)


def _time(path: Path) -> int:
    return path.stat().st_mtime_ns // 1_000_000
