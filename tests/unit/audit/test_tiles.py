"""Paths and contents of C2SP tlog-tiles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.tiles import Tile, bundles, hash_tiles, numbered, parse_path, prefixed, split_entries, split_hashes
from contracts.errors import Corrupt, Fault

PATHS = [
    (Tile(0, 0), "tile/0/000"),
    (Tile(0, 1234067), "tile/0/x001/x234/067"),  # the specification's own example
    (Tile(0, 1234, 5), "tile/0/x001/234.p/5"),
    (Tile(2, 999, 255), "tile/2/999.p/255"),
    (Tile(None, 1000), "tile/entries/x001/000"),
    (Tile(None, 0, 1), "tile/entries/000.p/1"),
    (Tile(63, 7), "tile/63/007"),
]


@pytest.mark.parametrize(("tile", "path"), PATHS)
def test_path(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert parse_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0",
        "tile/0/0000",
        "tile/00/000",
        "tile/64/000",
        "tile/0/001/234",
        "tile/0/x000/001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/05",
        "tile/0/000.p/999",
        "tile/-1/000",
        "tile/data/000",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/../000",
        "tile/0/\u0660\u0660\u0660",
        "",
    ],
)
def test_other_spellings_are_refused(path: str) -> None:
    with pytest.raises(Fault, match="tile_path_invalid"):
        parse_path(path)


@given(st.integers(0, 10**12), st.integers(1, 256))
def test_every_path_comes_back(index: int, width: int) -> None:
    assert parse_path(Tile(None, index, width).path) == Tile(None, index, width)


def test_numbered_is_the_part_after_the_level() -> None:
    assert numbered(1234067, 8) == "x001/x234/067.p/8"


def test_the_specification_counts_the_tiles_of_70000_entries() -> None:
    tiles = list(hash_tiles(70_000))
    full = [(level, sum(t.width == 256 for t in tiles if t.level == level)) for level in (0, 1, 2)]
    assert full == [(0, 273), (1, 1), (2, 0)]
    assert [t for t in tiles if t.width < 256] == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]


def test_256_entries_have_a_full_tile_and_a_partial_one_above() -> None:
    assert list(hash_tiles(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(bundles(256)) == [Tile(None, 0)]
    assert list(hash_tiles(0)) == list(bundles(0)) == []


@given(st.integers(0, 200_000), st.integers(0, 70_000))
def test_what_is_new_since_an_older_size(start: int, more: int) -> None:
    size = start + more
    for kind in (hash_tiles, bundles):
        old, now = set(kind(start)), set(kind(size))
        assert set(kind(size, start)) == {tile for tile in now if tile not in old}


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_a_bundle_comes_back(entries: list[bytes]) -> None:
    data = b"".join(map(prefixed, entries))
    assert split_entries(data, len(entries)) == entries


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=5), st.integers(1, 8))
def test_a_bundle_of_another_length_is_corrupt(entries: list[bytes], cut: int) -> None:
    data = b"".join(map(prefixed, entries))
    for wrong in (data[:-cut], data + b"\0" * cut):
        with pytest.raises(Corrupt):
            split_entries(wrong, len(entries))


def test_sizes_at_the_limit() -> None:
    assert split_entries(prefixed(b"x" * 65535), 1) == [b"x" * 65535]
    with pytest.raises(ValueError, match="65,535"):
        prefixed(b"x" * 65536)
    assert split_hashes(b"a" * 64, 2) == [b"a" * 32] * 2
    with pytest.raises(Corrupt):
        split_hashes(b"a" * 63, 2)
