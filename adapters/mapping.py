"""A row becomes a document: the rules of one mapping, prepared once, applied to each row. Pure.

1. The key comes first: a refused row still keeps its record, if its key can be read.
2. Then each member of the document, in the order of the mapping; the first fault refuses the row.
3. An empty optional member is absent; an empty required one is a fault.
4. Then the whole document under its type. What a schema fault points at is told by its column.
5. A document may replace another record: named by columns that hold the former key.
6. Reasons never repeat a value. What is doubtful in a good document is told, and the document stays good.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapters.rows import Row, RowFault
from adapters.values import CellFault, clean
from contracts import documents
from contracts.encoding import Json
from contracts.evidence_types import EvidenceType
from contracts.identifiers import normalise

ABSENT: Final = object()
Cells = Mapping[str, str]
KeyName = Callable[[tuple[str, ...]], str]  # the values of the key columns → the record id


class ColumnFault(Exception):
    """A `CellFault` with its column."""

    def __init__(self, column: str, fault: CellFault) -> None:
        super().__init__(column, fault.code)
        self.column = column
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Rule:
    """How one member is made. `read` gives its value or ABSENT; raises `ColumnFault`. `columns` in its order."""

    columns: tuple[str, ...]
    read: Callable[[Cells], Json] = field(repr=False)


@dataclass(frozen=True, slots=True)
class HolderRule:
    """How holders are read from one column: (scheme, identifier) pairs as written; raises `ColumnFault`."""

    column: str
    read: Callable[[Cells], Sequence[tuple[str, str]]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared mapping. `members`: status, validity and the own fields. `source_time`: Unix s, or None.
    `supersedes`: the columns of the key of the record that a row replaces."""

    evidence_type: EvidenceType
    key: tuple[str, ...]
    members: Mapping[str, Rule]
    holders: tuple[HolderRule, ...]
    source_time: Rule | None = None
    supersedes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is needed."""
        rules = [*self.members.values(), *([self.source_time] if self.source_time else [])]
        named = [
            *self.key,
            *self.supersedes,
            *(rule.column for rule in self.holders),
            *(one for rule in rules for one in rule.columns),
        ]
        return tuple(dict.fromkeys(named))


@dataclass(frozen=True, slots=True)
class Document:
    """A valid document and where it came from. `source_time` in Unix s, None if the source does not say. `doubts`: what
    the department should look at."""

    file: str
    line: int
    record: str
    body: Mapping[str, Json] = field(repr=False)
    source_time: int | None = None
    doubts: tuple[RowFault, ...] = ()


def apply(mapping: Prepared, row: Row, name_record: KeyName) -> Document | RowFault:
    """The document of `row`, or why there is none (rules 1 to 4)."""
    record = _record(mapping, row, name_record)
    broken = row.broken_for(mapping.columns) if row.bad else row.broken
    if broken is not None:
        certain = broken.code != "row_columns"
        return RowFault(row.file, row.line, broken.column, broken.code, None, record, certain)
    if record is None:
        return RowFault(row.file, row.line, " + ".join(mapping.key), "row_key_missing")
    try:
        body = _body(mapping, row.cells) | _succession(mapping, row.cells, record, name_record)
        source_time = mapping.source_time.read(row.cells) if mapping.source_time else None
    except ColumnFault as error:
        column, fault = error.column, error.fault
        return RowFault(row.file, row.line, column, fault.code, fault.detail, record, column not in mapping.key)
    fault_found = _check(mapping, row, record, body)
    return fault_found or Document(row.file, row.line, record, body, source_time, _doubts(mapping, row, record, body))


def key_values(texts: Sequence[str]) -> tuple[str, ...] | None:
    """What a record is named by, from the texts of the key columns; None if they name none."""
    # In the normal form of identifiers, so that a small x or a full-width digit makes no other record.
    values = tuple(normalise("", clean(text)) for text in texts)
    return values if all(values) and _is_text(values) else None


def holders_of(mapping: Prepared, row: Row, name_record: KeyName) -> tuple[str | None, frozenset[tuple[str, str]]]:
    """The record that a row is about and its (scheme, normalised identifier), whatever else is wrong with the row.

    Raises `ColumnFault` if a holder cannot be read.
    """
    pairs = (pair for rule in mapping.holders for pair in rule.read(row.cells))
    return _record(mapping, row, name_record), frozenset((scheme, normalise(scheme, text)) for scheme, text in pairs)


def _record(mapping: Prepared, row: Row, name_record: KeyName) -> str | None:
    values = key_values([row.cells.get(column, "") for column in mapping.key])
    return None if values is None else name_record(values)


def _is_text(values: tuple[str, ...]) -> bool:
    try:
        "".join(values).encode()
    except UnicodeEncodeError:  # the reader's mark for bytes that are no text
        return False
    return True


def _body(mapping: Prepared, cells: Cells) -> dict[str, Json]:
    body: dict[str, Json] = {}
    for name, rule in mapping.members.items():
        value = rule.read(cells)
        if value is not ABSENT:
            body[name] = value
    body["holders"] = _holders(mapping.holders, cells)
    return body


def _succession(mapping: Prepared, cells: Cells, record: str, name_record: KeyName) -> dict[str, Json]:
    """Rule 5; a row without a former key replaces nothing, and no record replaces itself."""
    former = key_values([cells[column] for column in mapping.supersedes])
    name = None if former is None or not mapping.supersedes else name_record(former)
    return {} if name in (None, record) else {"supersedes": [name]}


def _doubts(mapping: Prepared, row: Row, record: str, body: Mapping[str, Json]) -> tuple[RowFault, ...]:
    found = documents.doubts(mapping.evidence_type, body)
    return tuple(
        RowFault(
            row.file, row.line, _column_of(mapping, row.cells, one.pointer), "document_doubtful", one.words, record
        )
        for one in found
    )


def _holders(rules: Sequence[HolderRule], cells: Cells) -> list[Json]:
    # A dict, because the same person may stand in two columns (owner and operator).
    found = {(scheme, normalise(scheme, text)): None for rule in rules for scheme, text in rule.read(cells)}
    if not found:
        raise ColumnFault(rules[0].column, CellFault("row_holders_invalid"))
    return [{"scheme": scheme, "id": identifier} for scheme, identifier in found]


def _check(mapping: Prepared, row: Row, record: str, body: Mapping[str, Json]) -> RowFault | None:
    faults = documents.check(mapping.evidence_type, body)
    if not faults:
        return None
    first = faults[0]
    column = _column_of(mapping, row.cells, first.pointer)
    return RowFault(row.file, row.line, column, "document_invalid", first.words, record, column not in mapping.key)


def _column_of(mapping: Prepared, cells: Cells, pointer: str) -> str:
    """The column that a pointer into the document leads back to; "" if it is the document as a whole."""
    name, *rest = pointer.split("/")[1:] or [""]
    if name == "holders":
        return _holder_column(mapping.holders, cells, int(rest[0]) if rest else 0)
    rule = mapping.members.get(name)
    if rule is None or not rule.columns:
        return ""
    if name == "validity" and rest == ["until"]:
        return rule.columns[-1]
    return rule.columns[0]


def _holder_column(rules: Sequence[HolderRule], cells: Cells, index: int) -> str:
    seen: dict[tuple[str, str], str] = {}
    for rule in rules:
        for scheme, text in rule.read(cells):
            seen.setdefault((scheme, normalise(scheme, text)), rule.column)
    return [*seen.values()][index] if index < len(seen) else rules[0].column
