"""Which openings are restricted, for a process that lives long: what of a log was read for notices is not read again.

As `audit.orders.state.restricted`. An order that comes after its notice counts from the next start on only where it
would lift something; in doubt nobody sees.
"""

import threading

from audit.orders import files
from audit.orders.order import RESTRICT
from audit.orders.state import State, fold, notices_in
from audit.ranges import NONE, Ranges
from audit.reader import LogReader


class Restrictions:
    """For any thread; one reads at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[int, State]] = {}

    def of(self, reader: LogReader, size: int) -> Ranges:
        """The positions of a log of `size` entries whose openings must not be shown; raises `Corrupt`."""
        with self._lock:
            state = self._state(reader, size)
        early = (order for order in files.on_file(reader, None) if order.digest not in state.carried_out)
        found = state.restricted
        for order in early:
            found |= order.positions if order.action == RESTRICT else NONE
        return found

    def _state(self, reader: LogReader, size: int) -> State:
        origin = reader.key.name
        done, state = self._known.get(origin, (0, State()))
        if size < done:
            done, state = 0, State()
        state = fold(notices_in(reader, size, done), origin, files.orders_of(reader, None), state)
        self._known[origin] = size, state
        return state
