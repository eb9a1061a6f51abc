"""The few file calls of the audit log, in one place, so that a test can make each of them fail.

1. A name exists for others only when its content is durable: written beside, synced, renamed, directory synced.
2. Many files are made durable together: all written, then each synced and renamed, then each directory synced once.
   (The first sync commits the journal of the file system for all; the rest is nearly free.) Their names become durable
   in any order: what needs an order is written one after the other.
3. The same files are written, synced and renamed in the same order, so that a run can be repeated call by call.
4. No error is handled here, but each names its file. After a failed write or sync nobody may go on: Linux can mark
   failed pages clean, so that reading them back proves nothing.
5. One exception: a file that cannot be opened because too many are is waited for, `PATIENCE_S` long. Nothing was
   written; and else strangers who open connections and say nothing could end the log.
6. A directory is durable when its parent was synced after it was made. A process that died may have left one that is
   not; so on first use each process syncs the parents, too, up to where it could have made nothing.
"""

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

from contracts.edge.files import naming

_T = TypeVar("_T")

TEMPORARY = ".tmp"
PATIENCE_S = 120.0  # twice as long as a connection may take to say nothing
_PIECE = 65536
_PAUSE_S = 0.02
_TOO_MANY = (errno.EMFILE, errno.ENFILE)


class Disk:
    """Real file calls. Safe from any thread."""

    def __init__(self) -> None:
        self._settled: set[Path] = set()  # directories that were synced, and in which none was made since

    def create(self, path: Path) -> int:
        """A descriptor of a new, empty file to append to; whatever had this name is gone."""
        return _patiently(lambda: os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640))

    def create_new(self, path: Path) -> int:
        """As `create`, where nothing has this name; raises FileExistsError."""
        return _patiently(lambda: os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640))

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        """write(2): how many bytes were taken."""
        return os.write(descriptor, data)

    def datasync(self, descriptor: int) -> None:
        """fdatasync(2)."""
        os.fdatasync(descriptor)

    def sync(self, descriptor: int) -> None:
        """fsync(2), of files and directories."""
        os.fsync(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        """rename(2)."""
        old.rename(new)

    def make_directory(self, path: Path) -> None:
        """mkdir(2); one that is there is no error."""
        path.mkdir(exist_ok=True, mode=0o750)

    def remove(self, path: Path) -> None:
        """unlink(2); a missing file is no error."""
        path.unlink(missing_ok=True)

    def read(self, path: Path) -> bytes | None:
        """What is in a small file; None where there is none. Opened anew each time: network storage then looks, too."""
        try:
            descriptor = _patiently(lambda: os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError:
            return None
        try:
            with naming(path):
                return b"".join(iter(partial(os.read, descriptor, _PIECE), b""))
        finally:
            os.close(descriptor)

    def files(self, directory: Path) -> list[Path]:
        """What is in a directory, by name; nothing where there is none."""
        try:
            return sorted(_patiently(lambda: list(directory.iterdir())))
        except (FileNotFoundError, NotADirectoryError):
            return []

    # Made of the calls above.

    def write_all(self, descriptor: int, data: bytes) -> None:
        """Write everything. A short write goes on; a full disk then says so."""
        view = memoryview(data)
        while view:
            view = view[self.write(descriptor, view) :]

    def replace(self, path: Path, data: bytes) -> None:
        """Make `path` hold `data`, atomically and durably."""
        self.replace_all({path: data})

    def replace_all(self, files: Mapping[Path, bytes]) -> None:
        """`replace` for many files (rule 2)."""
        directories = self.make_directories({path.parent for path in files})
        open_files = []
        try:
            for path, data in files.items():
                temporary = path.with_name(path.name + TEMPORARY)
                descriptor = self.create(temporary)
                open_files.append((descriptor, temporary, path))
                with naming(path):
                    self.write_all(descriptor, data)
            for descriptor, temporary, path in open_files:
                with naming(path):
                    self.sync(descriptor)
                self.rename(temporary, path)
        finally:
            for descriptor, _, _ in open_files:
                os.close(descriptor)
        self.sync_directories(directories)

    def make_directories(self, directories: Iterable[Path]) -> set[Path]:
        """Create what is missing; returns every directory that has to be synced, parents as rule 6 says."""
        touched: set[Path] = set()
        for directory in sorted(directories):
            touched.add(directory)
            missing = list(self._missing(directory, touched))
            for path in reversed(missing):
                self.make_directory(path)
                self._settled.discard(path.parent)
        return touched

    def _missing(self, directory: Path, touched: set[Path]) -> Iterator[Path]:
        """What has to be made for `directory`, the lowest first; adds the parents whose names of it are not durable."""
        for path in (directory, *directory.parents):
            there = path.is_dir()
            if there and (path.parent in self._settled or path.is_mount() or not os.access(path.parent, os.W_OK)):
                return
            touched.add(path.parent)
            if not there:
                yield path

    def sync_directories(self, directories: Iterable[Path]) -> None:
        """Make the names in these directories durable."""
        for directory in sorted(directories):
            descriptor = _patiently(partial(os.open, directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            try:
                with naming(directory):
                    self.sync(descriptor)
            finally:
                os.close(descriptor)
            self._settled.add(directory)


def _patiently(call: Callable[[], _T]) -> _T:
    """Rule 5."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return call()
        except OSError as error:
            if error.errno not in _TOO_MANY or time.monotonic() >= end:
                raise
        time.sleep(_PAUSE_S)


def lock(path: Path) -> int | None:
    """An exclusive lock held until the descriptor is closed or the process ends; None when another holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
