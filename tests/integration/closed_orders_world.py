"""A closed log of old access records, the open one that goes on from it, and orders about the closed one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from audit.closed_logs import served
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
from contracts.algorithms import SigningKey
from contracts.hpke import DEFAULT_KEM
from contracts.registry import Auditor, AuditSlot, manifest
from contracts.registry.snapshot import Contents
from contracts.text import Text
from tests.integration.audit_support import SIGNER, no_fatal, open_log, settings
from tests.integration.mirror_world import NOW as MIRROR_NOW
from tests.integration.mirror_world import ROOT, SLOT, Gateway, gateway
from tests.integration.orders_world import AUDITOR_ORDERS, AUTHORITY, NOW, fill_old, finished
from tests.integration.test_shards import NEXT, NEXT_KEY, NEXT_ORIGIN, next_settings
from tests.waiting import until

NEXT_SIGNER = NoteSigner.of(NEXT_ORIGIN, NEXT_KEY.key)
OLD, NEW, NEW_SLOT = "old", "new", "slot-1-2027"
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


THIRD_KEY = SigningKey.generate("EdDSA")
THIRD_SIGNER = NoteSigner.of("gov.example/oncegate/slot-1-2028", THIRD_KEY.key)


@contextmanager
def third(root: Path) -> Iterator[AuditLog]:
    """The log that goes on from the second one, which it closes."""
    former = Former(LogReader(root / NEW, NEXT), next_settings(root / NEW))
    own = replace(settings(root / "third"), origin=THIRD_SIGNER.public.name, signing_key=THIRD_KEY)
    log = open_after(own, former, no_fatal, None, lambda: NOW)
    try:
        yield log
    finally:
        log.close()


def third_carrier(root: Path, log: AuditLog) -> Carrier:
    """Of that log."""
    keys = {**KEYS, log.origin: log.verifier}
    closed = Closed(LogReader(root / OLD, SIGNER.public), lambda: AUTHORITY, lambda: keys)
    own = replace(AUTHORITY, log=log.verifier)
    return Carrier(log, root / "third", lambda: own, clock=lambda: NOW, closed=[closed])


@contextmanager
def both_served(root: Path) -> Iterator[Gateway]:
    """The open log and the closed one, over HTTP; a registry in `root` that lists both and the auditor's key."""
    _register(root / "registry")
    with gateway(root / NEW) as served_here:
        served_here.key, served_here.slot = NEXT, NEW_SLOT
        former = served(LogReader(root / NEW, NEXT), [(SLOT, root / OLD, SIGNER.public)])
        served_here.closed = tuple(former)
        yield served_here


def _register(directory: Path) -> None:
    days, auditor = AUTHORITY.retention_days, Text("审计处", "Audit office")
    slots = (
        AuditSlot(SLOT, SIGNER.public.name, SIGNER.public.vkey, "auditor", None, days),
        AuditSlot(NEW_SLOT, NEXT_ORIGIN, NEXT.vkey, "auditor", SLOT, days),
    )
    auditors = (Auditor("auditor", auditor, DEFAULT_KEM, "", (), AUDITOR_ORDERS.public.vkey),)
    times = (int(MIRROR_NOW * 1000), int((MIRROR_NOW + 43_200) * 1000), int((MIRROR_NOW + 86_400) * 1000))
    built = manifest.build(Contents(auditors=auditors, audit_slots=slots), ROOT, 1, None, times)
    (directory / "parts").mkdir(parents=True)
    for digest, data in built.parts.items():
        (directory / "parts" / f"{digest.replace(':', '-')}.json").write_bytes(data)
    (directory / "manifest.jws").write_bytes(built.manifest)
