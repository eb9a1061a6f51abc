"""The newest accepted use of each key, in a file: what a restart must not forget (`gateway.tokens.replay`, rule 5).

1. A line of fixed length for each key, overwritten in place: no more than a write of 45 bytes a second and app.
2. Not synced: the end of the process loses nothing. The end of the operating system may lose the last half minute,
   which a proof does not outlive unless the clock was set back meanwhile, too. A line that cannot be read is such a
   loss.
3. The file belongs to one serving process, and is locked by it.
"""

import errno
import fcntl
import os
import re
from pathlib import Path

from contracts.algorithms import sha256
from contracts.edge.files import naming
from contracts.errors import UserError
from contracts.text import Text

_NAME, _DIGITS = 32, 11
_LINE = _NAME + 1 + _DIGITS + 1
_MARK = re.compile(rb"([0-9a-f]{32}) ([0-9]{11})\n")
_BUSY = Text("另一个服务进程正在使用该文件", "Another serving process uses this file")
_OWN_SLOT = Text("每个服务进程使用自己的 slot。", "Give each serving process a slot of its own.")


class FileMarks:
    """See `gateway.tokens.replay.Marks`. For one thread."""

    def __init__(self, path: Path) -> None:
        """Opens or creates; raises `UserError`, OSError."""
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._lock()
            lines = self._read()
        except BaseException:
            os.close(self._file)
            raise
        self._before = dict(lines)
        self._places = {name: number for number, (name, _) in enumerate(lines)}
        self._lines = len(lines)

    def close(self) -> None:
        """Give back the file."""
        os.close(self._file)

    def before(self, space: str, kid: str) -> int:
        """See `Marks`."""
        return self._before.get(_name(space, kid), -1)

    def raise_to(self, space: str, kid: str, issued: int) -> None:
        """See `Marks`."""
        name = _name(space, kid)
        place = self._places.get(name, self._lines)
        with naming(self._path):
            written = os.pwrite(self._file, b"%b %0*d\n" % (name, _DIGITS, issued), place * _LINE)
        if written != _LINE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        self._places[name], self._lines = place, max(self._lines, place + 1)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(_BUSY, str(self._path), _OWN_SLOT) from None

    def _read(self) -> list[tuple[bytes, int]]:
        data = os.pread(self._file, os.fstat(self._file).st_size, 0)
        lines = (_MARK.fullmatch(data, at, at + _LINE) for at in range(0, len(data), _LINE))
        return [(line[1], int(line[2])) if line else (b"", -1) for line in lines]


def _name(space: str, kid: str) -> bytes:
    return sha256(f"{space}\0{kid}".encode())[: _NAME // 2].hex().encode()
