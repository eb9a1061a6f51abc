"""The audit log of one serving slot: `append` returns an index when the entry is durable, and never before.

1. One writer: a claim on the directory, held until `close` or the end of the process, and looked at again after each
   frame became durable. Whoever finds another writer's is dead (3).
2. Group commit: a thread takes everything that waits, writes one frame, syncs once, then wakes the waiters.
   Tiles, bundles, opening rows and checkpoint follow behind (`publish`), from what is durable only.
3. After any error of a write or a sync the log is dead: each waiter gets `Fault` `audit_unavailable`, now and later,
   and `on_fatal` is called once, from the thread that failed. The process must end; recovery decides what is durable.
4. Opening starts with recovery (`start`), by the code of the live path.
5. A closed log, whose last entry is `log_closed` (`succession`), is not opened for writing any more.
6. A segment is closed after `segment_seconds` or `segment_bytes`, and removed when all of it is published.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from queue import Empty, SimpleQueue

from audit.checkpoints import Checkpoint
from audit.derive import commit
from audit.disk import Disk
from audit.notes import NoteKey
from audit.openings import MAX_ROWS, DayKey, new_day_key, seal
from audit.publish import Publisher
from audit.ranges import Ranges
from audit.segments import SegmentWriter
from audit.start import Limits, LogSettings, Start, prepare
from audit.threads import guarded
from audit.tiles import MAX_ENTRY
from contracts.errors import Fault, UserError
from contracts.text import Text

__all__ = ["MAX_OPENING", "AuditLog", "Limits", "LogSettings"]

MAX_OPENING = MAX_ENTRY - 256  # a row adds key id, IV and tag

_CLOSED = Text("该审计日志已关闭,后继为 {successor}", "This audit log is closed; {successor} goes on from it")
_WRITE_SUCCESSOR = Text("请在 slot 与 log_key 中填写后继日志。", "Give the successor's slot and log_key.")


_Waiter = asyncio.Future[int] | Future[int]
# entry, opening, the loop to wake the waiter in (None: a thread waits), the waiter
_Item = tuple[bytes, bytes, asyncio.AbstractEventLoop | None, _Waiter]


class AuditLog:
    """An open log. `append` is for coroutines; everything else for any thread."""

    def __init__(self, start: Start, on_fatal: Callable[[BaseException], None], clock: Callable[[], float]) -> None:
        limits = start.settings.limits
        self.origin = start.settings.origin
        self.successor = start.successor  # of a closed log: who goes on from it
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
        self._apart = threading.Event()  # the next batch begins a new segment
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
        log, it is closed, or the key cannot sign notes, `Corrupt` when the stored bytes do not add up, OSError when the
        disk fails.
        """
        log = cls.begin(prepare(settings, disk or Disk()), on_fatal, clock)
        if log.successor is not None:
            log.close()
            raise UserError(_CLOSED.fill(successor=log.successor), settings.origin, _WRITE_SUCCESSOR)
        return log

    @classmethod
    def begin(
        cls, start: Start, on_fatal: Callable[[BaseException], None], clock: Callable[[], float] = time.time
    ) -> "AuditLog":
        """Start over what `prepare` found, closed or not (`shards` closes logs; everybody else calls `open`)."""
        log = cls(start, on_fatal, clock)
        for segment in start.older:
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

    def append_apart(self, entry: bytes, opening: bytes) -> int:
        """As `append_blocking`; afterwards no open segment has frames of older entries: once published, they go."""
        self._apart.set()
        return self.append_blocking(entry, opening)

    def erase(self, positions: Ranges) -> None:
        """Empty the sealed opening rows at `positions`, once all that is durable now is published; durable on return,
        everywhere but in frames. Blocks.

        Raises `Fault` `audit_unavailable`, `Corrupt` when rows are missing, ValueError for positions beyond the log.
        """
        size = self.size
        if positions.last >= size:
            raise ValueError("only what is durable can be erased")
        self._publisher.erase(positions, size).result()

    def entry(self, index: int) -> bytes:
        """A durable entry, published or not; raises `Fault` `entry_unknown`."""
        unpublished = self._publisher.entry(index)
        return self._start.reader.entry(index, self.published.size) if unpublished is None else unpublished

    def on_published(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each new head, in the thread that published it: it must not block, nor raise."""
        self._publisher.listeners.append(listener)

    def condemn(self, error: BaseException) -> None:
        """What others hold contradicts this log: it is dead from now on (rule 3). For any thread but the log's own."""
        self._die(error)

    def close(self) -> None:
        """Make durable what was appended before, publish it, and give up the lock. Blocks."""
        self._queue.put(None)
        self._writer.join()
        self._publisher.stop()
        self._dead = True
        self._refuse_waiting()
        self._start.claims.close()

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
        due = self._segment.due(self._limits.segment_bytes, self._limits.segment_seconds)
        if self._apart.is_set():
            self._apart.clear()
            due = self._segment.due(1, 0)
        if due:
            self._rotate()

    def _rotate(self) -> None:
        self._start.press.claim.check()
        old = self._segment.finish()
        self._segment = SegmentWriter.following(self._start.disk, self._start.settings.directory, self._tree.size)
        self._publisher.retire(old)

    def _commit(self, batch: list[_Item]) -> int:
        """Make a batch durable; the index of its first entry."""
        first = self._tree.size
        key = self._current_key(len(batch))
        rows = seal(key, first, [item[1] for item in batch])
        tree, made, frame = commit(self._tree, [item[0] for item in batch], rows, key.encoded)
        self._segment.append(frame, tree.size)
        self._start.press.claim.check()
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
