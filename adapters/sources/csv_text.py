"""CSV lines to cells (RFC 4180), so that a broken row costs only itself. Pure.

1. A line without a quote is split at the delimiter. A quote opens a quoted cell only at the beginning of a cell;
   elsewhere it is an ordinary character.
2. A quoted cell may go over several lines; `""` in it is one quote.
3. What follows a closing quote must be a delimiter or the end. If it is not, or if a quote never closes (within
   `MAX_JOINED` lines and characters), the line where the row began is broken, and reading goes on with the next line:
   a stray quote never swallows its neighbours.
4. Lines that are empty, or whose cells are all empty, are no rows.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

MAX_JOINED_LINES = 1000
MAX_JOINED_CHARACTERS = 256 * 1024


@dataclass(frozen=True, slots=True)
class Cells:
    """One logical line: `line` where it begins, and its cells, or None where the quotes do not match."""

    line: int
    cells: list[str] | None
    text: str


class _Quotes(Enum):
    OPEN = "a quoted cell does not end here"
    BAD = "something follows a closing quote"


class Splitter:
    """Splits the numbered, decoded lines (without line ends) of one file."""

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        stop = re.escape(delimiter)
        self._cell = re.compile(rf'"((?:[^"]|"")*)"(?={stop}|\Z)|([^"{stop}][^{stop}]*|)(?={stop}|\Z)')
        self._open = re.compile(r'"(?:[^"]|"")*\Z')

    def split(self, lines: Iterable[tuple[int, str]]) -> Iterator[Cells]:
        """The logical lines, in order."""
        source = _Pushback(lines)
        for number, text in source:
            cells = self.cells(text)
            if cells is _Quotes.OPEN:
                yield self._join(number, text, source)
            elif isinstance(cells, list):
                if any(cells):
                    yield Cells(number, cells, text)
            else:
                yield Cells(number, None, text)

    def _join(self, number: int, first: str, source: "_Pushback") -> Cells:
        taken: list[tuple[int, str]] = []
        text = first
        while len(taken) < MAX_JOINED_LINES and len(text) < MAX_JOINED_CHARACTERS:
            following = next(source, None)
            if following is None:
                break
            taken.append(following)
            text += "\n" + following[1]
            if '"' not in following[1]:
                continue
            cells = self.cells(text)
            if isinstance(cells, list):
                return Cells(number, cells, text)
            if cells is _Quotes.BAD:
                break
        source.give_back(taken)
        return Cells(number, None, first)

    def cells(self, text: str) -> list[str] | _Quotes:
        """The cells of a text, or what is wrong with its quotes."""
        if '"' not in text:
            return text.split(self._delimiter)
        found: list[str] = []
        at = 0
        while True:
            match = self._cell.match(text, at)
            if match is None:
                return _Quotes.OPEN if self._open.match(text, at) else _Quotes.BAD
            quoted = match[1]
            found.append(match[2] if quoted is None else quoted.replace('""', '"'))
            at = match.end() + 1
            if at > len(text):
                return found


class _Pushback:
    """An iterator that takes lines back."""

    def __init__(self, lines: Iterable[tuple[int, str]]) -> None:
        self._lines = iter(lines)
        self._returned: deque[tuple[int, str]] = deque()

    def __iter__(self) -> "_Pushback":
        return self

    def __next__(self) -> tuple[int, str]:
        return self._returned.popleft() if self._returned else next(self._lines)

    def give_back(self, lines: list[tuple[int, str]]) -> None:
        self._returned.extendleft(reversed(lines))
