"""Findings and what units say about them: shown beside them, from run to run, and closing none."""

import csv
import io
import json
from pathlib import Path

import pytest

from audit.cli import app
from audit.review import desk, explained
from audit.review.book import now_ms, opened
from audit.review.events import Asked, Whom
from audit.tiles import split_entries
from contracts.edge.output import execute
from contracts.encoding import Json
from tests.integration.review_world import build_office, draw, run, sample, settings
from tests.integration.search_world import A, Out, facts, index, keys, write_many


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "en")


@pytest.fixture
def office(tmp_path: Path) -> Path:
    return build_office(tmp_path)


def analyse(office: Path, capsys: Out, *words: str, where: str = "index") -> Json:
    capsys.readouterr()
    command = ["analyse", str(office / where), "log=gov.example/a", *words, *keys(office, "one", "two"), "--json"]
    assert execute(app, command) == 0
    return json.loads(capsys.readouterr().out)


def explain(office: Path, finding: str, text: str, unit: str = "housing/window-1") -> int:
    words = ["--from-unit", unit, "--text-file", "-", "--by", "Chen", "--explained-by", "王主任"]
    return run(office, "explain", finding, *words, stdin=text)


def test_states_and_texts(office: Path, capsys: Out) -> None:
    before = analyse(office, capsys)
    assert before["states"] == {"open": len(before["findings"]), "asked": 0, "overdue": 0, "explained": 0}
    first, second = (one["id"] for one in before["findings"][:2])
    assert run(office, "ask", first, "--of", "housing/window-1", "--by", "Chen", "--days", "5") == 0
    assert explain(office, first, "夜间值班", unit="housing/archive") == 2
    asked = analyse(office, capsys)
    assert (asked["states"]["asked"], asked["findings"][0]["state"]) == (1, "asked")
    assert asked["findings"][0]["asked"] == {"organisation": "housing", "unit": "window-1"}
    assert explain(office, first, "夜间值班") == 0
    assert explain(office, second, "周末办件") == 0
    after = analyse(office, capsys)
    assert [one["id"] for one in after["findings"]] == [one["id"] for one in before["findings"]]
    assert after["states"]["explained"] == 2
    (said,) = after["findings"][0]["explanations"]
    assert said["texts"] == {"explanation": "夜间值班", "explained_by": "王主任"}
    assert (said["received_by"], said["from"]) == ("Chen", {"organisation": "housing", "unit": "window-1"})


def test_text_output(office: Path, capsys: Out) -> None:
    first = analyse(office, capsys)["findings"][0]["id"]
    assert explain(office, first, "夜间值班") == 0
    assert execute(app, ["analyse", str(office / "index"), "log=gov.example/a", *keys(office, "one")]) == 0
    out = capsys.readouterr().out
    assert f"{first}  off_hours" in out
    assert "housing/window-1 explains (王主任), received by Chen: 夜间值班" in out
    assert ", 0 asked, 0 overdue, 1 explained" in out


def test_without_the_auditors_key_texts_stay_sealed(office: Path, capsys: Out) -> None:
    first = analyse(office, capsys)["findings"][0]["id"]
    assert explain(office, first, "夜间值班") == 0
    (state,) = explained.explained(settings(office), [(first, None)], ())
    assert [said.texts for said in state.shown.explanations] == [None]
    assert state.standing.value == "explained"


def test_an_index_built_again_has_the_same_findings(office: Path, capsys: Out) -> None:
    before = analyse(office, capsys)
    assert explain(office, before["findings"][0]["id"], "夜间值班") == 0
    (office / "again").mkdir()
    assert index(office / "again", str(office / "b"), str(office / "a"), *keys(office, "one", "two")) == 0
    after = analyse(office, capsys, "--own-log", str(office / "own.toml"), where="again/index")
    assert [one["id"] for one in after["findings"]] == [one["id"] for one in before["findings"]]
    assert [one["subject"] for one in after["findings"]] != [one["subject"] for one in before["findings"]]
    assert after["findings"][0]["state"] == "explained"
    bare = analyse(office, capsys, where="again/index")
    assert "states" not in bare
    assert "state" not in bare["findings"][0]


def test_a_finding_that_grows_is_open_again(office: Path, capsys: Out) -> None:
    first = analyse(office, capsys)["findings"][0]
    assert explain(office, first["id"], "夜间值班") == 0
    soon = now_ms() + 60_000
    write_many(office / "a", A, [facts(60, time=soon)])
    assert index(office, str(office / "a"), *keys(office, "one", "two")) == 0
    states = {one["id"]: one["state"] for one in analyse(office, capsys)["findings"]}
    assert states[first["id"]] == "explained"  # that day has no more accesses
    (state,) = explained.explained(settings(office), [(first["id"], soon)], ())
    assert (state.standing.value, state.grown) == ("open", True)


def test_reconcile_has_ids_and_states(office: Path, capsys: Out) -> None:
    (office / "cases.csv").write_text("case\nSECRET-CASE-1\nNEVER-1\n")
    command = ["reconcile", str(office / "index"), str(office / "cases.csv"), *keys(office, "one")]
    capsys.readouterr()
    assert execute(app, [*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    ids = [one["id"] for one in found["findings"]]
    assert len(set(ids)) == len(ids)
    assert found["findings"][-1]["kind"] == "no_access"
    assert explain(office, ids[-1], "当事人撤回申请") == 0
    own = [path.read_bytes() for path in (office / "own").rglob("*") if path.is_file()]
    assert not any(b"NEVER" in data for data in own)
    capsys.readouterr()
    assert execute(app, [*command, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out.removeprefix("\ufeff"), newline="")))
    assert [(row["id"], row["state"]) for row in rows] == [*((one, "open") for one in ids[:-1]), (ids[-1], "explained")]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["explain", "off_hours", "--from-unit", "a", "--text-file", "-", "--by", "Chen"], "Not the id of a finding"),
        (["explain", "0" * 16, "--from-unit", "a/", "--text-file", "-", "--by", "Chen"], "Not a unit"),
        (["explain", "0" * 16, "--from-unit", "a", "--text-file", "nowhere", "--by", "Chen"], "nowhere"),
        (["ask", "0" * 16, "--of", "a", "--by", "", "--days", "5"], "A name is missing"),
        (["ask", "0" * 16, "--of", "a", "--by", "Chen", "--days", "0"], "out of bounds"),
        (
            ["extend", "0" * 16, "--until", "2999-01-01", "--reason-file", "-", "--by", "Chen"],
            "No explanation is awaited",
        ),
    ],
)
def test_refused(office: Path, capsys: Out, words: list[str], what: str) -> None:
    assert run(office, *words, stdin="x") == 2
    assert what in capsys.readouterr().err


def test_a_request_about_what_does_not_exist_is_taken_back(office: Path, capsys: Out) -> None:
    slip, record = "0123456789abcdef", f"{A}:3"
    draw(office, capsys, size=80)
    assert run(office, "review", "start", str(office / "sample.json")) == 0
    (place,) = (one for one in sample(office).picks if (one.log, one.position) == (A, 3))
    with opened(settings(office), [sample(office)]) as book:
        for subject in (slip, place):
            book.append(Asked(subject, Whom("nobody", None), "2020-01-03", "Chen"), {})
    assert run(office, "review", "overdue") == 1
    reason = ["--reason-file", "-", "--by", "Chen"]
    assert run(office, "withdraw", slip, *reason, stdin=" ") == 2
    assert "A reason is needed" in capsys.readouterr().err
    assert run(office, "withdraw", slip, *reason, stdin="NEVER such a finding") == 0
    assert run(office, "withdraw", record, "--sample", str(office / "sample.json"), *reason, stdin="another unit") == 0
    assert run(office, "review", "overdue") == 0
    assert run(office, "withdraw", slip, *reason, stdin="again") == 2
    assert "No explanation is awaited" in capsys.readouterr().err
    assert not any(b"NEVER" in path.read_bytes() for path in (office / "own").rglob("*") if path.is_file())


def test_no_own_log(office: Path, capsys: Out) -> None:
    assert execute(app, ["review", "overdue"]) == 2
    assert "own log is not given" in capsys.readouterr().err


def test_a_changed_own_log_ends_the_analysis(office: Path, capsys: Out) -> None:
    first = analyse(office, capsys)["findings"][0]["id"]
    assert explain(office, first, "夜间值班") == 0
    for path in (office / "own/tile/entries").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes().replace(b'"explanation"', b'"explanatiom"'))
    capsys.readouterr()
    assert execute(app, ["analyse", str(office / "index"), *keys(office, "one")]) == 3
    assert not capsys.readouterr().out


def test_openings_of_explanations_are_opened_one_by_one(office: Path, capsys: Out) -> None:
    """Two findings explained, one opening erased: the other's text is still there."""
    first, second = (one["id"] for one in analyse(office, capsys)["findings"][:2])
    whom = Whom("housing", None)
    desk.explain(settings(office), desk.Explanation(first, whom, "一", "Chen"))
    number = desk.explain(settings(office), desk.Explanation(second, whom, "二", "Chen")).number
    erase(office / "own", number)
    found = {one["id"]: one for one in analyse(office, capsys)["findings"]}
    assert found[first]["explanations"][0]["texts"] == {"explanation": "一"}
    assert (found[second]["explanations"][0]["texts"], found[second]["state"]) == (None, "explained")


def erase(log: Path, position: int) -> None:
    """As an erasure leaves it: an empty row in its place."""
    (path,) = (one for one in (log / "openings").rglob("*") if one.is_file() and one.parent.name.endswith(".p"))
    rows = split_entries(path.read_bytes(), int(path.name))
    rows[position] = b""
    path.write_bytes(b"".join(len(row).to_bytes(2, "big") + row for row in rows))
