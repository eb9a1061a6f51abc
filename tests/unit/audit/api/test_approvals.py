"""Questions that take two auditors."""

from dataclasses import replace

import pytest

from audit.api.approvals import AGREED, MISTAKES, MOST, MOST_EACH, REFUSED, WAIT_MS, WAITING, Approvals, Pending, same
from contracts.errors import Fault

ONE = Pending("1", "search", "li", 1000, 1000 + WAIT_MS, {"purpose": "why"}, b"token", "question")


def held(*more: Pending) -> Approvals:
    approvals = Approvals()
    for pending in (ONE, *more):
        approvals.put(pending)
    return approvals


def decide(approvals: Approvals, who: str, agrees: bool, named: bytes = b"token", now: int = 2000) -> Pending:
    return approvals.decided("1", who, now, agrees, lambda one: same(one.subject, named))


def test_nothing_counts_before_it_is_put_back() -> None:
    approvals = held()
    decided = decide(approvals, "wang", agrees=True)
    assert (decided.state, decided.second, decided.expires) == (AGREED, "wang", 2000 + WAIT_MS)
    assert approvals.agreed("1", "search", "li", 2000).state == WAITING
    approvals.put(decided)
    assert approvals.agreed("1", "search", "li", 2000).question == "question"


@pytest.mark.parametrize(
    ("who", "call", "now", "code"),
    [
        ("wang", "search", 2000, "approval_unknown"),
        ("li", "stats", 2000, "approval_unknown"),
        ("li", "search", 1000 + WAIT_MS, "approval_expired"),
    ],
)
def test_an_answer_is_its_owners(who: str, call: str, now: int, code: str) -> None:
    with pytest.raises(Fault, match=code):
        held().agreed("1", call, who, now)


def test_a_third_mistake_refuses() -> None:
    approvals = held()
    for number in range(1, MISTAKES + 1):
        decided = decide(approvals, "wang", agrees=True, named=b"other")
        assert decided.mistakes == number
        assert decided.state == (REFUSED if number == MISTAKES else WAITING)
        approvals.put(decided)
    with pytest.raises(Fault, match="approval_done"):
        decide(approvals, "wang", agrees=True)


def test_who_asked_does_not_decide() -> None:
    for agrees in (True, False):
        with pytest.raises(Fault, match="approval_of_own"):
            decide(held(), "li", agrees)
    assert held().for_others("li", 2000) == []
    assert held().for_others("wang", 2000) == [ONE]
    assert held().for_others("wang", ONE.expires) == []


def test_expired_ones_are_told_once_and_forgotten_later() -> None:
    approvals = held(replace(ONE, id="2", state=REFUSED))
    assert approvals.expired(ONE.expires - 1) == []
    assert [one.id for one in approvals.expired(ONE.expires)] == ["1"]
    assert approvals.expired(ONE.expires) == []
    with pytest.raises(Fault, match="approval_expired"):
        approvals.agreed("1", "search", "li", ONE.expires)
    assert approvals.expired(ONE.expires + WAIT_MS) == []
    with pytest.raises(Fault, match="approval_unknown"):
        approvals.agreed("1", "search", "li", ONE.expires + WAIT_MS)


def test_only_so_many_wait() -> None:
    approvals = held(*(replace(ONE, id=str(number)) for number in range(2, MOST_EACH + 1)))
    with pytest.raises(Fault, match="approvals_full"):
        approvals.room_for("li")
    approvals.room_for("wang")
    for number in range(MOST):
        approvals.put(replace(ONE, id=f"w{number}", by=f"auditor {number}"))
    with pytest.raises(Fault, match="approvals_full"):
        approvals.room_for("wang")


def test_nobody_is_in_its_words() -> None:
    assert "token" not in repr(ONE)
    assert "question" not in repr(ONE)
