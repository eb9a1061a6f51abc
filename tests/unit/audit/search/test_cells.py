"""Texts that a spreadsheet would misread, and the mark before them."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.search.cells import cell, day, is_misread, local_time, unmarked

FORMULAS = ("=1+1", "+86 10", "-1", "@sum", "\tx", "\uff1dA1", "\uff0b1")
NUMBERS = (
    "430102198703162829", "0012", "9143010012345678E9", "1e-5", "1,234.50", "12%", "$5", "\uffe55", "(7)", "1/2", ".5",
    "\uff10\uff10\uff11\uff12", " 12",
)  # fmt: skip
DATES = (
    "2026-11", "2026/11/3", "3-4", "2026年11月3日", "10:30", "下午3时", "3 p", "10:30 AM", "mar-1", "SEPT1",
    "3 Nov 2026", "2026-11-03 10:00:00", "1\u3000May",
)  # fmt: skip
PLAIN = (
    "'", "case-7", "91350211M000100Y43", "CY-2026-000118", "018f3b1e-7c2a-7abc-9def-0123456789ab",
    "2025-11-21T16:13:20.123Z", "12345678ab", "e5", "may", "mark-1", "cn.business-licence: 1", "窗口3",
    "第3窗口", "a1", "1a", "oncegate.example/log-1",
)  # fmt: skip


@pytest.mark.parametrize("text", [*FORMULAS, *NUMBERS, *DATES])
def test_a_text_that_would_be_misread_is_marked_and_comes_back(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert unmarked(f"'{text}") == unmarked(text) == text


@pytest.mark.parametrize("text", ["", *PLAIN])
def test_every_other_text_stays(text: str) -> None:
    assert cell(text) == text
    assert unmarked(text) == text


def test_numbers_and_times_of_ours_stay_what_they_are() -> None:
    assert cell(1_000_000) == 1_000_000
    assert str(cell(local_time(1_763_741_600_123))) == "2025-11-22 00:13:20"
    assert cell(day("2026-12-04")) == date(2026, 12, 4)
    assert cell(day(None)) == cell(None) == ""


@given(st.text(min_size=1))
def test_no_cell_is_misread_and_none_is_lost(text: str) -> None:
    written = cell(text)
    assert not is_misread(written)
    assert written in (text, f"'{text}")
