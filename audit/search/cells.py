"""Values as cells of a table that people open in a spreadsheet. Pure.

1. A spreadsheet reads texts as if they had been typed in: it computes a formula, makes a number of `0012`, keeps
   fifteen digits of an identity number, makes a date of `2026-11`. Such a text gets an apostrophe, and no other change.
   Texts of nothing but digits and what numbers, dates, times and sums of money are written with count as such: an
   apostrophe too many loses nothing.
2. Values that are numbers, dates or times themselves stay what they are: counts, positions, our own times.
3. The rule is part of the format of a package: it does not depend on the version of Unicode that a program knows.
4. A table may come back with the apostrophe or, from a cell that somebody edited, without it.
"""

import re
from datetime import date, datetime
from typing import Final

from audit.moments import moment
from audit.search.asked import ZONE
from contracts.encoding import Json

MARK: Final = "'"

_COMPUTED = ("=", "+", "-", "@", "\t", "\r", "\n")
# Wide forms are read like narrow ones.
_NARROW = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)} | {0x3000: " ", 0xA0: " ", 0xFFE5: "¥"}
_DIGIT = re.compile("[0-9]")
_MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?"
)
_NUMBER_OR_DATE = re.compile(
    rf"(?:[0-9\s.,:/%()$¥€£年月日时分秒-]|上午|下午|(?<=[0-9.])e[+-]?(?=[0-9])|(?<=[0-9\s])[ap]m|(?<=\s)[ap]|{_MONTHS})+",
    re.ASCII | re.IGNORECASE,
)


def cell(value: Json | date) -> Json | date:
    """A value as it stands in CSV (rules 1 and 2); empty for None."""
    if value is None:
        return ""
    return f"{MARK}{value}" if is_misread(value) else value


def is_misread(value: Json | date) -> bool:
    """Whether a spreadsheet would take this text for a formula, a number or a date (rule 1)."""
    if not isinstance(value, str):
        return False
    text = value.translate(_NARROW)
    return text.startswith(_COMPUTED) or bool(_NUMBER_OR_DATE.fullmatch(text) and _DIGIT.search(text))


def unmarked(text: str) -> str:
    """A cell that came back (rule 4)."""
    return text[1:] if text.startswith(MARK) and is_misread(text[1:]) else text


def local_time(milliseconds: int) -> datetime:
    """A time in Unix ms as people read it (rule 2): in Beijing, to the second, without a zone."""
    return moment(milliseconds).astimezone(ZONE).replace(microsecond=0, tzinfo=None)


def day(text: str | None) -> date | None:
    """A date of ours, YYYY-MM-DD, as what it is (rule 2)."""
    return None if text is None else date.fromisoformat(text)
