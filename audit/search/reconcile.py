"""Accesses against the cases that an approval system says it had. Pure.

1. The case list is CSV with a header: `case`, and if known `opened`, `closed` (ISO 8601; without a zone Beijing time;
   a bare date in `closed` means the end of that day), `holder_scheme`, `holder_id`. A case with several holders has
   several rows; times need to stand in one of them, and differ in none. What cannot be is refused with its line: a case
   that was closed before it was opened, a number that is none of its scheme (`holders`). Other columns are ignored.
   Marks of `cells` are no part of a value.
2. `no_case`: an access names a case that the list does not have. `no_access`: a case that nobody looked anything up
   for. `closed_case`: an access after the case was closed; `not_yet_open`: one before it was opened. `wrong_holder`:
   the case has holders, and the access was about somebody else. A question by key field (a licence number, say) counts
   as about a holder whose `holder_scheme` is that field.
3. An access whose opening is erased, or that needs no case, cannot be compared: counted as `not_compared`.
4. A finding says no more of people than the list does: a case is named only where the list names it.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from audit.search.asked import milliseconds
from audit.search.cells import unmarked
from audit.search.holders import require_sound
from audit.search.rows import Entry
from audit.search.tokens import TokenKeys, case_token, holder_token
from contracts.errors import UserError
from contracts.text import Text

KINDS: Mapping[str, Text] = {
    "no_case": Text("访问无对应办件", "access without a case"),
    "no_access": Text("办件无访问记录", "case without an access"),
    "closed_case": Text("办结后访问", "access after the case was closed"),
    "not_yet_open": Text("受理前访问", "access before the case was opened"),
    "wrong_holder": Text("访问对象与办件不符", "access about another holder than the case's"),
}
COLUMNS = ("case", "opened", "closed", "holder_scheme", "holder_id")

_NO_COLUMN = Text("办件清单缺少 case 列", "The case list has no column `case`")
_HEADER = Text(f"表头可用:{', '.join(COLUMNS)}。", f"Its header may have {', '.join(COLUMNS)}.")
_HALF_HOLDER = Text("holder_scheme 与 holder_id 须同时填写", "holder_scheme and holder_id are filled in together")
_OTHER_TIME = Text("同一办件前面的行有另一 {column}", "A row above has another {column} for this case")
_BACKWARDS = Text("opened 晚于 closed", "opened is later than closed")
_NO_CASES = Text("办件清单为空", "The case list is empty")
_BAD_CSV = Text("不是 CSV 文件", "Not a CSV file")


@dataclass(frozen=True, slots=True)
class Case:
    """A case of the list. Times in Unix ms. `holders`: tokens; empty: the list does not say."""

    name: str
    opened: int | None = None
    closed: int | None = None
    holders: frozenset[bytes] = frozenset()


class Row(NamedTuple):
    """A row of the list with a case in it. `line` counts from 1."""

    line: int
    case: str
    opened: str
    closed: str
    holder_scheme: str
    holder_id: str


class Finding(NamedTuple):
    """What does not fit. `case` only where the list names it; `entry` None for `no_access`."""

    kind: str
    case: str | None
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The outcome; `compared` accesses, `not_compared` (rule 3)."""

    findings: Sequence[Finding]
    compared: int
    not_compared: int

    def counts(self) -> Mapping[str, int]:
        """Kind → how many, every kind."""
        found = Counter(finding.kind for finding in self.findings)
        return {kind: found[kind] for kind in KINDS}


def read_rows(text: str, name: str) -> list[Row]:
    """The rows of a case list (rule 1); `name`: of the file, for mistakes. Raises `UserError`."""
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        if "case" not in (reader.fieldnames or ()):
            raise UserError(_NO_COLUMN, name, _HEADER)
        rows = [
            Row(reader.line_num, *(unmarked((row.get(column) or "").strip()) for column in COLUMNS)) for row in reader
        ]
    except csv.Error:
        raise UserError(_BAD_CSV, name, _HEADER) from None
    rows = [row for row in rows if row.case]
    if not rows:
        raise UserError(_NO_CASES, name, _HEADER)
    return rows


def cases_of(rows: Iterable[Row], keys: TokenKeys, name: str) -> dict[bytes, Case]:
    """Case token → case; raises `UserError` with the line."""
    cases: dict[bytes, Case] = {}
    for row in rows:
        token = case_token(keys, row.case)
        try:
            cases[token] = _with(cases.get(token) or Case(row.case), row, keys)
        except UserError as error:
            raise UserError(error.what, f"{name}:{row.line}", error.remedy) from None
    return cases


def reconcile(cases: Mapping[bytes, Case], entries: Iterable[Entry]) -> Reconciled:
    """Accesses against cases (rule 2): findings in order of entries, then the cases without any."""
    findings: list[Finding] = []
    seen: set[bytes] = set()
    compared = not_compared = 0
    for entry in entries:
        if entry.case is None:
            not_compared += 1
            continue
        compared += 1
        case = cases.get(entry.case)
        if case is None:
            findings.append(Finding("no_case", None, entry))
            continue
        seen.add(entry.case)
        findings += (Finding(kind, case.name, entry) for kind in _wrong(case, entry))
    unused = (Finding("no_access", case.name, None) for token, case in cases.items() if token not in seen)
    return Reconciled([*findings, *unused], compared, not_compared)


def _wrong(case: Case, entry: Entry) -> Iterator[str]:
    if case.closed is not None and entry.time >= case.closed:
        yield "closed_case"
    if case.opened is not None and entry.time < case.opened:
        yield "not_yet_open"
    if case.holders and entry.holder is not None and entry.holder not in case.holders:
        yield "wrong_holder"


def _with(case: Case, row: Row, keys: TokenKeys) -> Case:
    opened = _one("opened", case.opened, milliseconds(row.opened) if row.opened else None)
    closed = _one("closed", case.closed, milliseconds(row.closed, end=True) if row.closed else None)
    # The end of one day is the beginning of the next; what was done while somebody waited has one time twice.
    same = opened == closed and row.opened == row.closed
    if opened is not None and closed is not None and opened >= closed and not same:
        raise UserError(_BACKWARDS)
    if bool(row.holder_scheme) != bool(row.holder_id):
        raise UserError(_HALF_HOLDER)
    if row.holder_id:
        require_sound(row.holder_scheme, row.holder_id)
    token = holder_token(keys, row.holder_scheme, row.holder_id) if row.holder_id else None
    holders = case.holders if token is None else case.holders | {token}
    return replace(case, opened=opened, closed=closed, holders=holders)


def _one(column: str, before: int | None, now: int | None) -> int | None:
    """What two rows of a case say together; raises `UserError` where they differ."""
    if before is not None and now is not None and before != now:
        raise UserError(_OTHER_TIME.fill(column=column))
    return before if now is None else now
