"""Orders about a closed log, carried out by the process that writes the open one of its chain.

1. An order lies in `orders/pending/` of the closed log. It counts with the auditor's signature and that of the log
   which is written now: the closed one's key may be gone. One whose notice is said already counts with the key of the
   log that said it.
2. As for the open log (`carrier`): the order beside the closed log first, then the notice, durable and published in the
   open one, then rows, then frames; then it is pending no more. Every step may be done again.
3. The files of a closed log have no writer: they are changed under its claim, which retention takes, too.
4. Every log from the closed one to the open one must be here: else nobody knows what was said already, and the order is
   refused (`order_chain_broken`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from audit.claim import claim
from audit.disk import Disk
from audit.lines import alarm, info
from audit.log import AuditLog
from audit.notes import NoteKey
from audit.notices import NO_OPENING
from audit.orders import files
from audit.orders.authority import Authority
from audit.orders.chain import Chain, Keys, at_hand
from audit.orders.decide import decide
from audit.orders.erase import erase, frames_hold, slices
from audit.orders.order import ERASE, Order, check
from audit.orders.situation import situation
from audit.orders.state import Noticed, State, fold, notice_of, noticed, notices_in
from audit.reader import LogReader
from audit.recovery import at_head, segment_path
from audit.segments import SegmentWriter
from contracts.errors import Fault, UserError


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed log that the process serves. `authority`: the auditor of its slot, how long it is kept; None while
    nobody's orders count. `keys`: of all logs that are listed, by origin."""

    reader: LogReader
    authority: Callable[[], Authority | None]
    keys: Callable[[], Keys]


class ClosedOrders:
    """The orders about one closed log. `log`: the one that is written; `clock` gives Unix seconds. For one thread."""

    def __init__(self, log: AuditLog, about: Closed, disk: Disk, clock: Callable[[], float]) -> None:
        self._log = log
        self._reader = about.reader
        self._about = about
        self._disk = disk
        self._clock = clock
        self._said: list[Noticed] | None = None

    def look(self) -> None:
        """Once: a step with each pending order. Raises as `Carrier.look`."""
        waiting = files.pending(self._reader.directory)
        authority = self._about.authority() if waiting else None
        if authority is None:
            return
        chain = at_hand(self._reader, self._about.keys())
        for path in waiting:
            if chain.missing or chain.later[-1:] == () or chain.later[-1].key != self._log.verifier:
                self._refuse(path, "order_chain_broken")
            else:
                self._step(path, authority, chain)

    def _step(self, path: Path, authority: Authority, chain: Chain) -> None:
        note = path.read_bytes()
        place = self._state(authority, chain)[1].get(path.stem)
        key = self._log.verifier if place is None else _keys(self._reader, chain)[place.log]
        try:
            order = check(note, authority.auditor, key, self._reader.key.name)
        except Fault as fault:
            self._refuse(path, fault.code)
            return
        if order.digest != path.stem:
            self._refuse(path, "order_malformed")
            return
        if place is None:
            code = self._decide(order, authority, chain)
            if code is not None:
                self._refuse(path, code)
                return
            place = self._notice(order, note)
        if place.log == self._log.origin and place.index >= self._log.published.size:
            return  # others see it with the next head: until then no row goes
        if order.action == ERASE:
            self._erase(order)
        files.remove(self._disk, path)
        info("order_carried_out", log=order.origin, order=order.digest, action=order.action)

    def _state(self, authority: Authority, chain: Chain) -> tuple[State, Mapping[str, Noticed]]:
        """The closed log's state, and the notice of each order that was carried out."""
        if self._said is None:  # read once: from then on nobody but us adds to it
            self._said = list(self._all_said(chain))
        state, keys = State(), _keys(self._reader, chain)
        for one in self._said:
            state = fold(
                [one], self._reader.key.name, files.orders_of(self._reader, authority.auditor, keys[one.log]), state
            )
        places = {one.order: one for one in self._said if one not in state.unordered}
        return state, places

    def _all_said(self, chain: Chain) -> Iterator[Noticed]:
        for log in (self._reader, *chain.later):
            size = log.checkpoint().size
            found = notices_in(log, size)
            yield from (one for one in found if one.origin == self._reader.key.name)
        for index in range(size, self._log.size):
            one = noticed(index, self._log.entry(index))
            if one is not None and one.origin == self._reader.key.name:
                yield replace(one, log=self._log.origin)

    def _decide(self, order: Order, authority: Authority, chain: Chain) -> str | None:
        size, state = self._reader.checkpoint().size, self._state(authority, chain)[0]
        refused = decide(order, situation(order, self._reader, size, state, authority.retention_days), self._now())
        return None if refused is None else refused.code

    def _refuse(self, path: Path, code: str) -> None:
        alarm("order_refused", log=self._reader.key.name, order=path.stem, code=code)
        files.move(self._disk, path, files.refused_path(self._reader.directory, path.stem))

    def _notice(self, order: Order, note: bytes) -> Noticed:
        """Rule 2."""
        self._disk.replace(files.order_path(self._reader.directory, order.digest), note)
        notice = notice_of(order, self._now())
        index = self._log.append_blocking(notice.encode(), NO_OPENING)
        said = Noticed(index, notice.time, order.origin, order.action, order.digest, order.positions, self._log.origin)
        self._said = [*(self._said or ()), said]
        return said

    def _erase(self, order: Order) -> None:
        """Rule 3; raises OSError while somebody else has the claim."""
        directory = self._reader.directory
        try:
            claimed = claim(self._disk, directory / "lock")
        except UserError as error:
            raise BlockingIOError(str(error)) from None
        with claimed:
            head = self._reader.checkpoint()
            _, edge = at_head(self._reader, head)
            for part in slices(order.positions):
                edge = erase(self._disk, self._reader, edge, part)
            if frames_hold(directory, order.positions):
                _drop_frames(self._disk, directory, head.size)

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _keys(reader: LogReader, chain: Chain) -> dict[str, NoteKey]:
    return {key.name: key for key in (reader.key, *chain.keys)}


def _drop_frames(disk: Disk, directory: Path, size: int) -> None:
    """Of a closed log everything is published: its writer died before it removed its frames."""
    last = segment_path(directory, size)
    if not last.exists():
        SegmentWriter.opening(disk, directory, size).finish()  # a log never has no segment
    for path in sorted(last.parent.iterdir()):
        if path != last:
            disk.remove(path)
    disk.sync_directories({last.parent})
