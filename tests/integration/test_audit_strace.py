"""Every system call on a file of the audit log fails once, in a real writer process: what it acknowledged is there.

1. A good run of the victim (`audit_victim`) is recorded for each of its threads; each call on a file below the log's
   directory or `head_dir` is one target.
2. For each target × way to fail the run is repeated, strace failing that very call: an error once (EIO, EINTR), or
   from then on (ENOSPC), or SIGKILL before the call is made.
3. Afterwards the process has ended with its reason, or gone on as if nothing had happened. The log is opened again,
   has every acknowledged entry at its index, takes another one, and verifies entirely, openings included.

Without `--long` one target of each kind (thread, call, sort of file) is taken, with one way to fail each.
"""

import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle, groupby
from pathlib import Path
from queue import SimpleQueue

import pytest

from audit.log import Limits
from audit.verify import verify
from tests.integration.audit_support import SIGNER, FailingDisk, entry, fill, open_log
from tests.integration.audit_victim import APPENDS, DAMAGED, DEAD, MISTAKEN, REFUSED
from tests.integration.strace import INJECTED, Call, attached, calls
from tests.integration.test_audit_kill import ROOT
from tests.integration.test_audit_second_writer import Writer
from tests.waiting import until

WORKERS = 2
BEFORE = 254  # entries when the victim comes: its second makes a bundle full
KILLED = -9

# What may happen to a call. "+": from then on, as on a disk that stays full.
ALWAYS = ("error=EIO:when={}", "signal=SIGKILL:when={}")
FULL = "error=ENOSPC:when={}+"
INTERRUPTED = "error=EINTR:when={}"
WAYS = {
    **dict.fromkeys(("openat", "write", "fsync", "fdatasync", "ftruncate"), (*ALWAYS, FULL, INTERRUPTED)),
    **dict.fromkeys(("rename", "renameat", "renameat2", "mkdir", "mkdirat"), (*ALWAYS, FULL)),
    **dict.fromkeys(("read", "flock", "close"), (*ALWAYS, INTERRUPTED)),
}

QUESTIONS = {"newfstatat", "fstat", "statx", "lseek", "getdents64"}  # they change nothing, and are many


@dataclass(frozen=True, slots=True)
class Scene:
    """What the victim finds, and which of its threads is traced."""

    name: str
    thread: str

    def prepare(self, root: Path) -> None:
        """Make `log` and `heads` in `root`."""
        (root / "heads").mkdir(parents=True)
        if self.name != "new":
            open_log(root / "log", root / "heads").close()
            fill(root / "log", BEFORE - 4)
            open_log(root / "log", root / "heads").close()
        if self.name == "crashed":
            _crash(root)
        elif self.name == "grown":
            fill(root / "log", 4)


def _crash(root: Path) -> None:
    """Durable frames that were not published, and behind them half a frame."""
    log = open_log(root / "log", root / "heads", Limits(publish_seconds=3600.0))
    for _ in range(8):
        log.append_blocking(entry(log.size), b"{}")
    until(lambda: log.published.size > BEFORE - 4)  # the first publication is not delayed
    shutil.copytree(root / "log", root / "copy")
    head = shutil.copytree(root / "heads", root / "copied")
    log.close()
    for name, copied in (("log", root / "copy"), ("heads", head)):
        shutil.rmtree(root / name)
        copied.rename(root / name)
    [segment] = (root / "log" / "frames").iterdir()
    segment.write_bytes(segment.read_bytes() + segment.read_bytes()[:70])


SCENES = (
    Scene("new", "main"),
    Scene("crashed", "main"),
    Scene("grown", "audit-writer"),
    Scene("grown", "audit-publisher"),
)


@dataclass(frozen=True, slots=True)
class Target:
    """One call of a good run, and the way in which it is to fail."""

    scene: Scene
    call: Call
    way: str

    @property
    def injection(self) -> str:
        return f"inject={self.call.name}:{self.way.format(self.call.number)}"


@dataclass(frozen=True, slots=True)
class Run:
    """What became of a victim. `trace`: the lines of its calls below `root`."""

    said: Sequence[str]
    code: int
    trace: Sequence[Call]

    @property
    def acknowledged(self) -> list[int]:
        return [int(line.split()[1]) for line in self.said if line.startswith("acknowledged ")]

    @property
    def reason(self) -> str:
        return next((line for line in self.said if line.startswith("because ")), "")


class Victims:
    """One `audit_victim` process, that forks a writer for each run."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def run(self, scene: Scene, root: Path, options: Sequence[str] = ()) -> Run:
        job = {"directory": str(root / "log"), "heads": str(root / "heads"), "thread": scene.thread}
        self._tell(json.dumps(job))
        said = [self._hear()]
        assert said[0].startswith("ready "), said
        with attached(int(said[0].split()[1]), root / "trace", options):
            self._tell("go")
            while not said[-1].startswith("ended "):
                said.append(self._hear())
        below = [call for call in calls(root / "trace") if f"{root}/" in call.line]
        return Run(said, int(said[-1].split()[1]), below)

    def _tell(self, words: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(words.encode())

    def _hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode().removesuffix("\n")


@contextmanager
def victims() -> Iterator[Victims]:
    command = [sys.executable, "-m", "tests.integration.audit_victim"]
    told = {"PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)}  # sets in one order: every run makes the same calls
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, cwd=ROOT, env=told
    ) as process:
        try:
            yield Victims(process)
        finally:
            process.kill()


class Town:
    """Templates of what victims find, and victims to run in copies of them."""

    def __init__(self, root: Path, crew: Sequence[Victims]) -> None:
        self._root = root
        self._free: SimpleQueue[Victims] = SimpleQueue()
        for one in crew:
            self._free.put(one)
        for scene in SCENES:
            if not (root / scene.name).exists():
                scene.prepare(root / scene.name)

    def run(self, scene: Scene, name: str, options: Sequence[str] = ()) -> tuple[Run, Path]:
        """A run in a copy, whose directory comes back, too. For any thread."""
        root = self._root / "runs" / name
        shutil.copytree(self._root / scene.name, root)
        crew = self._free.get()
        try:
            return crew.run(scene, root, options), root
        finally:
            self._free.put(crew)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with ExitStack() as stack:
        yield Town(tmp_path_factory.mktemp("strace"), [stack.enter_context(victims()) for _ in range(WORKERS)])


def sort_of(call: Call) -> tuple[str, str]:
    """The call, and to which part of the log its file belongs: what one target stands for."""
    if call.name in QUESTIONS:
        return call.name, ""
    path = re.findall(r"/(log|heads)((?:/[^/\"<>]*)?)[^\"<>]*(?=[\"<>])", call.line)[-1]
    return call.name, "".join(path)


def good_calls(town: Town, scene: Scene) -> Sequence[Call]:
    run, root = town.run(scene, f"good-{scene.name}-{scene.thread}")
    assert (run.code, run.said[-2], len(run.acknowledged)) == (0, "closed", APPENDS), run
    check_log(root, run)
    return run.trace


def all_targets(scene: Scene, found: Sequence[Call]) -> list[Target]:
    return [Target(scene, call, way) for call in found for way in WAYS.get(call.name, ALWAYS)]


def sample(scene: Scene, found: Sequence[Call]) -> list[Target]:
    """One call of each sort; the ways to fail in turn."""
    chance, turns = random.Random(20261204), {name: cycle(ways) for name, ways in WAYS.items()}
    picked = [chance.choice(list(calls)) for _, calls in groupby(sorted(found, key=sort_of), key=sort_of)]
    return [Target(scene, call, next(turns.setdefault(call.name, cycle(ALWAYS)))) for call in picked]


def check_log(root: Path, run: Run) -> None:
    """Rule 3: nothing acknowledged is missing, the log is whole, and goes on."""
    log = open_log(root / "log", root / "heads", disk=FailingDisk())
    size = log.size
    assert size >= max([index + 1 for index in run.acknowledged], default=0)
    assert log.append_blocking(entry(size), b"{}") == size
    for index in (*run.acknowledged, size):
        assert log.entry(index) == entry(index)
    log.close()
    report = verify(root / "log", SIGNER.public, openings=True)
    assert (report.difference, report.size) == (None, size + 1)


def check_end(target: Target, run: Run) -> None:
    """Rule 3: a failure is said, or had no effect. And it was this one that failed."""
    if "SIGKILL" in target.way:
        assert run.code == KILLED, (target, run.said)
        return
    assert any(INJECTED in call.line for call in run.trace), target
    if run.code == 0:
        assert (run.said[-2], len(run.acknowledged)) == ("closed", APPENDS), (target, run.said)
    else:
        assert run.code in (DEAD, DAMAGED, REFUSED), (target, run.said)
        assert run.reason, target


def strike(town: Town, name: str, target: Target) -> int:
    run, root = town.run(target.scene, name, ["-e", target.injection])
    check_end(target, run)
    check_log(root, run)
    shutil.rmtree(root)
    return run.code


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: f"{scene.name}-{scene.thread}")
def test_a_failing_system_call_loses_nothing(town: Town, scene: Scene, request: pytest.FixtureRequest) -> None:
    found = good_calls(town, scene)
    assert {"openat", "write", "fsync", "close"} <= {call.name for call in found}
    pick = all_targets if request.config.getoption("--long") else sample
    targets = pick(scene, found)
    with ThreadPoolExecutor(WORKERS) as pool:
        names = [f"{scene.name}-{scene.thread}-{number}" for number in range(len(targets))]
        codes = list(pool.map(strike, [town] * len(targets), names, targets))
    assert KILLED in codes
    assert DEAD in codes or REFUSED in codes


def test_a_lock_that_is_granted_twice_lets_the_newer_writer_go_on(town: Town) -> None:
    """Network storage without locks: flock says yes and does nothing."""
    scene = Scene("grown", "main")
    town_root = town.run(scene, "unlocked-first")[1]
    older = Writer(town_root / "log", town_root / "heads")
    with victims() as crew:
        refused = crew.run(scene, town_root)
        assert (refused.code, refused.acknowledged) == (MISTAKEN, [])
        assert "Another process is writing this audit log" in refused.reason
        run = crew.run(scene, town_root, ["-e", "inject=flock:retval=0"])
    assert (run.code, len(run.acknowledged)) == (0, APPENDS), run
    assert not older.append(b"one too many")
    until(lambda: older.died_of("second writer"))
    older.log.close()
    check_log(town_root, run)
