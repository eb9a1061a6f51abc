"""`oncegate-audit analyse` on a real index."""

import json
from pathlib import Path

import pytest

from audit.cli import app
from audit.search.rules import DAY_MS
from contracts.edge.output import execute
from tests.integration.search_world import START, A, Out, build_town, facts, index, keys, write_many


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "en")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = build_town(tmp_path_factory.mktemp("town"))
    (path / "roster.csv").write_text("clerk,scheme,id\nclerk-secret-3,passport,SECRETHOLDER4\n")
    return path


def analyse(town: Path, *words: str) -> int:
    return execute(app, ["analyse", str(town / "index"), "log=gov.example/a", *words])


def test_findings_have_positions_and_name_nobody(town: Path, capsys: Out) -> None:
    words = ["--roster", str(town / "roster.csv"), "--limit", "refusals=5", "--limit", "holders_a_day=99"]
    assert analyse(town, *words, *keys(town, "one", "two"), "--json") == 0
    out = capsys.readouterr().out
    found = json.loads(out)
    assert found["not_applied"] == []
    own = [one for one in found["findings"] if one["rule"] == "own_record"]
    assert [place["position"] for one in own for place in one["entries"]] == list(range(59, 600, 77))
    assert {one["rule"] for one in found["findings"]} == {"off_hours", "own_record", "many_clerks"}
    assert {place["log"] for one in found["findings"] for place in one["entries"]} == {A}
    assert "SECRET" not in out.upper()


@pytest.mark.parametrize("words", [[], ["from=2026-02-20"], ["item=new-item"], ["from=2026-02-25", "to=2026-03-05"]])
def test_what_is_new_is_new_in_the_whole_index(town: Path, tmp_path: Path, capsys: Out, words: list[str]) -> None:
    """Used on the 2nd and the 96th day, and first used on the 100th: only the latter is new, whatever is asked for."""
    days = [*((day, "old-item") for day in range(100)), (1, "rare-item"), (95, "rare-item"), (99, "new-item")]
    write_many(
        tmp_path / "log",
        A,
        (
            facts(1, transaction=f"019aa2c0-7c2a-7abc-9def-{n:012d}", time=START + day * DAY_MS + n, service_item=item)
            for n, (day, item) in enumerate(days)
        ),
    )
    assert index(tmp_path, str(tmp_path / "log"), *keys(town, "one")) == 0
    capsys.readouterr()
    assert execute(app, ["analyse", str(tmp_path / "index"), *words, *keys(town, "one"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [one["subject"].split(" / ")[-1] for one in found if one["rule"] == "new_purpose"] == ["new-item"]


def test_text_says_that_nothing_is_a_verdict(town: Path, capsys: Out) -> None:
    assert analyse(town, "decision=refused", *keys(town, "one")) == 0
    out = capsys.readouterr().out
    assert "none is a verdict" in out
    assert "Not applied, because the index has no tokens of holders or no roster was given: own_record" in out


def test_rules_that_cannot_speak_are_named(town: Path, tmp_path: Path, capsys: Out) -> None:
    assert index(tmp_path, str(town / "b"), *keys(town, "one")) == 0
    capsys.readouterr()
    assert execute(app, ["analyse", str(tmp_path / "index"), *keys(town, "one"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["not_applied"] == ["many_holders", "many_clerks", "own_record"]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([], ()),
        (["--roster", "roster.csv"], ("one",)),
        (["--limit", "refusals=few"], ("one",)),
        (["--limit", "own=1"], ("one",)),
        (["--limit", "history=1"], ("one",)),
        (["--limit", "refusals=1000001"], ("one",)),
        (["--limit", "refusals=" + "9" * 5000], ("one",)),
    ],
)
def test_refused(
    town: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch, words: list[str], names: tuple[str, ...]
) -> None:
    monkeypatch.chdir(town)
    assert analyse(town, *words, *keys(town, *names)) == 2
    assert not capsys.readouterr().out
