"""Looks at openings without an index leave a record in the auditors' own log, before anything is shown."""

import json
from pathlib import Path

import pytest

from audit.cli import app
from audit.notes import parse_vkey
from audit.reader import LogReader
from audit.search.looks import MAX_OPENED
from contracts.edge.keys import create_signing_key, write_hpke_public
from contracts.edge.output import execute
from tests.integration.audit_support import AUDITOR
from tests.integration.search_world import A, Out, facts, key_file, write


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "en")


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A log with more records than a look opens, the auditor's key, and the configuration of a log of their own."""
    write(tmp_path / "a", A, [facts(n) for n in range(MAX_OPENED + 1)])
    key_file(tmp_path / "one.pem", AUDITOR)
    create_signing_key(tmp_path / "own.pem", "EdDSA")
    write_hpke_public(tmp_path / "auditor.pem", AUDITOR.public_key())
    (tmp_path / "own.toml").write_text(
        '[own_log]\ndirectory = "own"\norigin = "office.example/searches"\nkey = "own.pem"\nauditor = "auditor.pem"\n'
    )
    return tmp_path


def _look(desk: Path, *words: str) -> int:
    key = str(desk / "one.pem")
    return execute(app, ["show", str(desk / "a"), *words, "--openings", "--auditor-key", key, "--json"])


def test_a_look_is_recorded_without_people(desk: Path, capsys: Out) -> None:
    assert _look(desk, "--last", "2", "--own-log", str(desk / "own.toml")) == 0
    captured = capsys.readouterr()
    assert all(line["opening"]["clerk"] for line in json.loads(captured.out))
    assert "not recorded" not in captured.err
    reader = LogReader(desk / "own", parse_vkey((desk / "own/vkey").read_text().strip()))
    (entry,) = reader.entries(0, reader.checkpoint().size)
    found = json.loads(entry)
    assert (found["kind"], found["command"], found["count"], len(found["auditors"])) == (
        "search",
        "show openings",
        2,
        1,
    )
    assert found["filters"] == {"log": A, "positions": [MAX_OPENED - 1, MAX_OPENED]}
    assert found["logs"] == [{"origin": A, "size": MAX_OPENED + 1}]
    assert "SECRET" not in entry.decode().upper()


def test_no_record_no_look(desk: Path, capsys: Out) -> None:
    (desk / "own.pem").unlink()
    assert _look(desk, "--index", "0", "--own-log", str(desk / "own.toml")) == 2
    assert not capsys.readouterr().out


def test_a_whole_log_is_not_looked_at(desk: Path, capsys: Out) -> None:
    """Who searches a log for a person does that through an index, which takes two keys."""
    assert _look(desk, "--last", str(MAX_OPENED + 1)) == 2
    captured = capsys.readouterr()
    assert not captured.out
    assert f"At most {MAX_OPENED} openings at a time" in captured.err
