"""docs/supervision.md: its receiver verifies what the gateway sends, and every type of event has its row."""

import http.client
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature

from contracts import cloud_events, webhooks
from contracts.algorithms import SigningKey
from contracts.edge.clock import now_ms
from contracts.edge.config import parse_toml
from gateway.supervision import events
from gateway.supervision.settings import read
from tests.integration.serve_world import free_port
from tests.waiting import until

TEXT = (Path(__file__).parents[2] / "docs" / "supervision.md").read_text("utf-8")
KEY = SigningKey.generate("EdDSA")
BODY = cloud_events.batch([events.event_of("gov.example/log", 0, b'{"decision":"granted","time":1}')])


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The page's receiver in a file."""
    path = tmp_path / "receiver.py"
    path.write_text(block("python"), "utf-8")
    return path


def signed(at: int | None = None) -> Mapping[str, str]:
    when = now_ms() // 1000 if at is None else at
    return webhooks.headers(
        webhooks.message_id(BODY), when, BODY, [webhooks.hmac_sha256(bytes(24)), webhooks.ed25519(KEY)]
    )


def test_the_example_verifies(program: Path) -> None:
    events_of: Callable[..., list[dict[str, Any]]] = runpy.run_path(str(program))["events_of"]
    public = webhooks.public_text(KEY.public)
    assert events_of(signed(), BODY, public)[0]["id"] == "gov.example/log#0"
    with pytest.raises(InvalidSignature):
        events_of(signed(), BODY.replace(b"granted", b"refused"), public)
    with pytest.raises(ValueError, match="played back"):
        events_of(signed(at=1), BODY, public)


def test_the_example_checks_nothing_by_assert() -> None:
    assert not re.search(r"^\s*assert\b", block("python"), re.MULTILINE), "python -O leaves asserts out"


def test_the_example_receives(program: Path) -> None:
    port = free_port()
    program.write_text(program.read_text("utf-8").replace("8080", str(port)), "utf-8")
    command = [sys.executable, str(program), webhooks.public_text(KEY.public)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as receiver:
        try:
            assert until(lambda: posted(port)) == 204
            assert receiver.stdout is not None
            assert receiver.stdout.readline().split() == ["gov.example/log#0", "oncegate.access.granted.v1"]
        finally:
            receiver.terminate()


def posted(port: int) -> int | None:
    """The status of a POST of the batch; None while nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", "/", BODY, dict(signed()))
        return connection.getresponse().status
    except ConnectionRefusedError:
        return None
    finally:
        connection.close()


def test_every_type_of_event_is_described() -> None:
    fixed = (events.GRANTED, events.REFUSED, events.CORRECTION, events.HEARTBEAT, events.UNKNOWN)
    assert all(f"`{kind}`" in TEXT for kind in (*fixed, *events.TYPES.values()))


def test_the_configuration_is_one(tmp_path: Path) -> None:
    file = parse_toml(block("toml"), tmp_path / "oncegate.toml")
    config = read(file.section("supervision"), serving=True)
    file.done()
    assert config.topic
    assert [one.url for one in config.webhooks] == [tomllib.loads(block("toml"))["supervision"]["webhooks"][0]["url"]]
