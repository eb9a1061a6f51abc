"""What a citizen is told: who looked at their data, when, for which item, and what was given out. zh-CN, text or XLSX.

1. Only what stands in the leaves, of the records found by the holder's own token: time, organisation and unit, service
   item, action, decision, names of the fields given out. No clerk, no case, no other person is in it.
2. Whom it is about stands at its beginning, with the end of the number, so that a letter to somebody else shows.
3. A record that is not of ordinary visibility, or whose opening is under restriction, is left out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from audit.orders.state import restricted
from audit.package.flat import write_sheets
from audit.package.selection import Selection
from audit.package.table import Column, Item, beijing, columns
from audit.search.holders import ending
from contracts.encoding import Json
from contracts.pages.words import FORMATS

ORDINARY: Final = "ordinary"
ENDINGS: Final = (".txt", ".xlsx")

_SHOWN = ("beijing_time", "organisation", "unit", "service_item", "action", "decision", "fields")
_NAMES: Mapping[str, str] = {"granted": "已提供", "refused": "已拒绝，未提供"}
_HEAD = """证照数据访问情况告知书

持证主体：{scheme}，尾号 {ending}
出具时间：{time}（北京时间）
查询期间：{period}
依据：{logs}
单位、处室和事项为审计日志中登记的名称。依法限制告知的访问不在其中。

"""
_ENTRY = """{number}. {time}
   单位：{organisation}  处室/窗口：{unit}
   事项：{item}  操作：{action}  结果：{decision}
   提供的内容：{fields}
   编号：{log}#{position}

"""


@dataclass(frozen=True, slots=True)
class Told:
    """The head of the report: times in Unix ms; `since` and `until` None where nothing was said; `holder`: scheme, one
    of `HOLDER_SCHEMES`, and number."""

    now: int
    since: int | None
    until: int | None
    holder: tuple[str, str]


def told(selection: Selection) -> Iterator[Item]:
    """The records that the holder is told of (rule 3); raises as `Selection.records`."""
    kept = {one.log.origin: restricted(one.reader, one.reader.checkpoint().size) for one in selection.logs}
    for proved in selection.records():
        item = proved.item
        if item.members.get("visibility") == ORDINARY and item.position not in kept[item.origin]:
            yield item


def write(path: Path, selection: Selection, head: Told, items: Iterable[Item]) -> int:
    """The report at `path`, by its ending; how many accesses it tells of. Raises OSError and what `items` raises."""
    counted = _Counted(items)
    if path.suffix.lower() == ".xlsx":
        rows = ([one.cell(item) for one in _COLUMNS] for item in counted)
        write_sheets(path, f"访问情况 尾号{ending(*head.holder)}", _COLUMNS, rows)
    else:
        with path.open("w", encoding="utf-8-sig", newline="\n") as file:
            file.write(_head(selection, head))
            file.writelines(_entry(number, item) for number, item in enumerate(counted, 1))
            file.write(f"共 {counted.count} 次。\n")
    return counted.count


class _Counted:
    """Items, counted as they go by."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = items
        self.count = 0

    def __iter__(self) -> Iterator[Item]:
        for item in self._items:
            self.count += 1
            yield item


def _head(selection: Selection, head: Told) -> str:
    scheme = FORMATS[head.holder[0]].zh
    about = {"period": _period(head), "logs": _logs(selection), "scheme": scheme, "ending": ending(*head.holder)}
    return _HEAD.format(time=beijing(head.now), **about)


def _entry(number: int, item: Item) -> str:
    time, organisation, unit, service_item, action, _, fields = (_said(one.cell(item)) for one in _COLUMNS[:7])
    decision = _decision(item)
    return _ENTRY.format(
        number=number,
        time=time,
        organisation=organisation,
        unit=unit,
        item=service_item,
        action=action,
        decision=decision,
        fields=fields,
        log=item.origin,
        position=item.position,
    )


def _decision(item: Item) -> str:
    decision = item.members.get("decision")
    return _NAMES.get(decision, _said(decision)) if type(decision) is str else _said(decision)


def _said(value: Json | date) -> str:
    """In one line; a dash for nothing."""
    return " ".join(str(value).split()) if value not in (None, "") else "—"


def _period(head: Told) -> str:
    if head.since is None and head.until is None:
        return "全部"
    since = "最早" if head.since is None else beijing(head.since)
    until = "最近" if head.until is None else f"{beijing(head.until)}（不含）"
    return f"{since} 至 {until}"


def _logs(selection: Selection) -> str:
    return "；".join(f"{one.log.origin}（截至第 {one.log.size} 条）" for one in selection.logs)


_COLUMNS: Sequence[Column] = (
    *(one for name in _SHOWN for one in columns(openings=False) if one.name == name),
    Column("reference", lambda item: f"{item.origin}#{item.position}"),
)
