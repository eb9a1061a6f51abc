"""Two writers of one audit log: the second is refused; where a lock is worth nothing, at most one of them goes on, and
nothing that either acknowledged is missing."""

import os
import random
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from audit.checkpoints import Checkpoint, sign
from audit.disk import Disk
from audit.log import AuditLog, Limits
from audit.reader import LogReader
from audit.verify import verify
from contracts.errors import Corrupt, Fault, UserError
from tests.integration.audit_support import ORIGIN, SIGNER, entry, fill, open_log, opening, settings
from tests.integration.test_audit_kill import ROOT
from tests.integration.test_cosigning import cosigned
from tests.integration.witness_world import witness
from tests.waiting import until

HEAD = quote(ORIGIN, safe="")


class Writer:
    """A log in this process that may die, and what it acknowledged."""

    def __init__(self, directory: Path, heads: Path | None = None) -> None:
        self.deaths: list[BaseException] = []
        self.acknowledged: dict[int, bytes] = {}
        self.log = AuditLog.open(settings(directory, heads), self.deaths.append)

    def append(self, data: bytes) -> bool:
        """Whether it was acknowledged."""
        try:
            self.acknowledged[self.log.append_blocking(data, b"{}")] = data
        except Fault:
            return False
        return True

    def died_of(self, words: str) -> bool:
        return [type(error) for error in self.deaths] == [Corrupt] and words in str(self.deaths[0])


def stored(directory: Path) -> list[bytes]:
    """The entries of a log that is whole, opened once more."""
    log = open_log(directory)
    size = log.size
    log.close()
    assert verify(directory, SIGNER.public, openings=True).difference is None
    reader = LogReader(directory, SIGNER.public)
    return [found for number in range(-(-size // 256)) for found in reader.entries(number, size)]


def assert_kept(directory: Path, *writers: Writer) -> None:
    entries = stored(directory)
    for writer in writers:
        assert {index: entries[index] for index in writer.acknowledged} == writer.acknowledged


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    (tmp_path / "heads").mkdir()
    return tmp_path / "heads"


# --- the lock --------------------------------------------------------------------------------------------------------


@contextmanager
def running(directory: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """A writer process that has acknowledged something."""
    command = [sys.executable, "-m", "tests.integration.audit_writer", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        drain = threading.Thread(target=process.stdout.read)
        drain.start()
        try:
            yield process
        finally:
            process.kill()
            drain.join()


def test_a_second_process_is_refused_and_told_who_writes(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        with pytest.raises(UserError) as refused:
            open_log(tmp_path)
        assert process.poll() is None
        host = socket.gethostname()
        assert refused.value.what.en == f"Another process is writing this audit log: {host} {process.pid}"
    stored(tmp_path)


def test_a_copy_elsewhere_with_the_same_head_dir_is_refused(tmp_path: Path, heads: Path) -> None:
    """As another host would that shares `head_dir`: the copied key, the copied log."""
    fill(tmp_path / "one", 3, heads=heads)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    first = open_log(tmp_path / "one", heads)
    with pytest.raises(UserError, match=f"Another process is writing .*{os.getpid()}"):
        open_log(tmp_path / "two", heads)
    first.append_blocking(entry(3), b"{}")
    first.close()
    with pytest.raises(Corrupt, match="an old copy"):
        open_log(tmp_path / "two", heads)
    open_log(tmp_path / "one", heads).close()


def test_logs_of_other_names_share_a_head_dir(tmp_path: Path, heads: Path) -> None:
    first = open_log(tmp_path / "one", heads)
    other = replace(settings(tmp_path / "two", heads), origin="gov.example/oncegate/slot-2")
    second = AuditLog.open(other, print)
    second.close()
    first.close()


# --- a lock that is worth nothing ------------------------------------------------------------------------------------


def test_after_its_lock_was_removed_the_older_writer_ends_unharmed(tmp_path: Path) -> None:
    older = Writer(tmp_path)
    assert older.append(b"old 0")
    until(lambda: older.log.published.size == 1)
    (tmp_path / "lock").unlink()
    newer = Writer(tmp_path)
    assert newer.append(b"new 0")
    assert not older.append(b"old 1")
    until(lambda: older.died_of("second writer"))
    assert newer.append(b"new 1")
    older.log.close()
    newer.log.close()
    assert stored(tmp_path) == [b"old 0", b"new 0", b"new 1"]


@pytest.mark.parametrize("more", [0, 1])
def test_an_idle_older_writer_that_is_closed_takes_nothing_away(tmp_path: Path, more: int) -> None:
    older = Writer(tmp_path)
    assert older.append(b"old 0")
    until(lambda: older.log.published.size == 1)
    (tmp_path / "lock").unlink()
    newer = Writer(tmp_path)
    for number in range(more):
        assert newer.append(b"new %d" % number)
    older.log.close()
    assert newer.append(b"last")
    newer.log.close()
    assert_kept(tmp_path, older, newer)
    assert len(older.deaths) == 1


class _Overtaken(Disk):
    """Somebody does `meanwhile` after the mark was read the next time."""

    meanwhile: Callable[[], None] | None = None

    def read(self, path: Path) -> bytes | None:
        found = super().read(path)
        if path.name == "lock" and self.meanwhile is not None:
            act, self.meanwhile = self.meanwhile, None
            act()
        return found


def test_a_newcomer_between_the_look_and_the_new_segment(tmp_path: Path) -> None:
    """The locks are worth nothing; the older one begins a segment of the name that the newcomer writes to already."""
    disk, ends, newer = _Overtaken(), list[BaseException](), list[AuditLog]()
    late = Limits(publish_seconds=600.0)
    older = AuditLog.open(settings(tmp_path / "log", limits=late), ends.append, disk)
    older.append_blocking(entry(0), opening(0))
    until(lambda: older.published.size == 1)

    def take_over() -> None:
        (tmp_path / "log/lock").unlink()
        newer.append(AuditLog.open(settings(tmp_path / "log", limits=late), ends.append))
        newer[0].append_blocking(entry(1), opening(1))  # published in ten minutes

    disk.meanwhile = take_over
    with pytest.raises(Fault, match="audit_unavailable"):
        older.append_apart(entry(9), opening(9))
    assert [str(end) for end in ends] == ["segment 00000000000000000001 is there already: a second writer has this log"]
    shutil.copytree(tmp_path / "log", tmp_path / "as a death leaves it")
    again = AuditLog.open(settings(tmp_path / "as a death leaves it"), ends.append)
    assert [again.entry(index) for index in range(again.size)] == [entry(0), entry(1)]
    again.close()
    newer[0].close()


def test_a_writer_whose_lock_file_is_gone_ends(tmp_path: Path) -> None:
    """Whoever comes next could not know of it. A restart makes the file anew."""
    writer = Writer(tmp_path)
    (tmp_path / "lock").unlink()
    assert not writer.append(b"x")
    until(lambda: writer.died_of("lock is not this writer's any more"))
    writer.log.close()
    stored(tmp_path)


def take_over(directory: Path, chance: random.Random) -> list[Writer]:
    """A writer under load, and a second one that comes at any instant; both go on as long as they can."""
    writers = [Writer(directory)]
    older = writers[0]

    def load() -> None:
        number = 0
        while older.append(b"old %d" % number):
            number += 1

    thread = threading.Thread(target=load)
    thread.start()
    wanted = chance.randrange(1, 40)
    until(lambda: len(older.acknowledged) >= wanted)
    (directory / "lock").unlink()
    with suppress(Corrupt, OSError):  # both published at one instant: the second does not start
        writers.append(Writer(directory))
    thread.join()
    for writer in writers[1:]:
        for number in range(chance.randrange(3)):
            writer.append(b"new %d" % number)
    for writer in writers:
        writer.log.close()
    return writers


def test_nothing_acknowledged_is_missing_whenever_the_second_comes(tmp_path: Path) -> None:
    chance, both = random.Random(20261203), 0
    for turn in range(20):
        writers = take_over(tmp_path / f"{turn}", chance)
        assert writers[0].deaths
        assert_kept(tmp_path / f"{turn}", *writers)
        both += len(writers) == 2
    assert both, "the second never started: nothing was tested"


# --- compare-and-swap on the heads -----------------------------------------------------------------------------------


def test_with_one_head_dir_and_no_lock_only_the_first_to_publish_goes_on(tmp_path: Path, heads: Path) -> None:
    fill(tmp_path / "one", 3, heads=heads)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    first = Writer(tmp_path / "one", heads)
    (heads / f"{HEAD}.lock").unlink()
    second = Writer(tmp_path / "two", heads)
    assert second.append(b"second")
    until(lambda: second.log.published.size == 4)
    first.append(b"first")
    until(lambda: first.died_of(f"{HEAD}.checkpoint is not what this writer left there"))
    assert not first.append(b"more")
    assert second.append(b"more")
    first.log.close()
    second.log.close()
    assert (heads / f"{HEAD}.checkpoint").read_bytes() == (tmp_path / "two" / "checkpoint").read_bytes()
    with pytest.raises(Corrupt, match="an old copy"):
        open_log(tmp_path / "one", heads)


@pytest.mark.parametrize("where", ["log/checkpoint", f"heads/{HEAD}.checkpoint"])
def test_a_head_that_somebody_else_wrote_ends_the_log(tmp_path: Path, heads: Path, where: str) -> None:
    """Even one that this log's key signed; and nothing is published over it."""
    writer = Writer(tmp_path / "log", heads)
    assert writer.append(b"0")
    until(lambda: writer.log.published.size == 1)
    stranger = sign(Checkpoint(ORIGIN, 9, b"r" * 32), SIGNER)
    (tmp_path / where).write_bytes(stranger)
    writer.append(b"1")
    until(lambda: writer.died_of("is not what this writer left there"))
    writer.log.close()
    assert (tmp_path / where).read_bytes() == stranger


def test_a_head_dir_that_is_unmounted_ends_the_log(tmp_path: Path, heads: Path) -> None:
    writer = Writer(tmp_path / "log", heads)
    heads.rename(tmp_path / "elsewhere")
    heads.mkdir()
    writer.append(b"0")
    until(lambda: writer.died_of("is not what this writer left there"))
    writer.log.close()
    assert not any(heads.iterdir()), "nothing is begun where the storage is not"


# --- two hosts that share nothing but the key ------------------------------------------------------------------------


@pytest.mark.parametrize("more", [1, 2, 5])
def test_a_witness_lets_one_of_two_writers_go_on(tmp_path: Path, more: int) -> None:
    """No lock and no `head_dir` between them. `add-checkpoint` with the old size is the compare-and-swap."""
    fill(tmp_path / "one", 3)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    with witness(tmp_path / "w", [SIGNER.public]) as one:
        first, second = Writer(tmp_path / "one"), Writer(tmp_path / "two")
        with cosigned(first.log, tmp_path / "one", [one]) as standing:
            assert first.append(b"first 0")
            assert first.append(b"first 1")
            until(lambda: standing.standing().size == 5)
            for number in range(more):
                assert second.append(b"second %d" % number)
            with cosigned(second.log, tmp_path / "two", [one]):
                until(lambda: second.died_of("a witness"))
            assert not second.append(b"more")
            assert first.append(b"first 2")
            until(lambda: standing.standing().size == 6)
        first.log.close()
        second.log.close()
    assert_kept(tmp_path / "one", first)
