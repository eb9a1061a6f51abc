"""What comes out of a source, and what is wrong with it. Pure.

1. A `Row` knows where it stands (file, line from 1); its cells are by column name, as written in the source.
2. A row that the reader could not take apart carries `broken`: the code and, if known, the column. Its cells are what
   could be made of it, so that its key may still be recognised.
3. A single cell that cannot be told is `bad`: its column and a code. It matters only if the mapping needs the column.
4. A `RowFault` says where and why, never what stood there. `record` is the record that the row is about, if its key
   could be read; `certain` is False if the key itself is in doubt (wrong column count, a fault in a key column).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from contracts.encoding import Json
from contracts.errors import ERRORS
from contracts.text import Text


@dataclass(frozen=True, slots=True)
class Broken:
    """Why a reader could not take a row apart: `code` of the error table, `column` or ""."""

    code: str
    column: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a source. `line` is where it begins."""

    file: str
    line: int
    cells: Mapping[str, str] = field(repr=False)
    broken: Broken | None = None
    bad: Mapping[str, str] = field(default_factory=dict)

    def broken_for(self, columns: Sequence[str]) -> Broken | None:
        """What is wrong with it for somebody who needs `columns`."""
        if self.broken is not None or not self.bad:
            return self.broken
        return next((Broken(self.bad[column], column) for column in columns if column in self.bad), None)


@dataclass(frozen=True, slots=True)
class RowFault:
    """A refused row: `code` of the error table, `detail` without values of the row."""

    file: str
    line: int
    column: str
    code: str
    detail: Text | None = None
    record: str | None = None
    certain: bool = True

    @property
    def reason(self) -> Text:
        """The sentence of the error table, with the detail."""
        title = ERRORS[self.code].title
        if self.detail is None:
            return title
        return Text(f"{title.zh}：{self.detail.zh}", f"{title.en}: {self.detail.en}")

    def to_json(self) -> dict[str, Json]:
        """As the report file holds it: one object a line."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "code": self.code,
            "reason": self.reason.as_json(),
        }
