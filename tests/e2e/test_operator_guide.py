"""The operator's guide, run as it stands: its files written, its commands run in the order of the page, on both logs.

1. A block ```` ```KIND file=PATH ```` is written; ```` ```sh run ```` is run, by one `sh -e` each, in one directory.
   `run=embedded` and `run=kafka` run on that log alone. Other blocks are for reading.
2. On Kafka the table `[log]` of each file is the one of the block `log=kafka`, as the page says.
3. Only the ports 8443 and 9092 are others than on the page: several tests may run at once.
"""

import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.kafka.broker import free_port

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "operator-guide.md").read_text("utf-8")
LOGS = ("embedded", "kafka")
PATIENCE_S = 60.0
TAGS: Mapping[str, tuple[str, ...]] = {"run": ("", *LOGS), "file": (), "log": ("kafka",)}
# What a reader must see on the way; the commands themselves must all succeed.
EVERYWHERE = (
    "Registry version 1 is on the log",
    "2 rows read: 2 published (2 added, 0 modified)",
    "complete",
    '"name":"周晓兰"',
    '"status":"valid"',
    '"receipt":{',
)
SHOWN = {
    "embedded": ("4 topics created", *EVERYWHERE),
    "kafka": ("1 of 1 node(s) ready", "All 4 topics are as they should be", *EVERYWHERE),
}
_BLOCK = re.compile(r"^```(\w+)((?: [\w=./-]+)*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LOG_TABLE = re.compile(r"^\[log\]\n(?:[^\[\n].*\n)*", re.MULTILINE)
_ENVIRONMENT = {"ONCEGATE_LANG": "en", "KAFKA_HEAP": "256m", "LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block that takes part: its place on the page, its tags, its text."""

    line: int
    tags: Mapping[str, str]
    text: str

    def runs_on(self, log: str) -> bool:
        return self.tags.get("run") in ("", log)


def blocks() -> Iterator[Block]:
    for found in _BLOCK.finditer(GUIDE):
        tags = dict(tag.partition("=")[::2] for tag in found[2].split())
        if tags:
            yield Block(GUIDE.count("\n", 0, found.start()) + 1, tags, found[3])


@dataclass(frozen=True, slots=True)
class Walk:
    """One walk through the page: the directory, the log, the ports that stand for those of the page."""

    directory: Path
    log: str
    ports: Mapping[str, str]

    def take(self, block: Block) -> str:
        """Write the block, or run it; what it printed."""
        text = block.text
        for port, ours in self.ports.items():
            text = text.replace(port, ours)
        if "file" in block.tags:
            self._write(block.tags["file"], text)
        elif block.runs_on(self.log):
            return self._run(block.line, text)
        return ""

    def _write(self, name: str, text: str) -> None:
        path = self.directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        if self.log == "kafka":
            [table] = [block.text for block in blocks() if block.tags.get("log") == "kafka"]
            for port, ours in self.ports.items():
                table = table.replace(port, ours)
            path.write_text(_LOG_TABLE.sub(lambda _: table, text), "utf-8")

    def _run(self, line: int, text: str) -> str:
        search = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        with (self.directory / "stderr").open("w+b") as told:
            done = subprocess.run(
                ["sh", "-ec", text],
                cwd=self.directory,
                env={**os.environ, **_ENVIRONMENT, "PATH": search},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=told,
                timeout=600,
                check=False,
            )
            told.seek(0)
            assert done.returncode == 0, f"docs/operator-guide.md:{line}: {told.read().decode()}"
        return done.stdout.decode()

    def end(self) -> None:
        """Nothing of the page goes on."""
        pid = self.directory / "up.pid"
        if pid.exists():
            _end(int(pid.read_text()))
        if (self.directory / "kafka" / "settings").exists():
            self._run(0, "sh deploy/kafka/kafka.sh stop --dir kafka")


def _end(pid: int) -> None:
    """Ask a process that is not our child to end, and wait until it has."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        assert select.select([handle], [], [], PATIENCE_S)[0], "the node did not end"
    finally:
        os.close(handle)


@pytest.fixture(params=LOGS)
def walk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Walk]:
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    port = free_port()
    made = Walk(tmp_path, request.param, {"9092": str(port), "8443": str(port + 5)})
    try:
        yield made
    finally:
        made.end()


def test_the_guide_works_as_written(walk: Walk) -> None:
    printed = "".join(map(walk.take, blocks()))
    for told in SHOWN[walk.log]:
        assert told in printed, told
    [lookup] = [block for block in blocks() if "/v1/lookups" in block.text]
    assert '"name":"周晓兰"' in walk.take(lookup), "after all that, the node does not answer"
    if walk.log == "kafka":
        assert not (walk.directory / "log").exists()


def test_every_tag_means_something() -> None:
    found = [(block.line, name, value) for block in blocks() for name, value in block.tags.items()]
    unknown = [one for one in found if one[1] not in TAGS or (TAGS[one[1]] and one[2] not in TAGS[one[1]])]
    assert unknown == []
    assert {value for _, name, value in found if name == "run"} >= {"", *LOGS}
