"""Filters to SQL: what stands in the command and what in the parameters; which days a page needs."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.search.asked import milliseconds, parse, recorded
from audit.search.filters import FEW, Cursor, Filters, days, entries, floor_of, index_for, parse_cursor, shapes
from audit.search.rows import DAY_MS, FACETS, Access, Shape, access_of, entry_id, place_of
from contracts.errors import UserError

EVIL = "x' OR 1=1 --"


def test_values_are_parameters() -> None:
    filters = Filters(facets={"organisation": [EVIL, "none"]}, types=[EVIL], people={"clerk": b"t"}, log=3)
    where = entries(filters)
    assert EVIL not in where.sql
    assert where.sql.count("?") == len(where.values)
    assert where.values == (0, 1 << 53, 3 << 40, 4 << 40, b"t", EVIL, EVIL)
    assert "organisation IS NULL" in where.sql


def test_nothing_asked_is_everything() -> None:
    assert shapes(Filters()) is None
    assert entries(Filters()).sql == "time >= ? AND time < ?"
    assert index_for(Filters(), 0) == "entries_time"


@pytest.mark.parametrize(
    ("filters", "matches", "index"),
    [
        (Filters(types=["a"]), FEW, "entries_shape"),
        (Filters(types=["a"]), FEW + 1, "entries_time"),
        (Filters(people={"clerk": b"1", "holder": b"2"}), 0, "entries_holder"),
        (Filters(people={"case": b"1"}), 0, "entries_case_number"),
    ],
)
def test_the_cheaper_index(filters: Filters, matches: int, index: str) -> None:
    assert index_for(filters, matches) == index


def test_days_end_where_the_cursor_stands() -> None:
    filters = Filters(since=DAY_MS, until=10 * DAY_MS)
    assert days(filters).values == (1, 9)
    assert days(filters, Cursor(5 * DAY_MS + 7, 1)).values == (1, 5)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 40)), unique_by=lambda day: day[0]), st.integers(1, 99))
def test_above_the_floor_there_is_always_a_page(counted: list[tuple[int, int]], limit: int) -> None:
    newest_first = sorted(counted, reverse=True)
    floor, matches = floor_of(newest_first, limit)
    above = [count for day, count in newest_first if day * DAY_MS >= floor]
    assert matches == sum(above)
    assert floor == 0 or sum(above[1:]) >= limit  # whatever of the newest day lies beyond the page


def test_cursors() -> None:
    assert parse_cursor(Cursor(12, 34).text()) == Cursor(12, 34)
    assert [parse_cursor(text) for text in ("", "1", "1-", "-1", "1-2x", "1 2")] == [None] * 6
    most = (1 << 63) - 1
    assert parse_cursor(f"9999999999999999-{most}") == Cursor(9999999999999999, most)
    assert parse_cursor(f"1-{most + 1}") is None


# --- words ---------------------------------------------------------------------------------------------------------


def test_words_add_up_and_alternate() -> None:
    asked = parse(["organisation=a", "organisation=b", "item=i", "type=t", "from=2026-11-22", "clerk=c=d"])
    assert asked.facets == {"organisation": ("a", "b"), "service_item": ("i",)}
    assert (asked.types, asked.people) == (("t",), {"clerk": "c=d"})
    assert asked.since == milliseconds("2026-11-21T16:00:00Z")
    found = recorded(asked, Filters(people={"clerk": b"\1\2"}))
    assert found == {"organisation": ["a", "b"], "item": ["i"], "from": asked.since, "type": ["t"], "clerk": "0102"}


@pytest.mark.parametrize("words", [["x=1"], ["clerk"], ["clerk="], ["from=yesterday"], ["from=2026-01-01"] * 2])
def test_what_is_no_filter_is_refused(words: list[str]) -> None:
    with pytest.raises(UserError):
        parse(words)


@pytest.mark.parametrize(
    ("word", "what"),
    [
        ("clerk=", "The value is empty"),
        ("holder= ", "The value is empty"),
        ("unit=\udcd5\udcc5", "Not text in UTF-8"),
        ("clerk=\udcd5\udcc5", "Not text in UTF-8"),
        ("colour=", "Not a filter"),
    ],
)
def test_what_is_wrong_with_a_value(word: str, what: str) -> None:
    with pytest.raises(UserError) as caught:
        parse([word])
    assert (caught.value.what.en, caught.value.where) == (what, word.partition("=")[0])


def test_a_mistake_does_not_repeat_a_person() -> None:
    with pytest.raises(UserError) as caught:
        parse(["clerc=ZHANG"])
    assert "ZHANG" not in str(caught.value)


def test_a_bare_date_ends_with_its_day() -> None:
    assert milliseconds("2026-11-22", end=True) - milliseconds("2026-11-22") == DAY_MS
    assert milliseconds("2026-11-22T08:30", end=True) == milliseconds("2026-11-22T00:30:00Z")
    assert milliseconds("9999-12-31", end=True) - milliseconds("9999-12-31") == DAY_MS  # "for ever", in many systems


# --- leaves ----------------------------------------------------------------------------------------------------------

LEAF = dict.fromkeys(FACETS) | {"v": 1, "time": 5, "commit": "c", "evidence_types": ["b", "a", "b"]}


def _leaf(**changes: object) -> bytes:
    return orjson.dumps({**LEAF, **changes})


def test_a_leaf_becomes_a_shape() -> None:
    assert access_of(_leaf(unit="u")) == Access(5, Shape((None, "u", *(None,) * 8), '["a","b"]'), "c")


@pytest.mark.parametrize(
    "changes", [{"v": 2}, {"time": -1}, {"time": "5"}, {"unit": 1}, {"evidence_types": [1]}, {"commit": None}]
)
def test_what_is_no_access_record(changes: dict[str, object]) -> None:
    assert access_of(_leaf(**changes)) is None
    assert access_of(b"\xff") is None
    assert access_of(b'{"v":1}') is None


@given(st.integers(1, 1000), st.integers(0, (1 << 40) - 1))
def test_ids_are_places(log: int, position: int) -> None:
    assert place_of(entry_id(log, position)) == (log, position)
    low, high = (value for value in entries(Filters(log=log)).values[-2:] if type(value) is int)
    assert low <= entry_id(log, position) < high
