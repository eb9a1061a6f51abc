"""Access records as a table for people. Pure.

1. A row says what the leaf says, where it stands, and, if openings were granted, what its opening says. Codes stay as
   they are in the record: a table is read beside the records that it was made from.
2. The columns and their cells are part of the format of a package (`manifest.VERSION`): whoever checks a package makes
   the table again from the records and compares. So they change only together with that version.
3. A text that a spreadsheet would misread is marked (`search.cells`), never changed beyond that mark.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from audit.labels import heading, name_of
from audit.search.cells import cell, local_time
from audit.search.output import BOM, time_text
from contracts.encoding import Json
from contracts.text import Text

# What became of an opening that was asked for.
GRANTED: Final = "granted"
ERASED: Final = "erased"
RESTRICTED: Final = "restricted"
STATES: Mapping[str, Text] = {
    GRANTED: Text("已附", GRANTED),
    ERASED: Text("已销毁", ERASED),
    RESTRICTED: Text("限制查阅", RESTRICTED),
}


@dataclass(frozen=True, slots=True)
class Opening:
    """What goes out of an opening. `text` is its canonical JSON; `commit` is over it and `salt`. None: not granted."""

    state: str
    text: bytes | None = None
    salt: bytes | None = None
    members: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One record that goes out. `number` counts from 1; `leaf` are its exact bytes, `members` what they say;
    `opening` None: openings were not asked for."""

    number: int
    origin: str
    position: int
    leaf: bytes
    leaf_hash: bytes
    members: Mapping[str, Json]
    opening: Opening | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """`name` is also what the member of the record is called, where it is one."""

    name: str
    cell: Callable[[Item], Json | date]

    @property
    def zh(self) -> str:
        """In Chinese."""
        return name_of(self.name).zh

    @property
    def heading(self) -> str:
        """In a file with one line of headings."""
        return heading(self.name).zh


def columns(openings: bool) -> Sequence[Column]:
    """Of the table; with `openings` also those that say who."""
    return (*_RECORD, *_OPENING) if openings else _RECORD


def row(item: Item, of: Sequence[Column]) -> list[Json | date]:
    """The cells of one record: texts, integers, times, None."""
    return [column.cell(item) for column in of]


def csv_head(of: Sequence[Column]) -> bytes:
    """The beginning of a CSV file: byte order mark, headings."""
    return (BOM + _line([column.heading for column in of])).encode()


def csv_line(item: Item, of: Sequence[Column]) -> bytes:
    """One record in CSV (RFC 4180; rule 3)."""
    return _line([cell(value) for value in row(item, of)]).encode()


def beijing(milliseconds: int) -> str:
    """A time for people, in Beijing time; one that no calendar of ours has, as it is."""
    return str(local_time(milliseconds)) if 0 <= milliseconds < _MAX_TIME else f"{milliseconds} ms"


def listed(names: Mapping[str, Json]) -> str:
    """`type: a, b; type: c`: members that hold something for each evidence type."""
    return "; ".join(f"{name}: {_one(value)}" for name, value in sorted(names.items()))


def _line(cells: Iterable[Json | date]) -> str:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\r\n").writerow(cells)
    return file.getvalue()


def _one(value: Json) -> str:
    return ", ".join(map(str, value)) if type(value) is list else str(value)


def _text(value: Json) -> Json:
    """A member of any kind as a cell; a log may hold what no version of ours wrote."""
    if type(value) is dict:
        return listed(value)
    if type(value) is list:
        return " ".join(map(str, value))
    return value if value is None or type(value) in (str, int) else str(value)


def _member(name: str) -> Column:
    return Column(name, lambda item: _text(item.members.get(name)))


def _time(item: Item, write: Callable[[int], Json | date]) -> Json | date:
    time = item.members.get("time")
    return write(time) if type(time) is int and 0 <= time < _MAX_TIME else None


def _sealed(name: str) -> Column:
    return Column(name, lambda item: _text(_opened(item).get(name)))


def _opened(item: Item) -> Mapping[str, Json]:
    return (item.opening.members if item.opening else None) or {}


def _holder(item: Item, *names: str) -> Json:
    holder = _opened(item).get("holder")
    found = [holder[name] for name in names if name in holder] if type(holder) is dict else []
    return _text(found[0]) if found else None


def _state(item: Item) -> Json:
    return None if item.opening is None else f"{STATES[item.opening.state].zh} {item.opening.state}"


_MAX_TIME = 253_402_214_400_000  # 9999-12-31 UTC: no later one can be written in Beijing time

_RECORD: Sequence[Column] = (
    Column("number", lambda item: item.number),
    Column("time", lambda item: _time(item, time_text)),
    Column("beijing_time", lambda item: _time(item, local_time)),
    _member("organisation"),
    _member("unit"),
    _member("app"),
    _member("channel"),
    _member("service_item"),
    _member("action"),
    _member("evidence_types"),
    _member("fields"),
    _member("counts"),
    _member("decision"),
    _member("reason"),
    _member("clerk_assurance"),
    _member("case_check"),
    _member("policy_version"),
    _member("transaction"),
    Column("log", lambda item: item.origin),
    Column("position", lambda item: item.position),
    Column("leaf_hash", lambda item: item.leaf_hash.hex()),
)
_OPENING: Sequence[Column] = (
    Column("opening", _state),
    Column("holder_scheme", lambda item: _holder(item, "scheme", "field")),
    Column("holder", lambda item: _holder(item, "id", "value")),
    _sealed("clerk"),
    _sealed("terminal"),
    _sealed("case"),
    _sealed("records"),
)
