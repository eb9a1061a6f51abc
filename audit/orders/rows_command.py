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


def tell(rows: "Rows | None") -> None:
    """Nothing where openings were not asked for."""
    if rows is None:
        return
    if rows.erased:
        say(_ERASED.fill(erased=rows.erased))
    if rows.restricted:
        say(_RESTRICTED.fill(positions=rows.restricted.text()))
    if rows.left:
        say(_LEFT.fill(positions=rows.left.text()))
    if rows.unordered:
        say(_UNORDERED.fill(places=", ".join(map(str, rows.unordered))))
    if (rows.erased or rows.restricted) and not rows.checked:
        say(_UNCHECKED)


def as_json(rows: "Rows | None") -> Json:
    """As `tell`, for programs."""
    return (
        None
        if rows is None
        else {
            "erased": rows.erased,
            "restricted": rows.restricted.text(),
            "left": rows.left.text(),
            "unordered": list(rows.unordered),
            "orders_checked": rows.checked,
        }
    )
