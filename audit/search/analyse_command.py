"""`oncegate-audit analyse`: accesses that ask for an explanation."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audit.search.commands import AsJson, IndexFile, Keys, Words
from contracts.edge.output import emit_json, say
from contracts.encoding import Json
from contracts.errors import UserError
from contracts.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from audit.search.query import Index
    from audit.search.rows import Entry
    from audit.search.rules import Finding, Row
    from audit.search.tokens import TokenKeys

_LINE = Text("{rule}  {subject}  {what}  {places}", "{rule}  {subject}  {what}  {places}")
_TOTAL = Text(
    "共 {count} 项提示;每项均须由人核实,系统不作结论",
    "{count} findings; each is for a person to look into, none is a verdict",
)
_SILENT = Text(
    "未适用的规则(索引无主体令牌,或未给出名册):{rules}",
    "Not applied, because the index has no tokens of holders or no roster was given: {rules}",
)
_BAD_LIMIT = Text("不是规则限值", "Not a limit of a rule")
_BAD_ROSTER = Text("名册须有 clerk, scheme, id 三列", "A roster has the columns clerk, scheme and id")
_SHOWN = 5


def analyse_command(
    index: IndexFile,
    words: Words = None,
    limits: Annotated[
        list[str] | None,
        typer.Option(
            "--limit",
            metavar="NAME=N",
            help="opens, closes, holders_a_day, clerks_a_week, refusals, known_days; repeatable. 规则限值。",
        ),
    ] = None,
    roster: Annotated[
        Path | None, typer.Option(help="CSV clerk,scheme,id: who a clerk is, for the rule own_record. 人员名册。")
    ] = None,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Findings of fixed rules, with positions; a person closes them, never this program. 异常访问分析。"""
    from audit.search.database import known_checks
    from audit.search.rules import Limits, analyse
    from audit.search.session import session

    numbers = _limits(limits or [])
    with session(index, words or [], keys or []) as asked:
        # Nearly every rule is about clerks: without tokens, or for somebody without the key, "nothing found" would lie.
        token_keys = asked.need("clerk", *(["holder"] if roster is not None else []))
        own = frozenset() if roster is None else frozenset(_own(roster, token_keys))
        silent = _silent("holder" in known_checks(asked.index.db), bool(own))
        findings = analyse(_rows(asked.index, asked.index.entries(asked.filters)), Limits(**numbers, own=own))
        places = [asked.index.positions(finding.places) for finding in findings]
        asked.record("analyse", len(findings))
    found = list(zip(findings, places, strict=True))
    if as_json:
        emit_json({"findings": [_json(*one) for one in found], "not_applied": silent})
    else:
        _print(found, silent)


def _silent(holders: bool, own: bool) -> list[str]:
    """Rules that could not find anything here."""
    from audit.search.rules import OF_HOLDERS

    return [rule for rule in OF_HOLDERS if not holders or (rule == "own_record" and not own)]


def _limits(words: Iterable[str]) -> dict[str, int]:
    from audit.search.rules import NUMBERS

    found = {}
    for word in words:
        name, _, number = word.partition("=")
        if name not in NUMBERS or not number.isascii() or not number.isdigit():
            raise UserError(_BAD_LIMIT, word, Text(f"可用:{', '.join(NUMBERS)}。", f"There are {', '.join(NUMBERS)}."))
        found[name] = int(number)
    return found


def _own(roster: Path, keys: "TokenKeys") -> "Iterator[tuple[bytes, bytes]]":
    from audit.search.reconcile_command import text_of
    from audit.search.tokens import clerk_token, holder_token

    for row in csv.DictReader(io.StringIO(text_of(roster), newline="")):
        clerk, scheme, identifier = (row.get(name) for name in ("clerk", "scheme", "id"))
        if not clerk or not scheme or not identifier:
            raise UserError(_BAD_ROSTER, roster.name)
        holder = holder_token(keys, scheme, identifier)
        if holder is not None:
            yield clerk_token(keys, clerk), holder


def _rows(index: "Index", entries: "Iterable[Entry]") -> "Iterator[Row]":
    from audit.search.rules import PURPOSE, Row

    shapes = {number: facets for number, (facets, _) in index.shapes().items()}
    purposes = {number: tuple(facets[name] for name in PURPOSE) for number, facets in shapes.items()}
    for entry in entries:
        decision = shapes[entry.shape]["decision"]
        yield Row(entry.number, entry.time, decision, purposes[entry.shape], entry.clerk, entry.holder)


def _json(finding: "Finding", places: "Sequence[tuple[str, int]]") -> Json:
    return {
        "rule": finding.rule,
        "subject": finding.subject,
        "what": finding.explanation.as_json(),
        "count": finding.count,
        "entries": [{"log": log, "position": position} for log, position in places],
    }


def _print(found: "Sequence[tuple[Finding, Sequence[tuple[str, int]]]]", silent: list[str]) -> None:
    for finding, places in found:
        shown = ", ".join(f"{log}#{position}" for log, position in places[:_SHOWN])
        more = f", … ({finding.count})" if finding.count > _SHOWN else ""
        say(_LINE.fill(rule=finding.rule, subject=finding.subject, what=finding.explanation, places=shown + more))
    say(_TOTAL.fill(count=len(found)))
    if silent:
        say(_SILENT.fill(rules=", ".join(silent)))
