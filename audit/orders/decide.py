"""May an order be carried out? Pure: the order, what the log is, and a time in; a refusal or nothing out.

1. It is about this log, and about entries that the log has.
2. Each order has a higher number than all that were carried out before: one that was signed and held back cannot come
   after the auditor has said something else. One that was carried out already is carried out once.
3. There is something to do: lifting needs a restriction, and what is erased already can be neither.
4. Erasing waits until retention is over for each of its entries: `retention_days`, at least MIN_RETENTION_DAYS, from
   the entry's own time on. Until then the order is to restrict (个人信息保护法第四十七条第二款). Nothing is erased of a
   log that a legal hold keeps from being removed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from audit.orders.order import ACTIONS, ERASE, LIFT, Order
from audit.orders.state import State
from contracts.registry import MIN_RETENTION_DAYS
from contracts.text import Text

DAY_MS: Final = 86_400_000
BEIJING: Final = timezone(timedelta(hours=8))

_NEXT_ORDER = Text("请审计员按此重新签发指令。", "The auditor makes a new order accordingly.")
_RESTRICT_NOW = Text("请先限制处理,{date} 之后再销毁。", "Restrict now, erase after {date}.")
_REFUSALS: Mapping[str, Text] = {
    "order_of_another_log": Text("该指令属于日志 {origin}", "The order is about the log {origin}"),
    "order_beyond_log": Text(
        "指令涉及条目 {last},日志只有 {size} 条", "The order is about entry {last}; the log has {size} entries"
    ),
    "order_carried_out": Text("该指令已执行(条目 {index})", "The order is carried out already (entry {index})"),
    "order_outnumbered": Text(
        "已执行过编号 {number} 的指令,较小的编号不再接受", "Order {number} was carried out; a lower number is too late"
    ),
    "order_without_effect": Text("没有可{action}的条目", "There is no opening to {action} at these positions"),
    "order_log_held": Text("该日志处于依法保留状态,不得销毁", "A legal hold is on this log: nothing of it is erased"),
    "entry_without_time": Text("条目 {index} 没有时间,无法判断保存期限", "Entry {index} has no time to retain it from"),
    "retention_running": Text("保存期限未届满(至 {date})", "The time of retention is not over (until {date})"),
}


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of the log. `newest`: the highest time of the entries at the order's positions, Unix ms;
    `timeless`: one of them that has none. `highest`: the highest number of an order carried out, 0 for none. `held`: by
    a legal hold (`audit.holds`)."""

    origin: str
    size: int
    retention_days: int
    state: State
    highest: int
    newest: int
    timeless: int | None = None
    held: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Why not. `code`: one of `_REFUSALS`; `what` and `remedy` for people."""

    code: str
    what: Text
    remedy: Text


def decide(order: Order, here: Situation, now: int) -> Refused | None:
    """None: carry it out. `now` in Unix ms."""
    return _of_log(order, here) or _of_order(order, here) or _of_time(order, here, now)


def again(order: Order, here: Situation, now: int) -> Refused | None:
    """As `decide`, for whoever carries out an order that somebody else did before: all but rules 2 and 3."""
    return _of_log(order, here) or _of_time(order, here, now)


def _of_log(order: Order, here: Situation) -> Refused | None:
    """Rule 1."""
    if order.origin != here.origin:
        return _refused("order_of_another_log", origin=order.origin)
    if order.positions.last >= here.size:
        return _refused("order_beyond_log", last=order.positions.last, size=here.size)
    return None


def _of_order(order: Order, here: Situation) -> Refused | None:
    """Rules 2 and 3."""
    done = here.state.carried_out.get(order.digest)
    if done is not None:
        return _refused("order_carried_out", index=done)
    if order.number <= here.highest:
        return _refused("order_outnumbered", number=here.highest)
    left = order.positions - here.state.erased
    if not (left & here.state.restricted if order.action == LIFT else left):
        return _refused("order_without_effect", action=ACTIONS[order.action])
    return None


def _of_time(order: Order, here: Situation, now: int) -> Refused | None:
    return retention(here, now) if order.action == ERASE else None


def retention(here: Situation, now: int) -> Refused | None:
    """Rule 4: whether erasing must wait; `now` in Unix ms."""
    if here.held:
        return _refused("order_log_held")
    if here.timeless is not None:
        return _refused("entry_without_time", index=here.timeless)
    ends = here.newest + max(here.retention_days, MIN_RETENTION_DAYS) * DAY_MS
    if now >= ends:
        return None
    date = datetime.fromtimestamp(ends / 1000, UTC).astimezone(BEIJING).date().isoformat()
    refused = _refused("retention_running", date=date)
    return Refused(refused.code, refused.what, _RESTRICT_NOW.fill(date=date))


def _refused(code: str, **facts: object) -> Refused:
    return Refused(code, _REFUSALS[code].fill(**facts), _NEXT_ORDER)
