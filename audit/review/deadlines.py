"""Deadlines in working days. Pure.

1. A deadline is a date in Beijing; the whole day belongs to it.
2. Working days are Monday to Friday. Public holidays, and the weekends that are worked in exchange, are decided each
   year and not known here: who needs another day says so with `extend`.
3. Day 1 is the first working day after the one on which something is asked.
"""

from datetime import date, datetime, timedelta

from audit.search.asked import ZONE
from contracts.errors import UserError
from contracts.text import Text

MAX_DAYS = 250

_BAD_DATE = Text("日期格式不对", "Not a date")
_DATE_FORM = Text("例如 2026-12-04。", "Such as 2026-12-04.")
_BAD_DAYS = Text("工作日数超出范围", "The number of working days is out of bounds")
_DAYS = Text(f"允许 1 到 {MAX_DAYS}。", f"Allowed: 1 to {MAX_DAYS}.")


def today(now: int) -> str:
    """The date in Beijing; `now` in Unix ms."""
    return datetime.fromtimestamp(now / 1000, ZONE).date().isoformat()


def after(start: str, days: int) -> str:
    """The date so many working days after `start` (rules 2 and 3); raises `UserError`."""
    if not 1 <= days <= MAX_DAYS:
        raise UserError(_BAD_DAYS, str(days), _DAYS)
    found = date.fromisoformat(start)
    while days:
        found += timedelta(days=1)
        days -= found.weekday() < 5
    return found.isoformat()


def date_of(text: str) -> str:
    """A date as written; raises `UserError`."""
    try:
        return date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        raise UserError(_BAD_DATE, text, _DATE_FORM) from None
