"""The registry as a node gets it: from the log, verified, never backwards.

1. The topic is read from its start: it is small, compacted by key, and parts may be older than their manifest.
2. A manifest is tried when all its parts are here (parts come first). What is refused is remembered by its code
   (`refused`), and the node goes on with what it has.
3. The highest version accepted is on disk before it is used (`registry-seen.json`), under a lock shared by the
   processes of the node, so that no restart and no neighbour accepts a lower one.
4. `current` gives the snapshot in force; without one, or past `valid_until`, it raises: closed.
"""

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from contracts.algorithms import VerifyKey
from contracts.edge.files import write_atomic
from contracts.edge.system_errors import remedy, why
from contracts.edge.transport import LogUnavailable, OffsetOutOfRange, Reader, TopicUnknown, Transport
from contracts.encoding import canonical, parse_object
from contracts.errors import Corrupt, Fault
from contracts.plain import from_plain, to_plain
from contracts.registry import manifest
from contracts.registry.manifest import Seen
from contracts.registry.snapshot import CLOSED, Snapshot
from gateway.control.build import MANIFEST_KEY, PART_PREFIX, REGISTRY_TOPIC

Clock = Callable[[], int]
_DISK_PAUSE_S = 5.0

_log = structlog.get_logger("oncegate")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A manifest that was not accepted: why."""

    code: str


class RegistrySource:
    """Follows the registry topic. `refresh` belongs to one thread; `current` may be called from any."""

    def __init__(self, transport: Transport, root: VerifyKey, state_dir: Path, clock: Clock) -> None:
        self._transport = transport
        self._root = root
        self._seen_path = state_dir / "registry-seen.json"
        self._clock = clock
        self._reader: Reader | None = None
        self._parts: dict[str, bytes] = {}
        self._candidate: bytes | None = None
        self._snapshot: Snapshot | None = None
        self.refused: Refusal | None = None

    def current(self) -> Snapshot:
        """The snapshot in force; raises `Fault` `registry_absent` or `registry_expired`."""
        snapshot = self._snapshot
        if snapshot is None:
            raise Fault("registry_absent")
        if snapshot.freshness(self._clock()) == CLOSED:
            raise Fault("registry_expired")
        return snapshot

    def newest(self) -> Snapshot | None:
        """The newest accepted snapshot, valid or not; for reports."""
        return self._snapshot

    def refresh(self, timeout_s: float = 0.0) -> bool:
        """Read what is new, waiting at most `timeout_s`; whether another version came into force."""
        changed = False
        while records := self._open_reader().read(500, timeout_s):
            for record in records:
                changed |= self._take(record.key, record.value)
            timeout_s = 0.0
        return changed

    def follow(self, stop: threading.Event, on_change: Callable[[Snapshot], None] | None = None) -> None:
        """Refresh until `stop`; the body of a thread. A log that is away is tried again, and so is a full disk."""
        while not stop.is_set():
            try:
                changed = self.refresh(1.0)
            except (LogUnavailable, OffsetOutOfRange, TopicUnknown):
                self._drop_reader()
                stop.wait(1.0)
                continue
            except OSError as error:  # rule 3: what cannot be written down is not used; tried again from the start
                _log.error("registry not taken", reason=why(error).en, file=error.filename, remedy=remedy(error).en)
                self._drop_reader()
                stop.wait(_DISK_PAUSE_S)
                continue
            if changed and on_change is not None and self._snapshot is not None:
                on_change(self._snapshot)

    def close(self) -> None:
        """Give back the reader."""
        self._drop_reader()

    def _open_reader(self) -> Reader:
        if self._reader is None:
            self._reader = self._transport.reader()
            self._reader.assign({REGISTRY_TOPIC: self._reader.earliest(REGISTRY_TOPIC)})
        return self._reader

    def _drop_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _take(self, key: bytes, value: bytes | None) -> bool:
        if value is None:
            return False
        if key.startswith(PART_PREFIX):
            self._keep_part(key.removeprefix(PART_PREFIX).decode("ascii", "replace"), value)
        elif key == MANIFEST_KEY:
            self._candidate = value
        else:
            return False
        return self._try_candidate()

    def _keep_part(self, digest: str, value: bytes) -> None:
        # Only what is what its name says may take up memory.
        if len(value) <= manifest.MAX_PART and self._root.suite.digest_text(value) == digest:
            self._parts[digest] = value

    def _try_candidate(self) -> bool:
        if self._candidate is None:
            return False
        try:
            snapshot = self._accept(self._candidate)
        except Fault as fault:
            self.refused = Refusal(fault.code)
            if fault.code != "part_missing":
                self._candidate = None
            return False
        self._candidate, self.refused, self._snapshot = None, None, snapshot
        return True

    def _accept(self, data: bytes) -> Snapshot:
        with _locked(self._seen_path.with_suffix(".lock")):
            seen = _read_seen(self._seen_path)
            snapshot, here = manifest.accept(data, self._parts, self._root, seen, self._clock())
            if here != seen:
                write_atomic(self._seen_path, canonical(to_plain(here)))
        return snapshot


def _read_seen(path: Path) -> Seen | None:
    try:
        return from_plain(Seen, parse_object(path.read_bytes()))
    except FileNotFoundError:
        return None
    except Fault:
        raise Corrupt(f"{path} does not say which registry version was seen last") from None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """An exclusive lock between processes, for the length of a `with`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
