"""`oncegate-audit analyse`: accesses that ask for an explanation."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audit.search.commands import AsJson, IndexFile, Keys, Words
from contracts.edge.output import emit_json, say
from contracts.errors import UserError
from contracts.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audit.search.rules import Finding

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
    from audit.search.analysing import finding_json, own_pairs, rows_of, silent, text_of
    from audit.search.database import known_checks
    from audit.search.rules import Limits, analyse
    from audit.search.session import session

    numbers = _limits(limits or [])
    with session(index, words or [], keys or []) as asked:
        # Nearly every rule is about clerks: without tokens, or for somebody without the key, "nothing found" would lie.
        token_keys = asked.need("clerk", *(["holder"] if roster is not None else []))
        own = frozenset(own_pairs(text_of(roster.read_bytes(), roster.name), roster.name, token_keys) if roster else ())
        not_applied = silent("holder" in known_checks(asked.index.db), bool(own))
        findings = analyse(rows_of(asked.index, asked.index.entries(asked.filters)), Limits(**numbers, own=own))
        places = [asked.index.positions(finding.places) for finding in findings]
        asked.record("analyse", len(findings))
    found = list(zip(findings, places, strict=True))
    if as_json:
        emit_json({"findings": [finding_json(*one) for one in found], "not_applied": not_applied})
    else:
        _print(found, not_applied)


def _limits(words: Iterable[str]) -> dict[str, int]:
    from audit.search.rules import NUMBERS

    found = {}
    for word in words:
        name, _, number = word.partition("=")
        if name not in NUMBERS or not number.isascii() or not number.isdigit():
            raise UserError(_BAD_LIMIT, word, Text(f"可用:{', '.join(NUMBERS)}。", f"There are {', '.join(NUMBERS)}."))
        found[name] = int(number)
    return found


def _print(found: "Sequence[tuple[Finding, Sequence[tuple[str, int]]]]", silent: list[str]) -> None:
    for finding, places in found:
        shown = ", ".join(f"{log}#{position}" for log, position in places[:_SHOWN])
        more = f", … ({finding.count})" if finding.count > _SHOWN else ""
        say(_LINE.fill(rule=finding.rule, subject=finding.subject, what=finding.explanation, places=shown + more))
    say(_TOTAL.fill(count=len(found)))
    if silent:
        say(_SILENT.fill(rules=", ".join(silent)))
