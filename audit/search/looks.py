"""Looks at openings outside an index: few at a time, each in the auditors' own log before it is shown.

1. A look opens `MAX_OPENED` entries at most: who looks for a person goes through the index, which takes two keys.
2. With the own log a look is recorded there as a question of its own: by whom, which positions, how many were opened.
   Without it, the look is not recorded, and that is said. Nobody who has the key and the log can be held to more.
"""

from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.checkpoints import Checkpoint
from audit.log import LogSettings
from audit.search.own_log import Question, record
from audit.search.tokens import key_id
from audit.show import Line
from contracts.edge.output import warn
from contracts.errors import UserError
from contracts.text import Text

MAX_OPENED: Final = 20
COMMAND: Final = "show openings"

_TOO_MANY = Text("一次最多打开 {most} 条密封内容", "At most {most} openings at a time")
_FEWER = Text(
    "请用 --index 或较小的 --last;按人查找请用索引(index、search)。",
    "Give --index or a smaller --last; to look for people use an index (index, search).",
)
_NOT_RECORDED = Text(
    "注意:此次查看密封内容未留记录;请用 --own-log 给出审计员的自有日志。",
    "NOTE: this look at openings was not recorded; give the auditors' own log with --own-log.",
)


def require_few(count: int) -> None:
    """Rule 1; raises `UserError`."""
    if count > MAX_OPENED:
        raise UserError(_TOO_MANY.fill(most=MAX_OPENED), str(count), _FEWER)


def keep(own: LogSettings | None, head: Checkpoint, lines: Sequence[Line], auditor: X25519PrivateKey) -> None:
    """Rule 2, about opened `lines` of the log of `head`. Raises as `own_log.record`; then nothing may be shown."""
    if own is None:
        warn(_NOT_RECORDED)
        return
    asked = {"log": head.origin, "positions": [line.index for line in lines]}
    opened = sum(line.opening is not None for line in lines)
    record(own, Question(COMMAND, [key_id(auditor)], asked, opened, [(head.origin, head.size)]))
