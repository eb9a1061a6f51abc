"""What notices and orders say together."""

from dataclasses import replace

import pytest

from audit import notices
from audit.notices import Notice
from audit.orders.order import ERASE, LIFT, RESTRICT, Order
from audit.orders.state import Noticed, State, effective, fold, notice_of, noticed
from audit.ranges import NONE, Ranges, parse
from contracts.encoding import Json

LOG = "gov.example/log"
REASON = {ERASE: "unlawful", RESTRICT: "unlawful", LIFT: "ground_ended"}


def order(action: str, positions: str, number: int = 1) -> Order:
    return Order(LOG, action, number, 1_700_000_000, parse(positions), REASON[action], "Article 47")


def told(*orders: Order) -> list[Noticed]:
    entries = (notice_of(one, 5).encode() for one in orders)
    found = [noticed(100 + at, entry) for at, entry in enumerate(entries)]
    return [one for one in found if one is not None]


def state(*orders: Order, here: tuple[Order, ...] | None = None) -> State:
    """`here`: the orders that count; all unless said."""
    known = {one.digest: one for one in (orders if here is None else here)}
    return fold(told(*orders), LOG, known.get)


def test_restricted_lifted_erased() -> None:
    found = state(order(RESTRICT, "1-5"), order(LIFT, "2,9", 2), order(ERASE, "3", 3), order(RESTRICT, "8", 4))
    assert (found.restricted.text(), found.erased.text()) == ("1,3-5,8", "3")
    assert sorted(found.carried_out.values()) == [100, 101, 102, 103]
    assert found.unordered == ()


def test_lifting_ends_however_many_restrictions() -> None:
    assert state(order(RESTRICT, "1"), order(RESTRICT, "1", 2), order(LIFT, "1", 3)).restricted == NONE


def test_without_its_order_a_notice_only_restricts() -> None:
    restricting = order(RESTRICT, "1-3")
    found = state(restricting, order(LIFT, "1", 2), order(ERASE, "2", 3), here=())
    assert (found.restricted.text(), found.erased) == ("1-3", NONE)
    assert [one.index for one in found.unordered] == [100, 101, 102]


def test_an_order_that_was_carried_out_is_not_carried_out_again() -> None:
    """Whoever has the log alone can say it again, after the auditor has said something else."""
    lifting = order(LIFT, "1", 2)
    found = state(order(RESTRICT, "1"), lifting, order(RESTRICT, "1", 3), lifting)
    assert found.restricted.text() == "1"
    assert [one.index for one in found.unordered] == [103]
    assert found.carried_out[lifting.digest] == 101


def test_an_order_that_was_held_back_comes_too_late() -> None:
    late = (order(LIFT, "1", 1), order(ERASE, "1", 2), order(RESTRICT, "7", 3))
    found = state(order(RESTRICT, "1", 4), *late)
    assert (found.restricted.text(), found.erased) == ("1,7", NONE)
    assert [one.index for one in found.unordered] == [101, 102, 103]


def test_a_notice_with_other_positions_does_not_end_an_order_that_waits_for_its_own() -> None:
    waiting = order(RESTRICT, "5")
    [other] = told(order(RESTRICT, "0"))
    found = fold([replace(other, order=waiting.digest)], LOG, {waiting.digest: waiting}.get)
    assert effective(found, (waiting,)).text() == "0,5"


def test_a_notice_says_what_its_order_says() -> None:
    [said] = told(order(ERASE, "1"))
    assert said.is_of(order(ERASE, "1"))
    changed = (
        replace(said, action=RESTRICT),
        replace(said, positions=parse("1-8")),
        replace(said, origin="gov.example/b"),
        replace(said, order="0" * 64),
    )
    assert not any(one.is_of(order(ERASE, "1")) for one in changed)


def test_notices_about_another_log_say_nothing() -> None:
    other = replace(order(RESTRICT, "1"), origin="gov.example/b")
    assert fold(told(other), LOG, {other.digest: other}.get) == State()


def test_an_order_that_is_here_restricts_before_its_notice() -> None:
    lifted = state(order(RESTRICT, "1-2"), order(LIFT, "1-2", 2))
    early = order(RESTRICT, "5", 3)
    assert effective(lifted, (order(RESTRICT, "1-2"), early, order(ERASE, "6", 4))).text() == "5"


@pytest.mark.parametrize(
    "facts",
    [
        {"log": LOG, "order": "x", "positions": "1"},
        {"log": LOG, "order": "0" * 64, "positions": "2,1"},
        {"log": LOG, "order": "0" * 64, "positions": ["1"]},
        {"log": 1, "order": "0" * 64, "positions": "1"},
    ],
)
def test_what_is_no_notice_about_openings(facts: dict[str, Json]) -> None:
    assert noticed(1, Notice(notices.OPENINGS_RESTRICTED, 1, facts).encode()) is None
    assert noticed(1, Notice(notices.LOG_CLOSED, 1, {"successor": "x"}).encode()) is None
    assert noticed(1, b"{}") is None


def test_the_largest_notice_is_an_entry() -> None:
    largest = Ranges.single(range(0, 12_000, 2))
    assert len(largest.text()) < 32 * 1024
    assert len(notice_of(replace(order(ERASE, "1"), positions=largest), 5).encode()) < 0xFFFF
