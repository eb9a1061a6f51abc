"""Typed values as the cells of a CSV export."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sources.cells import cell_text
from adapters.values import CellFault, read_date, read_decimal, read_integer


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("", ""),
        (" 张三\n", " 张三\n"),
        (True, "TRUE"),
        (False, "FALSE"),
        (0, "0"),
        (430102198703162829, "430102198703162829"),
        (20260101.0, "20260101"),
        (-0.0, "0"),
        (999_999_999_999_999.0, "999999999999999"),
        (0.1 + 0.2, "0.3"),
        (1e-7, "0.0000001"),
        (-12.5, "-12.5"),
        (1234567.891, "1234567.891"),
        (Decimal("12.50"), "12.50"),
        (Decimal("1E+3"), "1000"),
        (Decimal("430102198703162829.123"), "430102198703162829.123"),
        (date(2021, 3, 5), "2021-03-05"),
        (datetime(2021, 3, 5), "2021-03-05 00:00:00"),  # noqa: DTZ001 as a database without zones has it
        (datetime(2021, 3, 4, 16, 30, tzinfo=UTC), "2021-03-05 00:30:00"),
        (datetime(2021, 3, 4, 11, 30, tzinfo=timezone(timedelta(hours=-5))), "2021-03-05 00:30:00"),
        (time(14, 2), "14:02:00"),
        (timedelta(hours=36, seconds=5), "36:00:05"),
        (timedelta(seconds=-90), "-00:01:30"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_texts(value: object, text: str) -> None:
    assert cell_text(value) == text


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (430102198703162829.0, "row_digits_lost"),
        (1e15, "row_digits_lost"),
        (-1e15, "row_digits_lost"),
        (1e300, "row_digits_lost"),
        (1234567890123.4567, "row_digits_lost"),
        (float("nan"), "row_number_invalid"),
        (float("-inf"), "row_number_invalid"),
        (Decimal("NaN"), "row_number_invalid"),
        (b"\x00", "row_cell_type"),
        ([1], "row_cell_type"),
        ({"a": 1}, "row_cell_type"),
    ],
)
def test_refusals(value: object, code: str) -> None:
    with pytest.raises(CellFault) as told:
        cell_text(value)
    assert told.value.code == code


@given(st.integers(-(10**15) + 1, 10**15 - 1))
def test_whole_numbers_survive_a_number_cell(number: int) -> None:
    assert read_integer(cell_text(float(number))) == number


@given(st.integers(15, 18).flatmap(lambda digits: st.integers(10**digits, 10 ** (digits + 1) - 1)))
def test_no_long_number_gets_through_a_number_cell(number: int) -> None:
    with pytest.raises(CellFault):
        cell_text(float(number))
    assert cell_text(number) == str(number)


@given(st.decimals(-(10**9), 10**9, places=4))
def test_decimals_of_up_to_15_digits_survive_a_number_cell(number: Decimal) -> None:
    assert Decimal(read_decimal(cell_text(float(number)))) == number


@given(st.dates(date(1800, 1, 1)))
def test_dates_are_read_as_dates(day: date) -> None:
    assert read_date(cell_text(day)) == day.isoformat()
