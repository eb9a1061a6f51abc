"""The auditors' own searches leave a record in a log of theirs, before anything is shown."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from audit.cli import app
from audit.notes import parse_vkey
from audit.reader import LogReader
from audit.search.session import session
from contracts.edge.keys import create_signing_key, write_hpke_public
from contracts.edge.output import execute
from tests.integration.audit_support import AUDITOR
from tests.integration.search_world import A, B, Out, ask, build_town, facts, index, keys, write


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "en")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_town(tmp_path_factory.mktemp("town"))


@pytest.fixture
def office(town: Path, tmp_path: Path) -> Path:
    """An index of log b whose searches are recorded."""
    create_signing_key(tmp_path / "own.pem", "EdDSA")
    write_hpke_public(tmp_path / "auditor.pem", AUDITOR.public_key())
    (tmp_path / "own.toml").write_text(
        '[own_log]\ndirectory = "own"\norigin = "office.example/searches"\nkey = "own.pem"\nauditor = "auditor.pem"\n'
    )
    words = [str(town / "b"), "--own-log", str(tmp_path / "own.toml"), *keys(town, "one", "two")]
    assert index(tmp_path, *words) == 0
    return tmp_path


def questions(office: Path) -> list[dict[str, Any]]:
    """The published entries of the own log."""
    reader = LogReader(office / "own", parse_vkey((office / "own/vkey").read_text().strip()))
    return [json.loads(entry) for entry in reader.entries(0, reader.checkpoint().size)]


def test_searches_leave_a_record_without_people(town: Path, office: Path, capsys: Out) -> None:
    ask(office, capsys, "clerk=clerk-secret-3", "organisation=housing", *keys(town, "one"))
    assert (
        execute(app, ["stats", str(office / "index"), "holder=cn.uscc:SECRETHOLDER3", *keys(town, "one", "two")]) == 0
    )
    first, second = questions(office)
    assert (first["kind"], first["command"], first["count"], len(first["auditors"])) == ("search", "search", 1, 1)
    assert first["filters"]["organisation"] == ["housing"]
    assert len(bytes.fromhex(first["filters"]["clerk"])) == 16
    assert (second["command"], second["count"], len(second["auditors"])) == ("stats", 2, 2)
    assert first["logs"] == [{"origin": B, "size": 22}]
    assert "SECRET" not in json.dumps([first, second]).upper()


def test_no_record_no_answer(office: Path, capsys: Out) -> None:
    (office / "own.pem").unlink()
    capsys.readouterr()
    assert execute(app, ["search", str(office / "index")]) == 2
    assert not capsys.readouterr().out


def test_a_question_sees_the_state_that_its_record_names(town: Path, office: Path) -> None:
    write(office / "a", A, [facts(n) for n in range(3)])
    shutil.copytree(town / "b", office / "b")
    with session(office / "index", [], []) as asked:
        write(office / "b", B, [facts(n) for n in range(20, 25)])
        assert index(office, str(office / "a"), str(office / "b"), *keys(town, "one", "two")) == 0  # a new log, too
        hits = asked.index.page(asked.filters, 100)
        assert {(hit.log, hit.position) for hit in hits} == {(B, n) for n in range(20)}
        asked.record("search", len(hits))
    assert questions(office)[-1]["logs"] == [{"origin": B, "size": 22}]
    with session(office / "index", [], []) as asked:
        assert len(asked.index.page(asked.filters, 100)) == 28


def test_the_log_of_searches_is_for_ever(town: Path, office: Path, tmp_path: Path, capsys: Out) -> None:
    text = (office / "own.toml").read_text().replace("office.example/searches", "office.example/other")
    (office / "other.toml").write_text(text)
    assert index(office, str(town / "b"), "--own-log", str(office / "other.toml"), *keys(town, "one", "two")) == 2
    assert "chosen when an index is made" in capsys.readouterr().err
