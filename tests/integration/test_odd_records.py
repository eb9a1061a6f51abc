"""Records that no honest writer makes, beside ordinary ones: every tool of the auditor's goes on."""

from pathlib import Path

import pytest

from audit.cli import app
from audit.moments import LAST, moment
from contracts.edge.output import execute
from tests.integration.audit_support import AUDITOR
from tests.integration.search_world import SECOND, A, Out, facts, index, key_file, keys, write

LATE = (1 << 53) - 1


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three records: an ordinary one, one of the year 287396, one of 1970."""
    path = tmp_path_factory.mktemp("desk")
    write(path / "a", A, [facts(1), facts(2, time=LATE), facts(3, time=0)])
    for name, key in (("one", AUDITOR), ("two", SECOND)):
        key_file(path / f"{name}.pem", key)
    assert index(path, str(path / "a"), *keys(path, "one", "two")) == 0
    return path


@pytest.mark.parametrize(
    "words",
    [
        ["search", "INDEX"],
        ["search", "INDEX", "--json"],
        ["search", "INDEX", "--csv"],
        ["stats", "INDEX", "--by", "hour"],
        ["stats", "INDEX", "--json"],
        ["analyse", "INDEX", "--limit", "holders_a_day=0", "--limit", "clerks_a_week=0", "KEYS"],
        ["export", "INDEX", "--into", "DIR/out.csv"],
        ["export", "INDEX", "--into", "DIR/out.zip", "--extractor", "a", "--extractor", "b"],
        ["verify", "DIR/a"],
        ["show", "DIR/a", "--last", "3"],
    ],
    ids=" ".join,
)
def test_a_time_beyond_every_calendar_stops_nothing(desk: Path, capsys: Out, words: list[str]) -> None:
    given = [word.replace("INDEX", str(desk / "index")).replace("DIR", str(desk)) for word in words if word != "KEYS"]
    assert execute(app, [*given, *(keys(desk, "one", "two") if "KEYS" in words else [])]) == 0
    assert "Traceback" not in capsys.readouterr().err


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log whose writer would like to take away lines from an auditor's terminal, or to add some."""
    path = tmp_path_factory.mktemp("stranger")
    names = {"organisation": "\x1b[1A\x1b[2Kx", "unit": "a\nb", "app": "\u202ex", "case": "c\x1b[2J\nverdict"}
    write(path / "a", A, [facts(1), facts(2, **names)])
    for name, key in (("one", AUDITOR), ("two", SECOND)):
        key_file(path / f"{name}.pem", key)
    assert index(path, str(path / "a"), *keys(path, "one", "two")) == 0
    return path


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["search", "INDEX"], 2),
        (["stats", "INDEX"], None),
        (["analyse", "INDEX", "--key", "DIR/one.pem"], None),
        (["show", "DIR/a", "--last", "2"], 2),
        (["show", "DIR/a", "--last", "2", "--openings", "--auditor-key", "DIR/one.pem"], 2),
        (["search", "INDEX", "organisation=\x1b[2J", "nothing\x1b"], 0),
    ],
    ids=str,
)
def test_records_cannot_move_the_cursor(stranger: Path, capsys: Out, words: list[str], lines: int | None) -> None:
    capsys.readouterr()
    execute(app, [word.replace("INDEX", str(stranger / "index")).replace("DIR", str(stranger)) for word in words])
    told = capsys.readouterr()
    assert not set("\x1b\u202e") & set(told.out + told.err)
    assert lines is None or len(told.out.splitlines()) == lines


def test_bytes_among_the_records_are_shown_as_such(tmp_path: Path, capsys: Out) -> None:
    write(tmp_path / "a", A, [facts(1)], [b"\xff", b"[]"])
    key = key_file(tmp_path / "one.pem", AUDITOR)
    words = ["show", str(tmp_path / "a"), "--last", "3", "--openings", "--auditor-key", str(key)]
    assert execute(app, words) == 0
    first, *others = capsys.readouterr().out.splitlines()
    assert "SECRET" in first
    assert all("sha-256:" in line and "SECRET" not in line for line in others)


def test_moments() -> None:
    assert moment(LATE) == moment(LAST)
    assert moment(-1) == moment(0)
    assert moment(1_763_741_600_123).isoformat() == "2025-11-21T16:13:20.123000+00:00"
