"""A store beside another one of the same log: what differs, and whether it may take its place. Pure.

1. Rows are compared record by record, contents included; the second store was read at least as far, so that a higher
   position there is news, not a difference.
2. What the second store lacks, has older or has otherwise speaks against it; unless there is a reason in the first:
   its stream had stopped, its topic was replaced, or the registry no longer lists it.
3. A message that is judged otherwise today (another registry, another version of this program) is shown. It speaks
   against the second store only where something that was answered would be answered no longer.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from contracts.streams import Stream
from gateway.store.rows import LIVE, LogicalRow

SAME: Final = "same"
NEWER: Final = "newer"  # a higher position: the log went on
GAINED: Final = "gained"  # the first store has no such record
JUDGED: Final = "judged"  # the same message, taken otherwise
LOST: Final = "lost"  # there, or answered, in the first store only
OLDER: Final = "older"
ALTERED: Final = "altered"  # another message under the same number
AGAINST: Final = frozenset((LOST, OLDER, ALTERED))

MAX_EXAMPLES = 5


@dataclass(slots=True)
class Difference:
    """One stream. `counts` of records by kind; `examples`: some ids of those against the second store; `reason`: why
    they are no objection (rule 2), else empty."""

    stream: Stream
    reason: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    @property
    def objection(self) -> bool:
        """Whether the second store must not take the place of the first because of this stream."""
        return not self.reason and any(self.counts[kind] for kind in AGAINST)


def compare(
    first: Iterable[LogicalRow], second: Iterable[LogicalRow], reasons: Mapping[Stream, str]
) -> list[Difference]:
    """The streams of either store. Rows come in the order of (stream, record); `reasons` by rule 2."""
    found: dict[Stream, Difference] = {}
    for (stream, record), kind in _kinds(iter(first), iter(second)):
        difference = found.get(stream)
        if difference is None:
            difference = found[stream] = Difference(stream, reasons.get(stream, ""))
        difference.counts[kind] += 1
        if kind in AGAINST and len(difference.examples) < MAX_EXAMPLES:
            difference.examples.append(record)
    return list(found.values())


def _kinds(first: Iterator[LogicalRow], second: Iterator[LogicalRow]) -> Iterator[tuple[tuple[Stream, str], str]]:
    """Each record's place, and what became of it: both stores are walked in step."""
    before, after = next(first, None), next(second, None)
    while before is not None and after is not None:
        if _place(before) < _place(after):
            yield _place(before), LOST
            before = next(first, None)
        elif _place(after) < _place(before):
            yield _place(after), GAINED
            after = next(second, None)
        else:
            yield _place(before), _became(before, after)
            before, after = next(first, None), next(second, None)
    yield from ((_place(row), LOST) for row in _rest(before, first))
    yield from ((_place(row), GAINED) for row in _rest(after, second))


def _rest(row: LogicalRow | None, rows: Iterator[LogicalRow]) -> Iterator[LogicalRow]:
    return chain(() if row is None else (row,), rows)


def _place(row: LogicalRow) -> tuple[Stream, str]:
    return row.stream, row.record


def _became(before: LogicalRow, after: LogicalRow) -> str:
    """What became of a record that both have (rules 1 to 3)."""
    old, new = before.row, after.row
    if new.position != old.position:
        return NEWER if new.position > old.position else OLDER
    was_answered = old.condition == LIVE
    if was_answered and new.condition != LIVE:
        return LOST
    if new.identity != old.identity or (was_answered and after.message != before.message):
        return ALTERED
    return SAME if after == before else JUDGED
