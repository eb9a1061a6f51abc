"""Orders carried out by the one who writes the log, off the path of every request.

1. An order that is to be carried out lies in `orders/pending/`. Both signatures and the decision are looked at again
   here: whoever put it there is not believed. What is refused goes to `orders/refused/`, and is told.
2. The order goes to `orders/` first, then its notice becomes durable in the log and is published, then rows are erased,
   then the frames that held them go, then the order is pending no more. So no notice is without its order, and nothing
   is erased without a notice.
3. A crash anywhere is followed by the same steps: what the log says already is not said again, and erasing twice is
   erasing once.
"""

import time
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from threading import Event

from audit.disk import Disk
from audit.lines import alarm, info
from audit.log import AuditLog
from audit.notices import NO_OPENING
from audit.orders import files
from audit.orders.authority import Authority
from audit.orders.closed import Closed, ClosedOrders
from audit.orders.decide import decide
from audit.orders.erase import frames_hold, slices
from audit.orders.order import ERASE, Order, check
from audit.orders.situation import situation
from audit.orders.state import Noticed, State, fold, notice_of, noticed, notices_in
from audit.reader import LogReader
from audit.threads import guarded
from contracts.errors import Corrupt, Fault

LOOK_S = 1.0


class Carrier:
    """The orders of one open log, and of the closed ones before it (`closed`). `authority` says None while nobody's
    orders count; `clock` gives Unix seconds."""

    def __init__(
        self,
        log: AuditLog,
        directory: Path,
        authority: Callable[[], Authority | None],
        disk: Disk | None = None,
        clock: Callable[[], float] = time.time,
        closed: Sequence[Closed] = (),
    ) -> None:
        self._log = log
        self._directory = directory
        self._authority = authority
        self._disk = disk or Disk()
        self._clock = clock
        self._reader = LogReader(directory, log.verifier)
        self._closed = [ClosedOrders(log, one, self._disk, clock) for one in closed]
        self._state: State | None = None
        self._erased: set[str] = set()  # in the files; frames may hold them still
        self._stop = Event()
        self._told = ""
        self._thread = guarded("audit-orders", self._run, self._failed)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End; waits for the step that is under way."""
        self._stop.set()
        self._thread.join()

    def look(self) -> None:
        """Once: a step with each pending order. Raises `Fault` `audit_unavailable`, `Corrupt`, OSError."""
        for path in files.pending(self._directory):
            authority = self._authority()
            if authority is not None:
                self._step(path, authority)
        for closed in self._closed:
            closed.look()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S) and self._log.alive:
            try:
                self.look()
                self._told = ""
            except (OSError, Corrupt) as error:  # the next look begins anew; the log itself judges its own disk
                self._tell(f"{type(error).__name__}: {error}")

    def _tell(self, reason: str) -> None:
        if reason != self._told:
            alarm("order_delayed", log=self._log.origin, reason=reason)
        self._told = reason

    def _failed(self, error: BaseException) -> None:
        if self._log.alive:
            alarm("orders_failed", log=self._log.origin, error=type(error).__name__)

    def _step(self, path: Path, authority: Authority) -> None:
        note = path.read_bytes()
        try:
            order = check(note, authority.auditor, self._log.verifier)
        except Fault as fault:
            self._refuse(path, fault.code)
            return
        if order.digest != path.stem:
            self._refuse(path, "order_malformed")
            return
        if order.digest not in self._known(authority).carried_out:
            code = self._decide(order, authority)
            if code is not None:
                self._refuse(path, code)
                return
            self._notice(order, note)
        if order.action == ERASE and not self._erase(order):
            return
        if self._known(authority).carried_out[order.digest] >= self._log.published.size:
            return  # others see it with the next head
        files.remove(self._disk, path)
        info("order_carried_out", log=self._log.origin, order=order.digest, action=order.action)

    def _known(self, authority: Authority) -> State:
        """Read once: from then on nobody but us adds to it."""
        if self._state is None:
            published = self._log.published.size
            waiting = (noticed(index, self._log.entry(index)) for index in range(published, self._log.size))
            found = chain(notices_in(self._reader, published), filter(None, waiting))
            self._state = fold(found, self._log.origin, files.orders_of(self._reader, authority.auditor))
        return self._state

    def _decide(self, order: Order, authority: Authority) -> str | None:
        size, state = self._log.published.size, self._known(authority)
        here = situation(order, self._reader, size, state, authority.retention_days)
        refused = decide(order, here, int(self._clock() * 1000))
        return None if refused is None else refused.code

    def _refuse(self, path: Path, code: str) -> None:
        alarm("order_refused", log=self._log.origin, order=path.stem, code=code)
        files.move(self._disk, path, files.refused_path(self._directory, path.stem))

    def _notice(self, order: Order, note: bytes) -> None:
        self._disk.replace(files.order_path(self._directory, order.digest), note)
        notice = notice_of(order, int(self._clock() * 1000))
        index = self._log.append_apart(notice.encode(), NO_OPENING)
        said = Noticed(index, notice.time, order.origin, order.action, order.digest, order.positions)
        self._state = (self._state or State()).after(said, order)

    def _erase(self, order: Order) -> bool:
        """Whether nothing of it is left."""
        if order.digest not in self._erased:
            for part in slices(order.positions):
                self._log.erase(part)
            self._erased.add(order.digest)
        return not frames_hold(self._directory, order.positions)
