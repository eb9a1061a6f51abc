"""Records as one flat file: CSV, NDJSON, XLSX. Streaming: nothing grows with the number of records but the file.

1. CSV has a byte order mark and one line of headings, zh-CN and English; NDJSON one object a line, the record parsed.
2. XLSX has two rows of headings (zh-CN, English), frozen. Cells are texts and integers, never formulas; a text that
   looks like one, like a number or a date (`search.cells`), has the mark of an apostrophe (quotePrefix), so it stays
   text when it is edited. More records than a sheet takes go on in the next sheet.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from xlsxwriter import Workbook

from audit.package.table import Column, Item, columns, csv_head, csv_line, row
from audit.record import digest_text
from audit.search.cells import is_misread
from contracts.encoding import Json, canonical

SHEET_ROWS = 1_048_576 - 2  # beside the headings
MAX_CELL = 32_767

_WIDTH = 16


def write_csv(path: Path, items: Iterable[Item], openings: bool) -> None:
    """Rule 1; raises OSError."""
    of = columns(openings)
    _write(path, (csv_line(item, of) for item in items), csv_head(of))


def write_ndjson(path: Path, items: Iterable[Item], _openings: bool) -> None:
    """Rule 1; raises OSError."""
    _write(path, (canonical(_object(item)) + b"\n" for item in items), b"")


def write_xlsx(path: Path, items: Iterable[Item], openings: bool, rows: int = SHEET_ROWS) -> None:
    """Rule 2, at most `rows` records in a sheet; raises OSError."""
    of = columns(openings)
    write_sheets(path, "访问记录", of, (row(item, of) for item in items), rows)


def write_sheets(
    path: Path, title: str, of: Sequence[Column], rows: Iterable[Sequence[Json | date]], most: int = SHEET_ROWS
) -> None:
    """A workbook of rows under two lines of headings; raises OSError."""
    options = {"constant_memory": True, "tmpdir": str(path.parent), "strings_to_numbers": False}
    with path.open("wb") as file, Workbook(file, options) as book:
        book.set_properties({"created": _NO_TIME})
        sheets = _Sheets(book, title, of, most)
        for cells in rows:
            sheets.add(cells)


FORMS: dict[str, Callable[[Path, Iterable[Item], bool], None]] = {
    "csv": write_csv,
    "ndjson": write_ndjson,
    "xlsx": write_xlsx,
}

_NO_TIME = datetime(1980, 1, 1, tzinfo=UTC)


class _Sheets:
    """Rows, sheet after sheet."""

    def __init__(self, book: Any, title: str, of: Sequence[Column], most: int) -> None:
        self._book, self._title, self._of, self._most = book, title, of, most
        self._bold = book.add_format({"bold": True})
        self._marked = book.add_format({"quote_prefix": True})
        self._count = self._at = 0
        self._sheet = self._next()

    def add(self, cells: Sequence[Json | date]) -> None:
        if self._at == self._most:
            self._sheet = self._next()
        for column, value in enumerate(cells):
            if type(value) is int:
                self._sheet.write_number(self._at + 2, column, value)
            elif value is not None:
                marked = self._marked if is_misread(value) else None
                self._sheet.write_string(self._at + 2, column, str(value)[:MAX_CELL], marked)
        self._at += 1

    def _next(self) -> Any:
        self._count += 1
        self._at = 0
        sheet = self._book.add_worksheet(self._title if self._count == 1 else f"{self._title}{self._count}")
        sheet.set_column(0, len(self._of) - 1, _WIDTH)
        sheet.freeze_panes(2, 0)
        for column, one in enumerate(self._of):
            sheet.write_string(0, column, one.zh, self._bold)
        for column, one in enumerate(self._of):
            sheet.write_string(1, column, one.name, self._bold)
        return sheet


def _object(item: Item) -> Json:
    found: dict[str, Json] = {
        "leaf_hash": digest_text(item.leaf_hash),
        "log": item.origin,
        "position": item.position,
        "record": item.members,
    }
    if item.opening is not None:
        found |= {"opening": item.opening.members, "opening_state": item.opening.state}
    return found


def _write(path: Path, lines: Iterable[bytes], head: bytes) -> None:

    with path.open("wb") as file:
        file.write(head)
        file.writelines(lines)
