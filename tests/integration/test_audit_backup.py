"""Copies of a log that is being written: each is whole, verifies, and can be gone on from."""

import asyncio
import shutil
import threading
from pathlib import Path

import pytest

from audit import backup
from audit.log import Limits
from audit.reader import LogReader
from audit.recovery import recover
from audit.verify import verify
from contracts.errors import Corrupt
from tests.integration.audit_support import append_all, entry, fill, open_log, opening

SMALL = Limits(publish_seconds=0.0, segment_bytes=20_000)


def test_a_live_log_is_copied_whole_again_and_again(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log", limits=SMALL)
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            log.append_blocking(entry(log.size), opening(log.size))

    writers = [threading.Thread(target=write) for _ in range(4)]
    for one in writers:
        one.start()
    sizes = []
    try:
        for number in range(12):
            durable = log.size
            head = backup.copy(tmp_path / "log", tmp_path / f"copy-{number}")
            copied = recover(LogReader(tmp_path / f"copy-{number}", log.verifier), head)
            assert copied.tree.size >= durable
            sizes.append(copied.tree.size)
    finally:
        over.set()
        for one in writers:
            one.join()
    log.close()
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]
    for number in range(12):
        backup.check(tmp_path / f"copy-{number}", None)


def test_a_copy_that_was_brought_back_goes_on(tmp_path: Path) -> None:
    fill(tmp_path / "log", 300, 7)
    backup.copy(tmp_path / "log", tmp_path / "copy")
    shutil.rmtree(tmp_path / "log")
    backup.check(tmp_path / "copy", None)
    log = open_log(tmp_path / "copy")
    assert log.size == 307
    assert asyncio.run(append_all(log, 307, 400)) == list(range(307, 707))
    assert log.entry(3) == entry(3)
    log.close()
    assert verify(tmp_path / "copy", log.verifier, openings=True).difference is None


def test_a_copy_serves_the_hash_tiles_of_earlier_heads(tmp_path: Path) -> None:
    """tlog-tiles: a partial tile of a published size is served until its full one is there."""
    for count in (256 * 3 + 5, 6, 256):
        fill(tmp_path / "log", count)
    backup.copy(tmp_path / "log", tmp_path / "copy")
    for level, widths in (("0/004.p", ["11"]), ("1/000.p", ["3", "4"])):
        for where in ("log", "copy"):
            found = (tmp_path / where / "tile" / level).iterdir()
            assert sorted(path.name for path in found) == widths, (where, level)
    backup.check(tmp_path / "copy", None)


def test_an_empty_log_has_a_copy(tmp_path: Path) -> None:
    fill(tmp_path / "log")
    assert backup.copy(tmp_path / "log", tmp_path / "copy").size == 0
    fill(tmp_path / "copy", 3)


def test_what_was_durable_and_not_yet_published_is_in_the_copy(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log", limits=Limits(publish_seconds=3600))
    assert asyncio.run(append_all(log, 0, 5)) == list(range(5))
    assert asyncio.run(append_all(log, 5, 5)) == list(range(5, 10))
    assert log.published.size < 10
    backup.copy(tmp_path / "log", tmp_path / "copy")
    again = open_log(tmp_path / "copy")
    assert (again.size, again.entry(9)) == (10, entry(9))
    again.close()


def test_an_older_copy_is_refused_where_a_higher_head_is_known(tmp_path: Path) -> None:
    heads = tmp_path / "heads"
    heads.mkdir()
    log = open_log(tmp_path / "log", heads)
    asyncio.run(append_all(log, 0, 5))
    backup.copy(tmp_path / "log", tmp_path / "old")
    asyncio.run(append_all(log, 5, 5))
    log.close()
    with pytest.raises(Corrupt, match="an old copy"):
        backup.check(tmp_path / "old", heads)
    with pytest.raises(Corrupt, match="an old copy"):
        backup.check(tmp_path / "old", None, tmp_path / "log")
    backup.copy(tmp_path / "log", tmp_path / "new")
    backup.check(tmp_path / "new", heads, tmp_path / "log")


def test_a_damaged_copy_is_refused(tmp_path: Path) -> None:
    fill(tmp_path / "log", 300)
    backup.copy(tmp_path / "log", tmp_path / "copy")
    for name in ("tile/entries/000", "openings/000", "checkpoint"):
        path = tmp_path / "copy" / name
        whole = path.read_bytes()
        path.unlink()
        path.write_bytes(whole[:-1])
        with pytest.raises(Corrupt):
            backup.check(tmp_path / "copy", None)
        path.write_bytes(whole)
    assert backup.check(tmp_path / "copy", None).size == 300


def test_a_damaged_log_has_no_copy(tmp_path: Path) -> None:
    fill(tmp_path / "log", 300)
    (tmp_path / "log/tile/0/000").unlink()
    with pytest.raises(Corrupt, match="missing"):
        backup.copy(tmp_path / "log", tmp_path / "copy")
