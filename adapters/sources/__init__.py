"""Where rows come from. A new kind of source is one file here and one row in `SOURCES`.

A source promises: `rows(check)` shows `check` the column names before the first row, and yields every row once, in a
stable order, with what is wrong with it; nothing is skipped silently. `stamp()` changes when the source may have
changed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from adapters.rows import Row
from adapters.sources.csv import CheckHeader, CsvFile
from adapters.sources.encodings import ENCODINGS
from contracts.edge.config import Section
from contracts.errors import UserError
from contracts.text import Text

_NO_FILES = Text("没有匹配的源文件", "No source file matches")
_ONE_CHARACTER = Text("delimiter 应为一个字符", "delimiter must be one character")
Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class CsvSource:
    """All CSV files that `patterns` (absolute paths, perhaps with `*`) match, in the order of their names."""

    patterns: tuple[Path, ...]
    delimiter: str
    encoding: str
    columns: tuple[str, ...]
    where: str

    def files(self) -> tuple[CsvFile, ...]:
        """The files there are now; raises `UserError` if a pattern matches none: a missing file is no empty one."""
        paths = [path for pattern in self.patterns for path in self._matching(pattern)]
        return tuple(CsvFile(path, self.delimiter, self.encoding, self.columns) for path in dict.fromkeys(paths))

    def rows(self, check: CheckHeader) -> Iterator[Row]:
        """Every row of every file. `check` sees the header of each file that has one; raises `UserError`."""
        for file in self.files():
            yield from file.rows(check)

    def stamp(self) -> Stamp:
        """Path, size and time of change (ns) of each file."""
        stats = ((file.path, file.path.stat()) for file in self.files())
        return tuple((str(path), stat.st_size, stat.st_mtime_ns) for path, stat in stats)

    def _matching(self, pattern: Path) -> list[Path]:
        found = sorted(pattern.parent.glob(pattern.name)) if "*" in pattern.name else [pattern]
        found = [path for path in found if path.is_file()]
        if not found:
            raise UserError(_NO_FILES.fill(), f"{self.where}: {pattern}", Text("请核对路径。", "Check the path."))
        return found


Source = CsvSource


def _csv(section: Section) -> CsvSource:
    delimiter = section.text("delimiter", ",") if section.table.get("delimiter") != "\t" else "\t"
    section.has("delimiter")
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise section.mistake(_ONE_CHARACTER, "delimiter")
    patterns = section.paths("files")
    if not patterns:
        raise section.mistake(_NO_FILES, "files")
    encoding = section.choice("encoding", ENCODINGS, "auto")
    return CsvSource(patterns, delimiter, encoding, section.texts("columns", ()), section.where("files"))


SOURCES: Mapping[str, Callable[[Section], Source]] = {"csv": _csv}


def open_source(section: Section) -> Source:
    """The source that a `[streams.source]` table describes; raises `UserError`."""
    return SOURCES[section.choice("kind", SOURCES, "csv")](section)
