"""Numbers heard of and missing, in bounded space; the written form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import Corrupt
from contracts.streams import Position
from gateway.ingest.state import MAX_GAPS, StreamState, Told, found, heard, is_missing, promised, resumed


@given(st.lists(st.integers(1, 60), min_size=1, max_size=60))
def test_gaps_are_what_was_not_received(numbers: list[int]) -> None:
    state = StreamState()
    for seq in numbers:
        position = Position(1, seq)
        state = heard(state, position) if position > state.head else found(state, seq)
    missing = {seq for seq in range(1, max(numbers) + 1) if seq not in numbers}
    assert {seq for first, last in state.gaps for seq in range(first, last + 1)} == missing
    assert all(is_missing(state, seq) == (seq in missing) for seq in range(1, max(numbers) + 1))
    assert all(last + 1 < first for (_, last), (first, _) in zip(state.gaps, state.gaps[1:], strict=False))


def test_gaps_are_bounded_and_never_forget() -> None:
    state = StreamState()
    for seq in range(2, 2 * MAX_GAPS + 21, 2):
        state = heard(state, Position(1, seq))
    assert len(state.gaps) == MAX_GAPS
    assert state.merged
    assert all(is_missing(state, seq) for seq in range(1, 2 * MAX_GAPS + 21, 2))


def test_a_promise_makes_numbers_missing() -> None:
    state = promised(heard(StreamState(), Position(1, 2)), Position(1, 4))
    assert (state.head, state.gaps) == (Position(1, 4), ((1, 1), (3, 4)))
    assert promised(state, Position(1, 3)) == state


def test_only_a_higher_lowest_epoch_resumes_an_equivocation() -> None:
    stopped = StreamState(head=Position(5, 1), stopped="equivocation")
    assert resumed(stopped, 5) == stopped
    assert resumed(stopped, 6).stopped == ""
    lost = stopped._replace(stopped="offset_out_of_range")
    assert resumed(lost, 6) == lost


@pytest.mark.parametrize(
    "state",
    [
        StreamState(),
        StreamState(
            Position(3, 4), 5, 6, ((1, 2), (4, 4)), True, 2, (7, 8), Told(Position(3, 4), 9, 10, True), 11, "x"
        ),
        StreamState(mismatch=()),
    ],
)
def test_the_written_form_is_the_state(state: StreamState) -> None:
    assert StreamState.from_json(state.to_json()) == state


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"head":1}'])
def test_an_unreadable_state_is_corrupt(data: bytes) -> None:
    with pytest.raises(Corrupt):
        StreamState.from_json(data)
