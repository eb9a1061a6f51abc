"""Deadlines: working days, in Beijing."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.review.deadlines import MAX_DAYS, after, date_of, today
from audit.search.asked import milliseconds
from contracts.errors import UserError

dates = st.dates(date(2000, 1, 1), date(2100, 1, 1))


@pytest.mark.parametrize(
    ("start", "days", "until"),
    [
        ("2026-11-23", 1, "2026-11-24"),  # Monday
        ("2026-11-27", 1, "2026-11-30"),  # Friday
        ("2026-11-28", 1, "2026-11-30"),
        ("2026-11-29", 1, "2026-11-30"),
        ("2026-11-23", 5, "2026-11-30"),
        ("2026-11-23", 10, "2026-12-07"),
        ("2026-12-28", 4, "2027-01-01"),  # a public holiday: not known
    ],
)
def test_working_days(start: str, days: int, until: str) -> None:
    assert after(start, days) == until


@given(dates, st.integers(1, MAX_DAYS))
def test_so_many_working_days_lie_between(start: date, days: int) -> None:
    end = date.fromisoformat(after(start.isoformat(), days))
    between = [start + timedelta(days=n) for n in range(1, (end - start).days + 1)]
    assert sum(day.weekday() < 5 for day in between) == days
    assert end.weekday() < 5


@pytest.mark.parametrize("days", [0, -1, MAX_DAYS + 1])
def test_bounds(days: int) -> None:
    with pytest.raises(UserError):
        after("2026-11-23", days)


def test_today_is_beijings() -> None:
    assert today(milliseconds("2026-11-23T15:59:59Z")) == "2026-11-23"
    assert today(milliseconds("2026-11-23T16:00:00Z")) == "2026-11-24"


def test_dates_as_written() -> None:
    assert date_of(" 2026-12-04 ") == "2026-12-04"
    with pytest.raises(UserError):
        date_of("4.12.2026")
