"""Files that leave: complete or not there, never over another one, readable by their owner alone.

1. What is being written lies in a directory of its own beside the file (mode 0700), which goes with it; scratch files
   in it have no name. So an export that fails leaves nothing, and one that is killed nothing outside that directory.
2. The file gets its name when it is complete and durable. An existing file is never replaced: it may be evidence. Where
   the file system has no links, a kill in one instant can leave an empty file of that name, and nothing else.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from audit.package.digests import Digest, Digesting
from contracts.edge.files import naming, sync_directory
from contracts.errors import UserError
from contracts.text import Text

_EXISTS = Text("文件已存在", "The file exists already")
_OTHER_NAME = Text("请另选文件名:导出从不覆盖已有文件。", "Choose another name: an export replaces nothing.")
_PIECE = 1 << 20
_ROOM = ".oncegate-export."


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Where to write what will be `path` (rules 1 and 2); raises `UserError` when that is there, OSError."""
    if path.exists():
        raise _exists(path)
    with naming(path), tempfile.TemporaryDirectory(dir=path.parent, prefix=_ROOM) as room:
        written = Path(room) / path.name
        os.close(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        yield written
        _sync(written)
        try:
            _name(written, path)
        except FileExistsError:
            raise _exists(path) from None
    sync_directory(path.parent)


def scratch(beside: Path) -> IO[bytes]:
    """A file without a name, on the file system of `beside`."""
    return tempfile.TemporaryFile(dir=beside.parent)


class Scratch:
    """A scratch file that knows the digests of what went in."""

    def __init__(self, beside: Path) -> None:
        self.file = scratch(beside)
        self._digesting = Digesting()

    def write(self, data: bytes) -> None:
        """Append."""
        self.file.write(data)
        self._digesting.update(data)

    def done(self) -> Digest:
        """Of all of it; the file stands at its beginning then."""
        self.file.seek(0)
        return self._digesting.done()


def digest_of_file(path: Path) -> Digest:
    """Of a file of any size."""
    with path.open("rb") as file:
        return digest_of(file)


def digest_of(file: IO[bytes]) -> Digest:
    """Of an open file, from its beginning."""
    digesting = Digesting()
    file.seek(0)
    while piece := file.read(_PIECE):
        digesting.update(piece)
    return digesting.done()


def _name(written: Path, path: Path) -> None:
    """Rule 2; raises FileExistsError."""
    try:
        path.hardlink_to(written)
    except FileExistsError:
        raise
    except OSError:  # FAT on a stick, some network file systems
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))  # the name is ours
        written.replace(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exists(path: Path) -> UserError:
    return UserError(_EXISTS, str(path), _OTHER_NAME)
