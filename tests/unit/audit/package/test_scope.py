"""What a question covers, against the search's own meaning of it."""

import pytest

from audit.package.scope import FILTERS, is_question, is_within
from audit.search.asked import NAMES
from audit.search.rows import FACETS
from contracts.encoding import Json
from tests.unit.audit.package.items import item

LEAF = item(time=1000, unit=None, evidence_types=("a", "b")).leaf


@pytest.mark.parametrize(
    ("filters", "within"),
    [
        ({}, True),
        ({"from": 1000, "to": 1001}, True),
        ({"from": 1001}, False),
        ({"to": 1000}, False),
        ({"log": "x"}, True),
        ({"log": "y"}, False),
        ({"unit": ["none"]}, True),
        ({"unit": ["w", "none"]}, True),
        ({"unit": ["w"]}, False),
        ({"organisation": ["none"]}, False),
        ({"organisation": ["other", "admin-approval"]}, True),
        ({"item": ["open-restaurant"]}, True),
        ({"item": ["buy-home"]}, False),
        ({"type": ["c", "b"]}, True),
        ({"type": ["c"]}, False),
        ({"clerk": "00" * 16, "holder": "11" * 16}, True),
    ],
)
def test_a_record_within_or_outside(filters: dict[str, Json], within: bool) -> None:
    assert is_question(filters)
    assert is_within(filters, "x", LEAF) is within


def test_what_is_no_access_record_is_never_within() -> None:
    assert not is_within({}, "x", b"{}")
    assert not is_within({}, "x", b"\xff")


def test_every_filter_of_the_search_has_a_name_for_people() -> None:
    assert set(FILTERS) == set(NAMES)
    assert {name for name in FACETS if name != "service_item"} < set(FILTERS)


@pytest.mark.parametrize(
    "filters",
    [
        {"colour": ["red"]},
        {"unit": "w"},
        {"unit": []},
        {"unit": [1]},
        {"from": "1"},
        {"from": -1},
        {"to": True},
        {"log": ["x"]},
        {"clerk": 1},
    ],
)
def test_what_is_no_question(filters: dict[str, Json]) -> None:
    assert not is_question(filters)
