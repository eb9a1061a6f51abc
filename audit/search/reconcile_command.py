"""`oncegate-audit reconcile`: accesses against a list of cases."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audit.review.commands import OwnLog
from audit.search.analyse_command import counts_of, states_of, with_states
from audit.search.commands import ONE_FORM, AsCsv, AsJson, IndexFile, Keys, Words
from contracts.edge.output import emit_json, say, warn
from contracts.errors import UserError
from contracts.text import Text

if TYPE_CHECKING:
    from audit.review.explained import State
    from audit.search.query import Hit
    from audit.search.reconcile import Reconciled
    from contracts.encoding import Json

_SUMMARY = Text(
    "已比对 {compared} 条访问,{skipped} 条无办件或已销毁而未比对",
    "{compared} accesses compared; {skipped} without a case, or erased, not compared",
)
_COUNT = Text("{what}:{count}", "{what}: {count}")
_FORM = "{id}  {what}  {case}  {hit}"
_LINE = Text(_FORM, _FORM)
_STATE = Text("    {state}", "    {state}")


def reconcile_command(
    index: IndexFile,
    cases: Annotated[Path, typer.Argument(metavar="CASES.csv", help="The list of cases. 办件清单。")],
    words: Words = None,
    keys: Keys = None,
    own_log: OwnLog = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Accesses without a case, cases without an access, accesses after closing or about another holder. 办件比对。

    CASES.csv has a header: case, and if known opened, closed, holder_scheme, holder_id. Holders need two keys.
    """
    from audit.review.inputs import private_keys
    from audit.search.analysing import text_of
    from audit.search.holders import fields_named
    from audit.search.reconcile import cases_of, read_rows, reconcile
    from audit.search.reconciling import facts_of_cases, hits_of, ids_of, reconciled_json
    from audit.search.session import session

    if as_json and as_csv:
        raise UserError(ONE_FORM)
    file = cases.read_bytes()
    rows = read_rows(text_of(file, cases.name), cases.name)
    fields = fields_named(row.holder_scheme for row in rows)
    with session(index, words or [], keys or []) as asked:
        token_keys = asked.need("case", *(["holder"] if any(row.holder_id for row in rows) else []))
        listed = cases_of(rows, token_keys, cases.name)
        found = reconcile(listed, asked.index.entries(asked.filters))
        hits = hits_of(asked.index, found)
        asked.record("reconcile", len(found.findings), facts_of_cases(listed), file)
    for doubt in fields:
        warn(doubt)
    auditor = next(iter(private_keys(keys)), None)
    ids = ids_of(found, hits, auditor)
    newest = [None if hit is None else hit.time for hit in hits]
    states = states_of(index, own_log, keys, list(zip(ids, newest, strict=True)))
    if as_json:
        told = reconciled_json(found, hits, auditor)
        warnings: list[Json] = [doubt.as_json() for doubt in (*asked.doubts, *fields)]
        facts = {**counts_of(states), "warnings": warnings}
        emit_json({**told, "findings": with_states(told["findings"], states), **facts})
    elif as_csv:
        _print_csv(found, hits, ids, states)
    else:
        _print(found, hits, ids, states)


def _print_csv(
    found: "Reconciled", hits: "list[Hit | None]", ids: "list[str | None]", states: "list[State] | None"
) -> None:
    from audit.review.explained import state_json
    from audit.search.cells import day
    from audit.search.output import COLUMNS, csv_text, hit_rows

    nothing = ("",) * len(COLUMNS)
    told = [{} if states is None else state_json(states[number]) for number in range(len(ids))]
    rows = [
        (
            finding.kind,
            finding.case,
            *(nothing if hit is None else hit_rows([hit])[0]),
            ids[number],
            told[number].get("state"),
            day(told[number].get("deadline")),
        )
        for number, (finding, hit) in enumerate(zip(found.findings, hits, strict=True))
    ]
    sys.stdout.write(csv_text(("kind", "case", *COLUMNS, "id", "state", "deadline"), rows))


def _print(
    found: "Reconciled", hits: "list[Hit | None]", ids: "list[str | None]", states: "list[State] | None"
) -> None:
    from audit.review.explained import counts_text, said_lines, state_text
    from audit.search.output import hit_line
    from audit.search.reconcile import KINDS

    for number, (finding, hit) in enumerate(zip(found.findings, hits, strict=True)):
        line: Text | str = "-" if hit is None else hit_line(hit)
        say(_LINE.fill(id=ids[number] or "-", what=KINDS[finding.kind], case=finding.case or "-", hit=line))
        for text in (
            () if states is None else (_STATE.fill(state=state_text(states[number])), *said_lines(states[number]))
        ):
            say(text)
    for kind, count in found.counts().items():
        say(_COUNT.fill(what=KINDS[kind], count=count))
    if states:
        say(counts_text(states))
    say(_SUMMARY.fill(compared=found.compared, skipped=found.not_compared))
