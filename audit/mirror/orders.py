"""Orders about openings, at the mirror: done here as at the gateway, and only because both signed.

1. The copy's own entries say which orders there are, and once the log is closed those of the copies of the logs that go
   on from it (`chain`), under the keys that the registry lists. Each order is fetched by its digest, unless it is here
   already, checked under the keys that count, kept beside the copy, and only then carried out: rows become empty.
2. A notice whose order nobody gives, or that does not count, is an alarm until there is one: `order_missing`,
   `order_invalid`. So is one that is said again, or after a higher number (`state`, 2). Other orders are carried out
   meanwhile. While a copy is behind, what was wrong before stays so.
3. What both signed is decided here, too (`decide.again`): nothing of a copy under a legal hold is erased, and nothing
   before its time. The order waits then, and that is an alarm: `order_held`, `order_early`.
4. A row that came empty, and that no order explains, is an alarm: `opening_missing`. Of a closed log that is said once
   the logs that go on from it are here, too.
5. How far this went is kept in `orders/followed`, so that alarms outlive the process. It may be behind: everything may
   be done twice.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from audit import holds
from audit.disk import Disk
from audit.mirror.copy import Copy
from audit.mirror.judge import WELL, Trouble
from audit.mirror.order_progress import Part, Progress, read
from audit.mirror.source import LogSource, NotAdmitted
from audit.notes import NoteKey
from audit.orders import files
from audit.orders.authority import Authority
from audit.orders.chain import Chain, Keys, at_hand
from audit.orders.decide import Situation, again
from audit.orders.erase import slices
from audit.orders.order import ERASE, Order, check
from audit.orders.situation import situation
from audit.orders.state import Noticed, State, noticed, notices_in
from audit.ranges import NONE, Ranges
from audit.reader import LogReader
from audit.tiles import WIDTH
from contracts.errors import Fault, Unavailable

SPARSE: Final = 4096  # entries after which progress is written though nothing else changed

_WAITS: Final[Mapping[str, str]] = {
    "order_log_held": "order_held",
    "retention_running": "order_early",
    "entry_without_time": "order_early",
}


class MirroredOrders:
    """Of one copy. Not for several threads. `keys`: of the logs that are listed, by origin. `clock` gives Unix
    seconds."""

    def __init__(
        self,
        copy: Copy,
        key: NoteKey,
        disk: Disk | None = None,
        keys: Callable[[], Keys] = dict,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises `Corrupt`, OSError."""
        self._copy = copy
        self._disk = disk or Disk()
        self._keys = keys
        self._clock = clock
        self._reader = LogReader(copy.directory, key)
        self._file = copy.directory / files.DIRECTORY / "followed"
        self._stored = self._done = read(self._file)
        self._situations: dict[tuple[str, int], Situation] = {}  # of orders that wait
        self._troubles: tuple[Trouble, ...] = ()  # what the last whole look said

    def look(self, source: LogSource | None, authority: Authority | None) -> tuple[Trouble, ...]:
        """Once, over a copy that is even with its head: what is wrong, the first of each code. `authority`: whose
        orders count; None: nobody's, as yet.

        What a source does not give, for whatever reason, nobody gives. Raises OSError.
        """
        if self._copy.size == self._copy.published.size:
            try:
                self._troubles = self._look(source, authority)
            except (NotAdmitted, Unavailable):
                self._troubles = self._look(None, authority)
        return self._troubles

    def _look(self, source: LogSource | None, authority: Authority | None) -> tuple[Trouble, ...]:
        size, before = self._copy.published.size, self._done
        chain = at_hand(self._reader, self._keys()) if self._copy.ending else Chain()
        logs = {"": self._reader, **{log.key.name: log for log in chain.later}}
        now = Progress({**before.parts, **{name: self._seen(name, log) for name, log in logs.items()}}, before.empty)
        if now.size == before.size and not before.waits:
            return ()
        empty = before.empty | _empty_rows(self._reader, before.part("").size, size)
        troubles = self._settle(now, logs, source, authority)
        empty -= _erased(self._reader, authority, chain) if empty else NONE
        settled = {name: _waiting(now.part(name), name, troubles) for name in logs}
        self._keep(Progress({**now.parts, **settled}, empty))
        return _first_of_each([*_missing(empty, chain), *troubles.values()])

    def _seen(self, name: str, log: LogReader) -> Part:
        """The part of a log up to its head; new notices wait."""
        before = self._done.part(name)
        size = log.checkpoint().size if name else self._copy.published.size
        found = notices_in(log, size, before.size) if size > before.size else ()
        new = tuple(one.index for one in found if one.origin == self._reader.key.name)
        return Part(size, (*before.places, *new), (*before.waiting, *new))

    def _settle(
        self, now: Progress, logs: dict[str, LogReader], source: LogSource | None, authority: Authority | None
    ) -> dict[tuple[str, int], Trouble]:
        """Rules 1 to 3, for the notices that wait: what is wrong, by log and place."""
        said = {
            (name, one.index): one
            for name, log in logs.items()
            for one in _at(log, now.part(name).waiting, now.part(name).size)
        }
        if authority is None:
            unlisted = "the registry lists no key for orders about this log"
            return {where: ("order_invalid", f"{_place(one)}: {unlisted}") for where, one in said.items()}
        auditor = authority.auditor
        troubles = {where: self._fetch(one, logs[where[0]].key, source, auditor) for where, one in said.items()}
        for one, order in self._counting(now, logs, auditor) if said else ():
            where = "" if one.log == self._reader.key.name else one.log, one.index
            if where in said:
                troubles[where] = self._carry_out(one, order, authority)
        return {where: trouble for where, trouble in troubles.items() if trouble != WELL}

    def _counting(self, now: Progress, logs: dict[str, LogReader], auditor: NoteKey) -> Iterator[tuple[Noticed, Order]]:
        """The notices whose orders count, with these, of all that there are."""
        state = State()
        for name, log in logs.items():
            orders = files.orders_of(self._reader, auditor, log.key)
            for one in _at(log, now.part(name).places, now.part(name).size):
                order = orders(one.order)
                state = state.after(one, order)
                if order is not None and one not in state.unordered:
                    yield one, order

    def _fetch(self, said: Noticed, key: NoteKey, source: LogSource | None, auditor: NoteKey) -> Trouble:
        """Put the order of a notice beside the copy; what to say if that notice does not count then. `key`: of the log
        that says it."""
        if files.orders_of(self._reader, auditor, key)(said.order) is None:
            note = None if source is None else source.order(said.order)
            if note is None:
                return "order_missing", f"{_place(said)}: nobody gives the order {said.order}"
            self._accept(note, auditor, key)
        wrong = "does not count, says something else, or came before"
        return "order_invalid", f"{_place(said)}: the order {said.order} {wrong}"

    def _accept(self, note: bytes, auditor: NoteKey, key: NoteKey) -> None:
        with suppress(Fault):
            order = check(note, auditor, key, self._reader.key.name)
            self._disk.replace(files.order_path(self._copy.directory, order.digest), note)

    def _carry_out(self, said: Noticed, order: Order, authority: Authority) -> Trouble:
        """Rule 3."""
        refused = again(order, self._situation(order, authority), int(self._clock() * 1000))
        if refused is not None:
            return _WAITS.get(refused.code, "order_invalid"), f"{_place(said)}: {refused.what.en}"
        for part in slices(order.positions) if order.action == ERASE else ():
            self._copy.erase(part)
        return WELL

    def _situation(self, order: Order, authority: Authority) -> Situation:
        """The entries of an order that waits are read once: they stay what they are."""
        days, size = authority.retention_days, self._copy.size
        there = order.digest, min(size, order.positions.last + 1)
        if there not in self._situations:
            self._situations[there] = situation(order, self._reader, size, State(), days)
        held = holds.read(self._copy.directory) is not None
        return replace(self._situations[there], size=size, retention_days=days, held=held)

    def _keep(self, done: Progress) -> None:
        """Rule 5."""
        self._done, stored = done, self._stored
        if done.differs(stored) or done.size - stored.size >= SPARSE:
            self._disk.replace(self._file, done.encode())
            self._stored = done


def _at(log: LogReader, places: Sequence[int], size: int) -> Iterator[Noticed]:
    found = (noticed(index, log.entry(index, size)) for index in places)
    return (replace(one, log=log.key.name) for one in found if one is not None)


def _place(said: Noticed) -> str:
    return f"entry {said.index}" if said.log == said.origin else f"entry {said.index} of {said.log}"


def _waiting(part: Part, name: str, troubles: dict[tuple[str, int], Trouble]) -> Part:
    """With the places that something is wrong with."""
    return replace(part, waiting=tuple(index for index in part.places if (name, index) in troubles))


def _empty_rows(reader: LogReader, first: int, size: int) -> Ranges:
    """Rule 4: those of the entries from `first` to below `size`."""
    empty: list[int] = []
    for number in range(first // WIDTH, -(-size // WIDTH)):
        rows = enumerate(reader.rows(number, size), number * WIDTH)
        empty += [index for index, row in rows if not row and index >= first]
    return Ranges.single(empty)


def _first_of_each(troubles: Sequence[Trouble]) -> tuple[Trouble, ...]:
    """Of each code."""
    found: dict[str, Trouble] = {}
    for one in troubles:
        found.setdefault(one[0], one)
    return tuple(found.values())


def _missing(empty: Ranges, chain: Chain) -> Iterator[Trouble]:
    """Rule 4."""
    if empty and not chain.missing:
        yield "opening_missing", f"entries {empty.text()} have no opening, and no order says so"


def _erased(reader: LogReader, authority: Authority | None, chain: Chain) -> Ranges:
    """By orders that are here."""
    found = NONE
    for order in files.on_file(reader, authority.auditor, chain.keys) if authority is not None else ():
        found |= order.positions if order.action == ERASE else NONE
    return found
