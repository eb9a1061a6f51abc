"""`oncegate-audit sample`: drawn from one index, checked with another, and every lie found."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from audit.cli import app
from contracts.edge.output import execute
from contracts.encoding import Json
from tests.integration.search_world import A, B, Out, build_town, facts, index, write_many

Doc = dict[str, Json]


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "en")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs a and b of a town, their heads kept; log a grew afterwards, and is followed."""
    path = build_town(tmp_path_factory.mktemp("town"))
    for name in "ab":
        (path / f"{name}.head").write_bytes((path / name / "checkpoint").read_bytes())
    write_many(path / "a", A, map(facts, range(600, 700)))
    (path / "later.head").write_bytes((path / "a" / "checkpoint").read_bytes())
    (path / "own").mkdir()
    assert index(path / "own", str(path / "a"), str(path / "b")) == 0
    return path


def draw(town: Path, *words: str, size: int) -> int:
    given = [word for head in "ab" for word in ("--checkpoint", str(town / f"{head}.head"))]
    order = ["--nonce", "n", "--size", str(size), "--reviewers", "王,李,张"]
    return execute(app, ["sample", "draw", str(town / "own/index"), *words, *given, *order])


def drawn(town: Path, capsys: Out, *words: str, size: int = 12) -> Doc:
    capsys.readouterr()
    assert draw(town, *words, size=size) == 0
    found: Doc = json.loads(capsys.readouterr().out)
    return found


def check(town: Path, path: Path, sample: Doc) -> int:
    (path / "sample.json").write_text(json.dumps(sample))
    return execute(app, ["sample", "verify", str(path / "sample.json"), str(town / "own/index")])


def test_only_what_the_checkpoints_cover(town: Path, capsys: Out) -> None:
    found = drawn(town, capsys, "--by", "log", size=620)
    assert found["strata"] == {A: {"population": 600, "picked": 600}, B: {"population": 20, "picked": 20}}
    assert {(pick["log"], pick["position"]) for pick in found["picks"]} == {
        *((A, n) for n in range(600)),
        *((B, n) for n in range(20)),
    }


@pytest.mark.parametrize("comma", ["\uff0c", "\u3001", ", "])
def test_commas_as_people_write_them(town: Path, capsys: Out, comma: str) -> None:
    order = ["--checkpoint", str(town / "a.head"), "--nonce", "n", "--size", "4"]
    names = comma.join(("王", "李", "张"))
    capsys.readouterr()
    assert execute(app, ["sample", "draw", str(town / "own/index"), *order, "--reviewers", names]) == 0
    assert json.loads(capsys.readouterr().out)["reviewers"] == ["王", "李", "张"]


def test_strata_and_reviewers(town: Path, capsys: Out) -> None:
    found = drawn(town, capsys, "decision=refused", "--by", "organisation")
    assert sum(one["picked"] for one in found["strata"].values()) == 12
    assert {pick["position"] % 10 for pick in found["picks"]} == {9}
    reviewers = [pick["reviewer"] for pick in found["picks"]]
    assert {name: reviewers.count(name) for name in ("王", "李", "张")} == {"王": 4, "李": 4, "张": 4}


def test_strata_by_the_words_of_searches(town: Path, tmp_path: Path, capsys: Out) -> None:
    found = drawn(town, capsys, "--by", "item")
    assert found["strata"] == drawn(town, capsys, "--by", "service_item")["strata"]
    assert check(town, tmp_path, found) == 0


def test_anybody_draws_it_again(town: Path, tmp_path: Path, capsys: Out) -> None:
    found = drawn(town, capsys, "unit=none", "--by", "app")
    assert check(town, tmp_path, found) == 0
    assert f"Right: seed {found['seed']}" in capsys.readouterr().out


def _other_reviewer(sample: Doc) -> None:
    pick = sample["picks"][0]
    pick["reviewer"] = next(name for name in sample["reviewers"] if name != pick["reviewer"])


@pytest.mark.parametrize(
    ("lie", "what"),
    [
        (_other_reviewer, "picks"),
        (lambda sample: sample["picks"].pop(), "picks"),
        (lambda sample: sample.update(nonce="m"), "picks, seed"),
        (lambda sample: sample.update(filters=[]), "population, strata"),
        (lambda sample: sample["strata"].pop("housing"), "strata"),
    ],
)
def test_a_changed_sample_shows(
    town: Path, tmp_path: Path, capsys: Out, lie: Callable[[Doc], object], what: str
) -> None:
    sample = drawn(town, capsys, "decision=granted", "--by", "organisation")
    lie(sample)
    assert check(town, tmp_path, sample) == 1
    told = capsys.readouterr().err.partition("these differ: ")[2].strip().split(", ")
    assert {*what.split(", ")} <= {*told}  # another population may have other picks, or happen to have the same


@pytest.mark.parametrize("words", [["--nonce", "\udcd5"], ["--reviewers", "\udcd5,b"], ["unit=\udcd5"]])
def test_what_is_no_text_is_refused(town: Path, capsys: Out, words: list[str]) -> None:
    order = ["--checkpoint", str(town / "a.head"), "--nonce", "n", "--size", "4", "--reviewers", "a"]
    assert execute(app, ["sample", "draw", str(town / "own/index"), *order, *words]) == 2
    assert "Not text in UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "heads", "what"),
    [
        (["--by", "clerk"], ("a",), "Not something to make strata of"),
        (["clerk=x"], ("a",), "A sample cannot be filtered by people (clerk)"),
        (["organisation=nobody"], ("a",), "No record is in the population"),
        ([], ("a", "later"), "Two checkpoints of one log"),
        ([], ("forged",), "Not a checkpoint that this log signed"),
        ([], ("fork",), "The checkpoint is not one of the log that was indexed"),
        ([], ("ahead",), "The checkpoint is ahead of the index"),
    ],
)
def test_refused(town: Path, tmp_path: Path, capsys: Out, words: list[str], heads: tuple[str, ...], what: str) -> None:
    (town / "forged.head").write_bytes((town / "a.head").read_bytes().replace(b"\n600\n", b"\n599\n"))
    for name, size, changes in (("fork", 300, {"app": "x"}), ("ahead", 701, {})):
        write_many(tmp_path / name, A, (facts(n, **changes) for n in range(size)))
        (town / f"{name}.head").write_bytes((tmp_path / name / "checkpoint").read_bytes())
    capsys.readouterr()
    target = "index" if words == ["clerk=x"] else "own/index"  # people are refused before keys are asked for
    given = [word for head in heads for word in ("--checkpoint", str(town / f"{head}.head"))]
    order = ["--nonce", "n", "--size", "3", "--reviewers", "w"]
    assert execute(app, ["sample", "draw", str(town / target), *words, *given, *order]) == 2
    said = capsys.readouterr()
    assert what in said.err
    assert not said.out
