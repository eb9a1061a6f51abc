"""Frames: what comes back, what is a torn tail, what is corruption."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import frames
from audit.tiles import prefixed
from contracts.errors import Corrupt


def frame(first: int, entries: list[bytes]) -> bytes:
    rows = [b"row of " + entry for entry in entries]
    return frames.encode(first, b"R" * 32, b"key", [prefixed(e) for e in entries], [prefixed(r) for r in rows])


ONE, TWO, THREE = frame(5, [b"a", b"bb"]), frame(7, [b"c"]), frame(8, [b"d", b"", b"e" * 300])


@given(st.integers(0, 2**60), st.lists(st.binary(max_size=400), max_size=10))
def test_a_frame_comes_back(first: int, entries: list[bytes]) -> None:
    data = frame(first, entries)
    found = frames.decode(data)
    assert found is not None
    read, end = found
    assert (read.first, read.root, read.key, list(read.entries), end) == (first, b"R" * 32, b"key", entries, len(data))
    assert list(read.rows) == [b"row of " + entry for entry in entries]
    assert read.end == first + len(entries)


def test_a_segment_of_three() -> None:
    found, end = frames.decode_all(ONE + TWO + THREE)
    assert [read.first for read in found] == [5, 7, 8]
    assert end == len(ONE + TWO + THREE)


@pytest.mark.parametrize("cut", range(len(THREE)))
def test_a_tail_torn_at_every_byte_is_left_off(cut: int) -> None:
    found, end = frames.decode_all(ONE + TWO + THREE[:cut])
    assert [read.first for read in found] == [5, 7]
    assert end == len(ONE + TWO)


@pytest.mark.parametrize("at", range(len(THREE)))
def test_a_tail_with_any_byte_changed_is_left_off(at: int) -> None:
    torn = bytearray(THREE)
    torn[at] ^= 0x40
    found, end = frames.decode_all(ONE + TWO + bytes(torn))
    assert (len(found), end) == (2, len(ONE + TWO))


@pytest.mark.parametrize("at", range(len(ONE)))
def test_damage_before_a_whole_frame_is_corruption(at: int) -> None:
    damaged = bytearray(ONE)
    damaged[at] ^= 0x40
    with pytest.raises(Corrupt):
        frames.decode_all(bytes(damaged) + TWO)


def test_a_zero_filled_tail_is_torn() -> None:
    assert frames.decode_all(ONE + b"\0" * 5000)[1] == len(ONE)


def test_nothing_at_all() -> None:
    assert frames.decode_all(b"") == ([], 0)


def test_a_sound_frame_with_wrong_counts_is_corruption() -> None:
    wrong = frames.encode(0, b"R" * 32, b"key", [prefixed(b"a")], [])
    with pytest.raises(Corrupt):
        frames.decode(wrong)
