"""A log is closed and another one goes on from it: whole after a death at any file call, and never written again."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from audit import succession
from audit.disk import Disk
from audit.log import AuditLog, LogSettings
from audit.notes import NoteSigner
from audit.reader import LogReader
from audit.shards import Former, close, ending, open_after, proven
from audit.verify import verify
from contracts.algorithms import SigningKey
from contracts.errors import Corrupt, Unavailable, UserError
from tests.integration.audit_support import SIGNER, FailingDisk, ForgetfulDisk, fill, no_fatal, settings

NEXT_KEY = SigningKey.generate("EdDSA")
NEXT_ORIGIN = "gov.example/oncegate/slot-1-2027"
NEXT = NoteSigner.of(NEXT_ORIGIN, NEXT_KEY.key).public
NOW = 1_800_000_000.0


def next_settings(directory: Path) -> LogSettings:
    return replace(settings(directory), origin=NEXT_ORIGIN, signing_key=NEXT_KEY)


def former(directory: Path, disk_key: bool = True) -> Former:
    return Former(LogReader(directory, SIGNER.public), settings(directory) if disk_key else None)


def go_on(root: Path, disk: Disk | None = None, with_key: bool = True) -> AuditLog:
    return open_after(next_settings(root / "new"), former(root / "old", with_key), no_fatal, disk, lambda: NOW)


def whole(directory: Path, key: object, size: int) -> bool:
    found = verify(directory, NEXT if key is NEXT else SIGNER.public, openings=True)
    return found.difference is None and found.size == size


def succeeded(root: Path, entries: int) -> None:
    """Both logs are whole, the one closed, the other begun, each by one entry."""
    ended = ending(LogReader(root / "old", SIGNER.public))
    assert ended is not None
    assert (ended.head.size, ended.successor, ended.time) == (entries + 1, NEXT_ORIGIN, int(NOW * 1000))
    assert whole(root / "old", SIGNER.public, entries + 1)
    assert whole(root / "new", NEXT, 1)
    assert succession.beginning_of(proven(LogReader(root / "new", NEXT), 0)) == succession.after(ended.head)


@pytest.mark.parametrize("entries", [0, 3, 255, 256])
def test_a_log_goes_on_from_another(tmp_path: Path, entries: int) -> None:
    fill(tmp_path / "old", entries) if entries else AuditLog.open(settings(tmp_path / "old"), no_fatal).close()
    log = go_on(tmp_path)
    assert log.size == 1
    log.close()
    succeeded(tmp_path, entries)
    log = go_on(tmp_path, with_key=False)  # the old key has gone
    assert log.append_blocking(b"{}", b"{}") == 1
    log.close()


def test_a_closed_log_is_not_opened_for_writing(tmp_path: Path) -> None:
    fill(tmp_path / "old", 5)
    go_on(tmp_path).close()
    for _ in range(2):
        with pytest.raises(UserError, match="closed"):
            AuditLog.open(settings(tmp_path / "old"), no_fatal)
    succeeded(tmp_path, 5)
    with pytest.raises(UserError, match="in favour of"):
        close(settings(tmp_path / "old"), "somebody/else")
    assert close(settings(tmp_path / "old"), NEXT_ORIGIN).head.size == 6


def _died(root: Path, disk: FailingDisk) -> bool:
    try:
        go_on(root, disk).close()
    except (OSError, Unavailable):
        return True
    return False


def test_a_death_at_any_file_call_is_made_good(tmp_path: Path) -> None:
    """Not done, or half of a write, or done and reported as failed; and that was the last of the process."""
    fill(tmp_path / "made", 3)
    shutil.copytree(tmp_path / "made", tmp_path / "count/old")
    calls = FailingDisk()
    go_on(tmp_path / "count", calls).close()
    for at, call in enumerate(calls.calls):
        for mode in ("before", "short") if call == "write" else ("before", "after"):
            root = tmp_path / f"{mode}-{at}"
            shutil.copytree(tmp_path / "made", root / "old")
            assert _died(root, FailingDisk(at, mode, crash=True)), f"{call} {at}"
            go_on(root, FailingDisk()).close()
            succeeded(root, 3)


def test_a_loss_of_power_at_any_file_call_is_made_good(tmp_path: Path) -> None:
    fill(tmp_path / "made", 3)
    shutil.copytree(tmp_path / "made", tmp_path / "count/old")
    calls = FailingDisk()
    go_on(tmp_path / "count", calls).close()
    for at in range(len(calls.calls)):
        root = tmp_path / str(at)
        shutil.copytree(tmp_path / "made", root / "old")
        disk = ForgetfulDisk(at)
        assert _died(root, disk)
        disk.lose_power()
        go_on(root, FailingDisk()).close()
        succeeded(root, 3)


def test_what_became_durable_before_a_death_is_published_by_the_one_who_closes(tmp_path: Path) -> None:
    """Entries of the old log that no checkpoint covers yet are not lost by the change."""
    fill(tmp_path / "old", 3)
    stopped = (tmp_path / "old/checkpoint").read_bytes()
    partial = {path: path.read_bytes() for path in (tmp_path / "old").rglob("*.p/*")}
    log = AuditLog.open(settings(tmp_path / "old"), no_fatal)
    assert log.append_blocking(b'{"entry":3}', b"{}") == 3
    frames = {path: path.read_bytes() for path in (tmp_path / "old/frames").iterdir()}
    log.close()
    for path in (tmp_path / "old/frames").iterdir():
        path.unlink()
    for path, data in {**partial, **frames, tmp_path / "old/checkpoint": stopped}.items():
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(data)
    go_on(tmp_path).close()
    succeeded(tmp_path, 4)


def test_without_the_former_log_nothing_begins(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not here"):
        go_on(tmp_path)
    fill(tmp_path / "old", 2)
    with pytest.raises(UserError, match="not closed"):
        go_on(tmp_path, with_key=False)
    writing = AuditLog.open(settings(tmp_path / "old"), no_fatal)
    with pytest.raises(UserError, match="Another process"):
        go_on(tmp_path)
    writing.close()
    assert not (tmp_path / "new/checkpoint").exists()


@pytest.mark.parametrize("left", [b"", b"x\n", b"x\n1\n"])
def test_a_damaged_checkpoint_is_said_as_such(tmp_path: Path, left: bytes) -> None:
    fill(tmp_path / "old", 3)
    go_on(tmp_path).close()
    (tmp_path / "new/checkpoint").write_bytes(left)
    with pytest.raises(Corrupt, match="checkpoint: it does not verify"):
        go_on(tmp_path)


def test_a_log_that_began_by_itself_goes_on_from_none(tmp_path: Path) -> None:
    fill(tmp_path / "old", 2)
    log = AuditLog.open(next_settings(tmp_path / "new"), no_fatal)
    log.append_blocking(b"{}", b"{}")
    log.close()
    with pytest.raises(UserError, match="does not go on from"):
        go_on(tmp_path)
    assert ending(LogReader(tmp_path / "old", SIGNER.public)) is None


def test_an_ending_is_proved(tmp_path: Path) -> None:
    """Somebody changes the last entry on the disk: neither closed nor open."""
    fill(tmp_path / "old", 2)
    bundle = tmp_path / "old/tile/entries/000.p/2"
    said = succession.closing(NEXT_ORIGIN, 5)
    bundle.write_bytes(bundle.read_bytes()[:13] + len(said).to_bytes(2, "big") + said)
    with pytest.raises(Corrupt, match="signed head"):
        ending(LogReader(tmp_path / "old", SIGNER.public))
