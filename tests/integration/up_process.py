"""`oncegate up` as a process of its own, with its log read as events."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.demo.layout import Layout

PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Up:
    """A running `oncegate up`: its process and its log."""

    process: subprocess.Popen[bytes]
    log: Path

    def events(self, name: str) -> list[Mapping[str, Any]]:
        lines = (line for line in self.log.read_text("utf-8").splitlines() if line.startswith("{"))
        return [event for event in map(json.loads, lines) if event["event"] == name]

    def wait_for(self, condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE_S
        while not (found := condition()):
            assert time.monotonic() < deadline, self.log.read_text("utf-8")
            time.sleep(0.02)
        return found

    def started(self, role: str, times: int = 1) -> int:
        """The process id of a role, once it was started so many times."""

        def found() -> list[int]:
            return [event["pid"] for event in self.events("role_started") if event["role"] == role][times - 1 :]

        [pid] = self.wait_for(found)
        return int(pid)


@contextmanager
def running(layout: Layout) -> Iterator[Up]:
    log = layout.root / "up.log"
    command = [sys.executable, "-m", "gateway.cli", "up", "--config", str(layout.node_config)]
    with log.open("wb") as stderr:
        process = subprocess.Popen(command, stderr=stderr, env={**os.environ, "ONCEGATE_LANG": "en"})
    try:
        yield Up(process, log)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
