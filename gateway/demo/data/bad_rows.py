"""Bad rows, as real exports have them, planted into good ones. Pure, seeded.

Each kind spoils one cell (or the row) so that exactly this row must be refused, and its key stays readable.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

UNDECODABLE = "\x00"  # the writer puts bytes here that are no text in any encoding used
NO_SUCH_DAY = "2021年02月30日"


@dataclass(frozen=True, slots=True)
class Weak:
    """The columns of a file that its bad rows are made with."""

    identifier: str  # a number with a check digit
    mandatory: str
    day: str
    name: str  # a text with an upper bound of at most 100 characters
    code: str  # a code list


@dataclass(frozen=True, slots=True)
class BadRow:
    """A planted row: its `line` in the file (the header is 1), the `kind`, the `column` ("" for the whole row)."""

    line: int
    kind: str
    column: str


def _with(column: Callable[[Weak], str], spoil: Callable[[str], str]) -> Callable[..., tuple[list[str], str]]:
    def plant(cells: list[str], columns: tuple[str, ...], weak: Weak) -> tuple[list[str], str]:
        name = column(weak)
        at = columns.index(name)
        return [*cells[:at], spoil(cells[at]), *cells[at + 1 :]], name

    return plant


def _wrong_check_digit(number: str) -> str:
    return number[:-1] + ("1" if number[-1] != "1" else "2")


KINDS: Mapping[str, Callable[..., tuple[list[str], str]]] = {
    "check_digit": _with(lambda weak: weak.identifier, _wrong_check_digit),
    "missing_value": _with(lambda weak: weak.mandatory, lambda _: ""),
    "impossible_date": _with(lambda weak: weak.day, lambda _: NO_SUCH_DAY),
    "too_long": _with(lambda weak: weak.name, lambda name: (name * 60)[:120]),
    "undecodable": _with(lambda weak: weak.name, lambda name: name + UNDECODABLE),
    "unknown_code": _with(lambda weak: weak.code, lambda _: "状态不明"),
    "column_missing": lambda cells, *_: (cells[:-1], ""),
    "column_extra": lambda cells, *_: ([*cells, "备注"], ""),
}


def plant(
    rng: Random, rows: list[list[str]], columns: tuple[str, ...], weak: Weak, keep: int, each: int
) -> tuple[BadRow, ...]:
    """Spoil `each` rows of every kind in place, none of the first `keep`; in order of their lines."""
    kinds = [kind for kind in KINDS for _ in range(each)]
    chosen = rng.sample(range(keep, len(rows)), len(kinds))
    bad = []
    for index, kind in zip(chosen, kinds, strict=True):
        rows[index], column = KINDS[kind](rows[index], columns, weak)
        bad.append(BadRow(index + 2, kind, column))
    return tuple(sorted(bad, key=lambda one: one.line))
