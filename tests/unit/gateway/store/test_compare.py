"""What two stores of one log may differ in, and what speaks against the second one."""

import pytest

from contracts.streams import Position, Stream
from gateway.store.compare import (
    ALTERED,
    GAINED,
    JUDGED,
    LOST,
    MAX_EXAMPLES,
    NEWER,
    OLDER,
    SAME,
    compare,
)
from gateway.store.rows import ERASED, LIVE, REJECTED, WITHDRAWN, LogicalRow, Row

STREAM = Stream("market", "market-1", "cn.business-licence")
OTHER = Stream("market", "market-2", "cn.business-licence")


def row(record: str, seq: int = 1, condition: str = LIVE, identity: str = "", stream: Stream = STREAM) -> LogicalRow:
    message = b"message %d" % seq if condition == LIVE else None
    logical = Row(Position(1, seq), identity or f"sha-256:{seq}", condition, condition == ERASED)
    return LogicalRow(stream, record, logical, "", "urn:x", "", 1, message)


@pytest.mark.parametrize(
    ("before", "after", "kind", "objection"),
    [
        (row("r"), row("r"), SAME, False),
        (row("r"), row("r", 2), NEWER, False),
        (row("r"), row("r", 2, WITHDRAWN), NEWER, False),
        (row("r", 2), row("r"), OLDER, True),
        (row("r"), row("r", identity="sha-256:other"), ALTERED, True),
        (row("r"), row("r")._replace(message=b"altered"), ALTERED, True),
        (row("r"), row("r", condition=REJECTED), LOST, True),
        (row("r", condition=REJECTED), row("r"), JUDGED, False),
        (row("r"), row("r")._replace(tokens=2), JUDGED, False),
        (row("r"), None, LOST, True),
        (row("r", condition=ERASED), None, LOST, True),
        (None, row("r"), GAINED, False),
    ],
)
def test_kinds(before: LogicalRow | None, after: LogicalRow | None, kind: str, objection: bool) -> None:
    first, second = ([] if one is None else [one] for one in (before, after))
    (difference,) = compare(first, second, {})
    assert (dict(difference.counts), difference.objection) == ({kind: 1}, objection)
    assert difference.examples == (["r"] if objection else [])


def test_streams_are_told_apart_and_both_sides_are_walked_to_their_ends() -> None:
    first = [row("a"), row("c"), row("d"), row("a", stream=OTHER)]
    second = [row("b"), row("c", 2), row("a", stream=OTHER), row("z", stream=OTHER)]
    mine, other = compare(first, second, {})
    assert dict(mine.counts) == {LOST: 2, GAINED: 1, NEWER: 1}
    assert dict(other.counts) == {SAME: 1, GAINED: 1}
    assert (mine.objection, other.objection) == (True, False)
    assert mine.examples == ["a", "d"]


def test_a_reason_in_the_first_store_takes_the_objection_away() -> None:
    (difference,) = compare([row("a")], [], {STREAM: "topic_replaced"})
    assert (difference.reason, difference.objection, difference.counts[LOST]) == ("topic_replaced", False, 1)


def test_examples_are_few() -> None:
    (difference,) = compare([row(f"r{number:03}") for number in range(100)], [], {})
    assert (difference.counts[LOST], len(difference.examples)) == (100, MAX_EXAMPLES)
