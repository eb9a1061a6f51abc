"""What SQLite says of the machine, as the operating system's errors: a full disk is one to whoever meets it.

1. `as_system_errors` turns SQLite's word for a full disk, a disk that fails, a file that cannot be opened or written
   into the OSError that it comes from, naming the file. Everything else stays what it is.
2. SQLite says "full" for some calls only: growing its shared memory, or beginning a file, fails with other words. Where
   the disk has no room left, those mean the same.
"""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import apsw

ROOM = 64 * 1024  # bytes: with less nothing of SQLite's can grow
_ERRNO: Mapping[type[apsw.Error], int] = {
    apsw.FullError: errno.ENOSPC,
    apsw.IOError: errno.EIO,
    apsw.CantOpenError: errno.EIO,
    apsw.ReadOnlyError: errno.EROFS,
    apsw.PermissionsError: errno.EACCES,
}


@contextmanager
def as_system_errors(path: Path) -> Iterator[None]:
    """Rules 1 and 2 for the database at `path`."""
    try:
        yield
    except apsw.Error as error:
        number = _ERRNO.get(type(error))
        if number is None:
            raise
        number = errno.ENOSPC if number == errno.EIO and is_full(path) else number
        raise OSError(number, os.strerror(number), str(path)) from error


def is_full(path: Path) -> bool:
    """Whether the disk of `path`, or of the directory that it would be in, has no room."""
    try:
        disk = os.statvfs(path if path.exists() else path.parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < ROOM or (disk.f_files > 0 and disk.f_favail == 0)
