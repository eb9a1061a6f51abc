"""`oncegate up` with real roles on the embedded log: kept running, ended together, exit codes passed on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contracts.edge.keys import load_public_key
from contracts.edge.transport import open_transport
from gateway.client import TokenClient, tls_context
from gateway.config import load
from gateway.control.build import publish
from gateway.demo.layout import Layout, prepare

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
            os.sched_yield()
        return found

    def started(self, role: str, times: int = 1) -> int:
        """The process id of a role, once it was started so many times."""

        def found() -> list[int]:
            return [event["pid"] for event in self.events("role_started") if event["role"] == role][times - 1 :]

        [pid] = self.wait_for(found)
        return int(pid)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A city with its registry on the log."""
    made = prepare(tmp_path / "city")
    root = load_public_key(made.public("registry-root"), "EdDSA")
    publish(made.registry, root, open_transport(load(made.node_config).log))
    return made


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


def _answers(layout: Layout) -> bool:
    client = TokenClient(layout.base_url, "nobody", tls_context(layout.certificate("tls")))
    try:
        return client.send("GET", "/livez", None, {})[0] == 200
    except OSError:
        return False
    finally:
        client.close()


def _runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_a_role_that_was_killed_comes_back_and_the_other_goes_on(layout: Layout) -> None:
    with running(layout) as up:
        ingest, serve = up.started("ingest"), up.started("serve")
        up.wait_for(lambda: _answers(layout))
        os.kill(ingest, signal.SIGKILL)
        again = up.started("ingest", times=2)
        [ended] = up.events("role_ended")
        assert (ended["role"], ended["code"], ended["again_in_s"]) == ("ingest", 137, 1.0)
        assert _answers(layout)
        assert _runs(serve)
        up.wait_for(lambda: len(up.events("ingest_started")) == 2)
        up.process.terminate()
        assert up.process.wait(PATIENCE_S) == 0
        assert not any(map(_runs, (serve, again)))


def test_a_mistake_ends_all_with_its_own_exit_code(layout: Layout) -> None:
    layout.private("node-1").chmod(0o644)
    with running(layout) as up:
        assert up.process.wait(PATIENCE_S) == 2
        lines = [line for line in up.log.read_text("utf-8").splitlines() if not line.startswith("{")]
        assert lines[-1].startswith("Error: ")
        assert "ended with exit code 2; all were stopped" in lines[-1]
        assert any("node-1.pem" in line for line in lines[:-1])
        assert not any(_runs(event["pid"]) for event in up.events("role_started"))
