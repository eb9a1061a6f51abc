"""Orders about openings, at the mirror: done here as at the gateway, and only because both signed.

1. The copy's own entries say which orders there are. Each is fetched by its digest, unless it is here already, checked
   under the keys that the registry lists, kept beside the copy, and only then carried out: rows become empty.
2. A notice whose order nobody gives, or that does not count, is an alarm until there is one: `order_missing`,
   `order_invalid`. So is one that is said again, or after a higher number (`state`, 2). Other orders are carried out
   meanwhile.
3. A row that came empty, and that no order explains, is an alarm: `opening_missing`.
4. How far this went is kept in `orders/followed`, so that alarms outlive the process. It may be behind: everything may
   be done twice.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from audit import ranges
from audit.disk import Disk
from audit.mirror.copy import Copy
from audit.mirror.source import LogSource
from audit.notes import NoteKey
from audit.orders import files
from audit.orders.erase import slices
from audit.orders.order import ERASE, check
from audit.orders.state import Noticed, fold, noticed, notices_in
from audit.ranges import NONE, Ranges
from audit.reader import LogReader
from audit.tiles import WIDTH
from contracts.encoding import Json, canonical, parse_object
from contracts.errors import Corrupt, Fault

SPARSE: Final = 4096  # entries after which progress is written though nothing else changed

Trouble = tuple[str, str]  # code and detail; two empty texts: none
WELL: Final[Trouble] = ("", "")


@dataclass(frozen=True, slots=True)
class Progress:
    """What is done with the first `size` entries. `places`: of all notices; `waiting`: of those without an order that
    counts; `empty`: rows that nothing explains."""

    size: int = 0
    places: tuple[int, ...] = ()
    waiting: tuple[int, ...] = ()
    empty: Ranges = NONE

    def encode(self) -> bytes:
        places: list[Json] = list(self.places)
        waiting: list[Json] = list(self.waiting)
        return canonical({"empty": self.empty.text(), "places": places, "size": self.size, "waiting": waiting})


class MirroredOrders:
    """Of one copy. Not for several threads."""

    def __init__(self, copy: Copy, key: NoteKey, disk: Disk | None = None) -> None:
        """Raises `Corrupt`, OSError."""
        self._copy = copy
        self._disk = disk or Disk()
        self._reader = LogReader(copy.directory, key)
        self._file = copy.directory / files.DIRECTORY / "followed"
        self._stored = self._done = _read(self._file)
        self.trouble = WELL  # what the last look said

    def look(self, source: LogSource | None, auditor: NoteKey | None) -> Trouble:
        """Once, over a copy that is even with its head. `auditor`: whose orders count; None: nobody's, as yet.

        Raises `Unavailable`, `NotAdmitted` of the source; OSError.
        """
        self.trouble = self._look(source, auditor)
        return self.trouble

    def _look(self, source: LogSource | None, auditor: NoteKey | None) -> Trouble:
        size, before = self._copy.published.size, self._done
        if self._copy.size != size or (before.size == size and not before.waiting and not before.empty):
            return WELL
        new = [one for one in notices_in(self._reader, size, before.size) if one.origin == self._reader.key.name]
        empty = before.empty | _empty_rows(self._reader, before.size, size)
        places = (*before.places, *(one.index for one in new))
        waiting = self._settle((*self._at(before.waiting, size), *new), places, source, auditor)
        empty -= _erased(self._reader, auditor) if empty else NONE
        self._keep(Progress(size, places, tuple(waiting), empty))
        if empty:
            return "opening_missing", f"entries {empty.text()} have no opening, and no order says so"
        return next(iter(waiting.values()), WELL)

    def _at(self, places: Iterable[int], size: int) -> Iterator[Noticed]:
        found = (noticed(index, self._reader.entry(index, size)) for index in places)
        return (one for one in found if one is not None)

    def _settle(
        self, said: Sequence[Noticed], places: Iterable[int], source: LogSource | None, auditor: NoteKey | None
    ) -> dict[int, Trouble]:
        """Rules 1 and 2, for the notices `said`; `places`: of all that there are. What is wrong, by place."""
        if auditor is None:
            unlisted = "the registry lists no key for orders about this log"
            return {one.index: ("order_invalid", f"entry {one.index}: {unlisted}") for one in said}
        troubles = {one.index: self._fetch(one, source, auditor) for one in said}
        orders = files.orders_of(self._reader, auditor)
        state = fold(self._at(places, self._copy.size) if said else (), self._reader.key.name, orders)
        counting = frozenset(state.carried_out.values())
        for one in said:
            if one.index in counting:
                troubles[one.index] = WELL
                self._carry_out(one)
        return {index: trouble for index, trouble in troubles.items() if trouble != WELL}

    def _fetch(self, said: Noticed, source: LogSource | None, auditor: NoteKey) -> Trouble:
        """Put the order of a notice beside the copy; what to say if that notice does not count then."""
        if files.orders_of(self._reader, auditor)(said.order) is None:
            note = None if source is None else source.order(said.order)
            if note is None:
                return "order_missing", f"entry {said.index}: nobody gives the order {said.order}"
            self._accept(note, auditor)
        wrong = "does not count, says something else, or came before"
        return "order_invalid", f"entry {said.index}: the order {said.order} {wrong}"

    def _accept(self, note: bytes, auditor: NoteKey) -> None:
        with suppress(Fault):
            order = check(note, auditor, self._reader.key)
            self._disk.replace(files.order_path(self._copy.directory, order.digest), note)

    def _carry_out(self, said: Noticed) -> None:
        if said.action == ERASE:
            for part in slices(said.positions):
                self._copy.erase(part)

    def _keep(self, done: Progress) -> None:
        """Rule 4."""
        self._done, stored = done, self._stored
        changed = (done.waiting, done.empty) != (stored.waiting, stored.empty)
        if changed or done.size - stored.size >= SPARSE:
            self._disk.replace(self._file, done.encode())
            self._stored = done


def _empty_rows(reader: LogReader, first: int, size: int) -> Ranges:
    """Rule 3: those of the entries from `first` to below `size`."""
    empty: list[int] = []
    for number in range(first // WIDTH, -(-size // WIDTH)):
        rows = enumerate(reader.rows(number, size), number * WIDTH)
        empty += [index for index, row in rows if not row and index >= first]
    return Ranges.single(empty)


def _erased(reader: LogReader, auditor: NoteKey | None) -> Ranges:
    """By orders that are here."""
    found = NONE
    for order in files.on_file(reader, auditor) if auditor is not None else ():
        found |= order.positions if order.action == ERASE else NONE
    return found


def _read(path: Path) -> Progress:
    try:
        members = parse_object(path.read_bytes())
        size, places, waiting, empty = (members[name] for name in ("size", "places", "waiting", "empty"))
    except FileNotFoundError:
        return Progress()
    except (Fault, KeyError):
        raise Corrupt(f"{path} cannot be read") from None
    if type(size) is not int or type(places) is not list or type(waiting) is not list or type(empty) is not str:
        raise Corrupt(f"{path} cannot be read")
    return Progress(size, _integers(places), _integers(waiting), ranges.parse(empty) if empty else NONE)


def _integers(members: list[Json]) -> tuple[int, ...]:
    return tuple(one for one in members if type(one) is int)
