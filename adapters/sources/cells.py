"""Values with a type (spreadsheets, databases) to cells as a CSV export would have them. Pure.

1. Nothing (NULL) is the empty cell; text is as it is; true and false are `TRUE` and `FALSE`.
2. A whole number has no point: 20260101.0 is `20260101`. Decimals keep their digits, never an exponent.
3. Binary floating point keeps 15 decimal digits. A whole number of 16 or more, as an identity number that was typed
   into a number cell, has already lost its last digits: refused, never repaired. So is a fraction with more digits
   than 15, unless the rest is the noise of arithmetic (0.1 + 0.2), which Excel hides as well.
4. Dates are `2021-03-05`, times `14:02:00`, both with a space between them. A time with an offset is told in China's
   time (UTC+8), wherever the adapter or the server stands.
5. Bytes, lists and whatever else has no one text are refused.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from math import isfinite, ulp
from types import NoneType
from typing import Any
from uuid import UUID

from adapters.values import CellFault

CHINA = timezone(timedelta(hours=8))
_FIRST_LOST = 10**15
_NOISE_ULPS = 4


def cell_text(value: object) -> str:
    """The text of a value; raises `CellFault`."""
    convert = _CONVERSIONS.get(type(value))
    if convert is None:
        raise CellFault("row_cell_type")
    return convert(value)


def _float(value: float) -> str:
    """Rules 2 and 3."""
    if not isfinite(value):
        raise CellFault("row_number_invalid")
    if value.is_integer():
        if abs(value) >= _FIRST_LOST:
            raise CellFault("row_digits_lost")
        return str(int(value))
    shown = f"{value:.15g}"
    if abs(float(shown) - value) > _NOISE_ULPS * ulp(value):
        raise CellFault("row_digits_lost")
    return _decimal(Decimal(shown))


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise CellFault("row_number_invalid")
    return format(value, "f")


def _moment(value: datetime) -> str:
    local = value if value.tzinfo is None else value.astimezone(CHINA).replace(tzinfo=None)
    return local.isoformat(" ")


def _duration(value: timedelta) -> str:
    """A time of day or a span, as MySQL's TIME and Excel's [h]:mm:ss: hours may exceed 24."""
    seconds = value // timedelta(seconds=1)
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


_CONVERSIONS: Mapping[type, Callable[[Any], str]] = {
    NoneType: lambda _: "",
    str: lambda value: value,
    bool: lambda value: "TRUE" if value else "FALSE",
    int: str,
    float: _float,
    Decimal: _decimal,
    date: date.isoformat,
    datetime: _moment,
    time: time.isoformat,
    timedelta: _duration,
    UUID: str,
}
