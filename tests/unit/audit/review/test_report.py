"""Counts of a review, and when it is complete."""

import csv
import dataclasses
import io

from audit.review import report_text
from audit.review.events import Event, Explained
from audit.review.ledger import Standing
from audit.review.report import COLUMNS, Report, as_csv, as_json, report
from tests.unit.audit.review.world import UNIT, ledger, place, sample, verdict

S = sample()
HEAD = ("office.example/own", 9, b"\1" * 32)
REST = [verdict(S, n, "normal") for n in range(1, 6)]
ASKING = verdict(S, 0, "explanation_required")
ANSWER = Explained(place(S, 0), UNIT, "Chen", "t")


def after(*events: Event, day: str = "2026-12-01") -> Report:
    return report(ledger(S, *events), S, day)


def test_nothing_done() -> None:
    found = after()
    assert (found.complete, found.total.undecided, found.total.drawn) == (False, 6, 6)
    assert {name: tally.drawn for name, tally in found.by_reviewer.items()} == {"Wang": 2, "Li": 2, "Zhang": 2}
    assert {name: tally.drawn for name, tally in found.by_stratum.items()} == {"even": 3, "odd": 3}


def test_all_decided_but_one_awaited() -> None:
    found = after(ASKING, *REST)
    assert (found.complete, found.total.undecided, found.total.awaited, found.total.overdue) == (False, 0, 1, 0)
    late = after(ASKING, *REST, day="2026-12-05")
    assert (late.complete, late.total.awaited, late.total.overdue) == (False, 1, 1)
    assert late.rows[0].standing is Standing.OVERDUE


def test_explained_is_complete_and_says_that_somebody_should_read_it() -> None:
    found = after(ASKING, *REST, ANSWER, day="2027-01-01")
    assert (found.complete, found.total.awaited, found.total.judge_again) == (True, 0, 1)
    assert found.by_reviewer["Wang"].verdicts == {"normal": 1, "suspicious": 0, "explanation_required": 1}
    judged = after(ASKING, *REST, ANSWER, verdict(S, 0, "suspicious"), day="2027-01-01")
    assert (judged.complete, judged.total.judge_again, judged.rows[0].before) == (True, 0, 1)


def test_a_sample_of_nothing_is_never_complete() -> None:
    empty = dataclasses.replace(sample(), picks={})
    assert not report(ledger(empty), empty, "2026-12-01").complete


def test_forms_say_the_same() -> None:
    found = after(ASKING, *REST[:2], verdict(S, 3, "normal", reviewer="Li"))
    told = as_json(found, HEAD)
    assert told["total"]["undecided"] == 3
    assert [one["position"] for one in told["records"] if one["verdict"] is None] == [3, 4, 5]
    assert [one["position"] for one in told["irregular"]] == [4]
    rows = list(csv.DictReader(io.StringIO(as_csv(found).removeprefix("\ufeff"), newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert [row["verdict"] for row in rows] == ["explanation_required", "normal", "normal", "", "", ""]
    assert (rows[0]["organisation"], rows[0]["unit"], rows[0]["deadline"]) == (*UNIT, "2026-12-04")


def test_the_document_for_the_file() -> None:
    text = report_text.document(after(ASKING, *REST[:2], day="2026-12-05"), HEAD, "2026-12-05 09:00")
    for part in (
        "结论:评查未完成",
        S.digest,
        "检查点:gov.example/a,50 条,根 AAAA",
        f"评查日志:office.example/own,9 条,根 {'01' * 32}",
        "合计:抽取 6,已评查 3,未评查 3;正常 2,可疑 0,要求说明 1;待说明 1,其中逾期 1",
        "  gov.example/a#0(even),评查人 Wang,由 housing/window-1 于 2026-12-04 前说明,已逾期",
        "  gov.example/b#5(odd),评查人 Zhang",
        "未计法定节假日",
    ):
        assert part in text, part


def test_the_summary_in_both_languages() -> None:
    lines = report_text.summary(after(ASKING, *REST, ANSWER))
    assert lines[-1].en == "The review is complete"
    assert lines[-2].zh == "抽样所依据的检查点未经见证"
    assert lines[-3].zh == "已收到说明、待评查人复核:1 条"
    assert lines[1].en.startswith("Wang: 2 drawn, 2 decided, 0 undecided; 1 normal, 0 suspicious, 1 explanation")
