"""May an order be carried out?"""

from dataclasses import replace

import pytest

from audit.orders.decide import DAY_MS, Situation, decide
from audit.orders.order import ERASE, LIFT, RESTRICT, Order
from audit.orders.state import State
from audit.ranges import parse

NOW = 1_800_000_000_000
ORDER = Order("gov.example/log", ERASE, 5, 1_800_000_000, parse("3-4"), "unlawful", "Article 47")
LIFTING = replace(ORDER, action=LIFT, reason="authority")
HERE = Situation("gov.example/log", 10, 200, State(), 4, NOW - 200 * DAY_MS)


def code(order: Order, here: Situation = HERE) -> str:
    found = decide(order, here, NOW)
    return "" if found is None else found.code


def test_an_order_that_may_be_carried_out() -> None:
    assert code(ORDER) == ""
    assert code(replace(ORDER, action=RESTRICT), replace(HERE, newest=0)) == ""
    assert code(LIFTING, replace(HERE, state=State(parse("4")))) == ""
    assert code(replace(ORDER, action=RESTRICT), replace(HERE, held=True)) == ""


@pytest.mark.parametrize(
    ("order", "here", "why"),
    [
        (replace(ORDER, origin="gov.example/b"), HERE, "order_of_another_log"),
        (replace(ORDER, positions=parse("3,10")), HERE, "order_beyond_log"),
        (ORDER, replace(HERE, state=State(carried_out={ORDER.digest: 7})), "order_carried_out"),
        (ORDER, replace(HERE, highest=5), "order_outnumbered"),
        (ORDER, replace(HERE, state=State(erased=parse("1-9"))), "order_without_effect"),
        (replace(ORDER, action=RESTRICT), replace(HERE, state=State(erased=parse("3-4"))), "order_without_effect"),
        (LIFTING, HERE, "order_without_effect"),
        (
            LIFTING,
            replace(HERE, state=State(parse("4"), parse("4"))),
            "order_without_effect",
        ),
        (ORDER, replace(HERE, timeless=3), "entry_without_time"),
        (ORDER, replace(HERE, newest=HERE.newest + 1), "retention_running"),
        (ORDER, replace(HERE, held=True), "order_log_held"),
    ],
)
def test_an_order_that_may_not(order: Order, here: Situation, why: str) -> None:
    assert code(order, here) == why


def test_the_law_s_minimum_counts_whatever_the_registry_says() -> None:
    assert code(ORDER, replace(HERE, retention_days=1, newest=NOW - 184 * DAY_MS)) == ""
    assert code(ORDER, replace(HERE, retention_days=1, newest=NOW - 184 * DAY_MS + 1)) == "retention_running"


def test_it_says_what_to_do_instead() -> None:
    refused = decide(ORDER, replace(HERE, newest=NOW), NOW)
    assert refused is not None
    assert refused.what.en == "The time of retention is not over (until 2027-08-03)"
    assert refused.remedy.en == "Restrict now, erase after 2027-08-03."
    assert "请先限制处理" in refused.remedy.zh
