"""What the department's doctor says of correction requests: a person must look at them, and nothing else calls one.

1. Only where the configuration pins nodes (`[[nodes]]`): without their keys no request can be believed.
2. The outbox is asked read-only, like by every check; the same rule as that of the command says what is open.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import apsw

from adapters import correction_list
from adapters.config import AdapterConfig
from contracts.corrections import Correction, requests_topic
from contracts.edge.doctor.finding import Finding, ok, warning
from contracts.edge.doctor.sqlite import reading
from contracts.edge.transport import TopicUnknown
from contracts.text import Text

_OPEN: Final = Text(
    "有 {open} 件纠错申请待处理,其中逾期 {overdue} 件", "{open} correction requests are open, {overdue} of them overdue"
)
_LOOK: Final = Text(
    "用 oncegate-adapter corrections 查看并处理。", "See oncegate-adapter corrections, and answer them."
)
_NO_TOPIC: Final = Text(
    "收不到纠错申请:主题不存在,或无权查看", "No request comes: the topic is not there, or may not be seen"
)
_ASK: Final = Text(
    "请城市管理员运行 oncegate topics apply 并授予读权限。",
    "Ask the city for oncegate topics apply, and for the right to read.",
)
_IDENTITY: Final = "SELECT r.identity FROM records r JOIN streams s ON s.id = r.stream WHERE (s.type, r.rec) = (?, ?)"
_KEPT: Final = "SELECT value FROM journal, json_each(journal.records) WHERE act = 'keep'"


def look(config: AdapterConfig, outbox: Path, now: int) -> Iterator[Finding]:
    """Open requests, if any. `now` in Unix ms; raises `LogUnavailable`, `Corrupt`, `UserError`."""
    if not config.nodes or not outbox.exists():
        return
    try:
        asked = correction_list.read_verified(config).requests
    except TopicUnknown:
        yield warning(_NO_TOPIC, _ASK, requests_topic(config.adapter))
        return
    with reading(outbox) as db:
        kept = frozenset(value for (value,) in db.execute(_KEPT))
        unanswered = [one for one in asked if correction_list.is_open(one, _identity(db, one), kept)]
    yield judge(unanswered, now)


def judge(unanswered: list[Correction], now: int) -> Finding:
    """Requests that wait for an answer. `now` in Unix ms."""
    if not unanswered:
        return ok("没有待处理的纠错申请", "No correction request is open")
    late = correction_list.overdue(unanswered, now)
    return warning(_OPEN.fill(open=len(unanswered), overdue=late), _LOOK)


def _identity(db: apsw.Connection, request: Correction) -> str | None:
    with closing(db.execute(_IDENTITY, (request.evidence_type, request.record))) as found:
        row = next(found, None)
    return None if row is None else row[0]
