"""The report of a review as text: a summary for a terminal, and the zh-CN document for the file. Pure.

The document names the sample, the checkpoints, the own log's head and every record that is not settled, so that it can
be checked against them later. It names nobody who was looked up, and no clerk.
"""

from collections.abc import Iterator, Mapping, Sequence

from audit.review.events import VERDICTS
from audit.review.ledger import Standing
from audit.review.report import Report, Row, Tally
from contracts.text import Text

_COUNTS = Text(
    "{name}:抽取 {drawn},已评查 {decided},未评查 {undecided};{verdicts};待说明 {awaited},其中逾期 {overdue}",
    "{name}: {drawn} drawn, {decided} decided, {undecided} undecided; {verdicts}; {awaited} awaiting an explanation, "
    "{overdue} of them overdue",
)
_TOTAL = Text("合计", "All")
_AGAIN = Text(
    "已收到说明、待评查人复核:{count} 条", "{count} with an explanation that its reviewer should read and judge"
)
_IRREGULAR = Text(
    "注意:自有日志第 {number} 条不合规则,不计入:{what}",
    "Note: entry {number} of the own log breaks a rule and does not count: {what}",
)
_NOT_WITNESSED = Text("抽样所依据的检查点未经见证", "The checkpoints of the sample are not witnessed")
_COMPLETE = Text("评查完成", "The review is complete")
_INCOMPLETE = Text("评查未完成", "The review is not complete")


def summary(found: Report) -> list[Text]:
    """A few lines for a terminal."""
    lines = [_line(_TOTAL, found.total)]
    lines += (_line(Text(name, name), tally) for name, tally in (*found.by_reviewer.items(), *_strata(found).items()))
    if found.total.judge_again:
        lines.append(_AGAIN.fill(count=found.total.judge_again))
    lines += (_IRREGULAR.fill(number=number, what=what) for number, what in found.irregular)
    if not found.sample.document["witnessed"]:
        lines.append(_NOT_WITNESSED)
    return [*lines, _COMPLETE if found.complete else _INCOMPLETE]


def document(found: Report, head: tuple[str, int, bytes], written: str) -> str:
    """For the file, in Chinese. `head`: origin, size, root of the own log; `written`: when, as text."""
    return "\n".join((*_heading(found, head, written), *_numbers(found), *_open_records(found), ""))


def _heading(found: Report, head: tuple[str, int, bytes], written: str) -> Iterator[str]:
    origin, size, root = head
    order = found.sample.document
    yield "双随机抽查评查情况报告"
    yield ""
    yield f"生成时间:{written}(北京时间)"
    yield f"结论:{(_COMPLETE if found.complete else _INCOMPLETE).zh}"
    yield ""
    yield "一、抽样"
    yield f"抽样文件摘要:{found.sample.digest}"
    yield f"算法:{order['algorithm']};种子:{found.sample.seed};随机数:{order['nonce']}"
    for note in order["checkpoints"]:
        name, entries, signed_root = note.split("\n")[:3]
        yield f"检查点:{name},{entries} 条,根 {signed_root}"
    for one in order["cosigned"]:
        yield f"见证:{one['log']},{one['witness']},{one['time']}"
    if not order["witnessed"]:
        yield f"见证:无。{_NOT_WITNESSED.zh}"
    if order["left_out"]:
        yield f"未纳入总体的日志:{'、'.join(order['left_out'])}"
    yield f"筛选条件:{' '.join(order['filters']) or '无'};分层依据:{order['by'] or '不分层'}"
    yield f"总体 {found.sample.population} 条,抽取 {found.total.drawn} 条;评查人:{'、'.join(found.sample.reviewers)}"
    yield f"开始评查时已由索引重新抽样核对:{'是' if found.drawn_again else '否'}"
    yield f"评查日志:{origin},{size} 条,根 {root.hex()}"


def _numbers(found: Report) -> Iterator[str]:
    yield ""
    yield "二、评查情况"
    yield _line(_TOTAL, found.total).zh
    for title, tallies in (("按评查人", found.by_reviewer), ("按分层", _strata(found))):
        if tallies:
            yield f"{title}:"
            yield from (f"  {_line(Text(name, name), tally).zh}" for name, tally in tallies.items())
    yield _AGAIN.fill(count=found.total.judge_again).zh
    yield from (_IRREGULAR.fill(number=number, what=what).zh for number, what in found.irregular)


def _open_records(found: Report) -> Iterator[str]:
    yield ""
    yield "三、未了事项"
    parts: Sequence[tuple[str, list[Row]]] = (
        ("未评查", [row for row in found.rows if row.verdict is None]),
        ("待说明", [row for row in found.rows if row.standing in (Standing.ASKED, Standing.OVERDUE)]),
        ("可疑", [row for row in found.rows if row.verdict is not None and row.verdict.verdict == "suspicious"]),
        ("已收到说明、待复核", [row for row in found.rows if row.judge_again]),
    )
    for title, rows in parts:
        yield f"{title}:{len(rows)} 条"
        yield from map(_record, rows)
    yield ""
    yield "期限按工作日计算,只扣除星期六、星期日,未计法定节假日及调休。系统不自动办结任何事项,结论由评查人作出。"


def _record(row: Row) -> str:
    due = ""
    if row.due is not None and row.due.answered is None:
        late = ",已逾期" if row.standing is Standing.OVERDUE else ""
        due = f",由 {row.due.whom.text()} 于 {row.due.deadline} 前说明{late}"
    decided = row.pick.reviewer if row.verdict is None else row.verdict.reviewer
    return f"  {row.place.log}#{row.place.position}({row.pick.stratum}),评查人 {decided}{due}"


def _line(name: Text, tally: Tally) -> Text:
    verdicts = (f"{VERDICTS[one].zh} {count}" for one, count in tally.verdicts.items())
    english = (f"{count} {VERDICTS[one].en}" for one, count in tally.verdicts.items())
    facts = {
        "name": name,
        "drawn": tally.drawn,
        "decided": tally.decided,
        "undecided": tally.undecided,
        "verdicts": Text(",".join(verdicts), ", ".join(english)),
        "awaited": tally.awaited,
        "overdue": tally.overdue,
    }
    return _COUNTS.fill(**facts)


def _strata(found: Report) -> Mapping[str, Tally]:
    """None worth naming when the sample has one only."""
    return found.by_stratum if len(found.by_stratum) > 1 else {}
