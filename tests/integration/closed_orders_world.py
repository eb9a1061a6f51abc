"""A closed log of old access records, the open one that goes on from it, and orders about the closed one."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from audit.disk import Disk
from audit.log import AuditLog
from audit.notes import NoteSigner
from audit.orders import files
from audit.orders.authority import Authority
from audit.orders.carrier import Carrier
from audit.orders.closed import Closed
from audit.orders.order import Order, countersign, sign
from audit.reader import LogReader
from audit.shards import Former, open_after
from tests.integration.audit_support import SIGNER, no_fatal, open_log, settings
from tests.integration.orders_world import AUDITOR_ORDERS, AUTHORITY, NOW, fill_old, finished
from tests.integration.test_shards import NEXT, NEXT_KEY, NEXT_ORIGIN, next_settings
from tests.waiting import until

NEXT_SIGNER = NoteSigner.of(NEXT_ORIGIN, NEXT_KEY.key)
OLD, NEW = "old", "new"
KEYS = {SIGNER.public.name: SIGNER.public, NEXT.name: NEXT}


def made(root: Path, count: int) -> None:
    """A log of so many entries in `root`/old, closed in favour of the one in `root`/new."""
    log = open_log(root / OLD)
    fill_old(log, count)
    log.close()
    opened(root).close()


def opened(root: Path, disk: Disk | None = None) -> AuditLog:
    """The log that is open, with the closed one before it; its key is only needed the first time."""
    former = Former(LogReader(root / OLD, SIGNER.public), settings(root / OLD))
    return open_after(next_settings(root / NEW), former, no_fatal, disk, lambda: NOW)


def signed(what: Order, by: NoteSigner = NEXT_SIGNER) -> bytes:
    """By the auditor, and the log that is open."""
    return countersign(sign(what, AUDITOR_ORDERS), by)


def put(root: Path, what: Order, by: NoteSigner = NEXT_SIGNER) -> str:
    """As the operator's program does; the digest."""
    Disk().replace(files.pending_path(root / OLD, what.digest), signed(what, by))
    return what.digest


def carrier(
    root: Path,
    log: AuditLog,
    disk: Disk | None = None,
    clock: Callable[[], float] = lambda: NOW,
    authority: Authority = AUTHORITY,
) -> Carrier:
    """Of the open log; the one before it has `authority`."""
    closed = Closed(LogReader(root / OLD, SIGNER.public), lambda: authority, lambda: KEYS)
    own = replace(AUTHORITY, log=NEXT)
    return Carrier(log, root / NEW, lambda: own, disk, clock, closed=[closed])


def carry_out(root: Path, *orders: Order) -> None:
    """Each until it is not pending any more."""
    log = opened(root)
    try:
        carried = carrier(root, log)
        for one in orders:
            put(root, one)
            until(partial(finished, carried, root / OLD))
    finally:
        log.close()
