"""Sets of positions in a log, as sorted ranges: `5,7-9`. Pure.

1. A range is its first and last position, both in it. Ranges are sorted, apart from each other by at least one position
   that is in none of them, and there is exactly one spelling of each set.
2. A range may be as long as it likes: nothing here costs time or room for each position.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from contracts.errors import Fault

MAX_TEXT = 32 * 1024
MAX_POSITION = (1 << 40) - 1

Span = tuple[int, int]

_NUMBER = r"(?:0|[1-9][0-9]{0,12})"
_TEXT = re.compile(rf"{_NUMBER}(?:-{_NUMBER})?(?:,{_NUMBER}(?:-{_NUMBER})?)*")


@dataclass(frozen=True, slots=True)
class Ranges:
    """A set of positions. `spans` follow rule 1: make one with `of`, `parse` or the operators."""

    spans: tuple[Span, ...] = ()

    @classmethod
    def of(cls, spans: Iterable[Span]) -> "Ranges":
        """The set of these ranges, in any order; they may overlap. Raises ValueError for what is no range."""
        merged: list[Span] = []
        for first, last in sorted(spans):
            if not 0 <= first <= last <= MAX_POSITION:
                raise ValueError(f"{first}-{last} is no range of positions")
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = merged[-1][0], max(merged[-1][1], last)
            else:
                merged.append((first, last))
        return cls(tuple(merged))

    @classmethod
    def single(cls, positions: Iterable[int]) -> "Ranges":
        """The set of these positions."""
        return cls.of((at, at) for at in positions)

    def text(self) -> str:
        """The one spelling (rule 1)."""
        return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in self.spans)

    def __contains__(self, position: int) -> bool:
        low, high = 0, len(self.spans)
        while low < high:
            middle = (low + high) // 2
            if self.spans[middle][1] < position:
                low = middle + 1
            else:
                high = middle
        return low < len(self.spans) and self.spans[low][0] <= position

    def __iter__(self) -> Iterator[int]:
        for first, last in self.spans:
            yield from range(first, last + 1)

    def __bool__(self) -> bool:
        return bool(self.spans)

    def __or__(self, other: "Ranges") -> "Ranges":
        return Ranges.of((*self.spans, *other.spans)) if other.spans else self

    def __sub__(self, other: "Ranges") -> "Ranges":
        left: list[Span] = []
        for first, last in self.spans:
            at = first
            for start, end in other.between(first, last).spans:
                if at < start:
                    left.append((at, start - 1))
                at = end + 1
            if at <= last:
                left.append((at, last))
        return Ranges(tuple(left))

    def __and__(self, other: "Ranges") -> "Ranges":
        return Ranges(tuple(span for first, last in self.spans for span in other.between(first, last).spans))

    def between(self, first: int, last: int) -> "Ranges":
        """Those from `first` to `last`."""
        cut = ((max(first, start), min(last, end)) for start, end in self.spans if end >= first and start <= last)
        return Ranges(tuple(cut))

    @property
    def count(self) -> int:
        """How many positions."""
        return sum(last - first + 1 for first, last in self.spans)

    @property
    def last(self) -> int:
        """The highest position; raises IndexError when there is none."""
        return self.spans[-1][1]


NONE = Ranges()


def parse(text: str) -> Ranges:
    """The set in its one spelling, not empty; raises `Fault` `positions_malformed`."""
    if len(text) > MAX_TEXT or _TEXT.fullmatch(text) is None:
        raise Fault("positions_malformed")
    parts = (part.split("-") for part in text.split(","))
    try:
        found = Ranges.of((int(part[0]), int(part[-1])) for part in parts)
    except ValueError:
        raise Fault("positions_malformed") from None
    if found.text() != text:
        raise Fault("positions_malformed")
    return found
