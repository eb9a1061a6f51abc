"""Rules (`rules`) over an index, whoever asks: the command line, or the auditor's API.

1. Rows come from the index in its own order; a roster is CSV with the columns clerk, scheme and id; marks of
   `cells` are no part of a value.
2. A list file of an auditor's is UTF-8 or GB18030.
3. Rules that could not find anything, because tokens or a roster are not there, are named: silence is no finding.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

from audit.review.findings import finding_id
from audit.search.cells import unmarked
from audit.search.holders import require_holder
from audit.search.output import time_text
from audit.search.own_log import listed
from audit.search.query import Index
from audit.search.rows import Entry
from audit.search.rules import OF_HOLDERS, PURPOSE, Finding, History, Limits, Row, analyse
from audit.search.tokens import TokenKeys, clerk_token, holder_token
from contracts.encoding import Json
from contracts.errors import UserError
from contracts.text import Text

_BAD_ROSTER = Text("名册须有 clerk, scheme, id 三列", "A roster has the columns clerk, scheme and id")
_BAD_CSV = Text("不是 CSV 文件", "Not a CSV file")
_ENCODING = Text("文件须为 UTF-8 或 GB18030 编码", "The file must be in UTF-8 or GB18030")


def rows_of(index: Index, entries: Iterable[Entry]) -> Iterator[Row]:
    """Entries as the rules read them (rule 1)."""
    shapes = {number: facets for number, (facets, _) in index.shapes().items()}
    purposes = {number: tuple(facets[name] for name in PURPOSE) for number, facets in shapes.items()}
    for entry in entries:
        decision = shapes[entry.shape]["decision"]
        yield Row(entry.number, entry.time, decision, purposes[entry.shape], entry.clerk, entry.holder)


def analysed(
    index: Index, entries: Iterable[Entry], numbers: Mapping[str, int], own: frozenset[tuple[bytes, bytes]]
) -> list[Finding]:
    """What the rules find in these entries of the index, with the limits (`rules.NUMBERS`) that were given."""
    return analyse(rows_of(index, entries), Limits(**numbers, own=own, history=history_of(index)))


def facts_of_analysis(numbers: Mapping[str, int], own: Iterable[tuple[bytes, bytes]] | None) -> dict[str, Json]:
    """What is recorded of an analysis beside its filters; `own`: the pairs of a roster, None without one."""
    limits: dict[str, Json] = {"limits": {**numbers}} if numbers else {}
    pairs = list(own or ())
    roster = {"clerks": [clerk for clerk, _ in pairs], "holders": [holder for _, holder in pairs]}
    return limits if own is None else limits | listed(roster)


def history_of(index: Index) -> History:
    """What the whole index knows, whatever was asked for."""
    shapes, times = index.shapes(), index.first_times()
    first: dict[tuple[str | None, ...], int] = {}
    for number, time in times.items():
        facets = shapes[number][0]
        if facets["decision"] == "granted":
            purpose = tuple(facets[name] for name in PURPOSE)
            first[purpose] = min(time, first.get(purpose, time))
    return History(min(times.values(), default=0), first)


def own_pairs(text: str, name: str, keys: TokenKeys) -> Iterator[tuple[bytes, bytes]]:
    """Clerk and holder that are one person, from a roster; `name`: of the file. Raises `UserError`, with the line."""
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            cells = (unmarked((row.get(column) or "").strip()) for column in ("clerk", "scheme", "id"))
            yield _own_pair(keys, *cells)
    except csv.Error:
        raise UserError(_BAD_CSV, name) from None
    except UserError as error:
        raise UserError(error.what, f"{name}:{reader.line_num}", error.remedy) from None


def _own_pair(keys: TokenKeys, clerk: str, scheme: str, identifier: str) -> tuple[bytes, bytes]:
    if not clerk or not scheme or not identifier:
        raise UserError(_BAD_ROSTER)
    require_holder(scheme, identifier)
    holder = holder_token(keys, scheme, identifier)
    if holder is None:
        raise ValueError("the caller has checked that the keys are there")
    return clerk_token(keys, clerk), holder


def text_of(data: bytes, name: str) -> str:
    """A list file as text (rule 2); raises `UserError`."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UserError(_ENCODING, name)


def silent(holders: bool, own: bool) -> list[str]:
    """Rules that could not find anything (rule 3); `holders`: there are tokens of holders, `own`: a roster."""
    return [rule for rule in OF_HOLDERS if not holders or (rule == "own_record" and not own)]


def id_of(finding: Finding, places: Sequence[tuple[str, int]]) -> str:
    """The finding's id; `places`: origin and position of its entries."""
    return finding_id(finding.rule, finding.period, *places[0])


def finding_json(finding: Finding, places: Sequence[tuple[str, int]]) -> dict[str, Json]:
    """A finding for a program; `places`: origin and position of its entries."""
    return {
        "id": id_of(finding, places),
        "rule": finding.rule,
        "period": finding.period or None,
        "subject": finding.subject,
        "what": finding.explanation.as_json(),
        "count": finding.count,
        "last": time_text(finding.last),
        "entries": [{"log": log, "position": position} for log, position in places],
    }
