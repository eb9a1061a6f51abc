"""A writer of an audit log under strace: `python -m tests.integration.audit_victim`.

1. It imports everything once, then forks a writer for each job on stdin: `{"directory", "heads", "thread"}` in JSON.
2. The writer opens the log, appends APPENDS entries one by one, each published before the next, and closes: so every
   run makes the same file calls, in three threads (opening is `main`'s).
3. The thread to be traced says `ready TID` and goes on when a line comes: what was imported, is not traced. Then
   `acknowledged INDEX`, at last `closed`. The parent says `ended CODE` (a signal's number, negative).
4. The exit codes are the node's: 70 when the log dies, 2 for another writer, 3 for damage, 4 for what the system
   refuses.
"""

import ctypes
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from audit.log import AuditLog, Limits
from contracts.errors import Corrupt, Fault, UserError
from tests.integration.audit_support import entry, opening, settings

APPENDS = 4
LIMITS = Limits(publish_seconds=0.0, segment_bytes=400)  # two frames
DEAD, MISTAKEN, DAMAGED, REFUSED = 70, 2, 3, 4

_SET_PTRACER, _ANY = (
    0x59616D61,
    ctypes.c_ulong(-1),
)  # prctl(2): where only parents may trace, this process says who else


def serve() -> None:
    """One writer after the other (rule 1)."""
    while job := _line():
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            _write(json.loads(job))
        _, status = os.waitpid(child, 0)
        _say(f"ended {os.waitstatus_to_exitcode(status)}")


def _write(job: dict[str, Any]) -> None:
    """Rules 2 to 4; does not return."""
    ctypes.CDLL(None).prctl(_SET_PTRACER, _ANY, 0, 0, 0)
    try:
        _script(Path(job["directory"]), Path(job["heads"]), job["thread"])
    except UserError as error:
        _end(error, MISTAKEN)
    except Corrupt as error:
        _end(error, DAMAGED)
    except OSError as error:
        _end(error, REFUSED)
    os._exit(0)


def _script(directory: Path, heads: Path, thread: str) -> None:
    meet = dict.fromkeys(("main", "audit-writer", "audit-publisher"), _nothing) | {thread: _meet}
    meet["main"](os.getpid())
    log = AuditLog.open(settings(directory, heads, LIMITS), lambda error: _end(error, DEAD))
    for one in threading.enumerate():
        if one.native_id is not None and one is not threading.main_thread():
            meet[one.name](one.native_id)
    for _ in range(APPENDS):
        _append(log)
    log.close()
    if not log.alive and log.published.size == log.size:
        _say("closed")


def _append(log: AuditLog) -> None:
    number = log.size
    try:
        _say(f"acknowledged {log.append_blocking(entry(number), opening(number))}")
    except Fault as refused:
        _say(f"refused {refused.code}")
        time.sleep(60)  # the log's own thread ends the process
    while log.published.size <= number:
        time.sleep(0.0005)


def _meet(thread: int) -> None:
    """Rule 3."""
    _say(f"ready {thread}")
    _line()


def _nothing(_: int) -> None:
    pass


def _end(error: BaseException, code: int) -> None:
    _say(f"because {type(error).__name__}: {error}")
    os._exit(code)


def _say(words: str) -> None:
    os.writev(1, [words.encode(), b"\n"])  # not write(2), which may be made to fail


def _line() -> bytes:
    """One line: whoever speaks to us waits for an answer before the next one. Not by read(2), which is counted."""
    line = bytearray(65536)
    return bytes(line[: os.readv(0, [line])])


if __name__ == "__main__":
    serve()
