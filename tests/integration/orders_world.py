"""A log of old access records, an auditor who orders, a log's own side that countersigns."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.disk import Disk
from audit.log import AuditLog
from audit.notes import NoteSigner
from audit.orders import files
from audit.orders.authority import Authority
from audit.orders.carrier import Carrier
from audit.orders.order import ERASE, LIFT, RESTRICT, Order, countersign, sign
from audit.ranges import Ranges, parse
from audit.reader import LogReader
from audit.record import AccessFacts, record
from contracts.hpke import DEFAULT_KEM
from contracts.registry import Auditor, AuditSlot, manifest
from contracts.registry.snapshot import Contents
from contracts.text import Text
from tests.integration.audit_support import ORIGIN, SIGNER
from tests.integration.mirror_world import NOW as MIRROR_NOW
from tests.integration.mirror_world import ROOT, SLOT
from tests.unit.audit.test_record import FACTS

DAY_MS = 86_400_000
NOW = 1_800_000_000.0
OLD = int(NOW * 1000) - 400 * DAY_MS
AUDITOR_ORDERS = NoteSigner.of("audit-office.example/orders", Ed25519PrivateKey.from_private_bytes(b"\7" * 32))
AUTHORITY = Authority(AUDITOR_ORDERS.public, SIGNER.public, 200)
BASIS = "个人信息保护法第四十七条"
REASONS = {ERASE: "retention_expired", RESTRICT: "accuracy_disputed", LIFT: "ground_ended"}


def clerk(index: int) -> str:
    """Who asked in entry `index`."""
    return f"clerk-{index:04d}"


def facts(index: int, time: int = OLD) -> AccessFacts:
    return replace(FACTS, clerk=clerk(index), time=time)


def fill_old(log: AuditLog, count: int, time: int = OLD) -> None:
    """Access records at `time` (Unix ms), each of its own clerk."""
    for index in range(log.size, log.size + count):
        log.append_blocking(*record(facts(index, time), [b"x"], index.to_bytes(16, "big")))


def order(action: str, positions: str, number: int = 1) -> Order:
    return Order(ORIGIN, action, number, int(NOW), parse(positions), REASONS[action], BASIS)


def both_signed(what: Order) -> bytes:
    return countersign(sign(what, AUDITOR_ORDERS), SIGNER)


def put(directory: Path, what: Order) -> str:
    """As the operator's program does; the digest."""
    Disk().replace(files.pending_path(directory, what.digest), both_signed(what))
    return what.digest


def carrier(
    log: AuditLog, directory: Path, disk: Disk | None = None, clock: Callable[[], float] = lambda: NOW
) -> Carrier:
    return Carrier(log, directory, lambda: AUTHORITY, disk, clock)


def finished(carried: Carrier, directory: Path) -> bool:
    """Looks once; whether nothing is pending any more."""
    carried.look()
    return not files.pending(directory)


def sealed_rows(directory: Path, positions: Ranges) -> list[bytes]:
    """The rows as they are stored now, without the erased ones."""
    reader = LogReader(directory, SIGNER.public)
    size = reader.checkpoint().size
    rows = (reader.rows(index // 256, size)[index % 256] for index in positions)
    return [row for row in rows if row]


def anywhere(directory: Path, *needles: bytes) -> list[str]:
    """The files below `directory` that hold one of `needles`."""
    files_there = (path for path in sorted(directory.rglob("*")) if path.is_file())
    found = ((path, path.read_bytes()) for path in files_there)
    return [path.relative_to(directory).as_posix() for path, data in found if any(needle in data for needle in needles)]


def registered(directory: Path) -> Path:
    """A signed registry that lists the log and its auditor's key for orders."""
    slots = (AuditSlot(SLOT, ORIGIN, SIGNER.public.vkey, "auditor", None, AUTHORITY.retention_days),)
    auditor = Auditor("auditor", Text("审计处", "Audit office"), DEFAULT_KEM, "", (), AUDITOR_ORDERS.public.vkey)
    times = (int(MIRROR_NOW * 1000), int((MIRROR_NOW + 43_200) * 1000), int((MIRROR_NOW + 86_400) * 1000))
    signed = manifest.build(Contents(auditors=(auditor,), audit_slots=slots), ROOT, 1, None, times)
    (directory / "parts").mkdir(parents=True, exist_ok=True)
    for digest, data in signed.parts.items():
        (directory / "parts" / f"{digest.replace(':', '-')}.json").write_bytes(data)
    (directory / "manifest.jws").write_bytes(signed.manifest)
    return directory
