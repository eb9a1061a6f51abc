"""Which openings are restricted, for a process that lives long: what of a log was read for notices is not read again.

As `audit.orders.state.restricted`, over the log and those that go on from it: only their notices are kept, orders are
read each time.
"""

import threading

from audit.orders import files
from audit.orders.chain import at_hand
from audit.orders.state import Noticed, State, effective, fold, notices_in, standing
from audit.ranges import Ranges
from audit.reader import LogReader


class Restrictions:
    """For any thread; one reads at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[int, tuple[Noticed, ...]]] = {}

    def of(self, reader: LogReader, size: int) -> Ranges:
        """The positions of a log of `size` entries whose openings must not be shown; raises `Corrupt`."""
        chain, state = at_hand(reader), State()
        for log in (reader, *chain.later):
            said = self._said(log, size if log is reader else log.checkpoint().size)
            state = fold(said, reader.key.name, files.orders_of(reader, None, log.key), state)
        return effective(state, standing(reader, None, chain))

    def _said(self, reader: LogReader, size: int) -> tuple[Noticed, ...]:
        """Every notice about openings in a log."""
        with self._lock:
            done, found = self._known.get(reader.key.name, (0, ()))
            if size < done:
                done, found = 0, ()
            found = (*found, *notices_in(reader, size, done))
            self._known[reader.key.name] = size, found
            return found
