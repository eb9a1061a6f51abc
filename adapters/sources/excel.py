"""Excel workbooks (.xlsx) as a source of rows.

1. The sheet is the one that `sheet` names, else the only visible one: which of several is meant, nobody guesses.
2. `header_row` (from 1) holds the names; what stands above it is a title. Names are stripped and unique; a column
   without a name is not read. Rows without any value in a named column are no rows.
3. Values become text as `cells` says. A cell with a date format is a date, whatever the format shows; a number without
   one is a number, so that the serial 45000 never becomes a date by guessing.
4. A cell that lost digits, holds an error, or is covered by a merged one is bad, and so is its row if the mapping needs
   that column.
5. Filters, hidden rows and hidden columns are a matter of looks: all rows are read.
6. A sheet without any cell has no header and no rows, as an empty CSV file.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from pathlib import Path

from python_calamine import CalamineSheet

from adapters.rows import Row
from adapters.sources import files, workbook
from adapters.sources.cells import cell_text
from adapters.sources.interface import CheckHeader, Stamp, any_header
from adapters.values import CellFault, strip
from contracts.edge.config import Section
from contracts.errors import UserError
from contracts.text import Text

_MERGED = "row_cell_merged"
_MAX_ROWS = 1_048_576
_NO_SHEET = Text("没有工作表 {name}", "There is no sheet {name}")
_WHICH = Text("有多个可见工作表", "There is more than one visible sheet")
_NONE_VISIBLE = Text("没有可见工作表", "No sheet is visible")
_CHOOSE = Text("请以 sheet 指定其一:{known}", "Name one with `sheet`: {known}")
_NO_HEADER = Text("第 {row} 行没有列名", "Row {row} holds no column names")
_SAY_ROW = Text("请以 header_row 指定表头所在行。", "Say with `header_row` where they are.")
_NAMES_TWICE = Text("表头中列名 {name} 重复", "The column {name} is in the header twice")
_RENAME = Text("请改名。", "Rename one.")
Value = object
Lines = Iterator[tuple[int, Mapping[int, Value]]]


@dataclass(frozen=True, slots=True)
class ExcelSource:
    """All workbooks that `patterns` match, in the order of their names."""

    patterns: tuple[Path, ...]
    sheet: str | None
    header_row: int
    where: str

    def rows(self, check: CheckHeader = any_header) -> Iterator[Row]:
        """Every row of every file; see `Source`."""
        for path in files.matching(self.patterns, self.where):
            yield from _file_rows(path, self.sheet, self.header_row, check)

    def stamp(self) -> Stamp:
        """See `Source`."""
        return files.stamp(files.matching(self.patterns, self.where))


def open_excel(section: Section) -> ExcelSource:
    """`files`, `sheet`, `header_row`; raises `UserError`."""
    patterns = section.paths("files")
    if not patterns:
        raise section.mistake(files.NO_FILES, "files")
    header_row = section.integer("header_row", 1, low=1, high=_MAX_ROWS)
    return ExcelSource(patterns, section.text("sheet", None), header_row, section.where("files"))


def _file_rows(path: Path, wanted: str | None, header_row: int, check: CheckHeader) -> Iterator[Row]:
    book = workbook.load(path)
    name = _choose(book, wanted)
    sheet, scan = book.sheet(name)
    where = f"{path}[{name}]"
    lines = _lines(sheet, scan.errors)
    names = _header(sheet, lines, header_row, where)
    if names:
        check(where, tuple(name for name in names.values() if name))
    unsure = _Unsure(scan.errors, _covered(sheet))
    for line, values in lines:
        row = _row(f"{path.name}[{name}]", line, names, values, unsure)
        if any(row.cells.values()) or set(row.bad.values()) - {_MERGED}:
            yield row


def _choose(book: workbook.Book, wanted: str | None) -> str:
    """Rule 1."""
    sheets, where = book.sheets, str(book.path)
    known = _CHOOSE.fill(known=", ".join(sheets))
    if wanted is not None:
        if wanted not in sheets:
            raise UserError(_NO_SHEET.fill(name=wanted), where, known)
        return wanted
    visible = [name for name, shown in sheets.items() if shown]
    if len(visible) != 1:
        raise UserError(_WHICH if visible else _NONE_VISIBLE, where, known)
    return visible[0]


def _lines(sheet: CalamineSheet, errors: set[tuple[int, int]]) -> Lines:
    """Row number and the values by column number, both from 1.

    Calamine leaves out empty columns on the left, and rows at the end in which it sees nothing but errors.
    """
    first, line = sheet.start[1] + 1 if sheet.start else 1, 0
    for line, values in enumerate(sheet.iter_rows(), 1):
        yield line, dict(enumerate(values, first))
    yield from ((more, {}) for more in sorted({row for row, _ in errors if row > line}))


def _header(sheet: CalamineSheet, lines: Lines, header_row: int, where: str) -> dict[int, str]:
    """Column number → name (rules 2 and 6); reads `lines` up to the header."""
    if sheet.start is None:
        return {}
    names = {column: strip(_told(value)[0]) for column, value in _shown(sheet, lines, header_row).items()}
    given = [name for name in names.values() if name]
    if not given:
        raise UserError(_NO_HEADER.fill(row=header_row), where, _SAY_ROW)
    for name in given:
        if given.count(name) > 1:
            raise UserError(_NAMES_TWICE.fill(name=name), where, _RENAME)
    return {column: name for column, name in names.items() if name}


def _shown(sheet: CalamineSheet, lines: Lines, row: int) -> dict[int, Value]:
    """What stands in a row, a name that is merged down into it included (a header of two lines)."""
    down = {(top + 1, left + 1) for (top, left), (bottom, _) in _merged(sheet) if top + 1 < row <= bottom + 1}
    found: dict[int, Value] = {}
    for line, values in lines:
        if line == row:
            return dict(values) | found
        found |= {column: value for column, value in values.items() if (line, column) in down}
    return {}


@dataclass(frozen=True, slots=True)
class _Unsure:
    """Where a cell shows nothing, but that says nothing."""

    errors: set[tuple[int, int]] = field(repr=False)
    covered: Mapping[int, Sequence[range]] = field(repr=False)

    def code(self, line: int, column: int) -> str | None:
        """Why the cell is bad, if it is."""
        if (line, column) in self.errors:
            return "row_cell_error"
        return _MERGED if any(column in span for span in self.covered.get(line, ())) else None


def _covered(sheet: CalamineSheet) -> Mapping[int, Sequence[range]]:
    """Row number → the columns that merged cells cover there; their first cell is the one that has the value."""
    covered: dict[int, list[range]] = defaultdict(list)
    last = sheet.end[0] if sheet.end else -1
    for (top, left), (bottom, right) in _merged(sheet):
        for line in range(top, min(bottom, last) + 1):
            covered[line + 1].append(range(left + 2 if line == top else left + 1, right + 2))
    return dict(covered)


def _merged(sheet: CalamineSheet) -> Sequence[tuple[tuple[int, int], tuple[int, int]]]:
    """First and last cell of each merged one, as (row, column) from 0."""
    return sheet.merged_cell_ranges or ()


def _row(file: str, line: int, names: Mapping[int, str], values: Mapping[int, Value], unsure: _Unsure) -> Row:
    cells: dict[str, str] = {}
    bad: dict[str, str] = {}
    for column, name in names.items():
        text, code = _told(values.get(column, ""))
        cells[name] = text
        code = unsure.code(line, column) or code
        if code is not None:
            bad[name] = code
    return Row(file, line, cells, None, bad) if bad else Row(file, line, cells)


def _told(value: Value) -> tuple[str, str | None]:
    """The text of a value, and why there is none (rule 3). A date format knows no type: midnight is a date."""
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()
    try:
        return cell_text(value), None
    except CellFault as fault:
        return "", fault.code
