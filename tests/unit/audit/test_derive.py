"""Derivation: however the entries were grouped into frames, the files are those of the naive tree."""

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import frames
from audit.derive import Edge, Files, advance, commit, partials, replay
from audit.merkle import Tree
from audit.tiles import WIDTH, Tile, bundles, hash_tiles, parse_path, split_entries
from contracts.errors import Corrupt
from tests.unit.audit import naive

GROUPS = st.lists(st.integers(1, 300), min_size=1, max_size=6)


def entry(index: int) -> bytes:
    return b"entry %d" % index


def derive(groups: Sequence[int], together: int) -> tuple[Files, Tree, list[bytes]]:
    """Files after publishing every `together` frames; the last tree; the frames."""
    tree, edge, files, written, waiting = Tree(), Edge(), Files(), [], []
    for number, count in enumerate(groups, 1):
        entries = [entry(index) for index in range(tree.size, tree.size + count)]
        tree, batch, frame = commit(tree, entries, [b"row " + e for e in entries], b"key")
        written.append(frame)
        waiting.append(batch)
        if number % together == 0 or number == len(groups):
            edge, full = advance(edge, waiting)
            files |= full | partials(edge)
            waiting = []
    return files, tree, written


def naive_tile(tile: Tile) -> bytes:
    span = WIDTH ** (tile.level or 0)
    first = tile.index * WIDTH
    if tile.level is None:
        return b"".join(len(entry(i)).to_bytes(2, "big") + entry(i) for i in range(first, first + tile.width))
    starts = range(first * span, (first + tile.width) * span, span)
    return b"".join(naive.mth([entry(i) for i in range(start, start + span)]) for start in starts)


@given(GROUPS, st.integers(1, 3))
def test_files_are_those_of_the_naive_tree(groups: list[int], together: int) -> None:
    files, tree, _ = derive(groups, together)
    size = sum(groups)
    wanted = {tile.path for tile in (*hash_tiles(size), *bundles(size))}
    assert wanted <= files.keys()
    for path in files:
        if path.startswith("tile/"):
            assert files[path] == naive_tile(parse_path(path))
    assert tree.root() == naive.mth([entry(index) for index in range(size)])


@given(GROUPS)
def test_opening_rows_stand_beside_their_entries(groups: list[int]) -> None:
    files, tree, _ = derive(groups, 2)
    for tile in bundles(tree.size):
        rows = split_entries(files[tile.path.replace("tile/entries", "openings")], tile.width)
        assert rows == [b"row " + e for e in split_entries(files[tile.path], tile.width)]


@given(GROUPS)
def test_replaying_frames_gives_the_same_tree(groups: list[int]) -> None:
    _, tree, written = derive(groups, 1)
    found, _ = frames.decode_all(b"".join(written))
    again = Tree()
    for frame in found:
        again, batch = replay(again, frame)
        assert (batch.end, batch.root) == (again.size, again.root())
    assert again == tree


def test_a_frame_elsewhere_or_with_another_root_is_corrupt() -> None:
    _, _, (first, second) = derive([3, 4], 1)
    found, _ = frames.decode_all(first + second)
    with pytest.raises(Corrupt, match="jump"):
        replay(Tree(), found[1])
    wrong = frames.Frame(0, sha256(b"").digest(), b"key", found[0].entries, found[0].rows)
    with pytest.raises(Corrupt, match="root"):
        replay(Tree(), wrong)


def test_nothing_to_add_changes_nothing() -> None:
    edge, files = advance(Edge(), [])
    assert (edge.size, files, partials(edge)) == (0, {}, {})
