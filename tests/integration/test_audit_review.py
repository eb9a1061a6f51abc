"""`oncegate-audit review`: from a sample to a complete report, in the auditors' own log."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from audit.cli import app
from audit.notes import parse_vkey
from audit.reader import LogReader
from audit.review import desk
from audit.review.book import Live, opened
from audit.review.events import SampleDrawn, Verdict, Whom
from audit.review.letters import COLUMNS
from audit.search import own_log
from contracts.edge.output import execute
from contracts.encoding import Json
from contracts.errors import UserError
from tests.integration.review_world import REVIEWERS, build_office, draw, review, run, sample, settings, told
from tests.integration.search_world import Out, keys
from tests.waiting import until

TEXTS = ("查询事由不明", "办理餐饮许可", "王主任", "休假")


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "en")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_office(tmp_path_factory.mktemp("office"))


@pytest.fixture
def office(built: Path, tmp_path: Path, capsys: Out) -> Path:
    """An office of its own, with a sample under review."""
    path = tmp_path / "office"
    shutil.copytree(built, path)
    assert execute(app, ["index", str(path / "a"), str(path / "b"), "--into", str(path / "index"), "--own-log",
                         str(path / "own.toml"), *keys(path, "one", "two")]) == 0  # fmt: skip
    draw(path, capsys)
    assert review(path, "start") == 0
    capsys.readouterr()
    return path


def leaves(office: Path) -> list[bytes]:
    reader = LogReader(office / "own", parse_vkey((office / "own/vkey").read_text().strip()))
    return reader.entries(0, reader.checkpoint().size)


def undecided(office: Path, capsys: Out) -> list[tuple[str, str]]:
    """Place and reviewer of what the report still names."""
    found = told(office, capsys, "report", code=1)
    return [(f"{one['log']}:{one['position']}", one["assigned"]) for one in found["records"] if not one["verdict"]]


def filled(table: Path, text: str) -> list[list[str]]:
    rows = list(csv.reader(io.StringIO(table.read_text("utf-8-sig"), newline="")))
    return [rows[0], *([*row[:-2], "王主任", text] for row in rows[1:])]


def write_csv(path: Path, rows: list[list[str]], encoding: str = "gb18030") -> Path:
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    path.write_bytes(file.getvalue().encode(encoding))
    return path


def test_a_whole_round(office: Path, capsys: Out) -> None:
    # Three reviewers, each with what was dealt to them; one record is to be explained, one suspicious.
    for number, reviewer in enumerate(REVIEWERS):
        while (one := told(office, capsys, "next", "--reviewer", reviewer, *keys(office, "one"))) is not None:
            assert one["entry"]["opening"]["clerk"].startswith("clerk-secret")
            place, said = f"{one['log']}:{one['position']}", "正常"
            if one["left"] == 4 and number < 2:
                said = ("要求说明", "suspicious")[number]
            words = [place, said, "--reviewer", reviewer]
            assert review(office, "verdict", *words, "--note-file", "-", stdin="查询事由不明\n") == 0
    found = told(office, capsys, "report", code=1)
    assert (found["total"]["drawn"], found["total"]["decided"], found["total"]["awaited"]) == (12, 12, 1)
    assert {name: tally["decided"] for name, tally in found["by_reviewer"].items()} == dict.fromkeys(REVIEWERS, 4)
    # The unit is asked, and answers.
    assert review(office, "letters", "--into", str(office / "letters")) == 0
    letter, table = sorted((office / "letters").iterdir(), reverse=True)
    (row,) = [one for one in found["records"] if one["verdict"] == "explanation_required"]
    assert f"{row['log']}#{row['position']}" in letter.read_text()
    assert row["deadline"] in letter.read_text()
    back = write_csv(office / "back.csv", filled(table, "办理餐饮许可"))
    assert run(office, "review", "answers", str(back), "--by", "Chen") == 0
    assert review(office, "report", "--into", str(office / "report.txt")) == 0
    assert "结论:评查完成" in (office / "report.txt").read_text()
    # Its reviewer is shown the explanation, and judges again.
    one = told(office, capsys, "next", "--reviewer", REVIEWERS[0], *keys(office, "one"))
    assert one["judge_again"]
    assert one["verdicts"][0]["texts"] == {"note": "查询事由不明"}
    assert one["explanations"][0]["texts"] == {"explanation": "办理餐饮许可", "explained_by": "王主任"}
    assert review(office, "verdict", f"{one['log']}:{one['position']}", "normal", "--reviewer", REVIEWERS[0]) == 0
    assert told(office, capsys, "next", "--reviewer", REVIEWERS[0]) is None
    found = told(office, capsys, "report")
    assert (found["total"]["verdicts"]["normal"], found["total"]["judge_again"], found["irregular"]) == (11, 0, [])
    # Nothing personal, and nothing that somebody wrote, is in an entry; the whole log verifies.
    written = b"".join(leaves(office)).decode()
    assert "SECRET" not in written.upper()
    assert not any(text in written for text in TEXTS)
    assert execute(app, ["verify", str(office / "own"), "--openings"]) == 0


def test_openings_are_recorded_before_they_are_shown(office: Path, capsys: Out) -> None:
    one = told(office, capsys, "next", "--reviewer", "李", *keys(office, "one"))
    last = json.loads(leaves(office)[-1])
    assert (last["event"], last["facts"]["position"], last["facts"]["reviewer"]) == ("opened", one["position"], "李")
    assert len(last["facts"]["auditors"]) == 1
    (office / "own.pem").unlink()
    assert review(office, "next", "--reviewer", "李", *keys(office, "one")) == 2
    assert not capsys.readouterr().out


def test_without_keys_only_what_everybody_may_see(office: Path, capsys: Out) -> None:
    size = len(leaves(office))
    assert review(office, "next", "--reviewer", "李") == 0
    out = capsys.readouterr().out
    assert "service_item:" in out
    assert "clerk:" not in out
    assert len(leaves(office)) == size
    assert run(office, "review", "next", str(office / "sample.json"), "--reviewer", "李", *keys(office, "one"),
               by_index=False) == 2  # fmt: skip


def test_who_may_decide(office: Path, capsys: Out) -> None:
    place, reviewer = undecided(office, capsys)[0]
    other = next(name for name in REVIEWERS if name != reviewer)
    size = len(leaves(office))
    for words, what in (
        ([place, "normal", "--reviewer", other], "dealt to another reviewer"),
        ([place, "normal", "--reviewer", other, "--instead-of", reviewer], "A reason is needed"),
        ([place, "suspicious", "--reviewer", reviewer], "needs a note"),
        ([place, "closed", "--reviewer", reviewer], "Not a verdict"),
        (["gov.example/a:59999", "normal", "--reviewer", reviewer], "not in the sample"),
        ([place, "normal", "--reviewer", " "], "A name is missing"),
    ):
        assert review(office, "verdict", *words) == 2
        assert what in capsys.readouterr().err
    assert len(leaves(office)) == size
    words = [place, "normal", "--reviewer", other, "--instead-of", reviewer, "--reason", "休假"]
    assert review(office, "verdict", *words) == 0
    (row,) = [one for one in told(office, capsys, "report", code=1)["records"] if one["verdict"]]
    assert (row["assigned"], row["reviewer"], row["instead_of"]) == (reviewer, other, reviewer)


def test_who_explains_must_be_known(office: Path, capsys: Out) -> None:
    place, reviewer = undecided(office, capsys)[0]
    words = ["verdict", place, "要求说明", "--reviewer", reviewer, "--note-file", "-"]
    assert review(office, *words, stdin="?", by_index=False) == 2
    assert "which unit is to explain" in capsys.readouterr().err
    assert review(office, *words, "--of", "housing/archive", "--days", "3", stdin="?", by_index=False) == 0
    assert "housing/archive is to explain until" in capsys.readouterr().out


def test_a_sample_that_is_not_what_drawing_gives_is_not_begun(office: Path, capsys: Out) -> None:
    document = json.loads((office / "sample.json").read_text())
    document["picks"].pop()
    (office / "sample.json").write_text(json.dumps(document))
    assert review(office, "start") == 1
    assert "these differ: picks" in capsys.readouterr().err
    assert review(office, "report") == 2
    assert "has not been started" in capsys.readouterr().err


def test_what_an_index_shows_is_recorded_in_the_log_that_it_names(office: Path, capsys: Out) -> None:
    """Not in another one, which nobody would read."""
    assert review(office, "start") == 0
    other = (office / "own.toml").read_text().replace("office.example/own", "office.example/other")
    (office / "other.toml").write_text(other.replace('"own"', '"other"'))
    words = ["--reviewer", REVIEWERS[0], "--own-log", str(office / "other.toml"), *keys(office, "one")]
    assert review(office, "next", *words) == 2
    assert run(office, "ask", "0123456789abcdef", "--of", "x", "--by", "y", *words[2:4]) == 2
    told = capsys.readouterr()
    assert "another log" in told.err
    assert "SECRET" not in told.out + told.err
    assert not (office / "other").exists()


def test_units_are_plain_text(office: Path, capsys: Out) -> None:
    finding = "0123456789abcdef"
    for of in ("x\x1b[2Jy", "x/ ", "x" * 201):
        assert run(office, "ask", finding, "--of", of, "--by", "Chen") == 2
        assert "\x1b" not in capsys.readouterr().err


def test_bad_rows_are_named_and_good_ones_kept(office: Path, capsys: Out) -> None:
    awaited = ask_all(office)
    assert review(office, "letters", "--into", str(office / "letters")) == 0
    tables = sorted((office / "letters").glob("*.csv"))
    rows = [row for table in tables for row in filled(table, "说明")[1:]]
    assert len(rows) == awaited
    rows[0][COLUMNS.index("unit")] = "another"
    rows[1][COLUMNS.index("position")] = "x"
    rows[2][-1] = ""
    capsys.readouterr()
    back = write_csv(office / "back.csv", [list(COLUMNS), *rows, rows[3]])
    assert run(office, "review", "answers", str(back), "--by", "Chen") == 1
    said = capsys.readouterr()
    assert "line 2 was not taken: Another unit was asked" in said.err
    assert "line 3 was not taken" in said.err
    assert f"{awaited - 3} recorded; 1 were recorded before, 1 not filled in, 2 wrong" in said.out


def test_overdue_of_every_sample(office: Path, capsys: Out) -> None:
    assert run(office, "review", "overdue") == 0
    place = next(iter(sample(office).picks))
    reviewer = sample(office).picks[place].reviewer
    late = Verdict(place, reviewer, "explanation_required", None, Whom("housing", None), "2020-01-03")
    with opened(settings(office), [sample(office)]) as book:
        book.append(late, {"note": "?"})
    assert run(office, "review", "overdue", "--json") == 1
    (one,) = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (one["log"], one["position"], one["deadline"]) == (place.log, place.position, "2020-01-03")
    assert told(office, capsys, "report", code=1)["total"]["overdue"] == 1
    subject = [f"{place.log}:{place.position}", "--sample", str(office / "sample.json"), "--by", "Chen"]
    assert run(office, "extend", *subject, "--until", "2999-01-01", "--reason-file", "-", stdin="holiday") == 0
    assert run(office, "review", "overdue") == 0
    assert run(office, "explain", *subject, "--from-unit", "housing", "--text-file", "-", stdin="ok") == 0
    assert told(office, capsys, "report", code=1)["total"]["awaited"] == 0


def test_reviewers_at_once_take_turns(office: Path) -> None:
    given = sample(office)
    with ThreadPoolExecutor(6) as pool:
        done = [
            pool.submit(desk.give_verdict, settings(office), given, desk.Decision(place, "normal", pick.reviewer))
            for place, pick in given.picks.items()
        ]
    numbers = {one.result().number for one in done}
    assert len(numbers) == 12
    assert desk.make_report(settings(office), given)[0].complete


def test_a_log_that_stays_open(office: Path) -> None:
    """As the auditor's API has it: several threads, one log, every decision on what was decided before."""
    given, own = sample(office), settings(office)
    places = list(given.picks)[:3]
    with own_log.opened(own) as log:
        live = Live(own, log)
        with ThreadPoolExecutor(3) as pool:
            decisions = [desk.Decision(place, "normal", given.picks[place].reviewer) for place in places]
            list(pool.map(lambda one: desk.give_verdict(live, given, one), decisions))
        assert desk.make_report(live, given)[0].total.decided == 3
        left = desk.next_record(live, given, given.picks[places[0]].reviewer)
        assert left is not None
        assert left.place not in places
    assert desk.make_report(own, given)[0].total.decided == 3


def test_a_changed_byte_ends_the_work(office: Path, capsys: Out) -> None:
    place, reviewer = undecided(office, capsys)[0]
    assert review(office, "verdict", place, "suspicious", "--reviewer", reviewer, "--note-file", "-", stdin="?") == 0
    (bundle,) = (path for path in (office / "own/tile/entries").rglob("*") if path.is_file() and newest(office, path))
    bundle.write_bytes(bundle.read_bytes().replace(b'"verdict":"suspicious"', b'"verdict":"suspicioux"'))
    for command in (["report"], ["next", "--reviewer", reviewer], ["verdict", place, "normal", "--reviewer", reviewer]):
        capsys.readouterr()
        assert review(office, *command) == 3
        assert not capsys.readouterr().out


def newest(office: Path, path: Path) -> bool:
    """Whether this bundle is the one that the head needs: older partial ones stay beside it."""
    return path.name == str(len(leaves(office)))


def test_an_older_own_log_is_refused(office: Path, capsys: Out) -> None:
    place, reviewer = undecided(office, capsys)[0]
    shutil.copytree(office / "own", office / "before")
    assert review(office, "verdict", place, "normal", "--reviewer", reviewer) == 0
    shutil.rmtree(office / "own")
    (office / "before").rename(office / "own")
    assert review(office, "report") == 3


def test_a_verdict_by_hand_that_breaks_a_rule_is_named(office: Path, capsys: Out) -> None:
    """Somebody with the own log's key and another program."""
    given = sample(office)
    place, pick = next(iter(given.picks.items()))
    other = next(name for name in REVIEWERS if name != pick.reviewer)
    with opened(settings(office)) as book:  # without the sample its rules are not known
        number = book.append(Verdict(place, other, "normal"), {}).number
    found = told(office, capsys, "report", code=1)
    assert found["total"]["decided"] == 0
    assert [one["position"] for one in found["irregular"]] == [number]


def ask_all(office: Path) -> int:
    """Every record of the sample is to be explained; how many."""
    given = sample(office)
    with opened(settings(office), [given]) as book:
        for place, pick in given.picks.items():
            whom = Whom(pick.stratum, "window-1")
            book.append(Verdict(place, pick.reviewer, "explanation_required", None, whom, "2999-01-01"), {"note": "?"})
    return len(given.picks)


def test_killed_while_answers_are_recorded(office: Path, capsys: Out) -> None:
    draw(office, capsys, size=80)
    given = sample(office)
    desk.start(settings(office), given, drawn_again=False)
    ask_all(office)
    rows = [[given.digest, p.log, str(p.position), pick.stratum, "window-1", "说明"] for p, pick in given.picks.items()]
    header = ["sample", "log", "position", "organisation", "unit", "explanation"]
    back = write_csv(office / "back.csv", [header, *rows])
    program = Path(sys.executable).parent / "oncegate-audit"
    words = ["review", "answers", str(back), "--by", "Chen", "--own-log", str(office / "own.toml")]
    before = frames(office)
    child = subprocess.Popen([program, *words])
    try:
        until(lambda: frames(office) > before + 4000, what="some rows are recorded")
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    known = desk.make_report(settings(office), given)[0].total.judge_again
    assert known > 0
    capsys.readouterr()
    assert run(office, "review", "answers", str(back), "--by", "Chen") == 0
    assert f"{80 - known} recorded; {known} were recorded before" in capsys.readouterr().out
    events = [json.loads(leaf) for leaf in leaves(office)]
    said = [(one["facts"]["log"], one["facts"]["position"]) for one in events if one.get("event") == "explanation"]
    assert sorted(said) == sorted((place.log, place.position) for place in given.picks)
    assert execute(app, ["verify", str(office / "own"), "--openings"]) == 0


def frames(office: Path) -> int:
    return sum(path.stat().st_size for path in (office / "own/frames").iterdir())


def test_started_twice_is_one_start(office: Path, capsys: Out) -> None:
    assert review(office, "start") == 0
    assert "was begun before" in capsys.readouterr().out
    with opened(settings(office)) as book, pytest.raises(UserError):
        book.append(SampleDrawn(sample(office).digest, "00", 12, drawn_again=False), {})


def test_csv_of_the_report(office: Path, capsys: Out) -> None:
    assert review(office, "report", "--csv") == 1
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out.removeprefix("\ufeff"), newline="")))
    assert len(rows) == 12
    document: Json = json.loads((office / "sample.json").read_text())
    assert [(row["log"], int(row["position"])) for row in rows] == [
        (p["log"], p["position"]) for p in document["picks"]
    ]
