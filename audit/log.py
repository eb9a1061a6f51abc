"""The audit log of one serving slot: `append` returns an index when the entry is durable, and never before.

1. One writer: an exclusive lock on the directory, held until `close` or the end of the process.
2. Group commit: a thread takes everything that waits, writes one frame, syncs once, then wakes the waiters.
   Tiles, bundles, opening rows and checkpoint follow behind (`publish`), from what is durable only.
3. After any error of a write or a sync the log is dead: each waiter gets `Fault` `audit_unavailable`, now and later,
   and `on_fatal` is called once, from the thread that failed. The process must end; recovery decides what is durable.
4. Opening starts with recovery (`recovery`), by the code of the live path. The last segment is copied to a new file
   without its torn tail before anything else is written.
5. A segment is closed after `segment_seconds` or `segment_bytes`, and removed when all of it is published.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from audit.checkpoints import Checkpoint, open_note
from audit.derive import Edge, commit
from audit.disk import Disk, lock
from audit.merkle import EMPTY_ROOT, Tree
from audit.notes import NoteKey, NoteSigner
from audit.openings import MAX_ROWS, DayKey, new_day_key, seal
from audit.publish import Press, Publisher
from audit.reader import LogReader
from audit.recovery import Segment, check_head, is_new, recover
from audit.segments import SegmentWriter, resume
from audit.threads import guarded
from audit.tiles import MAX_ENTRY
from contracts.algorithms import SigningKey
from contracts.errors import Corrupt, Fault, UserError
from contracts.text import Text

_LOCKED = Text("该审计日志正由另一进程写入", "Another process is writing this audit log")
_LOCKED_REMEDY = Text("每个日志只能有一个写入进程。", "A log has exactly one writer; give each process its own slot.")
_NOT_ED25519 = Text("日志签名密钥必须是 Ed25519(EdDSA)", "A log is signed with an Ed25519 key (EdDSA)")
_BAD_ORIGIN = Text(
    "日志名称不能为空,也不能含空格或加号", "The origin of a log is not empty and has no space or plus sign"
)
_NO_HEAD_DIR = Text("head_dir 不是目录(存储未挂载?)", "head_dir is not a directory (is the storage mounted?)")

MAX_OPENING = MAX_ENTRY - 256  # a row adds key id, IV and tag


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once, and how often. Times in seconds."""

    batch: int = 1024  # entries in a frame
    publish_seconds: float = 1.0
    segment_bytes: int = 64 * 1024 * 1024
    segment_seconds: float = 900.0
    unpublished: int = 500_000  # entries held in memory before appends wait


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What a log is. `origin` names it; `auditor` is who may open its openings.

    `head_dir`: a directory on other storage for the highest head; None leaves a rollback undetectable here.
    """

    directory: Path
    origin: str
    signing_key: SigningKey
    auditor: X25519PublicKey
    head_dir: Path | None = None
    limits: Limits = Limits()


_Waiter = asyncio.Future[int] | Future[int]
# entry, opening, the loop to wake the waiter in (None: a thread waits), the waiter
_Item = tuple[bytes, bytes, asyncio.AbstractEventLoop | None, _Waiter]


class AuditLog:
    """An open log. `append` is for coroutines; everything else for any thread."""

    def __init__(self, start: "_Start", on_fatal: Callable[[BaseException], None], clock: Callable[[], float]) -> None:
        limits = start.settings.limits
        self.origin = start.settings.origin
        self._start = start
        self._limits = limits
        self._on_fatal = on_fatal
        self._clock = clock
        self._queue: SimpleQueue[_Item | None] = SimpleQueue()
        self._dead = False
        self._failing = threading.Lock()
        self._tree = start.tree
        self._segment = start.segment
        self._day_key: DayKey | None = None
        self._day_rows = 0
        self._publisher = Publisher(
            start.press, start.edge, start.published, self._die, limits.publish_seconds, limits.unpublished
        )
        self._batch: list[_Item] = []
        self._closing = False
        self._writer = guarded("audit-writer", self._run, self._writer_failed)

    @classmethod
    def open(
        cls,
        settings: LogSettings,
        on_fatal: Callable[[BaseException], None],
        disk: Disk | None = None,
        clock: Callable[[], float] = time.time,
    ) -> "AuditLog":
        """Lock, recover, publish what recovery found, and start.

        `clock`: seconds since 1970, only for the day of the openings. Raises `UserError` when another writer has the
        log or the key cannot sign notes, `Corrupt` when the stored bytes do not add up, OSError when the disk fails.
        """
        log = cls(_prepare(settings, disk or Disk()), on_fatal, clock)
        for segment in log._start.older:
            log._publisher.retire(segment)
        log._publisher.start()
        log._writer.start()
        return log

    @property
    def size(self) -> int:
        """How many entries are durable."""
        return self._tree.size

    @property
    def published(self) -> Checkpoint:
        """The published head."""
        return self._publisher.published

    @property
    def verifier(self) -> NoteKey:
        """The public key of the checkpoints."""
        return self._start.press.signer.public

    @property
    def alive(self) -> bool:
        """Whether appends are taken. False for ever after the first error, and after `close`."""
        return not self._dead

    def append(self, entry: bytes, opening: bytes) -> "asyncio.Future[int]":
        """The index of `entry`, once it and its opening are durable.

        The future fails with `Fault` `audit_unavailable` when that cannot be known. Cancelling it does not take the
        entry back. Raises `Fault` `record_too_large` at once.
        """
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._put((entry, opening, loop, future))
        return future

    def append_blocking(self, entry: bytes, opening: bytes) -> int:
        """As `append`, for a thread."""
        future: Future[int] = Future()
        self._put((entry, opening, None, future))
        return future.result()

    def entry(self, index: int) -> bytes:
        """A durable entry, published or not; raises `Fault` `entry_unknown`."""
        unpublished = self._publisher.entry(index)
        return unpublished or self._start.reader.entry(index, self.published.size)

    def close(self) -> None:
        """Make durable what was appended before, publish it, and give up the lock. Blocks."""
        self._queue.put(None)
        self._writer.join()
        self._publisher.stop()
        self._dead = True
        self._refuse_waiting()
        os.close(self._start.lock)

    def _put(self, item: _Item) -> None:
        if len(item[0]) > MAX_ENTRY or len(item[1]) > MAX_OPENING:
            raise Fault("record_too_large")
        self._queue.put(item)
        if self._dead:  # after the put: whoever comes second, this or `_die`, finds the item
            self._refuse_waiting()

    # --- the writer thread -------------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._take():
            self._rotate_if_due()
            if self._batch:
                first = self._commit(self._batch)
                _settle(self._batch, first)
        if self._segment.due(1, 0):
            self._rotate()  # frames do not outlive their publication, and a log never has no segment
        self._segment.finish()

    def _take(self) -> bool:
        """Collect everything that waits into the batch; False once `close` was called and nothing is left.

        The batch may be empty: nothing came for as long as a segment lasts.
        """
        self._batch = []
        if self._closing:
            return False
        try:
            item = self._queue.get(timeout=self._limits.segment_seconds)
            while item is not None and len(self._batch) < self._limits.batch - 1:
                self._batch.append(item)
                item = self._queue.get_nowait()
        except Empty:
            return True
        if item is None:
            self._closing = True
        else:
            self._batch.append(item)
        return True

    def _rotate_if_due(self) -> None:
        if self._segment.due(self._limits.segment_bytes, self._limits.segment_seconds):
            self._rotate()

    def _rotate(self) -> None:
        old = self._segment.finish()
        self._segment = SegmentWriter(self._start.disk, self._start.settings.directory, self._tree.size)
        self._publisher.retire(old)

    def _commit(self, batch: list[_Item]) -> int:
        """Make a batch durable; the index of its first entry."""
        first = self._tree.size
        key = self._current_key(len(batch))
        rows = seal(key, first, [item[1] for item in batch])
        tree, made, frame = commit(self._tree, [item[0] for item in batch], rows, key.encoded)
        self._segment.append(frame, tree.size)
        self._publisher.submit(made)
        self._tree = tree
        return first

    def _current_key(self, rows: int) -> DayKey:
        day = datetime.fromtimestamp(self._clock(), UTC).date().isoformat()
        key = self._day_key
        if key is None or key.stored.day != day or self._day_rows + rows > MAX_ROWS:
            key = self._day_key = new_day_key(self.origin, day, self._start.settings.auditor)
            self._day_rows = 0
        self._day_rows += rows
        return key

    # --- the end -----------------------------------------------------------------------------------------------

    def _die(self, error: BaseException) -> None:
        """The first error ends everything (rule 3). Called by the thread that failed."""
        with self._failing:
            first, self._dead = not self._dead, True
        self._publisher.abandon()
        self._refuse_waiting()
        if first:
            self._on_fatal(error)

    def _writer_failed(self, error: BaseException) -> None:
        _refuse(self._batch)
        self._die(error)

    def _refuse_waiting(self) -> None:
        waiting: list[_Item] = []
        with suppress(Empty):
            while True:
                item = self._queue.get_nowait()
                if item is not None:
                    waiting.append(item)
        self._queue.put(None)  # the writer, if it still runs, ends
        _refuse(waiting)


def _settle(batch: list[_Item], first: int) -> None:
    """Give each waiter its index, with one call into each event loop."""
    for loop, waiters in _by_loop(batch).items():
        _in_loop(loop, partial(_set_indices, waiters, first))


def _refuse(batch: list[_Item]) -> None:
    for loop, waiters in _by_loop(batch).items():
        _in_loop(loop, partial(_set_refused, waiters))


def _by_loop(batch: list[_Item]) -> dict[asyncio.AbstractEventLoop | None, list[tuple[int, _Waiter]]]:
    groups: dict[asyncio.AbstractEventLoop | None, list[tuple[int, _Waiter]]] = {}
    for offset, (_, _, loop, waiter) in enumerate(batch):
        groups.setdefault(loop, []).append((offset, waiter))
    return groups


def _in_loop(loop: asyncio.AbstractEventLoop | None, call: Callable[[], None]) -> None:
    if loop is None:
        call()
    else:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(call)


def _set_indices(waiters: list[tuple[int, _Waiter]], first: int) -> None:
    for offset, waiter in waiters:
        if not waiter.done():  # the waiter may have been cancelled
            waiter.set_result(first + offset)


def _set_refused(waiters: list[tuple[int, _Waiter]]) -> None:
    for _, waiter in waiters:
        if not waiter.done():
            waiter.set_exception(Fault("audit_unavailable"))


# --- opening ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Start:
    """What an open log begins with."""

    settings: LogSettings
    disk: Disk
    lock: int
    reader: LogReader
    press: Press
    tree: Tree
    edge: Edge
    published: Checkpoint
    segment: SegmentWriter
    older: list[Segment]


def _prepare(settings: LogSettings, disk: Disk) -> _Start:
    signer = _signer(settings)
    head = _head_path(settings)
    disk.sync_directories(disk.make_directories([settings.directory / "frames"]))
    descriptor = lock(settings.directory / "lock")
    if descriptor is None:
        raise UserError(_LOCKED, str(settings.directory), _LOCKED_REMEDY)
    try:
        press = Press(disk, settings.directory, signer, head)
        return _recover(settings, press, descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def _recover(settings: LogSettings, press: Press, descriptor: int) -> _Start:
    """Rule 4, in this order: know the outside head, read, make the frames durable again, then publish."""
    disk, directory = press.disk, settings.directory
    reader = LogReader(directory, press.signer.public)
    known = _known_head(press)
    if is_new(directory):
        _begin(press, known)
    published = _verified(reader.note(), press)
    recovered = recover(reader, published)
    if known is not None:
        check_head(known, reader, published, recovered)
    segment, older = resume(disk, directory, recovered)
    edge = recovered.edge
    if recovered.batches:
        edge, published = press.publish(edge, recovered.batches)
    return _Start(settings, disk, descriptor, reader, press, recovered.tree, edge, published, segment, older)


def _begin(press: Press, known: Checkpoint | None) -> None:
    if known is not None and known.size:
        raise Corrupt(f"the log directory is empty, but {known.size} entries were published")
    SegmentWriter(press.disk, press.directory, 0).finish()
    press.disk.replace(press.directory / "vkey", press.signer.public.vkey.encode() + b"\n")
    press.sign(Checkpoint(press.signer.public.name, 0, EMPTY_ROOT))


def _known_head(press: Press) -> Checkpoint | None:
    if press.head is None or not press.head.exists():
        return None
    return _verified(press.head.read_bytes(), press)


def _verified(note: bytes, press: Press) -> Checkpoint:
    try:
        return open_note(note, press.signer.public)[0]
    except Fault as fault:
        raise Corrupt(f"the checkpoint does not verify under this log's key: {fault.code}") from None


def _signer(settings: LogSettings) -> NoteSigner:
    if settings.signing_key.suite.alg != "EdDSA":
        raise UserError(_NOT_ED25519, settings.origin)
    try:
        return NoteSigner.of(settings.origin, settings.signing_key.key)
    except Fault:
        raise UserError(_BAD_ORIGIN, settings.origin) from None


def _head_path(settings: LogSettings) -> Path | None:
    if settings.head_dir is None:
        return None
    if not settings.head_dir.is_dir():  # not created: storage that is not mounted would look like a fresh start
        raise UserError(_NO_HEAD_DIR, str(settings.head_dir))
    return settings.head_dir / f"{quote(settings.origin, safe='')}.checkpoint"
