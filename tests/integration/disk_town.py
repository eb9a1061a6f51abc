"""A small town for the tests of a full disk: departments and a node as real processes, on an embedded log, with the
node's data on a disk of its own."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from contracts.edge.transport.embedded import embedded
from contracts.rejects import rejects_topic
from gateway.demo.processes import command
from gateway.topics import UNVERIFIED_TOPIC
from tests.e2e.faults.layout import DEPARTMENTS, PREFIX, Department, Layout, prepare
from tests.e2e.faults.sources import Source
from tests.small_disk import SmallDisk, small_disk

FULL = "The disk is full"
REJECTS = (UNVERIFIED_TOPIC, *(rejects_topic(one.adapter) for one in DEPARTMENTS))


@dataclass(slots=True)
class Town:
    """`disk` is the node's data directory, or `head_dir`; `environment` for processes that use it."""

    layout: Layout
    disk: SmallDisk
    sources: Mapping[str, Source]
    processes: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def start(self, role: str, log: Path | None = None) -> "subprocess.Popen[bytes]":
        """`ingest` or `serve`, its stderr added to `log`."""
        line = [command("oncegate"), role, "--config", str(self.layout.node_config(self.layout.slots[0]))]
        path = log or self.log(role)
        environment = {**os.environ, "ONCEGATE_LANG": "en", **self.disk.environment}
        with path.open("ab") as output:
            process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
        self.processes.append(process)
        return process

    def log(self, role: str) -> Path:
        return self.layout.logs / f"{role}.log"

    def said(self, role: str) -> str:
        """What a role wrote to its log."""
        path = self.log(role)
        return path.read_text("utf-8") if path.exists() else ""

    def publish(self, one: Department = DEPARTMENTS[0]) -> None:
        """The department's export, changed in every row, goes to the log."""
        self.sources[one.adapter].fill()
        self.adapter(one, "--full")

    def rows(self, one: Department = DEPARTMENTS[0]) -> int:
        """How many rows its export has."""
        return len(self.sources[one.adapter].rows)

    def adapter(self, one: Department, *arguments: str, environment: Mapping[str, str] = MappingProxyType({})) -> None:
        """One run."""
        line = [command("oncegate-adapter"), "run", str(self.layout.adapter_config(one)), *arguments]
        told = {**os.environ, **environment}
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL, timeout=120, env=told)

    def rejects(self) -> int:
        """How many records nodes refused."""
        with embedded(self.layout.root / "log", PREFIX).reader() as reader:
            reader.assign(dict.fromkeys(REJECTS, 0))
            return len(reader.read(1000, 0))

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()


@contextmanager
def town(root: Path, size: str, where: str = "node/data") -> Iterator[Town]:
    """A town below `root` whose `where` is a disk of `size`."""
    layout = prepare(root / "town", f'kind = "embedded"\ndirectory = "{root}/town/log"\nprefix = "{PREFIX}"')
    sources = {one.adapter: Source(layout.export(one), one.table) for one in DEPARTMENTS}
    with small_disk(layout.root / where, size) as disk:
        made = Town(layout, disk, sources)
        try:
            yield made
        finally:
            made.end()


def ends_well(process: "subprocess.Popen[bytes]") -> bool:
    """Whether it ends when asked, with exit code 0."""
    process.send_signal(signal.SIGTERM)
    return process.wait(60) == 0


def cpu_seconds(pid: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
