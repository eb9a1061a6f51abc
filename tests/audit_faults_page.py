"""docs/audit-faults.md, made by failing each file call of the audit log: `python -m tests.audit_faults_page`.

1. Three scripts are recorded on a good disk: a log that grows, one that crashed, and a new one. Every call of the class
   `Disk` gets a label: the step that makes it (from the stack), the call, and the sort of file.
2. Each label × way to fail is run once, at its first call. The script stops at the first refusal.
3. Then the log is opened on a good disk, has all that was acknowledged, takes one more and verifies entirely. What
   became of the request that was under way is the cell. Calls of one step on one sort of file share a row where they
   have the same cells.
"""

import errno
import inspect
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from audit.log import AuditLog, Limits
from audit.reader import LogReader
from audit.tiles import bundles
from audit.verify import verify
from contracts.errors import Fault
from tests.integration.audit_support import (
    SIGNER,
    FailingDisk,
    ForgetfulDisk,
    entry,
    fill,
    open_log,
    opening,
    settings,
)
from tests.waiting import until

PAGE = Path(__file__).parent.parent / "docs" / "audit-faults.md"
LIMITS = Limits(publish_seconds=0.0, segment_bytes=400)  # two frames
FIRST, APPENDS = 254, 4  # the second makes a bundle full, the third a segment

# The innermost of these functions says which step a call belongs to; below `prepare` the log is not open yet.
STEPS = {
    "put_name": "claim",
    "_begin": "new log",
    "resume": "go on from the frames",
    "publish": "publish",
    "_commit": "commit",
    "_rotate": "new segment",
    "_remove_segments": "remove published segments",
    "prepare": "begin",
}
OPENING = "prepare"

SORTS = (
    (r"heads/.*\.lock", "lock in `head_dir`"),
    (r"heads/.*\.checkpoint", "checkpoint in `head_dir`"),
    (r"heads", "directory `head_dir`"),
    (r"log/lock", "lock"),
    (r"log/checkpoint", "checkpoint"),
    (r"log/vkey", "vkey"),
    (r"log/frames/\d+", "segment of frames"),
    (r"log/(tile|openings)/.*?[0-9a-f]+(\.p/\d+)?", "tile, bundle, rows, day key"),
    (r".*", "directory"),
)

WAYS = {
    "not done, error": ("before", False),
    "done, yet error": ("after", False),
    "half done, error": ("short", False),
    "killed": ("before", True),
    "power lost": ("power", True),
    "disk full": ("full", False),
}
NEED_ROOM = {"create", "write", "mkdir", "sync", "datasync"}


@dataclass(frozen=True, slots=True)
class Label:
    """A row of the table."""

    step: str
    call: str
    sort: str


def _stack() -> Iterator[str]:
    """The functions that called, the innermost first."""
    frame = inspect.currentframe()
    while frame is not None:
        yield frame.f_code.co_name
        frame = frame.f_back


def _step_of_stack() -> str:
    names = list(_stack())
    step = next((STEPS[name] for name in names if name in STEPS), "begin")
    return f"start: {step}" if OPENING in names else step


def _sort_of(path: Path, root: Path) -> str:
    name = path.relative_to(root).as_posix().removesuffix(".tmp") if path.is_relative_to(root) else ""
    return next(sort for pattern, sort in SORTS if re.fullmatch(pattern, name))


class _Aimed(FailingDisk):
    """Labels each call; fails the first that has the label `aim` (rule 2), with `full` also what needs room later."""

    root: Path
    aim: Label | None = None
    full = False

    def arm(self, root: Path, aim: Label | None, full: bool) -> None:
        self.root, self.aim, self.full = root, aim, full
        self.labels: list[Label] = []
        self._where = threading.local()
        self._turn = threading.RLock()

    def _step(self, name: str, act: Callable[[], object], half: Callable[[], object] | None = None) -> None:
        label = Label(_step_of_stack(), name, _sort_of(self._where.path, self.root))
        if (label.step, name) == (STEPS["_commit"], "write"):
            until(lambda: self.at_rest() or self._fail_at >= 0)
        with self._turn:
            self.labels.append(label)
            if label == self.aim and self._fail_at < 0:
                self._fail_at = len(self.calls)
            if self.full and 0 <= self._fail_at < len(self.calls) and name in NEED_ROOM:
                raise OSError(errno.ENOSPC, "no room")
            super()._step(name, act, half)

    def at_rest(self) -> bool:
        """Whether published segments are gone for good: so threads take turns, and each run makes the same calls."""
        segments = [path for path in (self.root / "log" / "frames").iterdir() if path.name.isdigit()]
        ended = [label.call for label in list(self.labels) if label.step == STEPS["_remove_segments"]]
        return len(segments) == 1 and ended.count("remove") == ended.count("sync")

    def create(self, path: Path) -> int:
        self._where.path = path
        return super().create(path)

    def create_new(self, path: Path) -> int:
        self._where.path = path
        return super().create_new(path)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        self._of(descriptor)
        return super().write(descriptor, data)

    def datasync(self, descriptor: int) -> None:
        self._of(descriptor)
        super().datasync(descriptor)

    def sync(self, descriptor: int) -> None:
        self._of(descriptor)
        super().sync(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        self._where.path = new
        super().rename(old, new)

    def make_directory(self, path: Path) -> None:
        self._where.path = path
        super().make_directory(path)

    def remove(self, path: Path) -> None:
        self._where.path = path
        super().remove(path)

    def read(self, path: Path) -> bytes | None:
        self._where.path = path
        return super().read(path)

    def _of(self, descriptor: int) -> None:
        self._where.path = Path(f"/proc/self/fd/{descriptor}").readlink()


class _Struck(_Aimed, FailingDisk):
    pass


class _Forgetful(_Aimed, ForgetfulDisk):
    pass


# --- scripts ---------------------------------------------------------------------------------------------------------


def _grown(root: Path) -> None:
    fill(root / "log", FIRST, heads=root / "heads")


def _crashed(root: Path) -> None:
    """Frames that are durable and not published."""
    _grown(root)
    log = open_log(root / "log", root / "heads", Limits(publish_seconds=3600.0))
    for _ in range(APPENDS):
        log.append_blocking(entry(log.size), opening(log.size))
        until(lambda: log.published.size > FIRST)  # the first publication is not delayed, and has one entry
    shutil.copytree(root / "log", root / "copy")
    shutil.copytree(root / "heads", root / "copied")
    log.close()
    for name, copied in (("log", "copy"), ("heads", "copied")):
        shutil.rmtree(root / name)
        (root / copied).rename(root / name)


SCRIPTS: Mapping[str, Callable[[Path], None]] = {"grown": _grown, "crashed": _crashed, "new": lambda _: None}


@dataclass(slots=True)
class Seen:
    """What the clients of a run saw."""

    opened: bool = False
    first: int = 0
    acknowledged: int = 0
    refused: bool = False
    died: bool = False


def _run(root: Path, disk: "_Aimed") -> Seen:
    seen = Seen()
    deaths: list[BaseException] = []
    try:
        log = AuditLog.open(settings(root / "log", root / "heads", LIMITS), deaths.append, disk)
    except OSError:
        return seen
    seen.opened, seen.first = True, log.size
    while seen.acknowledged < APPENDS and not seen.refused and log.alive:
        _append(log, seen)
        until(lambda: not log.alive or (log.published.size == log.size and disk.at_rest()))
    log.close()
    seen.died = bool(deaths)
    return seen


def _append(log: AuditLog, seen: Seen) -> None:
    index = log.size
    try:
        log.append_blocking(entry(index), opening(index))
    except Fault:
        seen.refused = True
        return
    seen.acknowledged += 1


def _outcome(root: Path, seen: Seen) -> str:
    """The cell (rule 3)."""
    log = open_log(root / "log", root / "heads", disk=FailingDisk())
    size = log.size
    log.append_blocking(entry(size), opening(size))
    log.close()
    reader = LogReader(root / "log", SIGNER.public)
    kept = [one for bundle in bundles(size + 1) for one in reader.entries(bundle.index, size + 1)]
    report = verify(root / "log", SIGNER.public, openings=True)
    if report.difference is not None or kept != [entry(index) for index in range(size + 1)]:
        raise AssertionError(f"the log is not whole: {report}")
    if size < seen.first + seen.acknowledged:
        raise AssertionError("an acknowledged entry is missing")
    if not seen.opened:
        return "S"
    if seen.refused:
        return "R" if size > seen.first + seen.acknowledged else "X"
    return "A" if seen.died else "G"


# --- the table -------------------------------------------------------------------------------------------------------


class Workshop:
    """Templates of the scripts, and runs in copies of them."""

    def __init__(self, root: Path) -> None:
        self._root, self._runs = root, 0
        for name, prepare in SCRIPTS.items():
            (root / name / "heads").mkdir(parents=True)
            prepare(root / name)

    def labels(self, script: str) -> list[Label]:
        disk = _Struck()
        root = self._copy(script)
        disk.arm(root, None, full=False)
        seen = _run(root, disk)
        if (seen.acknowledged, seen.died) != (APPENDS, False):
            raise AssertionError(f"a good run of {script} failed: {seen}")
        return disk.labels

    def cell(self, script: str, label: Label, way: str) -> str:
        mode, crash = WAYS[way]
        if (mode == "short" and label.call != "write") or (mode == "full" and label.call not in NEED_ROOM):
            return ""
        root = self._copy(script)
        disk = _Forgetful() if mode == "power" else _Struck(mode="before" if mode == "full" else mode, crash=crash)
        disk.arm(root, label, full=mode == "full")
        seen = _run(root, disk)
        if label not in disk.labels:
            raise AssertionError(f"{label} did not come")
        if isinstance(disk, _Forgetful):
            disk.lose_power()
        try:
            return _outcome(root, seen)
        finally:
            shutil.rmtree(root)

    def _copy(self, script: str) -> Path:
        self._runs += 1
        return shutil.copytree(self._root / script, self._root / "runs" / str(self._runs))


def table() -> dict[Label, list[str]]:
    """The cells by row, rows in the order in which the calls come: opening first."""
    with tempfile.TemporaryDirectory() as directory:
        shop = Workshop(Path(directory).resolve())
        found: dict[Label, str] = {}
        for script in SCRIPTS:
            for label in shop.labels(script):
                found.setdefault(label, script)
        return {label: [shop.cell(found[label], label, way) for way in WAYS] for label in _ordered(found)}


def _ordered(found: Mapping[Label, Any]) -> Sequence[Label]:
    order = [f"start: {step}" for step in ("begin", "claim", "new log", "go on from the frames", "publish")]
    order += ["commit", "new segment", "publish", "remove published segments"]
    sorts = {(label.step, label.sort): number for number, label in reversed(list(enumerate(found)))}
    return sorted(found, key=lambda label: (order.index(label.step), sorts[label.step, label.sort]))


def page() -> str:
    """The whole page."""
    return _HEAD + "\n".join(_rows()) + "\n" + _TAIL


def _rows() -> Iterator[str]:
    yield _row(("step", "calls", "file", *WAYS))
    yield "|---|---|---|" + ":-:|" * len(WAYS)
    for (step, sort), group in groupby(table().items(), key=lambda row: (row[0].step, row[0].sort)):
        for calls, cells in _merged([(label.call, cells) for label, cells in group]):
            yield _row((step, ", ".join(calls), sort, *cells))


def _merged(rows: Sequence[tuple[str, list[str]]]) -> Sequence[tuple[list[str], list[str]]]:
    """The rows of one step and file as one, unless their cells differ (an empty one does not)."""
    columns = [{cell for cell in column if cell} for column in zip(*(cells for _, cells in rows), strict=True)]
    if any(len(column) > 1 for column in columns):
        return [([call], cells) for call, cells in rows]
    return [([call for call, _ in rows], ["".join(column) for column in columns])]


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


_HEAD = """# When the audit log's disk fails

Made by `python -m tests.audit_faults_page`, which fails every file call of the audit log in every way; a test
compares this page with what happens. Do not edit it by hand.

A record that was acknowledged is never lost, a log is never torn, and a process that cannot know whether a record is
durable ends: Linux may mark failed pages clean, so trying again would prove nothing. A restart recovers, by the code
of the live path, and publishes what was durable.

The cells say what becomes of the request that was under way. After each of these faults the log was opened again, had
every acknowledged record at its index, took another one, and verified from the first entry to the last, openings
included.

| | |
|---|---|
| **S** | the process does not start, and says why (exit code 4); the next start is whole |
| **X** | 503 `audit_unavailable`, nothing is released, the process ends (70); the record is not in the log |
| **R** | the same, but a restart finds the record durable: a record of an answer that never left, which is allowed |
| **A** | the request was answered before, and its record is there after the restart; the process ends (70) |

*Not done, error*: the call fails. *Done, yet error*: it had its effect, and reported failure. *Half done*: a write took
half of its bytes. *Killed*: the process is gone before the call (where it says 503, nobody gets an answer). *Power
lost*: the same, and whatever was not synced is gone, bytes and names. *Disk full*: from this call on nothing finds
room, until the process has ended. Empty: it does not apply.

"""

TESTS = {
    "this table": "test_audit_faults_page.py",
    "every call of a longer script × every way, with threads interleaving as they like": "test_audit_faults.py",
    "every system call on these files in a real process, in each of its threads, failed by strace (EIO; ENOSPC from "
    "then on; EINTR) or answered by SIGKILL: a sample, all of them with `--long`": "test_audit_strace.py",
    "the same under `oncegate serve`: 503, nothing released, a restart is whole": "test_audit_strace_node.py",
    "SIGKILL at any instant, under load": "test_audit_kill.py",
    "a file system that is really full": "test_disk_full_node.py",
    "a second writer: locks, locks that are worth nothing, copies, a shared `head_dir`, a witness": (
        "test_audit_second_writer.py"
    ),
    "bytes that changed at rest": "test_audit_tamper.py",
    "closing a log, and its successor's first entry": "test_shards.py",
    "erasing openings after an order": "test_orders_carrier.py",
}

_TAIL = f"""
## Where this is tested

| what | in `tests/integration/` |
|---|---|
{chr(10).join(_row((what, f"`{test}`")) for what, test in TESTS.items())}

A disk that says it wrote and did not shows in no file call. What was published before is known to `head_dir`, witness
and mirror: a log that came back older does not start. What was acknowledged and not yet published, a second at most,
only `durable = "mirrored"` keeps from such a disk.
"""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
