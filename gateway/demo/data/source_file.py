"""What a source file is, and how its bytes are made. Pure but for `write`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random

from gateway.demo.data.bad_rows import UNDECODABLE, BadRow, Weak

_QUOTED = re.compile(r'[",]')
_NO_TEXT = b"\xff\xfe"  # in no encoding used here


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of one department: `path` below the directory of all departments, begins with the adapter's id."""

    path: str
    evidence_type: str
    encoding: str
    line_end: str
    columns: tuple[str, ...]
    weak: Weak

    def write(self, directory: Path, rows: Sequence[Sequence[str]]) -> None:
        """Write header and rows below `directory`."""
        target = directory / self.path
        target.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(_line(cells) + self.line_end for cells in (self.columns, *rows))
        target.write_bytes(text.encode(self.encoding).replace(UNDECODABLE.encode(), _NO_TEXT))


@dataclass(frozen=True, slots=True)
class PlantedFile:
    """A written file: `rows` of data, the bad ones included."""

    source: SourceFile
    rows: int
    bad: tuple[BadRow, ...]

    @property
    def good(self) -> int:
        return self.rows - len(self.bad)


def _line(cells: Sequence[str]) -> str:
    return ",".join(cells) if not _QUOTED.search("".join(cells)) else ",".join(map(_cell, cells))


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def before(rng: Random, day: date, years: float) -> date:
    """A day within the `years` before `day`."""
    return day - timedelta(days=rng.randrange(1, int(years * 365)))


def years_after(day: date, years: int) -> date:
    """The same day of a later year; 28 February for a leap day."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


def plain(day: date) -> str:
    """20210305."""
    return f"{day:%Y%m%d}"


def chinese(day: date) -> str:
    """2021年03月05日."""
    return f"{day:%Y年%m月%d日}"


def slashed(day: date) -> str:
    """2021/3/5."""
    return f"{day.year}/{day.month}/{day.day}"


def stamp(rng: Random, today: date) -> str:
    """A time of day within the last half year: when the source last changed the row."""
    minutes = rng.randrange(8 * 60, 18 * 60)
    return f"{before(rng, today, 0.5)} {minutes // 60:02}:{minutes % 60:02}:{rng.randrange(60):02}"
