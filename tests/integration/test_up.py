"""`oncegate up` with real roles on the embedded log: kept running, ended together, exit codes passed on."""

import os
import signal
from pathlib import Path

import pytest

from contracts.edge.keys import load_public_key
from contracts.edge.transport import open_transport
from gateway.client import TokenClient, tls_context
from gateway.config import load
from gateway.control.build import publish
from gateway.demo.layout import Layout, prepare
from tests.integration.up_process import PATIENCE_S, running


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A city with its registry on the log."""
    made = prepare(tmp_path / "city")
    root = load_public_key(made.public("registry-root"), "EdDSA")
    publish(made.registry, root, open_transport(load(made.node_config).log))
    return made


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
