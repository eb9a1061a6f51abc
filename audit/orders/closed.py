"""Orders that wait beside a closed log, whose writer is gone.

1. One whose notice the log has is carried out to its end: a closed log may not be left half erased. Nobody writes there
   any more, so its files are changed directly.
2. Every other one is refused: a closed log takes no notice, and nothing is erased without one.
"""

from audit.disk import Disk
from audit.lines import alarm, info
from audit.orders import files
from audit.orders.authority import Authority
from audit.orders.erase import erase, frames_hold, slices
from audit.orders.order import ERASE, Order, check
from audit.orders.state import state_of
from audit.reader import LogReader
from audit.recovery import at_head
from contracts.errors import Fault


def finish(reader: LogReader, authority: Authority, disk: Disk | None = None) -> None:
    """For one closed log; raises `Corrupt`, OSError."""
    disk, directory = disk or Disk(), reader.directory
    waiting = files.pending(directory)
    done = state_of(reader, reader.checkpoint().size, authority.auditor).carried_out if waiting else {}
    for path in waiting:
        try:
            order = check(path.read_bytes(), authority.auditor, reader.key)
        except Fault as fault:
            _refuse(disk, reader, path.stem, fault.code)
            continue
        if order.digest not in done:
            _refuse(disk, reader, path.stem, "order_log_closed")
        elif _carried_out(disk, reader, order):
            files.remove(disk, path)
            info("order_carried_out", log=reader.key.name, order=order.digest, action=order.action)


def _refuse(disk: Disk, reader: LogReader, digest: str, code: str) -> None:
    alarm("order_refused", log=reader.key.name, order=digest, code=code)
    files.move(disk, files.pending_path(reader.directory, digest), files.refused_path(reader.directory, digest))


def _carried_out(disk: Disk, reader: LogReader, order: Order) -> bool:
    """Rule 1; whether nothing of it is left."""
    if order.action == ERASE:
        _, edge = at_head(reader, reader.checkpoint())
        for part in slices(order.positions):
            edge = erase(disk, reader, edge, part)
    return order.action != ERASE or not frames_hold(reader.directory, order.positions)
