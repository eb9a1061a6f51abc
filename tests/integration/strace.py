"""strace(1) on one thread of a running process: which system calls it makes, and calls that fail on purpose.

1. Only the thread with this id is traced, from the moment that `attached` begins. strace counts calls for each thread.
2. A line of the record is one call. The n-th line of a call's name is what `when=n` injects into.
3. Where strace is missing or may not trace, tests fail with a sentence that says what to do; none is skipped.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

# Every call that names a file or a descriptor and that Python's file functions can make. "?": not on every machine.
CALLS = (
    "openat,read,pread64,write,pwrite64,fsync,fdatasync,ftruncate,fallocate,flock,fcntl,close,lseek,fstat,newfstatat,statx,"
    "getdents64,?rename,renameat,renameat2,?unlink,unlinkat,?rmdir,?mkdir,mkdirat,?link,linkat,symlinkat,fchmod,?chmod,"
    "fchmodat,utimensat,faccessat,?access,?stat,?lstat,?open,?creat,?readlink,readlinkat,sync_file_range,fadvise64"
)
INJECTED = "(INJECTED)"
_REMEDY = "a container needs the capability SYS_PTRACE, another user than root the sysctl kernel.yama.ptrace_scope=0"
_NAME = re.compile(r"(\w+)\(")


@dataclass(frozen=True, slots=True)
class Call:
    """One line of a record: the `number`-th call of this name in its thread, from 1. `line` as strace wrote it."""

    name: str
    number: int
    line: str


def calls(record: Path) -> list[Call]:
    """The calls of a record, in order (rule 2)."""
    counts: dict[str, int] = {}
    found = []
    for line in record.read_text("utf-8", "replace").splitlines():
        if (match := _NAME.match(line)) is not None:
            counts[match[1]] = counts.get(match[1], 0) + 1
            found.append(Call(match[1], counts[match[1]], line))
    return found


@contextmanager
def attached(thread: int, record: Path, options: Sequence[str] = ()) -> Iterator[None]:
    """Trace `thread`; it ends, at the latest soon after the `with`. What it called stands in `record` then."""
    program = shutil.which("strace")
    if program is None:
        pytest.fail("strace is not installed: run deploy/setup/tools.sh (`make setup-dev` does)")
    line = [program, "-y", "-s", "0", "-e", "signal=none", "-e", f"trace={CALLS}", *options, "-o", str(record)]
    with subprocess.Popen([*line, "-p", str(thread)], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        if "attached" not in said:
            pytest.fail(f"strace may not trace here; {_REMEDY}: {said.strip()}")
        try:
            yield
            process.wait(60)
        finally:
            process.kill()
