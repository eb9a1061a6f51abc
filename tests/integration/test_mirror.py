"""The mirror over real HTTP: whole copies, resumption after any death, and what it refuses and says."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from audit.checkpoints import Checkpoint, open_note, sign
from audit.disk import Disk
from audit.merkle import root_of
from audit.mirror import report, status
from audit.mirror.copy import ALTERED, FORKED, INCONSISTENT, ROLLED_BACK, Copy
from audit.mirror.judge import WELL, Log
from audit.mirror.source import Strange
from audit.record import record
from audit.show import Viewer
from audit.threads import guarded
from audit.verify import verify
from contracts.errors import Corrupt, UserError
from tests.integration.audit_support import AUDITOR, SIGNER, FailingDisk, ForgetfulDisk, fill, open_log
from tests.integration.mirror_world import LOG, NOW, SLOT, Gateway, Watched, gateway, registered
from tests.integration.witness_world import FakeLog
from tests.unit.audit.test_record import FACTS, SALT
from tests.waiting import until


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Gateway]:
    """A log of 300 entries, its openings sealed under one day key."""
    fill(tmp_path / "log", 300)
    with gateway(tmp_path / "log") as made:
        yield made


def whole(directory: Path, size: int) -> bool:
    found = verify(directory, SIGNER.public, openings=True)
    return found.difference is None and found.size == size


def names(directory: Path) -> set[str]:
    """The files of a log, without what only its writer or its mirror has."""
    own = {"lock", "progress", "frames", "checkpoint.cosigned"}
    files = (path.relative_to(directory) for path in directory.rglob("*") if path.is_file())
    return {path.as_posix() for path in files if path.parts[0] not in own}


def test_the_copy_is_the_log(served: Gateway, tmp_path: Path) -> None:
    watched = Watched(tmp_path, [served.url])
    assert watched.look() == []
    assert whole(watched.copy, 300)
    assert names(watched.copy) == names(served.directory)
    for name in names(served.directory):
        assert (watched.copy / name).read_bytes() == (served.directory / name).read_bytes()


def test_the_auditor_reads_openings_from_the_copy(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    log.append_blocking(*record(FACTS, [b"x"], SALT))
    log.close()
    with gateway(tmp_path / "log") as served:
        watched = Watched(tmp_path, [served.url])
        assert watched.look() == []
    opening = Viewer(watched.copy, SIGNER.public, AUDITOR).line(0).opening
    assert opening is not None
    assert opening["clerk"] == FACTS.clerk


def test_it_follows_a_log_that_grows(served: Gateway, tmp_path: Path) -> None:
    watched = Watched(tmp_path, [served.url])
    size = 300
    for more in (1, 211, 1, 700):
        watched.look()
        fill(served.directory, more)
        size += more
    assert watched.look() == []
    assert whole(watched.copy, size)
    assert not (watched.copy / "openings/000.p").exists()


def test_it_follows_from_the_empty_log_on(tmp_path: Path) -> None:
    open_log(tmp_path / "log").close()
    with gateway(tmp_path / "log") as served:
        watched = Watched(tmp_path, [served.url])
        assert watched.look() == []
        fill(tmp_path / "log", 2)
        assert watched.look() == []
        assert whole(watched.copy, 2)


# --- deaths ----------------------------------------------------------------------------------------------------------


def _sizes(served: Gateway, directory: Path, disk: Disk) -> int:
    """Follow with chunks of one bundle; how many entries were kept at the end."""
    copy = Copy(directory, SIGNER.public, disk, chunk=1)
    copy.follow(served.source().note(), served.source())
    return copy.size


def test_it_goes_on_after_a_death_at_any_file_call(served: Gateway, tmp_path: Path) -> None:
    """Every file call fails once, as the last of the process: not done, or half of a write, or a rename done."""
    calls = FailingDisk()
    assert _sizes(served, tmp_path / "count", calls) == 300
    for at, call in enumerate(calls.calls):
        for mode in ("before", "short") if call == "write" else ("after",) if call == "rename" else ("before",):
            directory = tmp_path / f"{mode}-{at}"
            with pytest.raises(OSError, match="injected"):
                _sizes(served, directory, FailingDisk(at, mode, crash=True))
            assert _sizes(served, directory, FailingDisk()) == 300
            assert whole(directory, 300)


def test_it_goes_on_after_a_loss_of_power(served: Gateway, tmp_path: Path) -> None:
    calls = FailingDisk()
    (tmp_path / "count").mkdir()
    _sizes(served, tmp_path / "count", calls)
    for at in range(len(calls.calls)):
        directory = tmp_path / str(at)
        directory.mkdir()
        disk = ForgetfulDisk(at)
        with pytest.raises(OSError, match="injected"):
            _sizes(served, directory, disk)
        disk.lose_power()
        assert _sizes(served, directory, FailingDisk()) == 300
        assert whole(directory, 300)


def test_what_is_verified_is_not_fetched_again(tmp_path: Path) -> None:
    fill(tmp_path / "log", 800)
    with gateway(tmp_path / "log") as served:
        calls = FailingDisk()
        _sizes(served, tmp_path / "count", calls)
        with pytest.raises(OSError, match="injected"):
            _sizes(served, tmp_path / "copy", FailingDisk(len(calls.calls) - 30, crash=True))
        for path in (served.directory / "tile/entries").iterdir():
            if path.name in ("000", "001"):
                path.unlink()  # the gateway could not give these a second time
        assert Copy(tmp_path / "copy", SIGNER.public).size >= 512
        assert _sizes(served, tmp_path / "copy", Disk()) == 800


# --- what is refused -------------------------------------------------------------------------------------------------


def other_history(tmp_path: Path, count: int) -> Path:
    """A log under the same key with other entries."""
    log = open_log(tmp_path / "other")
    for number in range(count):
        log.append_blocking(b"other %d" % number, b"{}")
    log.close()
    return tmp_path / "other"


def evidence(watched: Watched) -> list[tuple[int, int]]:
    """Sizes of the two signed heads of each piece, verified."""
    found = []
    for path in sorted((watched.root / "mirror/evidence" / SLOT).glob("*.checkpoint")):
        notes = path.read_bytes(), path.with_suffix(".held").read_bytes()
        found.append(tuple(open_note(note, SIGNER.public)[0].size for note in notes))
    return [(one, two) for one, two in found]


@pytest.mark.parametrize(
    ("count", "code"), [(300, FORKED), (200, ROLLED_BACK), (301, INCONSISTENT), (600, INCONSISTENT)]
)
def test_another_history_is_refused_and_kept(served: Gateway, tmp_path: Path, count: int, code: str) -> None:
    watched = Watched(tmp_path, [served.url])
    assert watched.look() == []
    before = (watched.copy / "checkpoint").read_bytes()
    honest, served.directory = served.directory, other_history(tmp_path, count)
    assert (code, SLOT) in watched.look()
    assert (code, SLOT) in watched.look(), "for as long as it is so"
    assert (watched.copy / "checkpoint").read_bytes() == before
    assert whole(watched.copy, 300)
    assert evidence(watched) == [(count, 300)]
    watched.fresh()
    assert (code, SLOT) in watched.look(), "also after a restart"
    served.directory = honest
    assert watched.look() == []


def test_a_fork_stands_though_its_gateway_does_not_list_the_log_any_more(served: Gateway, tmp_path: Path) -> None:
    watched = Watched(tmp_path, [served.url])
    assert watched.look() == []
    honest, served.directory = served.directory, other_history(tmp_path, 300)
    assert watched.look() == [(FORKED, SLOT)]
    served.slot = "slot-9"
    assert watched.look() == [(FORKED, SLOT), ("log_unlisted", served.url)]
    served.slot, served.directory = SLOT, honest
    assert watched.look() == []


def test_entries_that_are_not_those_of_the_head(served: Gateway, tmp_path: Path) -> None:
    watched = Watched(tmp_path, [served.url])
    assert watched.look() == []
    fill(served.directory, 300)
    bundle = served.directory / "tile/entries/001"
    data = bundle.read_bytes()
    bundle.write_bytes(data[:-2] + b"!}")
    assert (ALTERED, SLOT) in watched.look()
    assert whole(watched.copy, 300)
    bundle.write_bytes(data)
    assert watched.look() == []
    assert whole(watched.copy, 600)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tile/entries/001.p/44", b""),
        ("tile/entries/001.p/44", b"\xff\xff"),
        ("openings/001.p/44", None),
        ("openings/keys/*", b"{}"),
        ("openings/keys/*", None),
    ],
)
def test_answers_that_no_honest_gateway_gives(tmp_path: Path, name: str, content: bytes | None) -> None:
    fill(tmp_path / "log", 300)
    [path] = (tmp_path / "log").glob(name)
    kept = path.read_bytes()
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with gateway(tmp_path / "log") as served:
        copy = Copy(tmp_path / "copy", SIGNER.public)
        with pytest.raises(Strange):
            copy.follow(served.source().note(), served.source())
        path.write_bytes(kept)
        assert copy.follow(served.source().note(), served.source()) is None
    assert whole(tmp_path / "copy", 300)


def test_a_key_of_another_log_is_not_taken(served: Gateway, tmp_path: Path) -> None:
    [path] = (served.directory / "openings/keys").iterdir()
    path.write_bytes(path.read_bytes().replace(b"oncegate/slot-1", b"oncegate/slot-2"))
    with pytest.raises(Strange, match="of another log or key"):
        Copy(tmp_path / "copy", SIGNER.public).follow(served.source().note(), served.source())


def test_a_head_of_another_key(served: Gateway, tmp_path: Path) -> None:
    (served.directory / "checkpoint").write_bytes(FakeLog(LOG.origin).note(300))
    found = Watched(tmp_path, [served.url]).look()
    assert ("checkpoint_invalid", SLOT) in found
    assert ("log_silent", SLOT) in found, "a head that does not verify is no answer"


def test_an_empty_log_with_a_root(tmp_path: Path) -> None:
    open_log(tmp_path / "log").close()
    (tmp_path / "log/checkpoint").write_bytes(sign(Checkpoint(LOG.origin, 0, root_of([b"x" * 32])), SIGNER))
    with gateway(tmp_path / "log") as served:
        assert (FORKED, SLOT) in Watched(tmp_path, [served.url]).look()


def test_a_copy_that_was_changed_ends_the_mirror(served: Gateway, tmp_path: Path) -> None:
    watched = Watched(tmp_path, [served.url])
    watched.look()
    tile = watched.copy / "tile/0/001.p/44"
    tile.write_bytes(b"\0" + tile.read_bytes()[1:])
    with pytest.raises(Corrupt, match="do not have the root"):
        watched.fresh().once(lambda _: None)


# --- who is let in, who is there -------------------------------------------------------------------------------------


def test_not_admitted(served: Gateway, tmp_path: Path) -> None:
    served.admits = False
    assert ("not_admitted", SLOT) in Watched(tmp_path, [served.url]).look()


def test_a_listed_log_that_nobody_serves(tmp_path: Path, served: Gateway) -> None:
    silent = Log("slot-9", "gov.example/oncegate/slot-9", FakeLog("gov.example/oncegate/slot-9").signer.public.vkey)
    registered(tmp_path / "registry", [LOG, silent])
    assert Watched(tmp_path, [served.url]).look() == [("log_silent", "slot-9")]


def test_a_log_that_is_not_listed(tmp_path: Path, served: Gateway) -> None:
    other = Log("slot-9", "gov.example/oncegate/slot-9", FakeLog("gov.example/oncegate/slot-9").signer.public.vkey)
    registered(tmp_path / "registry", [other])
    assert set(Watched(tmp_path, [served.url]).look()) == {("log_unlisted", served.url), ("log_silent", "slot-9")}


def test_a_registry_that_went_back_or_ran_out(tmp_path: Path, served: Gateway) -> None:
    registered(tmp_path / "registry", version=5)
    watched = Watched(tmp_path, [served.url])
    assert watched.look() == []
    registered(tmp_path / "registry", version=4)
    assert watched.look() == [("registry_unusable", "registry")]
    registered(tmp_path / "registry", version=5)
    assert watched.look() == []
    watched.time.now = NOW + 50_000
    assert watched.look() == [("registry_old", "registry")]
    watched.time.now = NOW + 90_000
    watched.fresh()
    assert watched.look() == [("registry_old", "registry")], "what was taken while valid still names the logs"
    (tmp_path / "mirror/registry-seen.json").unlink()
    with pytest.raises(UserError, match="no registry"):
        watched.fresh().once(lambda _: None)


# --- running on ------------------------------------------------------------------------------------------------------


def test_it_runs_until_it_is_stopped(tmp_path: Path, served: Gateway) -> None:
    watched = Watched(tmp_path, [served.url])
    with running(watched) as failures:
        until((watched.copy / "checkpoint").exists)
        fill(served.directory, 5)
        until(lambda: status_of(watched)["size"] == 305)
        assert watched.mirror.followers[LOG].facts.trouble == WELL
    assert failures == []
    assert whole(watched.copy, 305)


def test_a_log_that_is_not_listed_any_more_is_left_alone_and_taken_up_again(tmp_path: Path, served: Gateway) -> None:
    watched = Watched(tmp_path, [served.url])
    other = Log("slot-9", "gov.example/oncegate/slot-9", FakeLog("gov.example/oncegate/slot-9").signer.public.vkey)
    with running(watched) as failures:
        until(lambda: LOG in watched.mirror.followers)
        registered(tmp_path / "registry", [other], version=2)
        until(lambda: set(watched.mirror.followers) == {other})
        registered(tmp_path / "registry", [other, LOG], version=3)
        until(lambda: set(watched.mirror.followers) == {other, LOG})
    assert failures == []


def test_a_mirror_that_cannot_write_ends(tmp_path: Path, served: Gateway) -> None:
    watched = Watched(tmp_path, [served.url])
    with running(watched) as failures:
        until((watched.copy / "checkpoint").exists)
        watched.copy.rename(tmp_path / "away")
        watched.copy.touch()
        fill(served.directory, 5)
        until(lambda: bool(failures))
    assert [isinstance(error, OSError | Corrupt) for error in failures] == [True]


@contextmanager
def running(watched: Watched) -> Iterator[list[BaseException]]:
    """Its threads, for the length of a `with`; what it ended with."""
    failures: list[BaseException] = []
    thread = guarded("mirror", watched.mirror.run, failures.append)
    thread.start()
    try:
        yield failures
    finally:
        watched.mirror.stop.set()
        thread.join(30)


def status_of(watched: Watched) -> dict[str, Any]:
    [one] = json.loads((watched.root / "mirror/status.json").read_bytes())["logs"]
    found: dict[str, Any] = one
    return found


# --- what is told ----------------------------------------------------------------------------------------------------


def test_the_status_and_the_metrics(
    tmp_path: Path, served: Gateway, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "en")
    watched = Watched(tmp_path, [served.url])
    watched.look()
    document = status.read(tmp_path / "mirror")
    assert document["logs"] == [
        {
            "slot": SLOT,
            "origin": LOG.origin,
            "gateway": served.url,
            "size": 300,
            "published": 300,
            "confirmed": 0,
            "behind_s": 0.0,
            "answered_s": 0.0,
        }
    ]
    assert 'oncegate_mirror_size{slot="slot-1"} 300' in (tmp_path / "mirror.prom").read_text()
    assert report.show(tmp_path / "mirror", as_json=True) == 1, "NOW is far from now: too old, or not yet"
    assert json.loads(capsys.readouterr().out)["alarms"] == []
    served.admits = False
    fill(served.directory, 1)
    watched.look()
    assert report.show(tmp_path / "mirror", as_json=False) == 1
    assert "ALARM not_admitted (slot-1)" in capsys.readouterr().out
    assert 'oncegate_mirror_alarm{code="not_admitted",about="slot-1"} 1' in (tmp_path / "mirror.prom").read_text()


def test_no_status_yet(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no status"):
        status.read(tmp_path)
