"""One changed byte anywhere in a log is found, whatever file it is in, and the place is named."""

import random
import shutil
from pathlib import Path

import pytest

from audit import checkpoints
from audit.checkpoints import Checkpoint
from audit.tiles import WIDTH, bundles, hash_tiles, parse_path
from audit.verify import Difference, verify
from tests.integration.audit_support import ORIGIN, SIGNER, entry, fill
from tests.unit.audit import naive

SIZE = 900


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """900 entries: full and partial tiles on two levels, and partial ones left by an older head."""
    directory = tmp_path_factory.mktemp("log")
    fill(directory, 600)
    fill(directory, 170)
    fill(directory, 130)
    return directory


def difference(directory: Path, openings: bool = False) -> Difference | None:
    return verify(directory, SIGNER.public, openings=openings).difference


def test_the_log_is_whole_and_is_the_naive_tree(log: Path) -> None:
    report = verify(log, SIGNER.public, openings=True)
    assert report.difference is None
    assert (report.origin, report.size, report.entries) == (ORIGIN, SIZE, SIZE)
    assert report.root == naive.mth([entry(index) for index in range(SIZE)])
    left = {path.relative_to(log).as_posix() for path in (log / "tile").rglob("*") if path.is_file()}
    wanted = {tile.path for tile in (*hash_tiles(SIZE), *bundles(SIZE))}
    assert wanted < left
    assert "tile/1/000.p/2" in left - wanted


def _files(log: Path) -> list[Path]:
    return [log / "checkpoint", *sorted(path for path in (log / "tile").rglob("*") if path.is_file())]


def test_every_file_with_a_changed_byte_is_found(log: Path, tmp_path: Path) -> None:
    chance = random.Random(7)
    copy = tmp_path / "copy"
    shutil.copytree(log, copy)
    for path in _files(copy):
        whole = path.read_bytes()
        for _ in range(8):
            at = chance.randrange(len(whole))
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :])
            found = difference(copy)
            assert found is not None, (path, at)
            _check_place(found, path.relative_to(copy).as_posix(), at)
        path.write_bytes(whole)
    assert difference(copy, openings=True) is None


def _check_place(found: Difference, path: str, at: int) -> None:
    """The entries that are named are those that the changed byte concerns."""
    if path == "checkpoint":
        assert found.file == "checkpoint"
        return
    tile = parse_path(path)
    span = WIDTH ** (tile.level or 0)
    assert tile.index * WIDTH * span <= found.first <= found.last < min((tile.index + 1) * WIDTH * span, SIZE)
    if tile.level is not None and tile.path in {wanted.path for wanted in hash_tiles(SIZE)}:
        assert found.first == (tile.index * WIDTH + at // 32) * span


@pytest.mark.parametrize("cut", [1, 2, 100])
def test_every_shortened_or_longer_file_is_found(log: Path, tmp_path: Path, cut: int) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(log, copy)
    for path in _files(copy):
        whole = path.read_bytes()
        for data in (whole[:-cut], whole + b"\n" * cut):
            path.write_bytes(data)
            assert difference(copy) is not None, path
        path.write_bytes(whole)


def test_every_missing_file_is_found(log: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(log, copy)
    for tile in (*hash_tiles(SIZE), *bundles(SIZE)):
        whole = (copy / tile.path).read_bytes()
        (copy / tile.path).unlink()
        found = difference(copy)
        assert found is not None
        assert found.file == tile.path
        (copy / tile.path).write_bytes(whole)


def test_an_exchanged_entry_is_found_by_its_index(log: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(log, copy)
    bundle = copy / "tile/entries/001"
    bundle.write_bytes(bundle.read_bytes().replace(entry(300), b'{"entry":999}'))
    found = difference(copy)
    assert found is not None
    assert (found.file, found.first, found.last) == ("tile/0/001", 300, 300)


def test_a_log_rewritten_with_all_its_tiles_does_not_have_the_signed_root(log: Path, tmp_path: Path) -> None:
    fill(tmp_path, *[1] * 3)
    (tmp_path / "checkpoint").write_bytes(checkpoints.sign(Checkpoint(ORIGIN, 3, b"\0" * 32), SIGNER))
    found = difference(tmp_path)
    assert found is not None
    assert (found.file, found.first, found.last) == ("checkpoint", 0, 2)


def test_a_log_put_back_to_an_older_head_is_found_by_who_knows_the_newer(log: Path, tmp_path: Path) -> None:
    fill(tmp_path, 600)
    newer = verify(log, SIGNER.public)
    known = Checkpoint(ORIGIN, newer.size, newer.root)
    assert verify(log, SIGNER.public, known).difference is None
    assert verify(tmp_path, SIGNER.public).difference is None
    found = verify(tmp_path, SIGNER.public, known).difference
    assert found is not None
    assert (found.file, found.first, found.last) == ("checkpoint", 600, 899)


def test_an_older_head_is_a_head_of_this_log_or_it_is_not(log: Path) -> None:
    root = naive.mth([entry(index) for index in range(256)])
    assert verify(log, SIGNER.public, Checkpoint(ORIGIN, 256, root)).difference is None
    assert verify(log, SIGNER.public, Checkpoint(ORIGIN, 256, root[::-1])).difference is not None


def test_missing_openings_are_found_when_asked_for(log: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(log, copy)
    (copy / "openings/002").unlink()
    assert difference(copy) is None
    found = difference(copy, openings=True)
    assert found is not None
    assert (found.file, found.first, found.last) == ("openings/002", 512, 767)


def test_progress_counts_every_entry(log: Path) -> None:
    done: list[int] = []
    verify(log, SIGNER.public, advanced=done.append)
    assert sum(done) == SIZE
