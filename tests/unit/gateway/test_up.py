"""When a role that ended is started again, and when a person must look."""

import pytest

from gateway.up import MAX_STARTS, STAYED_S, pause_after


@pytest.mark.parametrize("code", [2, 3])
@pytest.mark.parametrize("lasted_s", [0.1, 10_000.0])
def test_what_a_person_must_mend_is_not_tried_again(code: int, lasted_s: float) -> None:
    assert pause_after(code, lasted_s, 1) is None


@pytest.mark.parametrize("code", [0, 1, 4, 70, 137])
def test_all_else_is_tried_again_less_and_less_often(code: int) -> None:
    pauses = [pause_after(code, 0.1, starts) for starts in range(1, MAX_STARTS)]
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_a_role_that_does_not_stay_ends_all() -> None:
    assert pause_after(137, STAYED_S - 1, MAX_STARTS) is None


def test_a_role_that_stayed_begins_anew() -> None:
    assert pause_after(137, STAYED_S, MAX_STARTS) == 1.0
