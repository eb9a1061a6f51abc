"""A live proof of a hit belongs to that hit: other histories under the same key, and an index that was altered."""

import json
import shutil
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from audit.cli import app
from audit.merkle import leaf_hash
from audit.notes import parse_vkey
from audit.reader import LogReader
from audit.receipts import Receipt, parse_proof, verify_proof
from contracts.edge.output import execute
from tests.integration.api_world import entry_path, furnish, running
from tests.integration.search_world import A, Out, ask, build_town, facts, index, keys, write_many


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "en")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_town(tmp_path_factory.mktemp("town"))


def proofs_hold(town: Path, capsys: Out, *words: str) -> int:
    """How many hits have a proof that verifies, of an entry that says what the hit says."""
    hits = ask(town, capsys, *words, "--proof")["hits"]
    assert isinstance(hits, list)
    for hit in hits:
        directory = town / hit["log"][-1]
        key = parse_vkey((directory / "vkey").read_text().strip())
        reader = LogReader(directory, key)
        leaf = reader.entry(hit["position"], reader.checkpoint().size)
        assert json.loads(leaf).items() >= {name: hit[name] for name in ("organisation", "unit", "decision")}.items()
        receipt = Receipt(hit["log"], hit["position"], leaf_hash(leaf), b"")
        assert verify_proof(parse_proof(hit["proof"].encode()), receipt, key) == 1
    return len(hits)


def test_every_proof_verifies_by_itself(town: Path, capsys: Out) -> None:
    assert proofs_hold(town, capsys, "decision=refused", "--limit", "5") == 5


@pytest.mark.parametrize("grown", [0, 1, 300])
def test_a_log_that_grew_since_is_the_same_log(tmp_path: Path, capsys: Out, grown: int) -> None:
    write_many(tmp_path / "a", A, map(facts, range(300)))
    assert index(tmp_path, str(tmp_path / "a")) == 0
    write_many(tmp_path / "a", A, map(facts, range(300, 300 + grown)))
    assert proofs_hold(tmp_path, capsys, "--limit", "300") == 300


@pytest.mark.parametrize("size", [3, 5, 9])
def test_another_history_under_the_same_key_proves_nothing(tmp_path: Path, capsys: Out, size: int) -> None:
    write_many(tmp_path / "a", A, map(facts, range(5)))
    assert index(tmp_path, str(tmp_path / "a")) == 0
    shutil.rmtree(tmp_path / "a")
    write_many(tmp_path / "a", A, (facts(n, organisation="police") for n in range(size)))
    capsys.readouterr()
    assert execute(app, ["search", str(tmp_path / "index"), "organisation=transport", "--proof", "--json"]) == 3
    assert not capsys.readouterr().out


def test_the_api_proves_shows_and_opens_nothing_of_another_history(town: Path, tmp_path: Path) -> None:
    write_many(tmp_path / "a", A, map(facts, range(5)))
    assert index(tmp_path, str(tmp_path / "a"), *keys(town, "one", "two")) == 0
    with running(furnish(tmp_path, town, tmp_path / "index")) as office:
        shutil.rmtree(tmp_path / "a")
        write_many(tmp_path / "a", A, (facts(n, organisation="police") for n in range(5)))
        for answer in (
            office.post("li", "/v1/searches", filters={"organisation": ["transport"]}, proof=True),
            office.ask("li", "GET", entry_path(A, 2)),
            office.post("li", "/v1/openings", log=A, position=2),
        ):
            assert (answer.status, answer.json["code"]) == (500, "copy_altered")


@pytest.mark.parametrize(
    "change", ["shapes SET decision = 'refused'", "shapes SET types = '[]'", "entries SET time = 7"]
)
def test_an_altered_index_gets_no_proofs(tmp_path: Path, capsys: Out, change: str) -> None:
    write_many(tmp_path / "a", A, map(facts, range(5)))
    assert index(tmp_path, str(tmp_path / "a")) == 0
    with closing(apsw.Connection(str(tmp_path / "index"))) as db:
        db.execute("".join(("UPDATE ", change)))
    capsys.readouterr()
    assert execute(app, ["search", str(tmp_path / "index"), "--proof"]) == 3
    said = capsys.readouterr()
    assert "is not what the index says of it" in said.err
    assert not said.out
