"""Which rows become empty, and how many files at once."""

from hypothesis import given
from hypothesis import strategies as st

from audit.orders.erase import emptied, slices
from audit.ranges import NONE, Ranges, parse
from audit.tiles import WIDTH


def test_rows_become_empty_in_their_places() -> None:
    assert emptied([b"a", b"b", b"c"], 10, parse("9,11-12")) == [b"a", b"", b""]
    assert emptied([b"a"], 10, parse("11")) == [b"a"]


@given(st.sets(st.integers(0, 3000), max_size=30), st.integers(1, 4))
def test_slices_touch_few_bundles_and_are_all(positions: set[int], bundles: int) -> None:
    found = list(slices(Ranges.single(positions), bundles))
    assert [index for part in found for index in part] == sorted(positions)
    assert all(len({index // WIDTH for index in part}) <= bundles for part in found)


def test_a_long_range_in_slices() -> None:
    parts = list(slices(Ranges.of([(100, 100_000)]), 64))
    assert parts[0].spans == ((100, 64 * WIDTH - 1),)
    whole = NONE
    for part in parts:
        whole |= part
    assert whole.spans == ((100, 100_000),)
