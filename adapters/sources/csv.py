"""CSV files as a source of rows, one line at a time: memory does not grow with the file.

1. Lines end in LF or CR LF. They are split as bytes and decoded one by one; bytes that are no text leave a mark in
   their cell, and only that row is broken.
2. The first row is the header, unless the configuration lists `columns`. Names are stripped and unique.
3. A row with more or fewer cells than the header is broken: nobody knows which value is whose. Its cells, as far as
   they go, are kept, so that its key may still be recognised.
4. A line of more than 1 MiB is broken and skipped.
5. A file without any line has no header and no rows; it is not a mistake (the brake decides what that means).
6. A file that changes while it is read fails as a whole.
"""

import codecs
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from adapters.rows import Broken, Row
from adapters.sources import encodings, files
from adapters.sources.csv_text import Cells, Splitter
from adapters.sources.interface import CheckHeader, Stamp, any_header
from adapters.values import strip
from contracts.edge.config import Section
from contracts.errors import UserError
from contracts.text import Text

MAX_LINE = 1 << 20
TOO_LONG = "\udfff"  # stands for a line that was skipped; no decoded text has it

_ONE_CHARACTER = Text("delimiter 应为一个字符", "delimiter must be one character")
_NAMES_TWICE = Text("表头中列名 {name} 重复", "The column {name} is in the header twice")
_HEADER_BAD = Text("无法读取表头", "The header cannot be read")
_MEND_HEADER = Text("请检查首行与编码。", "Check the first line and the encoding.")


@dataclass(frozen=True, slots=True)
class CsvSource:
    """All CSV files that `patterns` (absolute paths, perhaps with `*`) match, in the order of their names."""

    patterns: tuple[Path, ...]
    delimiter: str
    encoding: str
    columns: tuple[str, ...]
    where: str

    def rows(self, check: CheckHeader) -> Iterator[Row]:
        """Every row of every file. `check` sees the header of each file that has one; see `Source`."""
        for path in files.matching(self.patterns, self.where):
            yield from CsvFile(path, self.delimiter, self.encoding, self.columns).rows(check)

    def stamp(self) -> Stamp:
        """See `Source`."""
        return files.stamp(files.matching(self.patterns, self.where))


def open_csv(section: Section) -> CsvSource:
    """`files`, `delimiter`, `encoding`, `columns`; raises `UserError`."""
    delimiter = section.text("delimiter", ",") if section.table.get("delimiter") != "\t" else "\t"
    section.has("delimiter")
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise section.mistake(_ONE_CHARACTER, "delimiter")
    patterns = section.paths("files")
    if not patterns:
        raise section.mistake(files.NO_FILES, "files")
    encoding = section.choice("encoding", encodings.ENCODINGS, "auto")
    return CsvSource(patterns, delimiter, encoding, section.texts("columns", ()), section.where("files"))


@dataclass(frozen=True, slots=True)
class CsvFile:
    """One file. `columns`: names for a file without a header; `encoding`: "auto" or one that is known."""

    path: Path
    delimiter: str = ","
    encoding: str = "auto"
    columns: tuple[str, ...] = ()

    def rows(self, check: CheckHeader = any_header) -> Iterator[Row]:
        """Every row, broken ones included. `check` sees the header of this very reading. See `Source`."""
        with closing(self._lines()) as lines:
            header = self._header(lines)
            if header:
                check(str(self.path), header)
            for cells in lines:
                yield _row(self.path.name, header, cells)

    def _header(self, lines: Iterator[Cells]) -> tuple[str, ...]:
        if self.columns:
            return self.columns
        first = next(lines, None)
        if first is None:
            return ()
        if first.cells is None or _undecoded(first.text):
            raise UserError(_HEADER_BAD, f"{self.path}:{first.line}", _MEND_HEADER)
        names = tuple(map(strip, first.cells))
        for name in names:
            if name and names.count(name) > 1:
                raise UserError(_NAMES_TWICE.fill(name=name), f"{self.path}:{first.line}", _MEND_HEADER)
        return names

    def _lines(self) -> Generator[Cells, None, None]:
        with files.readable(self.path), files.steady(self.path) as file:
            encoding = encodings.detect(self.path) if self.encoding == "auto" else self.encoding
            yield from Splitter(self.delimiter).split(_decoded(file, encoding))


def _decoded(file: BinaryIO, encoding: str) -> Iterator[tuple[int, str]]:
    """Rules 1 and 4: line number and text, undecodable bytes as lone surrogates."""
    number = 0
    while line := file.readline(MAX_LINE):
        number += 1
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if len(line) == MAX_LINE and not line.endswith(b"\n"):
            _skip_line(file)
            yield number, TOO_LONG
            continue
        yield number, line.rstrip(b"\r\n").decode(encoding, "surrogateescape")


def _skip_line(file: BinaryIO) -> None:
    while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
        pass


def _row(file: str, header: Sequence[str], found: Cells) -> Row:
    if found.cells is None:
        return Row(file, found.line, {}, Broken("row_quotes"))
    cells = dict(zip(header, found.cells, strict=False))
    if found.text == TOO_LONG:
        return Row(file, found.line, {}, Broken("row_too_long"))
    if len(found.cells) != len(header):
        return Row(file, found.line, cells, Broken("row_columns"))
    if not found.text.isascii() and _undecoded(found.text):
        column = next(name for name, cell in cells.items() if _undecoded(cell))
        return Row(file, found.line, cells, Broken("row_undecodable", column))
    return Row(file, found.line, cells)


def _undecoded(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
