"""What goes to a unit: a letter that lists what to explain, and a table to fill in. Pure.

1. A letter names the accesses as the unit knows them: transaction, time, app, service item, and the position in the
   log that it can compare with the receipt which its app keeps. It names no clerk, holder or case: the log does not say
   them, and the letter travels.
2. The table has the columns of `answers`; everything but the last two is filled in already.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote

from audit.review.events import Place, Whom
from audit.review.ledger import Due
from audit.search.cells import day, local_time
from audit.search.output import csv_text
from contracts.encoding import Json
from contracts.text import one_line

MAX_FILE_NAME = 200  # of 255; a suffix follows, and what an unfinished file has

COLUMNS = (
    "sample", "log", "position", "time", "transaction", "app", "service_item", "organisation", "unit", "deadline",
    "explained_by", "explanation",
)  # fmt: skip


class Question(NamedTuple):
    """An access to be explained; `record`: its leaf."""

    place: Place
    due: Due
    record: Mapping[str, Json]
    overdue: bool


def grouped(questions: Iterable[Question]) -> Mapping[Whom, Sequence[Question]]:
    """By the unit that was asked, in order of its name."""
    groups: dict[Whom, list[Question]] = {}
    for question in questions:
        groups.setdefault(question.due.whom, []).append(question)
    return dict(sorted(groups.items(), key=lambda group: group[0].text()))


def file_name(whom: Whom) -> str:
    """Without suffix; one for each unit, whatever its name contains. `=` joins: no quoted name has one. A name that is
    too long for a file is cut, and told apart by a digest."""
    name = "=".join(quote(part, safe="").replace(".", "%2E") for part in whom if part is not None)
    return (
        name
        if len(name) <= MAX_FILE_NAME
        else f"{name[: MAX_FILE_NAME - 34]}=={sha256(name.encode()).hexdigest()[:32]}"
    )


def letter(whom: Whom, questions: Sequence[Question], day: str, table: str) -> str:
    """The letter, in Chinese. `day`: its date; `table`: the name of the file to fill in."""
    return "\n".join(
        (*_opening(whom, questions, day), *map(_item, range(1, len(questions) + 1), questions), *_end(table))
    )


def table(questions: Sequence[Question]) -> str:
    """The table to fill in, as CSV with a byte order mark."""
    return csv_text(COLUMNS, map(_row, questions))


def _opening(whom: Whom, questions: Sequence[Question], day: str) -> Sequence[str]:
    late = sum(question.overdue for question in questions)
    reminder = f"其中 {late} 条已逾期,请立即说明。" if late else ""
    return (
        "要求说明通知",
        "",
        f"{whom.text()}:",
        "",
        f"截至 {day},在数据调取双随机抽查中,以下 {len(questions)} 条访问须由你单位说明事由与依据。{reminder}",
        "",
    )


def _item(number: int, question: Question) -> str:
    record, place = question.record, question.place
    late = "(已逾期)" if question.overdue else ""
    types = "、".join(map(str, record.get("evidence_types") or ()))
    return "\n".join(
        one_line(line)
        for line in (
            f"{number}. {place.log}#{place.position}",
            f"   时间:{_time(record)}  业务流水号:{record.get('transaction') or '-'}",
            f"   系统:{record.get('app') or '-'}  事项:{record.get('service_item') or '-'}",
            f"   证照类型:{types or '-'}  操作:{record.get('action') or '-'}  结果:{record.get('decision') or '-'}",
            f"   答复期限:{question.due.deadline}{late}",
        )
    )


def _end(name: str) -> Sequence[str]:
    return (
        "",
        "答复方法:",
        f"1. 打开 {name}(CSV,可用表格软件),逐条填写最后两列:explained_by(说明人)、explanation(说明内容)。",
        "   其他各列请勿改动;说明内容最多 8000 字。",
        "2. 说明应写明:因何办件、何人提出、依据哪项规定调取;如属误查,请写明经过与处理。",
        "3. 请将填写后的文件交审计部门。不必在说明中抄录证照内容或身份证件号码。",
        "",
        "期限按工作日计算,只扣除星期六、星期日;遇法定节假日或确有困难,请在期限内向审计部门申请延期。",
        "",
    )


def _row(question: Question) -> Sequence[Json | date]:
    record, place, due = question.record, question.place, question.due
    facts = (record.get("transaction"), record.get("app"), record.get("service_item"))
    return (*place, _time(record), *facts, *due.whom, day(due.deadline), "", "")


def _time(record: Mapping[str, Json]) -> Json | date:
    """Beijing time, which the unit reads; the log has Unix ms."""
    value = record.get("time")
    return local_time(value) if type(value) is int else "-"
