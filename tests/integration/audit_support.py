"""A log to test with, disks that fail, and a disk that forgets what was not synced."""

import asyncio
import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.disk import Disk
from audit.log import AuditLog, Limits, LogSettings
from audit.notes import NoteSigner
from contracts.algorithms import SigningKey
from contracts.errors import Fault

ORIGIN = "gov.example/oncegate/slot-1"
SIGNING = SigningKey.of("EdDSA", Ed25519PrivateKey.from_private_bytes(b"\1" * 32))
SIGNER = NoteSigner.of(ORIGIN, SIGNING.key)
AUDITOR = X25519PrivateKey.from_private_bytes(b"\2" * 32)
EAGER = Limits(publish_seconds=0.0)


def settings(directory: Path, head_dir: Path | None = None, limits: Limits = EAGER) -> LogSettings:
    return LogSettings(directory, ORIGIN, SIGNING, AUDITOR.public_key(), head_dir, limits)


def no_fatal(error: BaseException) -> None:
    raise AssertionError("the log died") from error


def open_log(
    directory: Path, head_dir: Path | None = None, limits: Limits = EAGER, disk: Disk | None = None
) -> AuditLog:
    return AuditLog.open(settings(directory, head_dir, limits), no_fatal, disk)


def entry(index: int) -> bytes:
    return b'{"entry":%d}' % index


def opening(index: int) -> bytes:
    return b'{"person":%d}' % index


async def append_all(log: AuditLog, first: int, count: int) -> list[int | BaseException]:
    """Append entries `first`… all at once; what each waiter got."""
    waiting = [log.append(entry(index), opening(index)) for index in range(first, first + count)]
    return await asyncio.gather(*waiting, return_exceptions=True)


def fill(directory: Path, *groups: int, limits: Limits = EAGER, heads: Path | None = None) -> None:
    """A closed log, or a longer one, with the entries 0, 1, … in groups."""
    log = open_log(directory, heads, limits)
    for count in groups:
        first = log.size
        assert asyncio.run(append_all(log, first, count)) == list(range(first, first + count))
    log.close()


class FailingDisk(Disk):
    """Fails the n-th file call: `before` it is done, `after` it was done, `short` (half of a write is done).

    With `crash` every later call fails too, as if the process had ended there. Nothing is really synced: no test
    cuts the power of this machine.
    """

    def __init__(self, fail_at: int = -1, mode: str = "before", crash: bool = False) -> None:
        super().__init__()
        self.calls: list[str] = []
        self._fail_at = fail_at
        self._mode = mode
        self._crash = crash

    def _step(self, name: str, act: Callable[[], object], half: Callable[[], object] | None = None) -> None:
        number = len(self.calls)
        self.calls.append(name)
        if number == self._fail_at:
            if self._mode == "after":
                act()
            elif self._mode == "short" and half is not None:
                half()
            raise OSError(errno.EIO, f"injected into {name}")
        if self._crash and 0 <= self._fail_at < number:
            raise OSError(errno.EIO, "the process has ended")
        act()

    def create(self, path: Path) -> int:
        self._step("create", lambda: None)
        return super().create(path)

    def create_new(self, path: Path) -> int:
        made: list[int] = []
        self._step("create", lambda: made.append(Disk.create_new(self, path)))
        return made[0]

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        self._step(
            "write", lambda: os.write(descriptor, data), lambda: os.write(descriptor, bytes(data)[: len(data) // 2])
        )
        return len(data)

    def datasync(self, descriptor: int) -> None:
        self._step("datasync", lambda: os.fstat(descriptor))

    def sync(self, descriptor: int) -> None:
        self._step("sync", lambda: os.fstat(descriptor))

    def rename(self, old: Path, new: Path) -> None:
        self._step("rename", lambda: Disk.rename(self, old, new))

    def make_directory(self, path: Path) -> None:
        self._step("mkdir", lambda: Disk.make_directory(self, path))

    def remove(self, path: Path) -> None:
        self._step("remove", lambda: Disk.remove(self, path))

    def read(self, path: Path) -> bytes | None:
        self._step("read", lambda: None)
        return super().read(path)


@dataclass
class _Undo:
    directory: Path
    act: Callable[[], object]


@dataclass
class ForgetfulDisk(FailingDisk):
    """A disk that loses power at the failing call: unsynced bytes and names are gone (`lose_power`)."""

    fail_at: int = -1
    _pending: list[_Undo] = field(default_factory=list)
    _synced: dict[Path, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(self.fail_at, "before", crash=True)

    def create(self, path: Path) -> int:
        self._remember(path)
        descriptor = super().create(path)
        self._synced[path] = 0
        return descriptor

    def create_new(self, path: Path) -> int:
        self._remember(path)
        descriptor = super().create_new(path)
        self._synced[path] = 0
        return descriptor

    def datasync(self, descriptor: int) -> None:
        super().datasync(descriptor)
        self._note_synced(descriptor)

    def sync(self, descriptor: int) -> None:
        super().sync(descriptor)
        self._note_synced(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        self._remember(old)
        self._remember(new)
        super().rename(old, new)
        self._synced[new] = self._synced.pop(old)

    def make_directory(self, path: Path) -> None:
        self._pending.append(_Undo(path.parent, partial(shutil.rmtree, path, ignore_errors=True)))
        super().make_directory(path)

    def remove(self, path: Path) -> None:
        self._remember(path)
        super().remove(path)
        self._synced.pop(path, None)

    def lose_power(self) -> None:
        """Put the directory into the state that a restart would find at the worst."""
        for path, length in self._synced.items():
            if path.exists():
                os.truncate(path, length)
        for undo in reversed(self._pending):
            undo.act()

    def restarted(self, fail_at: int) -> "ForgetfulDisk":
        """The same disk under a new process: nothing was lost yet, and nothing more is durable."""
        return ForgetfulDisk(fail_at, self._pending, self._synced)

    def _remember(self, path: Path) -> None:
        content = path.read_bytes()[: self._synced.get(path)] if path.exists() else None
        self._pending.append(_Undo(path.parent, partial(_put_back, path, content)))

    def _note_synced(self, descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.is_dir():
            self._pending = [undo for undo in self._pending if undo.directory != path]
        else:
            self._synced[path] = os.fstat(descriptor).st_size


def _put_back(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@dataclass
class Outcome:
    """What the clients of a run saw."""

    acknowledged: list[int] = field(default_factory=list)
    refused: int = 0
    fatal: list[BaseException] = field(default_factory=list)
    opened: bool = False
    published: int = 0


def run_with(
    disk: Disk, directory: Path, limits: Limits, groups: tuple[int, ...], head_dir: Path | None = None
) -> Outcome:
    """Open, append in groups, close, on a disk that may fail at any point."""
    outcome = Outcome()
    try:
        log = AuditLog.open(settings(directory, head_dir, limits), outcome.fatal.append, disk)
    except OSError:
        return outcome
    outcome.opened = True
    for count in groups:
        results = asyncio.run(append_all(log, log.size, count))
        outcome.acknowledged += [result for result in results if isinstance(result, int)]
        outcome.refused += sum(isinstance(result, Fault) for result in results)
    log.close()
    outcome.published = log.published.size
    return outcome
