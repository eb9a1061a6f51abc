"""The figures of the audit log: durable appends with 256 in flight, and re-verification.

1. Appends: one process, uvloop, records and openings of real size; each waiter appends again when it is answered.
   Publishing (tiles, bundles, checkpoints) runs beside it, as it does in service. The bare cost of fdatasync is
   measured in the same run, on the same file system, with writes of the size of a mean frame.
2. Re-verification: every leaf, tile and the root of a log of real records, single-threaded.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import uvloop
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.disk import Disk
from audit.log import AuditLog, LogSettings
from audit.record import AccessFacts, record
from audit.verify import verify
from contracts.algorithms import SigningKey
from tests.bench.result import Result

IN_FLIGHT = 256
APPENDS_LIMIT = 40_000.0  # per second, where fdatasync takes at most 1 ms
VERIFY_LIMIT = 100_000.0  # entries per second

FACTS = AccessFacts(
    transaction="019aa2c0-7c2a-7abc-9def-0123456789ab",
    time=1763787600123,
    organisation="admin-approval",
    unit="window-3",
    app="approval-window",
    app_key="NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
    channel="window",
    service_item="open-restaurant",
    action="lookup",
    evidence_types=("cn.business-licence",),
    decision="granted",
    reason=None,
    policy_version=12,
    clerk_assurance="claimed",
    case_check="format_only",
    fields={"cn.business-licence": ("name", "uscc", "address", "legal_representative")},
    counts={"cn.business-licence": 1},
    feed={"cn.business-licence": "complete"},
    request_proof="sha-256:" + "ab" * 32,
    visibility="normal",
    trace="0af7651916cd43dd8448eb211c80319c",
    holder={"scheme": "cn.uscc", "id": "91350211M000100Y43"},
    clerk="clerk-1023",
    terminal="terminal-7",
    case="CASE-2026-000123",
    records=("rec-0123456789abcdef",),
)


class _Counting(Disk):
    """Counts frames and how long their syncs took."""

    def __init__(self) -> None:
        super().__init__()
        self.sync_seconds: list[float] = []
        self.bytes = 0

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        self.bytes += len(data)
        return super().write(descriptor, data)

    def datasync(self, descriptor: int) -> None:
        started = time.perf_counter()
        super().datasync(descriptor)
        self.sync_seconds.append(time.perf_counter() - started)


def durable_appends(seconds: float = 3.0, directory: Path | None = None) -> Result:
    """Appends per second that are durable, with 256 in flight (rule 1). The rate is as measured, not scaled."""
    with _log_directory(directory) as path:
        disk = _Counting()
        log = _open(path, disk)
        count, elapsed, worst = uvloop.run(_append_for(log, seconds))
        log.close()
        frame = len(record(FACTS, [b"x" * 900], b"s" * 16)[0]) * count // max(1, len(disk.sync_seconds))
        facts = {
            "fdatasync_median_ms": median(_bare_syncs(path.parent, frame)) * 1000,
            "frame_sync_median_ms": median(disk.sync_seconds) * 1000,
            "entries_per_frame": count / len(disk.sync_seconds),
            "p99_ms": worst * 1000,
        }
    return Result("durable_appends", count / elapsed, APPENDS_LIMIT, 1.0, "appends/s", facts=facts)


def reverification(entries: int = 100_000, directory: Path | None = None) -> Result:
    """Entries per second that are derived again and compared (rule 2). As measured, not scaled."""
    with _log_directory(directory) as path:
        log = _open(path, Disk())
        uvloop.run(append_exactly(log, entries, record(FACTS, [b"x" * 900], os.urandom(16))))
        log.close()
        started = time.perf_counter()
        report = verify(path, log.verifier)
        elapsed = time.perf_counter() - started
    if report.difference is not None or report.entries < entries:
        raise AssertionError(f"the log did not verify: {report}")
    rate, facts = report.entries / elapsed, {"entries": float(report.entries)}
    return Result("reverification", rate, VERIFY_LIMIT, 1.0, "entries/s", facts=facts)


@contextmanager
def _log_directory(parent: Path | None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="oncegate-bench-", dir=parent) as name:
        yield Path(name) / "log"


def _open(path: Path, disk: Disk) -> AuditLog:
    auditor = X25519PrivateKey.generate().public_key()
    settings = LogSettings(path, "bench.example/log", SigningKey.generate("EdDSA"), auditor)

    def on_fatal(error: BaseException) -> None:
        raise error

    return AuditLog.open(settings, on_fatal, disk)


async def _append_for(log: AuditLog, seconds: float) -> tuple[int, float, float]:
    """Appends done, seconds taken, and the 99th percentile of one append in seconds."""
    entry, opening = record(FACTS, [b"x" * 900], os.urandom(16))
    until = time.perf_counter() + seconds
    taken: list[float] = []

    async def worker() -> None:
        before = time.perf_counter()
        while before < until:
            await log.append(entry, opening)
            now = time.perf_counter()
            taken.append(now - before)
            before = now

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    elapsed = time.perf_counter() - started
    return len(taken), elapsed, sorted(taken)[len(taken) * 99 // 100]


async def append_exactly(log: AuditLog, entries: int, one: tuple[bytes, bytes]) -> None:
    """At least so many times the entry and opening `one`."""
    entry, opening = one
    for _ in range(-(-entries // IN_FLIGHT)):
        await asyncio.gather(*(log.append(entry, opening) for _ in range(IN_FLIGHT)))


def _bare_syncs(directory: Path, size: int, times: int = 200) -> list[float]:
    """Seconds of each fdatasync after appending `size` bytes."""
    taken = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(times):
            file.write(b"x" * size)
            file.flush()
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - started)
    return taken
