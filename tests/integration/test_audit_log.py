"""The audit log on a real file system: what an appender may rely on, and what opening refuses."""

import asyncio
import contextlib
import shlex
import shutil
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit import checkpoints, notes
from audit.checkpoints import Checkpoint
from audit.log import AuditLog, Limits, LogSettings
from audit.merkle import leaf_hash, verify_consistency, verify_inclusion
from audit.openings import parse_key, unseal, unwrap
from audit.reader import LogReader
from audit.receipts import Level, Receipt, parse_proof, verify_proof
from audit.verify import verify
from contracts.algorithms import SigningKey
from contracts.errors import Corrupt, Fault, UserError
from tests.integration.audit_support import (
    AUDITOR,
    ORIGIN,
    SIGNER,
    FailingDisk,
    append_all,
    entry,
    fill,
    no_fatal,
    open_log,
    opening,
    settings,
)
from tests.unit.audit import naive
from tests.waiting import until

NEVER = Limits(publish_seconds=3600.0)


def segments(directory: Path) -> list[Path]:
    return sorted((directory / "frames").iterdir())


def crash(directory: Path, copy: Path, *groups: int) -> None:
    """Durable, unpublished entries in `copy`: a copy of a running log whose checkpoint is behind."""
    log = open_log(directory, limits=NEVER)
    for count in groups:
        first = log.size
        assert asyncio.run(append_all(log, first, count)) == list(range(first, first + count))
        until(lambda: log.published.size > 0)  # the first publication is not delayed; the next would be
    shutil.copytree(directory, copy)
    log.close()


# --- what an appender may rely on ------------------------------------------------------------------------------


def test_entries_get_their_indices_in_order_and_are_published(tmp_path: Path) -> None:
    fill(tmp_path, 1, 300, 500)
    reader = LogReader(tmp_path, SIGNER.public)
    head = reader.checkpoint()
    assert head == Checkpoint(ORIGIN, 801, naive.mth([entry(index) for index in range(801)]))
    assert [reader.entry(index, 801) for index in (0, 255, 256, 800)] == [entry(i) for i in (0, 255, 256, 800)]


def test_proofs_from_tiles_verify(tmp_path: Path) -> None:
    fill(tmp_path, 1, 300, 500)
    reader = LogReader(tmp_path, SIGNER.public)
    root = reader.checkpoint().root
    for index in (0, 1, 255, 256, 700, 800):
        assert verify_inclusion(index, 801, leaf_hash(entry(index)), reader.inclusion_proof(index, 801), root)
    for old in (1, 255, 256, 301, 801):
        old_root = naive.mth([entry(index) for index in range(old)])
        assert verify_consistency(old, 801, reader.consistency_proof(old, 801), old_root, root)


def test_a_receipts_proof_verifies_once_it_is_published(tmp_path: Path) -> None:
    fill(tmp_path, 1, 300)
    reader = LogReader(tmp_path, SIGNER.public)
    proof = reader.proof(299)
    assert proof is not None
    receipt = Receipt(ORIGIN, 299, leaf_hash(entry(299)), b"s" * 16)
    assert verify_proof(parse_proof(proof.encode()), receipt, SIGNER.public) is Level.PUBLISHED
    assert reader.proof(301) is None
    with pytest.raises(Fault, match="entry_unknown"):
        reader.proof(-1)


@pytest.mark.parametrize("index", [-1, 3, 10**9])
def test_an_entry_that_is_not_there(tmp_path: Path, index: int) -> None:
    fill(tmp_path, 3)
    reader = LogReader(tmp_path, SIGNER.public)
    for ask in (reader.entry, reader.inclusion_proof):
        with pytest.raises(Fault, match="entry_unknown"):
            ask(index, 3)
    with pytest.raises(Fault, match="entry_unknown"):
        reader.consistency_proof(4, 3)


def test_a_durable_entry_can_be_read_before_it_is_published(tmp_path: Path) -> None:
    log = open_log(tmp_path, limits=NEVER)
    log.append_blocking(entry(0), b"")  # may be published at once: the first publication is not delayed
    asyncio.run(append_all(log, 1, 400))
    assert log.published.size < 401
    assert [log.entry(index) for index in (0, 1, 400)] == [entry(0), entry(1), entry(400)]
    with pytest.raises(Fault, match="entry_unknown"):
        log.entry(401)
    log.close()


def test_threads_and_loops_append_together(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        blocking = list(pool.map(lambda index: log.append_blocking(entry(index), b""), range(40)))
    indices = asyncio.run(append_all(log, 40, 40))
    assert sorted(blocking) + indices == list(range(80))
    log.close()


def test_a_cancelled_waiter_disturbs_nobody(tmp_path: Path) -> None:
    log = open_log(tmp_path)

    async def run() -> int:
        gone = log.append(entry(0), b"")
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone
        return await log.append(entry(1), b"")

    assert asyncio.run(run()) == 1
    log.close()


def test_after_close_nothing_is_taken(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.close()
    assert not log.alive
    with pytest.raises(Fault, match="audit_unavailable"):
        log.append_blocking(b"x", b"")


def test_what_cannot_be_framed_is_refused_alone(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    with pytest.raises(Fault, match="record_too_large"):
        log.append_blocking(b"x" * 65_536, b"")
    with pytest.raises(Fault, match="record_too_large"):
        log.append_blocking(b"x", b"x" * 65_500)
    assert log.append_blocking(b"x" * 65_535, b"x" * 65_000) == 0
    log.close()
    assert verify(tmp_path, SIGNER.public, openings=True).difference is None


def test_the_auditor_opens_every_opening_across_days_and_restarts(tmp_path: Path) -> None:
    now = [1_763_787_600.0]
    for day in range(2):
        log = AuditLog.open(settings(tmp_path), no_fatal, clock=lambda: now[0])
        for _ in range(2):
            now[0] += 40_000
            log.append_blocking(entry(log.size), opening(log.size))
        log.close()
        assert log.size == 2 * (day + 1)
    stored = [parse_key(path.read_bytes()) for path in (tmp_path / "openings" / "keys").iterdir()]
    assert sorted(key.day for key in stored) == ["2025-11-22", "2025-11-23", "2025-11-23", "2025-11-24"]
    keys = {key.key_id: unwrap(key, AUDITOR) for key in stored}
    rows = LogReader(tmp_path, SIGNER.public).rows(0, 4)
    assert [unseal(keys[row[:8]], index, row) for index, row in enumerate(rows)] == [opening(i) for i in range(4)]


def test_nothing_of_an_opening_is_readable_on_disk(tmp_path: Path) -> None:
    log = open_log(tmp_path, limits=NEVER)
    for _ in range(3):
        log.append_blocking(b"leaf", b"holder 110101199003070038")
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    log.close()
    everything += b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"leaf" in everything
    assert b"110101199003070038" not in everything


# --- publishing ------------------------------------------------------------------------------------------------


def test_the_checkpoint_is_not_signed_again_when_nothing_changed(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    before = (tmp_path / "checkpoint").stat().st_mtime_ns
    open_log(tmp_path).close()
    assert (tmp_path / "checkpoint").stat().st_mtime_ns == before


def test_partial_tiles_stay_until_the_full_one_is_there(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    fill(tmp_path, 4)
    for kind in ("tile/0", "tile/entries"):
        assert sorted(path.name for path in (tmp_path / kind / "000.p").iterdir()) == ["3", "7"]
    assert [path.name for path in (tmp_path / "openings" / "000.p").iterdir()] == ["7"]
    fill(tmp_path, 300)
    for kind in ("tile/0", "tile/entries", "openings"):
        assert not (tmp_path / kind / "000.p").exists()
        assert (tmp_path / kind / "000").exists()
    reader = LogReader(tmp_path, SIGNER.public)  # an older head is still served, from the full tile
    assert reader.entries(0, 3) == [entry(index) for index in range(3)]
    assert reader.nodes(3)(1, 0) == naive.mth([entry(0), entry(1)])


def test_published_frames_are_gone_after_close(tmp_path: Path) -> None:
    fill(tmp_path, 300)
    assert [(path.name, path.stat().st_size) for path in segments(tmp_path)] == [(f"{300:020d}", 0)]


def test_an_idle_log_removes_its_published_frames(tmp_path: Path) -> None:
    removed = threading.Event()

    class Watching(FailingDisk):
        def remove(self, path: Path) -> None:
            super().remove(path)
            if path.name == f"{0:020d}":
                removed.set()

    limits = Limits(publish_seconds=0.0, segment_seconds=0.05)
    log = AuditLog.open(settings(tmp_path, limits=limits), no_fatal, Watching())
    log.append_blocking(entry(0), b"")
    assert removed.wait(20)
    log.close()


def test_the_log_waits_rather_than_fill_the_memory(tmp_path: Path) -> None:
    log = open_log(tmp_path, limits=Limits(publish_seconds=0.0, unpublished=10, batch=4))
    assert asyncio.run(append_all(log, 0, 200)) == list(range(200))
    log.close()
    assert verify(tmp_path, SIGNER.public).size == 200


# --- after a failure -------------------------------------------------------------------------------------------


def test_after_a_failed_sync_everybody_is_refused_and_the_process_is_told_once(tmp_path: Path) -> None:
    fatal: list[BaseException] = []
    told = threading.Event()

    class NoSync(FailingDisk):
        def datasync(self, descriptor: int) -> None:
            raise OSError(5, f"no sync of {descriptor}")

    def on_fatal(error: BaseException) -> None:
        fatal.append(error)
        told.set()

    log = AuditLog.open(settings(tmp_path), on_fatal, NoSync())
    results = asyncio.run(append_all(log, 0, 50))
    assert {str(result) for result in results} == {str(Fault("audit_unavailable"))}
    with pytest.raises(Fault, match="audit_unavailable"):
        log.append_blocking(b"later", b"")
    assert told.wait(20)
    log.close()
    assert [type(error) for error in fatal] == [OSError]
    assert log.published.size == 0


# --- opening ---------------------------------------------------------------------------------------------------


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    with pytest.raises(UserError, match="Another process"):
        open_log(tmp_path)
    log.close()
    open_log(tmp_path).close()


def test_durable_entries_are_published_by_recovery(tmp_path: Path) -> None:
    crash(tmp_path / "a", tmp_path / "b", 1, 5, 300)
    log = open_log(tmp_path / "b")
    assert (log.size, log.published.size) == (306, 306)
    log.close()
    assert verify(tmp_path / "b", SIGNER.public, openings=True).entries == 306


def test_a_torn_frame_is_left_off(tmp_path: Path) -> None:
    crash(tmp_path / "a", tmp_path / "b", 1, 3)
    whole = segments(tmp_path / "b")[-1].read_bytes()
    crash(tmp_path / "c", tmp_path / "d", 1)
    published = len(segments(tmp_path / "d")[-1].read_bytes())
    ends = {*range(published, published + 60), *range(published + 60, len(whole), 11), len(whole) - 1}
    for cut in sorted(ends):
        directory = tmp_path / f"cut{cut}"
        shutil.copytree(tmp_path / "b", directory)
        segments(directory)[-1].write_bytes(whole[:cut])
        log = open_log(directory, disk=FailingDisk())
        assert log.size == 1
        log.close()
        assert verify(directory, SIGNER.public, openings=True).difference is None


def test_frames_below_the_checkpoint_must_be_sound(tmp_path: Path) -> None:
    log = open_log(tmp_path / "a")
    asyncio.run(append_all(log, 0, 5))
    log.append_blocking(entry(5), b"")
    whole = segments(tmp_path / "a")[-1].read_bytes()
    log.close()
    note = (tmp_path / "a" / "checkpoint").read_bytes()
    for number, damaged in enumerate((whole[:-1], whole[:40], b"", bytes([whole[0] ^ 1]) + whole[1:])):
        directory = tmp_path / f"{number}"
        shutil.copytree(tmp_path / "a", directory)
        for path in segments(directory):
            path.unlink()
        (directory / "checkpoint").write_bytes(note)
        (directory / "frames" / f"{0:020d}").write_bytes(damaged)
        with pytest.raises(Corrupt):
            open_log(directory)


def _remove_frames(directory: Path) -> None:
    for path in segments(directory):
        path.unlink()


def _flip_in_bundle(directory: Path) -> None:
    _flip(directory / "tile" / "0" / "000.p" / "6")


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


DAMAGE = {
    "checkpoint gone": lambda directory: (directory / "checkpoint").unlink(),
    "checkpoint altered": lambda directory: _flip(directory / "checkpoint"),
    "frames gone": _remove_frames,
    "frames elsewhere": lambda directory: segments(directory)[0].rename(directory / "frames" / f"{9:020d}"),
    "tile altered": _flip_in_bundle,
    "tile gone": lambda directory: (directory / "tile" / "0" / "000.p" / "6").unlink(),
    "bundle gone": lambda directory: (directory / "tile" / "entries" / "000.p" / "6").unlink(),
    "openings gone": lambda directory: (directory / "openings" / "000.p" / "6").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_log_does_not_start(tmp_path: Path, damage: "Callable[[Path], object]") -> None:
    fill(tmp_path, 6)
    damage(tmp_path)
    with pytest.raises(Corrupt):
        open_log(tmp_path)


def test_another_key_does_not_continue_a_log(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    other = LogSettings(tmp_path, ORIGIN, SigningKey.generate("EdDSA"), AUDITOR.public_key())
    with pytest.raises(Corrupt, match="note_signature_invalid"):
        AuditLog.open(other, no_fatal)


@pytest.mark.parametrize(
    ("origin", "alg", "what"), [("", "EdDSA", "origin"), ("a b", "EdDSA", "origin"), (ORIGIN, "ES256", "Ed25519")]
)
def test_settings_that_cannot_be(tmp_path: Path, origin: str, alg: str, what: str) -> None:
    auditor = X25519PrivateKey.generate().public_key()
    with pytest.raises(UserError, match=what):
        AuditLog.open(LogSettings(tmp_path, origin, SigningKey.generate(alg), auditor), no_fatal)


# --- the head on other storage ---------------------------------------------------------------------------------


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    (tmp_path / "heads").mkdir()
    return tmp_path / "heads"


def _append(directory: Path, heads: Path, count: int) -> None:
    log = open_log(directory, heads)
    asyncio.run(append_all(log, log.size, count))
    log.close()


def test_an_old_copy_is_refused(tmp_path: Path, heads: Path) -> None:
    _append(tmp_path / "log", heads, 5)
    shutil.copytree(tmp_path / "log", tmp_path / "old")
    _append(tmp_path / "log", heads, 300)
    with pytest.raises(Corrupt, match="old copy"):
        open_log(tmp_path / "old", heads)
    open_log(tmp_path / "log", heads).close()


def test_a_rewritten_log_is_refused(tmp_path: Path, heads: Path) -> None:
    _append(tmp_path / "log", heads, 5)
    other = open_log(tmp_path / "other")
    for index in range(7):
        other.append_blocking(entry(index + 1), b"")
    other.close()
    with pytest.raises(Corrupt, match="not the one"):
        open_log(tmp_path / "other", heads)


def test_an_empty_directory_in_place_of_a_log_is_refused(tmp_path: Path, heads: Path) -> None:
    _append(tmp_path / "log", heads, 5)
    with pytest.raises(Corrupt, match="empty"):
        open_log(tmp_path / "fresh", heads)


def test_storage_that_is_not_mounted_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="mounted"):
        open_log(tmp_path / "log", tmp_path / "nowhere")


def test_a_mount_point_without_its_mount_is_refused(tmp_path: Path, heads: Path) -> None:
    """An older copy would start from there. Who uses other storage for the first time copies the head that there is."""
    _append(tmp_path / "log", heads, 3)
    shutil.copytree(tmp_path / "log", tmp_path / "old")
    _append(tmp_path / "log", heads, 5)
    (tmp_path / "mount point").mkdir()
    for directory in ("old", "log"):
        with pytest.raises(UserError, match="has no head of this log") as refused:
            open_log(tmp_path / directory, tmp_path / "mount point")
    assert list((tmp_path / "mount point").glob("*.checkpoint")) == []
    assert refused.value.remedy is not None
    subprocess.run(shlex.split(refused.value.remedy.en.partition("first time: ")[2]), check=True)
    open_log(tmp_path / "log", tmp_path / "mount point").close()
    with pytest.raises(Corrupt, match="old copy"):
        open_log(tmp_path / "old", tmp_path / "mount point")


def test_the_outside_head_is_never_behind_the_log(tmp_path: Path, heads: Path) -> None:
    _append(tmp_path / "log", heads, 5)
    (outside,) = heads.glob("*.checkpoint")
    assert outside.read_bytes() == (tmp_path / "log" / "checkpoint").read_bytes()
    note = notes.parse(outside.read_bytes())
    assert checkpoints.parse_text(note.text).size == 5


def test_the_lock_is_free_after_a_refused_start(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    note = (tmp_path / "checkpoint").read_bytes()
    _flip(tmp_path / "checkpoint")
    with pytest.raises(Corrupt):
        open_log(tmp_path)
    (tmp_path / "checkpoint").write_bytes(note)
    before = len(list(Path("/proc/self/fd").iterdir()))
    open_log(tmp_path).close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
