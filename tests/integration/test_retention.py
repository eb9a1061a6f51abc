"""Retention over real logs: whole closed ones go after their time, and what stays proves that they were there."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

from audit import holds, retired
from audit.checkpoints import open_note
from audit.disk import lock
from audit.log import AuditLog
from audit.notices import NO_OPENING, OPENINGS_RESTRICTED, Notice
from audit.reader import LogReader
from audit.retention import DAMAGED, DAY_MS, DUE, HELD, KEPT, OPEN, TOO_SHORT, UNLISTED, state
from audit.retention_command import Wanted, run
from audit.retiring import ASIDE, Place, Removal, look, resume, retire
from audit.shards import Former, open_after
from contracts.encoding import Json
from contracts.errors import UserError
from contracts.registry import AuditSlot
from tests.integration.audit_support import ORIGIN, SIGNER, FailingDisk, no_fatal, settings
from tests.integration.test_shards import NEXT, NEXT_ORIGIN, next_settings

FIRST = 1_700_000_000_000
CLOSED = FIRST + 100 * DAY_MS
OLD = AuditSlot("old", ORIGIN, SIGNER.public.vkey, "auditor", None, 200)
NEW = AuditSlot("new", NEXT_ORIGIN, NEXT.vkey, "auditor", "old")
SLOTS = {"old": OLD, "new": NEW}
OVER = CLOSED + 200 * DAY_MS
QUIET = Wanted(apply=True, yes=True, by="wang", as_json=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed log of 301 entries, and the one that goes on from it."""
    root = tmp_path_factory.mktemp("made")
    log = AuditLog.open(settings(root / "audit/old"), no_fatal)
    for day in range(300):
        log.append_blocking(b'{"time":%d}' % (FIRST + day), b"{}")
    log.close()
    former = Former(LogReader(root / "audit/old", SIGNER.public), settings(root / "audit/old"))
    open_after(next_settings(root / "audit/new"), former, no_fatal, clock=lambda: CLOSED / 1000).close()
    return root


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Place:
    shutil.copytree(made / "audit", tmp_path / "audit")
    return Place(tmp_path / "audit", tmp_path / "retired")


def states(place: Place, now: int, slots: dict[str, AuditSlot] | None = None) -> dict[str, str]:
    return {one.slot: state(one, now) for one in look(place, SLOTS if slots is None else slots)}


def told(capsys: pytest.CaptureFixture[str], place: Place, now: int, wanted: Wanted) -> Any:
    run(place, SLOTS, now, wanted)
    return json.loads(capsys.readouterr().out)


def test_what_is_there(place: Place) -> None:
    old = look(place, SLOTS)[1]
    assert (old.slot, old.origin, old.entries, old.first, old.last) == ("old", ORIGIN, 301, FIRST, CLOSED)
    assert (old.successor, old.until) == (NEXT_ORIGIN, OVER)
    assert states(place, OVER - 1) == {"new": OPEN, "old": KEPT}
    assert states(place, OVER) == {"new": OPEN, "old": DUE}
    assert states(place, OVER, {"new": NEW}) == {"new": OPEN, "old": UNLISTED}


def test_a_log_goes_and_its_proof_stays(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    form = told(capsys, place, OVER, QUIET)
    assert form["removed"] == ["old"]
    assert sorted(path.name for path in place.logs.rglob("*") if path.is_file() and "new" not in path.parts) == []
    kept = retired.read(place.retired / "old.json")
    assert kept is not None
    head, _ = open_note(kept.checkpoint.encode(), SIGNER.public)
    assert (head.origin, head.size, kept.head()) == (ORIGIN, 301, head)
    assert (kept.first, kept.last, kept.removed, kept.by) == (FIRST, CLOSED, OVER, "wang")
    again = told(capsys, place, OVER * 2, QUIET)
    assert (again["removed"], [one["slot"] for one in again["retired"]]) == ([], ["old"])
    assert (place.logs / "new/checkpoint").exists()


def test_without_apply_nothing_goes(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in place.logs.rglob("*")}
    form = told(capsys, place, OVER, replace(QUIET, apply=False))
    assert {one["slot"]: one["state"] for one in form["logs"]} == {"old": DUE, "new": OPEN}
    assert form["removed"] == []
    assert {path: path.stat().st_mtime_ns for path in place.logs.rglob("*")} == before
    assert not place.retired.exists()


def test_before_its_time_nothing_goes(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, place, OVER - 1, QUIET)["removed"] == []
    assert states(place, OVER - 1)["old"] == KEPT


def test_a_clock_that_was_behind_at_the_end_removes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The successor began before the machine had the time: the log's last entry, alone in its bundle, is of 1970."""
    log = AuditLog.open(settings(tmp_path / "audit/old"), no_fatal)
    for day in range(256):
        log.append_blocking(b'{"time":%d}' % (FIRST + day), b"{}")
    log.close()
    former = Former(LogReader(tmp_path / "audit/old", SIGNER.public), settings(tmp_path / "audit/old"))
    open_after(next_settings(tmp_path / "audit/new"), former, no_fatal, clock=lambda: 5.0).close()
    place, over = Place(tmp_path / "audit", tmp_path / "retired"), FIRST + 255 + 200 * DAY_MS
    for wanted in (replace(QUIET, apply=False), QUIET):
        form = told(capsys, place, over - 1, wanted)
        assert ({one["slot"]: one["state"] for one in form["logs"]}["old"], form["removed"]) == (KEPT, [])
    with pytest.raises(UserError, match="not due any more"):
        retire(place, look(place, SLOTS)[1], Removal(over - 1, "wang"))
    assert told(capsys, place, over, QUIET)["removed"] == ["old"]
    kept = retired.read(place.retired / "old.json")
    assert kept is not None
    assert kept.last == FIRST + 255


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_it_asks_first(place: Place, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    given = iter(answer)
    monkeypatch.setattr("sys.stdin", _Lines(given))
    with pytest.raises(typer.Abort):
        run(place, SLOTS, OVER, replace(QUIET, yes=False))
    assert states(place, OVER)["old"] == DUE


class _Lines:
    """Standard input that says this and ends."""

    def __init__(self, given: Iterator[str]) -> None:
        self._given = given

    def readline(self, _: int = -1) -> str:
        return "".join(self._given)

    def isatty(self) -> bool:
        return False


def test_183_days_are_refused(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    short = {**SLOTS, "old": replace(OLD, retention_days=183)}
    assert states(place, OVER, short)["old"] == TOO_SHORT
    assert run(place, short, OVER, replace(QUIET, apply=False)) == 1
    with pytest.raises(UserError, match="less than 184"):
        run(place, short, OVER, QUIET)
    capsys.readouterr()
    assert states(place, OVER)["old"] == DUE


def test_a_hold_keeps_a_log(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    directory = place.logs / "old"
    holds.place(FailingDisk(), directory, holds.Hold("case 7", "court", OVER))
    assert states(place, OVER)["old"] == HELD
    assert told(capsys, place, OVER, QUIET)["removed"] == []
    (directory / "hold").write_bytes(b"?")
    assert states(place, OVER)["old"] == HELD
    holds.release(FailingDisk(), directory)
    assert holds.read(directory) is None
    assert told(capsys, place, OVER, QUIET)["removed"] == ["old"]


def test_a_hold_that_comes_late_still_counts(place: Place) -> None:
    shard = look(place, SLOTS)[1]
    holds.place(FailingDisk(), place.logs / "old", holds.Hold("case 7", "court", OVER))
    with pytest.raises(UserError, match="not due any more"):
        retire(place, shard, Removal(OVER, "wang"))
    assert not place.retired.exists()


def test_a_log_in_use_stays(place: Place) -> None:
    assert lock(place.logs / "old/lock") is not None
    with pytest.raises(UserError, match="in use"):
        retire(place, look(place, SLOTS)[1], Removal(OVER, "wang"))
    assert states(place, OVER)["old"] == DUE


def test_a_log_that_does_not_verify_stays(place: Place) -> None:
    head = place.logs / "old/checkpoint"
    head.write_bytes(head.read_bytes().replace(b"\n301\n", b"\n300\n"))
    assert states(place, OVER)["old"] == DAMAGED
    assert run(place, SLOTS, OVER, QUIET) == 1
    assert head.exists()


def test_a_death_at_any_file_call_is_ended_by_the_next_run(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until what stays is durable, the log is there whole; from then on it is never given out, and in the end gone."""
    shutil.copytree(made / "audit", tmp_path / "count/audit")
    counted = Place(tmp_path / "count/audit", tmp_path / "count/retired")
    calls = FailingDisk()
    retire(counted, look(counted, SLOTS)[1], Removal(OVER, "wang"), disk=calls)
    for at, call in enumerate(calls.calls):
        for mode in ("before", "after"):
            root = tmp_path / f"{mode}-{at}"
            shutil.copytree(made / "audit", root / "audit")
            place = Place(root / "audit", root / "retired")
            with pytest.raises(OSError, match="injected"):
                retire(place, look(place, SLOTS)[1], Removal(OVER, "wang"), disk=FailingDisk(at, mode, crash=True))
            whole = (place.logs / "old/checkpoint").exists()
            assert whole or retired.read(place.retired / "old.json") is not None, f"{call} {at}"
            told(capsys, place, OVER, QUIET)
            assert not (place.logs / "old").exists()
            assert list((place.logs / ASIDE).iterdir()) == []
            assert retired.read(place.retired / "old.json") is not None


def test_restrictions_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They stop nothing."""
    log = AuditLog.open(settings(tmp_path / "audit/old"), no_fatal)
    facts: dict[str, Json] = {"log": ORIGIN, "order": "ab" * 32, "positions": "0-2,5"}
    log.append_blocking(Notice(OPENINGS_RESTRICTED, FIRST, facts).encode(), NO_OPENING)
    log.close()
    former = Former(LogReader(tmp_path / "audit/old", SIGNER.public), settings(tmp_path / "audit/old"))
    open_after(next_settings(tmp_path / "audit/new"), former, no_fatal, clock=lambda: CLOSED / 1000).close()
    place = Place(tmp_path / "audit", tmp_path / "retired")
    shown = told(capsys, place, OVER, replace(QUIET, apply=False))
    assert {one["slot"]: one["restricted"] for one in shown["logs"]} == {"old": 4, "new": None}
    assert run(place, SLOTS, OVER, replace(QUIET, as_json=False)) == 0
    said = capsys.readouterr().out
    assert "The openings of 4 entries are restricted" in said
    assert "old is removed" in said


def test_what_is_aside_is_no_log(place: Place) -> None:
    (place.logs / ASIDE).mkdir()
    (place.logs / "old").rename(place.logs / ASIDE / "old")
    assert states(place, OVER) == {"new": OPEN}
    assert resume(place) == ["old"]
