"""`oncegate-audit analyse`: accesses that ask for an explanation."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audit.review.commands import OwnLog
from audit.search.commands import AsJson, IndexFile, Keys, Words
from contracts.edge.output import emit_json, say
from contracts.errors import UserError
from contracts.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audit.review.explained import State
    from audit.search.rules import Finding
    from contracts.encoding import Json

_FORM = "{id}  {rule}  {period}  {subject}  {what}  {places}"
_LINE = Text(_FORM, _FORM)
_STATE = Text("    {state}", "    {state}")
_TOTAL = Text(
    "共 {count} 项提示;每项均须由人核实,系统不作结论",
    "{count} findings; each is for a person to look into, none is a verdict",
)
_SILENT = Text(
    "未适用的规则(索引无主体令牌,或未给出名册):{rules}",
    "Not applied, because the index has no tokens of holders or no roster was given: {rules}",
)
_BAD_LIMIT = Text("不是规则限值", "Not a limit of a rule")
_LIMITS = Text("可用:{names};值为 0 至 {most} 的整数。", "There are {names}; each is a number from 0 to {most}.")
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
    own_log: OwnLog = None,
    as_json: AsJson = False,
) -> None:
    """Findings of fixed rules, with positions; a person closes them, never this program. 异常访问分析。

    Where there is a log of the auditors' own, each finding has its state and the explanations that units gave.
    """
    from audit.search.analysing import analysed, facts_of_analysis, finding_json, id_of, own_pairs, silent, text_of
    from audit.search.database import known_checks
    from audit.search.session import session

    numbers = _limits(limits or [])
    with session(index, words or [], keys or []) as asked:
        # Nearly every rule is about clerks: without tokens, or for somebody without the key, "nothing found" would lie.
        token_keys = asked.need("clerk", *(["holder"] if roster is not None else []))
        file, name = (None, "") if roster is None else (roster.read_bytes(), roster.name)
        own = None if file is None else frozenset(own_pairs(text_of(file, name), name, token_keys))
        not_applied = silent("holder" in known_checks(asked.index.db), bool(own))
        findings = analysed(asked.index, asked.index.entries(asked.filters), numbers, own or frozenset())
        places = [asked.index.positions(finding.places) for finding in findings]
        asked.record("analyse", len(findings), facts_of_analysis(numbers, own), file)
    found = list(zip(findings, places, strict=True))
    states = states_of(index, own_log, keys, [(id_of(*one), one[0].last) for one in found])
    if as_json:
        told = [finding_json(*one) for one in found]
        warnings: list[Json] = [doubt.as_json() for doubt in asked.doubts]
        facts = {**counts_of(states), "not_applied": not_applied, "warnings": warnings}
        emit_json({"findings": with_states(told, states), **facts})
    else:
        _print(found, states, not_applied)


def _limits(words: Iterable[str]) -> dict[str, int]:
    from audit.search.rules import MAX_LIMIT, NUMBERS

    found = {}
    for word in words:
        name, _, number = word.partition("=")
        few = number.isascii() and number.isdigit() and len(number) <= len(str(MAX_LIMIT))
        if name not in NUMBERS or not few or int(number) > MAX_LIMIT:
            raise UserError(_BAD_LIMIT, name, _LIMITS.fill(names=", ".join(NUMBERS), most=MAX_LIMIT))
        found[name] = int(number)
    return found


def states_of(
    index: Path, own_log: Path | None, keys: list[Path] | None, findings: "Sequence[tuple[str | None, int | None]]"
) -> "list[State] | None":
    """The state of each finding, given as id and newest access (Unix ms); None where there is no own log."""
    from audit.review import explained, inputs

    if own_log is None and not inputs.has_own_log(index):
        return None
    return explained.explained(inputs.own_log_of(own_log, index), findings, inputs.private_keys(keys))


def with_states(told: "list[dict[str, Json]]", states: "list[State] | None") -> "list[Json]":
    """Findings for a program, with their states where these are known."""
    from audit.review.explained import state_json

    if states is None:
        return [*told]
    return [{**one, **state_json(state)} for one, state in zip(told, states, strict=True)]


def counts_of(states: "list[State] | None") -> "dict[str, Json]":
    """How many findings are in each state, where these are known."""
    from audit.review.explained import counts

    return {} if states is None else {"states": {**counts(states)}}


def _print(
    found: "Sequence[tuple[Finding, Sequence[tuple[str, int]]]]", states: "list[State] | None", silent: list[str]
) -> None:
    from audit.review.explained import counts_text, said_lines, state_text
    from audit.search.analysing import id_of

    for number, (finding, places) in enumerate(found):
        shown = ", ".join(f"{log}#{position}" for log, position in places[:_SHOWN])
        more = f", … ({finding.count})" if finding.count > _SHOWN else ""
        facts = {"rule": finding.rule, "subject": finding.subject, "what": finding.explanation, "places": shown + more}
        say(_LINE.fill(id=id_of(finding, places), period=finding.period or "-", **facts))
        for line in (
            () if states is None else (_STATE.fill(state=state_text(states[number])), *said_lines(states[number]))
        ):
            say(line)
    say(_TOTAL.fill(count=len(found)))
    if states:
        say(counts_text(states))
    if silent:
        say(_SILENT.fill(rules=", ".join(silent)))
