"""What a source of rows promises, and what it is given.

1. `rows(check)` shows `check` the column names before the first row, and yields every row once, in a stable order, with
   what is wrong with it; nothing is skipped silently.
2. It reads one state of the source to its end, or raises: rows that could not be fetched must never look like rows that
   are gone, for those would be withdrawn. `UserError`: a person must mend something. `Unavailable`: try again later.
3. `stamp()` changes when the source may have changed.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from adapters.rows import Row

CheckHeader = Callable[[str, tuple[str, ...]], None]  # where the names stand, the names; raises `UserError`
Stamp = tuple[tuple[str | int, ...], ...]


def any_header(_: str, __: tuple[str, ...]) -> None:
    """Every header will do."""


class Source(Protocol):
    """One source, as its table in the configuration describes it."""

    def rows(self, check: CheckHeader) -> Iterator[Row]:
        """Every row, once; raises `UserError` and `Unavailable` (rule 2)."""

    def stamp(self) -> Stamp:
        """Rule 3; raises `UserError`, `Unavailable` and OSError."""
