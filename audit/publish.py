"""Publishing: from durable batches to tiles, bundles, opening rows, and at last the checkpoint.

The order of `publish` is what makes every crash harmless:

1. day keys, full tiles and bundles, partial ones for the new size: durable;
2. partial files whose full one now exists are removed (readers fall back to the full one);
3. the signed checkpoint goes to `head_dir` first, so that nobody outside knows more than it does;
4. then it replaces `checkpoint`: from here on others rely on it. In both places this is a compare-and-swap: what is
   there must be, byte for byte, what was found at the start or written last, else somebody else writes this log;
5. opening rows of older partial sizes are removed, then segments of frames that are published entirely.

A crash before 4 leaves files of a tree that recovery derives again, byte for byte. The `Publisher` does this on a
thread of its own, at most once in `interval` seconds, and only when something changed.
"""

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

from audit import checkpoints
from audit.claim import Claim
from audit.derive import Batch, Edge, advance, opening_path, partials
from audit.disk import Disk
from audit.notes import NoteSigner
from audit.openings import key_path, parse_key
from audit.orders.erase import erase
from audit.ranges import Ranges
from audit.reader import LogReader
from audit.recovery import Segment
from audit.threads import guarded
from audit.tiles import WIDTH, split_entries
from contracts.errors import Corrupt, Fault


class Press:
    """The file work of publishing (1 to 5), without thread or clock."""

    def __init__(self, disk: Disk, directory: Path, signer: NoteSigner, head: Path | None, claim: Claim) -> None:
        self.disk = disk
        self.directory = directory
        self.signer = signer
        self.head = head
        self.claim = claim
        self._last: dict[Path, bytes | None] = {}

    def look(self) -> bytes | None:
        """Remember what is in the places of the checkpoint, in the order in which they are written (3, 4).

        What `head_dir` has; None without one, or before the first head.
        """
        places = [path for path in (self.head, self.directory / "checkpoint") if path is not None]
        self._last = {path: self.disk.read(path) for path in places}
        return None if self.head is None else self._last[self.head]

    def publish(self, edge: Edge, batches: Sequence[Batch]) -> tuple[Edge, checkpoints.Checkpoint]:
        """Derive and publish `batches` (at least one); the edge after them and the new head."""
        self.claim.check()
        grown, full = advance(edge, batches)
        keys = {
            _key_path(key): key for key in {batch.key for batch in batches} if not self._at(_key_path(key)).exists()
        }
        self.disk.replace_all({self._at(path): data for path, data in (keys | full | partials(grown)).items()})
        for path in full:
            self._clear(path, keep="")
        checkpoint = checkpoints.Checkpoint(self.signer.public.name, grown.size, batches[-1].root)
        self.sign(checkpoint)
        self._clear(opening_path(grown.size // WIDTH), keep=str(grown.size % WIDTH))
        return grown, checkpoint

    def sign(self, checkpoint: checkpoints.Checkpoint) -> None:
        """Sign and publish a head whose files are durable."""
        note = checkpoints.sign(checkpoint, self.signer)
        for path, last in self._last.items():
            if self.disk.read(path) != last:
                raise Corrupt(f"{path.name} is not what this writer left there: a second writer has this log")
        for path in self._last:
            self.disk.replace(path, note)
            self._last[path] = note

    def erase(self, edge: Edge, positions: Ranges) -> Edge:
        """Empty the published opening rows at `positions`; the edge afterwards."""
        self.claim.check()
        return erase(self.disk, LogReader(self.directory, self.signer.public), edge, positions)

    def _at(self, path: str) -> Path:
        return self.directory / path

    def _clear(self, path: str, keep: str) -> None:
        """Remove the partial files of a tile, all but the width `keep`."""
        directory = self._at(path + ".p")
        for file in self.disk.files(directory):
            if file.name != keep:
                self.disk.remove(file)
        if not keep and directory.is_dir():
            directory.rmdir()


def _key_path(key: bytes) -> str:
    return key_path(parse_key(key).key_id)


class Publisher:
    """The thread that publishes. `submit`, `retire` and `entry` are safe from any thread."""

    def __init__(
        self,
        press: Press,
        edge: Edge,
        published: checkpoints.Checkpoint,
        on_error: Callable[[BaseException], None],
        interval: float,
        room: int,
    ) -> None:
        self._press = press
        self._edge = edge
        self._on_error = on_error
        self._interval = interval
        self._room = room
        self._changed = threading.Condition()
        self._waiting: list[Batch] = []
        self._retired: list[Segment] = []
        self._erasures: list[tuple[int, Ranges, Future[None]]] = []
        self._stopping = False
        self.published = published
        self.listeners: list[Callable[[], None]] = []
        self._thread = guarded("audit-publisher", self._run, self._fail)

    def start(self) -> None:
        self._thread.start()

    def submit(self, batch: Batch) -> None:
        """Hand over a durable batch. Waits while `room` entries are unpublished: memory is not a log."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._unpublished() < self._room)
            self._waiting.append(batch)
            self._changed.notify_all()

    def retire(self, segment: Segment) -> None:
        """A segment gets no more frames: remove it once it is published entirely."""
        with self._changed:
            self._retired.append(segment)
            self._changed.notify_all()

    def erase(self, positions: Ranges, size: int) -> "Future[None]":
        """Empty the opening rows at `positions` in every file but frames, once `size` entries are published: those
        that say why are among them.

        The future fails with `Fault` `audit_unavailable` when the log ends before, `Corrupt` when rows are missing.
        """
        done: Future[None] = Future()
        with self._changed:
            if self._stopping:
                done.set_exception(Fault("audit_unavailable"))
            else:
                self._erasures.append((size, positions, done))
            self._changed.notify_all()
        return done

    def entry(self, index: int) -> bytes | None:
        """A durable entry that is not yet published; None for every other index."""
        with self._changed:
            at = bisect_right(self._waiting, index, key=lambda batch: batch.first) - 1
            batch = self._waiting[at] if at >= 0 else None
        if batch is None or index >= batch.end:
            return None
        return split_entries(batch.entries[index - batch.first], 1)[0]

    def stop(self) -> None:
        """Publish what waits, and end. After an error nothing more is published."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()

    def abandon(self) -> None:
        """End without publishing anything more; does not wait."""
        with self._changed:
            self._waiting, self._retired, self._stopping = [], [], True
            erasures, self._erasures = self._erasures, []
            self._changed.notify_all()
        for _, _, done in erasures:
            done.set_exception(Fault("audit_unavailable"))

    def _unpublished(self) -> int:
        return self._waiting[-1].end - self._waiting[0].first if self._waiting else 0

    def _run(self) -> None:
        while self._something_to_do():
            started = time.monotonic()
            self._work()
            self._rest(started)

    def _fail(self, error: BaseException) -> None:
        self.abandon()
        self._on_error(error)

    def _something_to_do(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ripe() or self._erasures or self._stopping)
            return bool(self._waiting or self._ripe() or self._erasures)

    def _rest(self, started: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, timeout=started + self._interval - time.monotonic())

    def _work(self) -> None:
        with self._changed:
            batches = list(self._waiting)
        if batches:
            self._edge, checkpoint = self._press.publish(self._edge, batches)
            with self._changed:
                self.published = checkpoint
                del self._waiting[: len(batches)]
                self._changed.notify_all()
            for listener in self.listeners:
                listener()
        self._remove_segments()
        self._erase_rows()

    def _erase_rows(self) -> None:
        """Those that are published by now; what became durable meanwhile is, after the next round."""
        with self._changed:
            due = [one for one in self._erasures if one[0] <= self.published.size]
            self._erasures = [one for one in self._erasures if one not in due]
        for _, positions, done in due:
            try:
                self._edge = self._press.erase(self._edge, positions)
            except Corrupt as error:
                done.set_exception(error)
            except BaseException:
                done.set_exception(Fault("audit_unavailable"))
                raise
            else:
                done.set_result(None)

    def _ripe(self) -> list[Segment]:
        return [segment for segment in self._retired if segment.end <= self.published.size]

    def _remove_segments(self) -> None:
        with self._changed:
            ripe = self._ripe()
            self._retired = [segment for segment in self._retired if segment not in ripe]
        for segment in ripe:
            self._press.disk.remove(segment.path)
        if ripe:
            self._press.disk.sync_directories({ripe[0].path.parent})
