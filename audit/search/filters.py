"""What is asked for, as SQL with parameters. Pure.

1. A filter without values asks for nothing; several values of one filter are alternatives; filters add up.
2. `none` as a value means "not there" (null): `--unit none`.
3. Values never become SQL; names come from the table of facets.
4. A page is in order of time, newest first, then id; `Cursor` is the last record seen. What comes later than the cursor
   is not on the next page, whatever is indexed meanwhile.
5. A page is looked for among the newest `FEW` entries first: most questions are answered there. Else the counts of each
   day say which days it needs (`floor_of`), and which way is cheaper: many matches are met soon on a walk along time,
   few are fetched by shape and sorted. Every way stays small at 10^7 records.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from audit.search.rows import DAY_MS, FACETS

NONE = "none"
END_OF_TIME = 1 << 53
FEW = 20_000  # so many are sorted in milliseconds

Value = str | int | bytes
_MAX_ENTRY = (1 << 63) - 1  # of what SQLite counts with
_CURSOR = re.compile(r"([0-9]{1,16})-([0-9]{1,19})")


class Cursor(NamedTuple):
    """The last record of a page (rule 4)."""

    time: int
    entry: int

    def text(self) -> str:
        """What `--after` takes."""
        return f"{self.time}-{self.entry}"


@dataclass(frozen=True, slots=True)
class Filters:
    """What is asked for. Times in Unix ms, `since` included, `until` not. `facets` by name of `FACETS`; `types`:
    evidence types; `people`: clerk, case or holder → token. `log`: the number of one log."""

    since: int = 0
    until: int = END_OF_TIME
    facets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    types: Sequence[str] = ()
    people: Mapping[str, bytes] = field(default_factory=dict)
    log: int | None = None


class Where(NamedTuple):
    """A condition and its parameters."""

    sql: str
    values: tuple[Value, ...]


def parse_cursor(text: str) -> Cursor | None:
    """Inverse of `Cursor.text`; None when it is not one."""
    match = _CURSOR.fullmatch(text)
    cursor = None if match is None else Cursor(int(match[1]), int(match[2]))
    return None if cursor is None or cursor.entry > _MAX_ENTRY else cursor


def shapes(filters: Filters) -> Where | None:
    """The condition on table `shapes`; None when every shape will do (rule 1)."""
    parts = [_facet(name, filters.facets[name]) for name in FACETS if filters.facets.get(name)]
    if filters.types:
        marks = ",".join("?" * len(filters.types))
        inside = "".join(("EXISTS (SELECT 1 FROM json_each(types) WHERE value IN (", marks, "))"))
        parts.append(Where(inside, tuple(filters.types)))
    return _all(parts) if parts else None


def entries(filters: Filters, after: Cursor | None = None, floor: int = 0) -> Where:
    """The condition on table `entries`; `floor`: no match of this page is older (rule 5)."""
    # One upper bound: of several SQLite takes one for its walk, perhaps the one that is of no use.
    until = filters.until if after is None else min(filters.until, after.time + 1)
    parts = [Where("time >= ? AND time < ?", (max(filters.since, floor), until))]
    if after is not None:
        parts.append(Where("(time < ? OR id < ?)", (after.time, after.entry)))
    if filters.log is not None:
        parts.append(Where("id >= ? AND id < ?", (filters.log << 40, filters.log + 1 << 40)))
    for name, token in filters.people.items():
        parts.append(Where(f"{_PEOPLE[name]} = ?", (token,)))
    return _all([*parts, *_of_shapes(filters)])


def days(filters: Filters, after: Cursor | None = None) -> Where:
    """The condition on table `counts` for the days that the question touches."""
    newest = min(filters.until - 1, END_OF_TIME if after is None else after.time)
    parts = [Where("day >= ? AND day <= ?", (filters.since // DAY_MS, newest // DAY_MS))]
    if filters.log is not None:
        parts.append(Where("log = ?", (filters.log,)))
    return _all([*parts, *_of_shapes(filters)])


def floor_of(counts: Iterable[tuple[int, int]], limit: int) -> tuple[int, int]:
    """The oldest time (ms) that a page of `limit` can need, and how many matches lie above it at most.

    `counts`: matches of each day, newest day first. The newest day may lie partly beyond the page's upper bound, so its
    matches prove nothing. All of them together fewer than the limit: everything is needed.
    """
    proved = seen = 0
    for number, (day, count) in enumerate(counts):
        seen += count
        proved += count if number else 0
        if proved >= limit:
            return day * DAY_MS, seen
    return 0, seen


def index_for(filters: Filters, matches: int) -> str:
    """Which index a page is read by (rule 5)."""
    for name in ("holder", "case", "clerk"):  # the rarest first
        if name in filters.people:
            return f"entries_{_PEOPLE[name]}"
    return "entries_shape" if matches <= FEW and shapes(filters) is not None else "entries_time"


_PEOPLE = {"clerk": "clerk", "case": "case_number", "holder": "holder"}


def _of_shapes(filters: Filters) -> Sequence[Where]:
    found = shapes(filters)
    if found is None:
        return ()
    return (Where("".join(("shape IN (SELECT id FROM shapes WHERE ", found.sql, ")")), found.values),)


def _facet(name: str, values: Sequence[str]) -> Where:
    named = tuple(value for value in values if value != NONE)
    parts = [f"{name} IN ({','.join('?' * len(named))})"] if named else []
    if len(named) < len(values):
        parts.append(f"{name} IS NULL")
    return Where("(" + " OR ".join(parts) + ")", named)


def _all(parts: Sequence[Where]) -> Where:
    values: list[Value] = []
    for part in parts:
        values += part.values
    return Where(" AND ".join(part.sql for part in parts), tuple(values))
