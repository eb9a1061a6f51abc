"""A backup file: what went in comes out, and nothing that was cut, changed or meant for somebody else does."""

import os
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.edge import archive
from contracts.edge.archive import Item, Manifest
from contracts.edge.sealed_file import CHUNK, opened_file, sealed_file
from contracts.errors import UserError
from contracts.hpke import UnwrapKey

KEY = UnwrapKey.generate()
FACTS = {"node": "node-1"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name, size in (("a", 0), ("b/c", 10), ("b/large", 3 * CHUNK + 5)):
        path = tmp_path / "from" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
        path.chmod(0o640)
    return tmp_path


def made(place: Path, recipient: UnwrapKey | None = KEY) -> Path:
    paths = sorted(path for path in (place / "from").rglob("*") if path.is_file())
    items = archive.names(paths, place / "from")
    manifest = Manifest(archive.VERSION, "node", 1, "test", FACTS, ())
    archive.write(place / "backup", manifest, items, None if recipient is None else recipient.public)
    return place / "backup"


def unpacked(place: Path, key: UnwrapKey | None = KEY) -> Path:
    into = place / "into"
    with archive.staging(into) as staged:
        manifest = archive.unpack(place / "backup", "node", key, staged)
        archive.install(staged, manifest, into, None)
    assert manifest.facts == FACTS
    return into


@pytest.mark.parametrize("key", [KEY, None])
def test_what_went_in_comes_out(place: Path, key: UnwrapKey | None) -> None:
    file = made(place, key)
    assert file.stat().st_mode & 0o777 == 0o600
    into = unpacked(place, key)
    for path in (place / "from").rglob("*"):
        if path.is_file():
            back = into / path.relative_to(place / "from")
            assert back.read_bytes() == path.read_bytes()
            assert back.stat().st_mode & 0o777 == 0o600
    assert not list(into.glob(".restore-*"))


def test_nothing_can_be_read_without_the_key(place: Path) -> None:
    (place / "from/b/c").write_bytes(b"a private key")
    assert b"a private key" not in made(place).read_bytes()
    with pytest.raises(UserError, match="needs the recovery key"):
        unpacked(place, None)
    with pytest.raises(UserError, match="another recovery key"):
        unpacked(place, UnwrapKey.generate())


@pytest.mark.parametrize("key", [KEY, None])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 0.9, 0.999])
def test_any_changed_byte_and_any_cut_shows_before_anything_is_put_in_place(
    place: Path, key: UnwrapKey | None, share: float
) -> None:
    file = made(place, key)
    whole = file.read_bytes()
    at = int(len(whole) * share)
    for spoiled in (whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :], whole[:at], whole + b"x"):
        file.write_bytes(spoiled)
        with pytest.raises(UserError):
            unpacked(place, key)
        assert not [path for path in (place / "into").rglob("*") if path.is_file()]


def test_a_cut_at_the_end_of_a_chunk_shows(place: Path) -> None:
    file = made(place)
    whole = file.read_bytes()
    first = whole.index(b"\n") + 1
    file.write_bytes(whole[: first + 2 * (CHUNK + 16)])
    with pytest.raises(UserError, match="cut short"):
        unpacked(place)
    file.write_bytes(whole[:first] + whole[first + CHUNK + 16 :])
    with pytest.raises(UserError, match="changed"):
        unpacked(place)


def test_what_is_there_stays_or_is_moved_aside(place: Path) -> None:
    made(place)
    into = unpacked(place)
    (into / "a").write_bytes(b"precious")
    with pytest.raises(UserError, match="1 files are there already"):
        unpacked(place)
    with archive.staging(into) as staged:
        manifest = archive.unpack(place / "backup", "node", KEY, staged)
        archive.install(staged, manifest, into, into / "aside")
    assert ((into / "a").read_bytes(), (into / "aside/a").read_bytes()) == (b"", b"precious")


def test_another_kind_or_version_is_refused(place: Path) -> None:
    made(place)
    with archive.staging(place / "into") as staged, pytest.raises(UserError, match="backup of"):
        archive.unpack(place / "backup", "adapter", KEY, staged)
    archive.write(place / "backup", Manifest(2, "node", 1, "test", {}, ()), (), KEY.public)
    with archive.staging(place / "into") as staged, pytest.raises(UserError, match="unknown version 2"):
        archive.unpack(place / "backup", "node", KEY, staged)


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside", "b/../../outside"])
def test_no_file_leaves_its_place(place: Path, name: str) -> None:
    manifest = Manifest(archive.VERSION, "node", 1, "test", FACTS, ())
    with pytest.raises(ValueError, match="not a name"):
        archive.write(place / "backup", manifest, [Item(name, place / "from/a")], KEY.public)
    stream = BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.addfile(tarfile.TarInfo(name), BytesIO(b""))
    with sealed_file(place / "backup", KEY.public) as sealed:
        sealed.write(stream.getvalue())
    with pytest.raises(UserError, match="not whole"):
        unpacked(place)
    assert not (place / "outside").exists()


def test_an_unfinished_backup_leaves_no_file(place: Path) -> None:
    missing = [Item("gone", place / "gone")]
    with pytest.raises(UserError):
        archive.write(place / "backup", Manifest(1, "node", 1, "test", FACTS, ()), missing, None)
    assert sorted(path.name for path in place.iterdir()) == ["from"]


@settings(deadline=None, max_examples=30)
@given(pieces=st.lists(st.binary(max_size=200_000), max_size=4), sizes=st.lists(st.integers(1, 150_000), min_size=1))
def test_streams_of_any_size(pieces: list[bytes], sizes: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("sealed") / "file"
    with sealed_file(path, KEY.public) as writer:
        for piece in pieces:
            writer.write(piece)
    with opened_file(path, KEY) as source:
        read = [source.read(size) for size in (*sizes, -1)]
    assert b"".join(read) == b"".join(pieces)


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory on another file system than `tmp_path`."""
    with TemporaryDirectory(dir="/dev/shm") as name:
        assert Path(name).stat().st_dev != tmp_path.stat().st_dev
        yield Path(name)


def test_places_on_several_file_systems(place: Path, other_disk: Path) -> None:
    made(place)
    (place / "into").mkdir()
    (place / "into/b").symlink_to(other_disk)
    (other_disk / "c").write_bytes(b"precious")
    with archive.staging(place / "into") as staged:
        manifest = archive.unpack(place / "backup", "node", KEY, staged)
        archive.install(staged, manifest, place / "into", place / "into/aside")
    assert {path.name: path.read_bytes() for path in other_disk.iterdir()} == {
        path.name: path.read_bytes() for path in (place / "from/b").iterdir()
    }
    assert (place / "into/aside/b/c").read_bytes() == b"precious"


def test_a_whole_directory_is_moved_aside_from_another_file_system(place: Path, other_disk: Path) -> None:
    made(place)
    (place / "into").mkdir()
    (place / "into/b").symlink_to(other_disk)
    (other_disk / "deep").mkdir()
    (other_disk / "deep/own").write_bytes(b"precious")
    with archive.staging(place / "into") as staged:
        manifest = archive.unpack(place / "backup", "node", KEY, staged)
        archive.install(staged, manifest, place / "into", place / "into/aside", ["b/deep"])
    assert sorted(path.name for path in other_disk.iterdir()) == ["c", "large"]
    assert (place / "into/aside/b/deep/own").read_bytes() == b"precious"


def test_what_stays_beside_a_file_counts_as_in_the_way(place: Path) -> None:
    made(place)
    (place / "into").mkdir()
    (place / "into/a-wal").write_bytes(b"precious")
    with archive.staging(place / "into") as staged:
        manifest = archive.unpack(place / "backup", "node", KEY, staged)
        with pytest.raises(UserError, match="a-wal"):
            archive.install(staged, manifest, place / "into", None, parts=["a-wal"])
        archive.install(staged, manifest, place / "into", place / "into/aside", parts=["a-wal"])
    assert (place / "into/aside/a-wal").read_bytes() == b"precious"
    assert not (place / "into/a-wal").exists()


@pytest.mark.parametrize("facts", [{}, {"config": "../b/c"}, {"config": "/etc/passwd"}, {"config": "b"}])
def test_facts_name_files_of_the_backup(facts: dict[str, str]) -> None:
    held = (archive.File("b/c", 0o600, 0, ""),)
    with pytest.raises(UserError, match="config"):
        archive.require(Manifest(1, "node", 1, "test", facts, held), Path("x"), (), ("config",))
    archive.require(Manifest(1, "node", 1, "test", {"config": "b/c"}, held), Path("x"), (), ("config",))


@pytest.mark.parametrize("name", ["", "..", "/", "a/../.."])
def test_facts_name_directories_inside(name: str) -> None:
    with pytest.raises(UserError, match="data"):
        archive.require(Manifest(1, "node", 1, "test", {"data": name}, ()), Path("x"), (), (), ("data",))


def test_no_link_laid_for_the_unfinished_file_is_followed(place: Path) -> None:
    (place / "victim").write_bytes(b"precious")
    (place / ".backup.part").symlink_to(place / "victim")
    made(place)
    assert (place / "victim").read_bytes() == b"precious"
    assert not (place / "backup").is_symlink()
