"""What `oncegate-audit verify --openings` says of opening rows."""

from typing import TYPE_CHECKING

from contracts.edge.output import say
from contracts.encoding import Json
from contracts.text import Text

if TYPE_CHECKING:
    from audit.orders.checking import Rows

_ERASED = Text("密封内容:{erased} 条按双方指令销毁", "Openings: {erased} erased by orders of both parties")
_RESTRICTED = Text("密封内容:已限制处理的条目 {positions}", "Openings: restricted at {positions}")
_UNCHECKED = Text(
    "注意:指令的审计员签名未核对,请用 --orders-vkey 给出其公钥。",
    "Note: the auditor's signature under orders was not checked; give that key with --orders-vkey.",
)
_LEFT = Text(
    "注意:指令要求销毁、但仍在此处的条目 {positions}", "Note: to be erased by order, and still here: {positions}"
)
_UNORDERED = Text(
    "注意:条目 {places} 所称的指令不在此处或无效",
    "Note: the orders that entries {places} name are not here, or do not count",
)


_LATER = Text(
    "后继日志 {origin} 中的通知已核对;该日志本身请另行验证",
    "The notices of {origin}, which goes on from it, were checked; verify that log by itself",
)
_MISSING = Text(
    "注意:后继日志 {origin} 不在此处,未核对其中的通知,请用 --successor 给出其目录。",
    "Note: {origin}, which goes on from it, is not here: its notices were not checked; give its directory with "
    "--successor.",
)
_UNNOTICED = Text(
    "注意:条目 {positions} 仅由审计员签署的指令说明,其通知未核对",
    "Note: entries {positions} are explained by the auditor's orders alone; their notices were not checked",
)
_KEYS = Text(
    "注意:后继日志的公钥取自其目录,请与注册库核对。",
    "Note: the keys of the logs that go on from it were taken from their directories; compare with the registry.",
)


def tell(rows: "Rows | None") -> None:
    """Nothing where openings were not asked for."""
    if rows is None:
        return
    _tell_chain(rows)
    if rows.erased:
        say(_ERASED.fill(erased=rows.erased))
    if rows.restricted:
        say(_RESTRICTED.fill(positions=rows.restricted.text()))
    if rows.left:
        say(_LEFT.fill(positions=rows.left.text()))
    if rows.unordered:
        say(_UNORDERED.fill(places=", ".join(f"{index} {log}".strip() for log, index in rows.unordered)))
    if (rows.erased or rows.restricted) and not rows.checked:
        say(_UNCHECKED)


def _tell_chain(rows: "Rows") -> None:
    for origin in rows.later:
        say(_LATER.fill(origin=origin))
    if rows.later:
        say(_KEYS)
    if rows.missing:
        say(_MISSING.fill(origin=rows.missing))
    if rows.unnoticed:
        say(_UNNOTICED.fill(positions=rows.unnoticed.text()))


def as_json(rows: "Rows | None") -> Json:
    """As `tell`, for programs."""
    return (
        None
        if rows is None
        else {
            "erased": rows.erased,
            "restricted": rows.restricted.text(),
            "left": rows.left.text(),
            "unordered": [index for log, index in rows.unordered if not log],
            "unordered_later": [{"log": log, "entry": index} for log, index in rows.unordered if log],
            "orders_checked": rows.checked,
            "later": list(rows.later),
            "missing": rows.missing,
            "unnoticed": rows.unnoticed.text(),
        }
    )
