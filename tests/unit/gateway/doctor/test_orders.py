"""What the node's doctor says of orders that wait."""

import pytest

from contracts.edge.doctor.finding import WARNING
from gateway.doctor.orders import LATE_MS, judge

NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("since", "said"),
    [
        ([], []),
        ([NOW, NOW - LATE_MS, NOW + 5], []),
        ([NOW, NOW - LATE_MS - 1], ["Orders about the log slot-1 wait to be carried out: 1, for 1 h"]),
        ([NOW - 30 * LATE_MS, NOW - 2 * LATE_MS], ["Orders about the log slot-1 wait to be carried out: 2, for 30 h"]),
    ],
)
def test_an_order_that_waits_for_more_than_an_hour_is_said(since: list[int], said: list[str]) -> None:
    found = list(judge("slot-1", since, NOW))
    assert [one.what.en for one in found] == said
    assert {one.level for one in found} <= {WARNING}
