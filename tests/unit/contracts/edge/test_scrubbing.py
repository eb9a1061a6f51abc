"""The unallocated space of a page, and nothing else, is zero in the file."""

import apsw
import pytest

from contracts.edge.scrubbing import VFS, scrubbed


def page(kind: int, cells: int, content: int, head: int = 0, size: int = 1024) -> bytes:
    header = bytes([kind, 0, 0]) + cells.to_bytes(2, "big") + content.to_bytes(2, "big")
    return bytes(b"h" * head) + header + b"x" * (size - head - len(header))


@pytest.mark.parametrize(("kind", "size"), [(13, 8), (10, 8), (5, 12), (2, 12)])
def test_the_gap_of_a_tree_page_is_zero(kind: int, size: int) -> None:
    before = page(kind, 3, 700)
    after = scrubbed(before, 1024)
    begin = size + 6
    assert after == before[:begin] + bytes(700 - begin) + before[700:]


def test_the_first_page_has_its_header_behind_the_files() -> None:
    before = page(13, 1, 900, head=100)
    assert scrubbed(before, 0) == before[:110] + bytes(790) + before[900:]


@pytest.mark.parametrize(
    "data",
    [page(0, 3, 700), page(7, 3, 700), page(13, 3, 4000), page(13, 600, 700), b"\x0d\x00", page(13, 3, 14)],
    ids=["overflow", "unknown", "content past the page", "no gap", "a part of a page", "full"],
)
def test_everything_else_is_left_as_it_is(data: bytes) -> None:
    assert scrubbed(data, 1024) == data


def test_sqlite_knows_it() -> None:
    assert VFS in apsw.vfs_names()
