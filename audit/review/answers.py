"""The tables that units send back, filled in. Pure.

1. A table is CSV with the columns `sample`, `log`, `position` (or `finding` in place of these), `organisation`, `unit`,
   `explanation`; others are ignored. `explained_by` is who in the unit says so.
2. Each row stands for itself: a bad one is named with its line, the good ones are taken. A row without an explanation
   is not answered yet.
"""

import csv
import io
from collections.abc import Sequence
from typing import NamedTuple

from audit.review.events import Place, Subject, Whom, sound_text
from audit.search.cells import unmarked
from contracts.errors import UserError
from contracts.text import Text

REQUIRED = ("organisation", "explanation")

_BAD_CSV = Text("不是 CSV 文件", "Not a CSV file")
_NO_COLUMN = Text("缺少列 {name}", "The column {name} is missing")
_TEMPLATE = Text("请使用随通知发出的表格。", "Use the table that came with the letter.")
_NO_PLACE = Text("sample、log、position 填写不全", "sample, log and position are not all there")
_NO_WHOM = Text("organisation 为空", "organisation is empty")


class Answer(NamedTuple):
    """A row that says something. `line` counts from 1, the header included."""

    line: int
    subject: Subject
    whom: Whom
    explanation: str
    explained_by: str


class Bad(NamedTuple):
    """A row that is not taken, and why."""

    line: int
    what: Text


class Table(NamedTuple):
    """`empty`: rows without an explanation."""

    answers: Sequence[Answer]
    bad: Sequence[Bad]
    empty: int


def read(text: str, name: str) -> Table:
    """The rows of a table; `name`: of the file. Raises `UserError` for what is no table."""
    answers: list[Answer] = []
    bad: list[Bad] = []
    empty = 0
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        _check_header(reader.fieldnames or (), name)
        for row in reader:
            cells = {
                column: unmarked((value or "").strip()) for column, value in row.items() if isinstance(column, str)
            }
            if not cells.get("explanation"):
                empty += any(cells.values())
                continue
            try:
                answers.append(_answer(reader.line_num, cells))
            except UserError as error:
                bad.append(Bad(reader.line_num, error.what))
    except csv.Error:
        raise UserError(_BAD_CSV, f"{name}:{reader.line_num}", _TEMPLATE) from None
    return Table(answers, bad, empty)


def _check_header(columns: Sequence[str], name: str) -> None:
    place = ("finding",) if "finding" in columns else ("sample", "log", "position")
    for column in (*place, *REQUIRED):
        if column not in columns:
            raise UserError(_NO_COLUMN.fill(name=column), name, _TEMPLATE)


def _answer(line: int, cells: dict[str, str]) -> Answer:
    if not cells["organisation"]:
        raise UserError(_NO_WHOM)
    whom = Whom(cells["organisation"], cells.get("unit") or None)
    said = sound_text(cells["explanation"]), sound_text(cells.get("explained_by", ""))
    return Answer(line, _subject(cells), whom, *said)


def _subject(cells: dict[str, str]) -> Subject:
    if cells.get("finding"):
        return cells["finding"]
    position = cells.get("position", "")
    if not cells.get("sample") or not cells.get("log") or not position.isascii() or not position.isdigit():
        raise UserError(_NO_PLACE)
    if len(position) > 18:
        raise UserError(_NO_PLACE)
    return Place(cells["sample"], cells["log"], int(position))
