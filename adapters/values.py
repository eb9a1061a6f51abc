"""Cells to values: the ways in which departments write dates, numbers and lists. Pure.

1. A cell loses white space around it, full-width space and invisible marks included.
2. Dates, numbers and codes are compared in half width: `２０２１年３月５日` is `2021-03-05`.
3. A date is a real day, from 1800 to 9999: 30 February is refused, whatever the form.
4. A number has no thousands separators and no exponent; decimals stay text, so that no digit is lost.
5. What cannot be read raises `CellFault` with a code of the error table, never with the value.
"""

import re
from datetime import date, datetime, time, timedelta, timezone

from contracts.encoding import MAX_INTEGER
from contracts.text import Text

_WIDE = {0xFF01 + offset: 0x21 + offset for offset in range(94)} | {0x3000: " ", 0x2212: "-"}
_EDGES = " \t\r\n\v\f\u00a0\u3000\u200b\u200c\u200d\u2060\ufeff"
_DATE = re.compile(
    r"(?P<y>[0-9]{4})(?:"
    r"(?P<m>[0-9]{2})(?P<d>[0-9]{2})"
    r"|([-/.])(?P<m2>[0-9]{1,2})\4(?P<d2>[0-9]{1,2})"
    r"|\s*年\s*(?P<m3>[0-9]{1,2})\s*月\s*(?P<d3>[0-9]{1,2})\s*[日号]"
    r")(?:[T\s]\s*0{1,2}:00(?::00(?:\.0+)?)?)?"
)
_MOMENT = re.compile(r"(?P<day>.*?)(?:[T\s]\s*(?P<h>[0-9]{1,2}):(?P<m>[0-9]{2})(?::(?P<s>[0-9]{2})(?:\.[0-9]+)?)?)?")
_FIRST_YEAR = 1800
_INTEGER = re.compile(r"[+-]?[0-9]{1,16}(?:\.0{1,6})?")
_DECIMAL = re.compile(r"(?P<sign>-?)\+?0*(?P<whole>[0-9]{1,30}?)(?:\.(?P<part>[0-9]{1,30}))?")


class CellFault(Exception):
    """A cell that cannot be read: `code` of the error table."""

    def __init__(self, code: str, detail: Text | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


def strip(cell: str) -> str:
    """Rule 1."""
    return cell.strip(_EDGES)


def half_width(text: str) -> str:
    """Full-width ASCII and space as their half-width forms; everything else as it is."""
    return text if text.isascii() else text.translate(_WIDE)


def clean(cell: str) -> str:
    """Rules 1 and 2."""
    return half_width(cell).strip(_EDGES)


def read_date(cell: str) -> str:
    """`YYYY-MM-DD` of `2021-03-05`, `2021/3/5`, `2021.3.5`, `20210305` or `2021年03月05日`, a midnight allowed."""
    found = _DATE.fullmatch(clean(cell))
    if found is None:
        raise CellFault("row_date_invalid")
    year, month, day = found["y"], found["m"] or found["m2"] or found["m3"], found["d"] or found["d2"] or found["d3"]
    try:
        value = date(int(year), int(month), int(day))
    except ValueError:
        raise CellFault("row_date_invalid") from None
    if value.year < _FIRST_YEAR:
        raise CellFault("row_date_invalid")
    return value.isoformat()


def read_instant(cell: str, offset: timedelta) -> int:
    """Unix seconds, never below 0, of a date with or without time (`2021/3/5 14:02:00`), local at `offset` from UTC."""
    found = _MOMENT.fullmatch(clean(cell))
    if found is None:
        raise CellFault("row_date_invalid")
    day = date.fromisoformat(read_date(found["day"]))
    try:
        clock = time(int(found["h"] or 0), int(found["m"] or 0), int(found["s"] or 0), tzinfo=timezone(offset))
        return max(0, int(datetime.combine(day, clock).timestamp()))
    except (ValueError, OverflowError):
        raise CellFault("row_date_invalid") from None


def read_integer(cell: str) -> int:
    """The whole number; `100.00` is one, as spreadsheets write it."""
    text = clean(cell)
    if _INTEGER.fullmatch(text) is None:
        raise CellFault("row_number_invalid")
    return _bounded(int(text.partition(".")[0]))


def read_scaled(cell: str, times: int) -> int:
    """The number times `times` (万元 to yuan: 10000), which must be whole."""
    found = _DECIMAL.fullmatch(clean(cell))
    if found is None:
        raise CellFault("row_number_invalid")
    part = found["part"] or ""
    scaled, rest = divmod(int(found["whole"] + part) * times, 10 ** len(part))
    if rest:
        raise CellFault("row_number_invalid")
    return _bounded(-scaled if found["sign"] else scaled)


def read_decimal(cell: str) -> str:
    """Decimal text in one form: no leading zeros, no sign but `-`, the digits behind the point kept."""
    found = _DECIMAL.fullmatch(clean(cell))
    if found is None:
        raise CellFault("row_number_invalid")
    return found["sign"] + found["whole"] + (f".{found['part']}" if found["part"] else "")


def _bounded(value: int) -> int:
    if not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise CellFault("row_number_invalid")
    return value


def split(cell: str, separators: str) -> list[str]:
    """The parts between any of the characters `separators`, stripped, without empty ones."""
    for other in separators[1:]:
        cell = cell.replace(other, separators[0])
    parts = cell.split(separators[0]) if separators else [cell]
    return [part for part in map(strip, parts) if part]
