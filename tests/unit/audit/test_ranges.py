"""Sets of positions as sorted ranges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.ranges import MAX_POSITION, NONE, Ranges, parse
from contracts.errors import Fault

SETS = st.sets(st.integers(0, 40))


@given(SETS, SETS)
def test_they_are_sets(left: set[int], right: set[int]) -> None:
    ours, theirs = Ranges.single(left), Ranges.single(right)
    assert list(ours) == sorted(left)
    assert list(ours | theirs) == sorted(left | right)
    assert list(ours - theirs) == sorted(left - right)
    assert list(ours & theirs) == sorted(left & right)
    assert [position in ours for position in range(42)] == [position in left for position in range(42)]
    assert ours.count == len(left)
    assert bool(ours) == bool(left)
    assert list(ours.between(5, 9)) == sorted(left & set(range(5, 10)))


@given(SETS.filter(bool))
def test_one_spelling(positions: set[int]) -> None:
    ours = Ranges.single(positions)
    assert parse(ours.text()) == ours
    assert ours.last == max(positions)


def test_a_long_range_costs_nothing() -> None:
    most = Ranges.of([(0, MAX_POSITION)])
    assert (most - Ranges.of([(5, 5)])).text() == f"0-4,6-{MAX_POSITION}"
    assert most.count == MAX_POSITION + 1


WRONG = ("", ",", "1,", "2,1", "1,1", "1,2", "3-3", "4-3", "01", "-1", "1-", " 1", "1 ", "1, 3", "+1", "1-3,2-5", "1\n")


@pytest.mark.parametrize("text", [*WRONG, "\u0663", str(MAX_POSITION + 1), ",".join(str(2 * n) for n in range(20_000))])
def test_what_is_no_spelling(text: str) -> None:
    with pytest.raises(Fault, match="positions_malformed"):
        parse(text)


def test_ranges_are_positions() -> None:
    with pytest.raises(ValueError, match="no range"):
        Ranges.of([(3, 2)])
    assert not NONE
