"""A guide, run as it stands: its files written, its commands run in the order of the page, in one directory.

1. A block ```` ```KIND file=PATH ```` is written; a block with the tag `run` is run, by one `sh -e`. Blocks without
   tags are for reading.
2. Texts that cannot be the same everywhere, such as ports, are replaced (`Walk.instead`).
3. What a block leaves running it names in `*.pid`; `end` ends it.
"""

import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
PATIENCE_S = 60.0

_BLOCK = re.compile(r"^```(\w+)((?: [\w=./-]+)*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_ENVIRONMENT = {"ONCEGATE_LANG": "en", "KAFKA_HEAP": "256m", "LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block that takes part: its line on the page, its tags, its text."""

    page: str
    line: int
    tags: Mapping[str, str]
    text: str


def blocks(page: str) -> Iterator[Block]:
    """The blocks of `docs/PAGE` that have tags, in order."""
    text = (DOCS / page).read_text("utf-8")
    for found in _BLOCK.finditer(text):
        tags = dict(tag.partition("=")[::2] for tag in found[2].split())
        if tags:
            yield Block(page, text.count("\n", 0, found.start()) + 1, tags, found[3])


@dataclass(frozen=True, slots=True)
class Walk:
    """One walk through a page. `instead`: texts of the page → ours (rule 2); `env`: more of the environment."""

    directory: Path
    instead: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)

    def take(self, block: Block) -> str:
        """Write the block, or run it; what it printed."""
        if "file" in block.tags:
            path = self.directory / block.tags["file"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.ours(block.text), "utf-8")
            return ""
        return self.run(f"docs/{block.page}:{block.line}", self.ours(block.text))

    def ours(self, text: str) -> str:
        """Rule 2."""
        for theirs, ours in self.instead.items():
            text = text.replace(theirs, ours)
        return text

    def run(self, place: str, text: str) -> str:
        """What a script printed; fails the test, naming the `place`, if it does not end with 0."""
        search = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        with (self.directory / "stderr").open("w+b") as told:
            done = subprocess.run(
                ["sh", "-ec", text],
                cwd=self.directory,
                env={**os.environ, **_ENVIRONMENT, **self.env, "PATH": search},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=told,
                timeout=600,
                check=False,
            )
            told.seek(0)
            assert done.returncode == 0, f"{place}: {done.stdout.decode()}{told.read().decode()}"
        return done.stdout.decode()

    def end(self) -> None:
        """Nothing of the page goes on (rule 3)."""
        for pid in self.directory.glob("*.pid"):
            _end(int(pid.read_text()))


def _end(pid: int) -> None:
    """Ask a process that is not our child to end, and wait until it has."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        assert select.select([handle], [], [], PATIENCE_S)[0], "what the page started did not end"
    finally:
        os.close(handle)
