"""An .xlsx file, opened so that neither accident nor malice in it can do harm, and what its reader cannot tell.

1. A workbook is a zip file. Its XML parts are copied, uncompressed, into memory, counted as they come: over
   `MAX_UNCOMPRESSED` the file is refused. The reader gets this copy, so that what was counted is what it reads, and so
   that the file may change afterwards.
2. The reader (calamine) lays a sheet out as a full rectangle; one stray cell in the far corner would be 17 thousand
   million cells, and the end of the process. So the XML of the sheet is scanned first, and refused over `MAX_CELLS`.
3. Calamine shows error cells (#N/A) and formulas without a value as empty. The same scan finds them.
4. A password, a damaged file, another format (.xls, .xlsb, .ods): one clear `UserError` each.
"""

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO
from xml.parsers import expat

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from adapters.sources.files import readable, steady
from contracts.errors import UserError
from contracts.text import Text

MAX_UNCOMPRESSED = 512 << 20  # bytes
MAX_CELLS = 20_000_000  # of the rectangle around all cells; 32 bytes each
_CHUNK = 1 << 20
_OLD_FORMAT = bytes.fromhex("d0cf11e0a1b11ae1")  # a compound file: .xls, or an encrypted .xlsx inside
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_BOOK, _LINKS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_DAMAGED_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)

_TOO_LARGE = Text("Excel 文件解压后超过 {limit} MiB", "The workbook is over {limit} MiB when unpacked")
_TOO_WIDE = Text(
    "工作表 {sheet} 所占区域过大({rows} 行 × {columns} 列)", "The sheet {sheet} spans {rows} rows × {columns} columns"
)
_USE_OTHER = Text("请改用 CSV 或数据库作为源。", "Use CSV or the database itself as source.")
_CLEAR_FAR = Text("请删除数据区以外的单元格后另存。", "Delete the cells far outside the data and save it again.")
_DAMAGED = Text("Excel 文件已损坏或不完整", "The workbook is damaged or incomplete")
_EXPORT_AGAIN = Text("请重新导出。", "Export it again.")
_LOCKED = Text("Excel 文件有打开密码", "The workbook is protected with a password")
_UNLOCK = Text("请去除密码后另存。", "Save it without the password.")
_NOT_XLSX = Text("不是 .xlsx 工作簿", "Not an .xlsx workbook")
_SAVE_AS = Text("请在 Excel 或 WPS 中另存为 .xlsx。", "Save it as .xlsx in Excel or WPS.")


@dataclass(slots=True)
class Scan:
    """What the XML of a sheet says: the rectangle's size, and cells without a value to trust, as (row, column) from 1.

    The handlers are expat's; a cell without a reference follows the one before it.
    """

    rows: int = 0
    columns: int = 0
    errors: set[tuple[int, int]] = field(default_factory=set)
    _row: int = 0
    _column: int = 0
    _formula: bool = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        handler = _HANDLERS.get(name.rpartition(":")[2])
        if handler is not None:
            handler(self, attributes)

    def row(self, attributes: Mapping[str, str]) -> None:
        self.settle()
        self._row = int(attributes.get("r", self._row + 1))
        self._column = 0

    def cell(self, attributes: Mapping[str, str]) -> None:
        self.settle()
        found = _REFERENCE.fullmatch(attributes.get("r", ""))
        if found is None:
            self._column += 1
        else:
            self._row, self._column = int(found[2]), column_number(found[1])
        self.rows, self.columns = max(self.rows, self._row), max(self.columns, self._column)
        if attributes.get("t") == "e":
            self.errors.add((self._row, self._column))

    def formula(self, _: Mapping[str, str]) -> None:
        self._formula = True

    def value(self, _: Mapping[str, str]) -> None:
        self._formula = False

    def settle(self) -> None:
        """The cell in hand is over: a formula without a value is an error."""
        if self._formula:
            self.errors.add((self._row, self._column))
            self._formula = False


_HANDLERS = {"row": Scan.row, "c": Scan.cell, "f": Scan.formula, "v": Scan.value}


def column_number(letters: str) -> int:
    """A is 1, Z is 26, AA is 27."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


@dataclass(frozen=True, slots=True)
class Book:
    """The copy of a workbook in memory."""

    path: Path
    parts: zipfile.ZipFile
    reader: CalamineWorkbook

    @property
    def sheets(self) -> Mapping[str, bool]:
        """Name of each sheet with cells → whether it is visible, in their order."""
        found = (one for one in self.reader.sheets_metadata if one.typ == SheetTypeEnum.WorkSheet)
        return {one.name: one.visible == SheetVisibleEnum.Visible for one in found}

    def sheet(self, name: str) -> tuple[CalamineSheet, Scan]:
        """A sheet and what its scan found; raises `UserError` (rules 2 and 4)."""
        with _translated(self.path):
            scan = self._scan(name)
            if scan.rows * scan.columns > MAX_CELLS:
                what = _TOO_WIDE.fill(sheet=name, rows=scan.rows, columns=scan.columns)
                raise UserError(what, str(self.path), _CLEAR_FAR)
            return self.reader.get_sheet_by_name(name), scan

    def _scan(self, name: str) -> Scan:
        scan = Scan()
        with self.parts.open(self._part(name)) as part:
            _parse(part, scan.start)
        scan.settle()
        return scan

    def _part(self, name: str) -> str:
        """The part of the zip file that holds the sheet."""
        ids: dict[str, str] = {}
        targets: dict[str, str] = {}

        def sheet(element: str, attributes: Mapping[str, str]) -> None:
            if element.rpartition(":")[2] == "sheet":
                ids[attributes["name"]] = next(value for key, value in attributes.items() if key.endswith(":id"))

        def link(element: str, attributes: Mapping[str, str]) -> None:
            if element.rpartition(":")[2] == "Relationship":
                targets[attributes["Id"]] = attributes["Target"]

        for part, handler in ((_BOOK, sheet), (_LINKS, link)):
            with self.parts.open(part) as file:
                _parse(file, handler)
        return posixpath.normpath(posixpath.join("/xl", targets[ids[name]])).lstrip("/")


def load(path: Path) -> Book:
    """The workbook; raises `UserError` and, if it changes meanwhile, `Unavailable`."""
    with readable(path), steady(path) as file, _translated(path):
        _check_format(path, file)
        copy = _copied(path, file)
        return Book(path, zipfile.ZipFile(copy), CalamineWorkbook.from_filelike(io.BytesIO(copy.getvalue())))


def _check_format(path: Path, file: BinaryIO) -> None:
    if file.read(len(_OLD_FORMAT)) == _OLD_FORMAT:
        rest = file.read(MAX_UNCOMPRESSED)
        raise UserError(*((_LOCKED, str(path), _UNLOCK) if _ENCRYPTED in rest else (_NOT_XLSX, str(path), _SAVE_AS)))
    file.seek(0)
    if not zipfile.is_zipfile(file):
        raise UserError(_DAMAGED if path.suffix.lower() == ".xlsx" else _NOT_XLSX, str(path), _SAVE_AS)


def _copied(path: Path, file: BinaryIO) -> io.BytesIO:
    """Rule 1: only XML, nothing compressed, no name twice."""
    copy, room = io.BytesIO(), MAX_UNCOMPRESSED
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(copy, "w") as target:
        if _BOOK not in source.namelist():
            raise UserError(_NOT_XLSX, str(path), _SAVE_AS)
        for info in source.infolist():
            if info.filename in target.namelist():
                raise zipfile.BadZipFile("a name twice")
            if not info.filename.endswith((".xml", ".rels")):
                continue
            with source.open(info) as part, target.open(info.filename, "w") as place:
                while chunk := part.read(_CHUNK):
                    room -= len(chunk)
                    if room < 0:
                        raise UserError(_TOO_LARGE.fill(limit=MAX_UNCOMPRESSED >> 20), str(path), _USE_OTHER)
                    place.write(chunk)
    return copy


def _parse(file: IO[bytes], start: Callable[[str, dict[str, str]], None]) -> None:
    """Calls `start` for each element. No document type, so no entities."""
    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = _no_doctype
    parser.ParseFile(file)


def _no_doctype(*_: object) -> None:
    raise zipfile.BadZipFile("a document type")


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """What libraries say about bad bytes, as `UserError` (rule 4)."""
    try:
        yield
    except (*_DAMAGED_ZIP, expat.ExpatError, CalamineError, KeyError, ValueError, StopIteration) as error:
        locked = isinstance(error, RuntimeError) and "password" in str(error)
        what, remedy = (_LOCKED, _UNLOCK) if locked else (_DAMAGED, _EXPORT_AGAIN)
        raise UserError(what, str(path), remedy) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # calamine's: a defect of the library that this file meets
            raise
        raise UserError(_DAMAGED, str(path), _EXPORT_AGAIN) from None
