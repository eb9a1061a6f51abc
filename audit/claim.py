"""Who may write here: a file that is locked, and in it the name of whoever holds it.

1. The lock is held until the end of a `with` or the end of the process; whoever comes second is refused at once.
2. A lock may be worth nothing: its file was removed and made anew, or the network storage grants it twice. So the
   holder puts a name into the file that nobody had before, *before* it reads anything else, and `check` reads it back.
3. A frame counts only if `check` still found the own name after the frame was durable. So of two writers the older
   one ends, and what it had acknowledged, the newer one has read.
"""

import os
import secrets
import socket
from contextlib import ExitStack
from pathlib import Path

from audit.disk import Disk, lock
from contracts.errors import Corrupt, UserError
from contracts.text import Text

_HELD = Text("该审计日志正由另一进程写入:{holder}", "Another process is writing this audit log: {holder}")
_REMEDY = Text("每个日志只能有一个写入进程。", "A log has exactly one writer; give each process its own slot.")
_SHOWN = 120  # of a holder's name


class Claim:
    """A claim, held as long as the `with` lasts. `check` is safe from any thread."""

    def __init__(self, disk: Disk, path: Path, descriptor: int) -> None:
        self._disk = disk
        self._path = path
        self._descriptor = descriptor
        self._name = f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(16)}\n".encode()

    def check(self) -> None:
        """Rule 3; raises `Corrupt` when somebody else claimed it since, or took the file away; OSError."""
        if self._disk.read(self._path) != self._name:
            raise Corrupt(f"{self._path.name} is not this writer's any more: a second writer has this log")

    def __enter__(self) -> "Claim":
        return self

    def __exit__(self, *_: object) -> None:
        """Give up the lock."""
        os.close(self._descriptor)

    def put_name(self) -> None:
        """Rule 2."""
        os.ftruncate(self._descriptor, 0)
        self._disk.write_all(self._descriptor, self._name)
        self._disk.sync(self._descriptor)


def claim(disk: Disk, path: Path) -> Claim:
    """Lock `path` and put the own name into it. Raises `UserError` when another holds it; OSError."""
    descriptor = lock(path)
    if descriptor is None:
        raise UserError(_HELD.fill(holder=_holder(path)), str(path.parent), _REMEDY)
    with ExitStack() as undo:
        made = undo.enter_context(Claim(disk, path, descriptor))
        made.put_name()
        undo.pop_all()
    return made


def _holder(path: Path) -> str:
    """Host and process, as far as the file says it."""
    words = path.read_bytes()[:_SHOWN].decode("ascii", "replace").split()
    return " ".join(words[:2]) or "?"
