"""What `decide` needs to know, read from a log's directory: its orders, and the times of the entries concerned."""

from collections.abc import Iterator

import orjson

from audit import holds
from audit.orders.decide import Situation
from audit.orders.order import ERASE, Order
from audit.orders.state import State
from audit.reader import LogReader
from audit.tiles import WIDTH


def situation(order: Order, reader: LogReader, size: int, state: State, retention_days: int) -> Situation:
    """Of the published log of `size` entries; raises `Corrupt`."""
    newest, timeless = times_of(order, reader, size) if order.action == ERASE else (0, None)
    held = holds.read(reader.directory) is not None
    return Situation(reader.key.name, size, retention_days, state, state.highest, newest, timeless, held)


def times_of(order: Order, reader: LogReader, size: int) -> tuple[int, int | None]:
    """Unix ms: the highest time at the order's positions, and the first of them without one."""
    newest = 0
    for index, entry in _entries(order, reader, size):
        time = _time(entry)
        if time is None:
            return newest, index
        newest = max(newest, time)
    return newest, None


def _entries(order: Order, reader: LogReader, size: int) -> Iterator[tuple[int, bytes]]:
    for first, last in order.positions.between(0, size - 1).spans:
        for number in range(first // WIDTH, last // WIDTH + 1):
            start = number * WIDTH
            for offset, entry in enumerate(reader.entries(number, size)):
                if first <= start + offset <= last:
                    yield start + offset, entry


def _time(entry: bytes) -> int | None:
    """Unix ms; bytes that are no record are kept for ever rather than erased too early."""
    try:
        found = orjson.loads(entry)
    except orjson.JSONDecodeError:
        return None
    time = found.get("time") if isinstance(found, dict) else None
    return time if type(time) is int else None
