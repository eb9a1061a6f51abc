"""`oncegate-audit serve` as a process: keys from standard input, an index that follows, and how it ends."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from audit.api.config import load
from audit.cli import app
from audit.notes import parse_vkey
from audit.orders.order import RESTRICT, Order
from audit.orders.state import notice_of
from audit.ranges import parse
from audit.reader import LogReader
from contracts.edge.keys import create_signing_key
from contracts.edge.output import execute
from tests.integration.api_world import HOLDER, OWN_LOG, Office, furnish, people_of, running
from tests.integration.audit_support import AUDITOR
from tests.integration.search_world import SECOND, A, B, facts, index, key_file, keys, write
from tests.integration.witness_world import MAIN
from tests.waiting import until

Out = pytest.CaptureFixture[str]


@contextmanager
def process(config: Path, *words: str, stdin: bytes = b"") -> Iterator[tuple[Office, "subprocess.Popen[bytes]"]]:
    """The command, listening; terminated at the end if it still runs."""
    lines = config.parent / "lines"
    with lines.open("wb") as err:
        command = [*MAIN, "serve", "--config", str(config), *words]
        env = {**os.environ, "ONCEGATE_LANG": "en"}
        started = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=err, env=env)
    assert started.stdin is not None
    started.stdin.write(stdin)
    started.stdin.close()
    try:
        until(lambda: b"audit_api_listening" in lines.read_bytes() or started.poll() is not None, 60)
        (port,) = re.findall(rb'"audit_api_listening","port":([0-9]+)', lines.read_bytes()) or [b"0"]
        yield Office(config.parent, load(config), people_of(config.parent), int(port)), started
    finally:
        if started.poll() is None:
            started.send_signal(signal.SIGTERM)
        started.wait(60)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """Two keys, a mirror with one log, a configuration without keys; no index yet."""
    for name, key in (("one", AUDITOR), ("two", SECOND)):
        key_file(tmp_path / f"{name}.pem", key)
    write(tmp_path / "mirror/a", A, [facts(number) for number in range(5)])
    config = furnish(tmp_path, tmp_path, tmp_path / "index")
    text = config.read_text()
    follow = f'follow = ["{tmp_path}/mirror"]\nevery_s = 0.05\n'
    config.write_text(text[: text.index("[keys]")] + follow + "[keys]\nopenings = true\n" + text[text.index("[[aud") :])
    return config


def sizes(office: Office) -> dict[str, tuple[int, str]]:
    found = office.ask("li", "GET", "/v1/logs").json["logs"]
    return {one["origin"]: (one["indexed"], one["state"]) for one in found}


def test_it_follows_what_grows_with_keys_from_stdin_and_ends_well(desk: Path) -> None:
    both = b"".join((desk.parent / f"{name}.pem").read_bytes() for name in ("one", "two"))
    with process(desk, "--keys-from-stdin", stdin=both) as (office, started):
        until(lambda: sizes(office) == {A: (5, "followed")})
        write(desk.parent / "mirror/a", A, [facts(number) for number in range(5, 9)])
        write(desk.parent / "mirror/b", B, [facts(number) for number in range(3)])
        until(lambda: sizes(office) == {A: (9, "followed"), B: (3, "followed")})
        assert office.post("li", "/v1/searches", filters={"clerk": "clerk-secret-1"}).json["hits"]
        assert office.post("li", "/v1/searches", filters={"holder": HOLDER}).status == 202
        assert office.post("li", "/v1/openings", log=B, position=2).json["opening"]["clerk"] == "clerk-secret-2"
        assert index(desk.parent, str(desk.parent / "mirror"), *keys(desk.parent, "one", "two")) == 2, "one writer"
        started.send_signal(signal.SIGTERM)
        assert started.wait(60) == 0
    assert execute(app, ["verify", str(desk.parent / "api-log"), "--openings"]) == 0
    assert b"secret" not in (desk.parent / "lines").read_bytes().lower()


def test_a_log_that_differs_is_an_alarm_and_stays_as_it_was(desk: Path) -> None:
    with process(desk, "--keys-from-stdin", stdin=(desk.parent / "one.pem").read_bytes()) as (office, _):
        until(lambda: sizes(office) == {A: (5, "followed")})
        (desk.parent / "mirror/a").rename(desk.parent / "whole")
        write(desk.parent / "mirror/a", A, [facts(number, clerk="other") for number in range(7)])
        until(lambda: sizes(office) == {A: (5, "differs")})
        assert office.post("li", "/v1/searches", filters={"clerk": "other"}).json["hits"] == []
        assert office.post("li", "/v1/searches", filters={"holder": HOLDER}).json["code"] == "tokens_missing"
        until(lambda: b"index_differs" in (desk.parent / "lines").read_bytes())


def test_a_copy_that_cannot_be_read_any_more_says_so_and_the_others_go_on(desk: Path) -> None:
    more = f'follow = ["{desk.parent}/nowhere", "{desk.parent}/mirror"]'
    desk.write_text(re.sub("follow = .*", more, desk.read_text()))
    with process(desk, "--keys-from-stdin", stdin=(desk.parent / "one.pem").read_bytes()) as (office, _):
        until(lambda: sizes(office) == {A: (5, "followed")})
        (desk.parent / "mirror/a/vkey").write_text("none")
        until(lambda: sizes(office) == {A: (5, "failed")})
        (desk.parent / "mirror/a").rename(desk.parent / "gone")
        until(lambda: sizes(office) == {A: (5, "not_followed")})
        assert b"nowhere" in (desk.parent / "lines").read_bytes()


def test_a_failed_log_ends_the_process(desk: Path) -> None:
    with process(desk, "--keys-from-stdin", stdin=(desk.parent / "one.pem").read_bytes()) as (office, started):
        until(lambda: sizes(office) == {A: (5, "followed")})
        log = desk.parent / "api-log"
        log.rename(desk.parent / "gone")  # what is to be published has no place any more
        assert office.post("li", "/v1/searches", filters={}).status in (200, 503)
        assert started.wait(60) == 70
    assert b"audit_api_failed" in (desk.parent / "lines").read_bytes()


@pytest.mark.parametrize(
    ("stdin", "said"),
    [
        (b"nonsense", "one or two X25519 private keys"),
        (b"one one", "Both keys are the same one"),
        (b"", "one or two X25519 private keys"),
    ],
)
def test_mistakes_with_keys_end_in_one_line(desk: Path, stdin: bytes, said: str) -> None:
    data = b"".join((desk.parent / f"{name.decode()}.pem").read_bytes() for name in stdin.split() if name == b"one")
    with process(desk, "--keys-from-stdin", stdin=data or stdin) as (_, started):
        assert started.wait(60) == 2
    lines = (desk.parent / "lines").read_text().splitlines()
    assert len(lines) == 1
    assert said in lines[0]


def test_the_log_that_an_index_names_says_where_its_questions_are(desk: Path) -> None:
    path = desk.parent
    create_signing_key(path / "other-log.pem", "EdDSA")
    (path / "other.toml").write_text(OWN_LOG.replace("api", "other"))
    words = [str(path / "mirror"), "--own-log", str(path / "other.toml"), *keys(path, "one", "two")]
    assert index(path, *words) == 0
    config = path / "api.toml"
    config.write_text(config.read_text().replace("openings = true", 'auditor = "one.pem"\nsecond = "two.pem"'))
    for _ in range(2):
        with running(config):
            pass
    reader = LogReader(path / "other-log", parse_vkey((path / "other-log/vkey").read_text().strip()))
    said = [json.loads(one) for one in reader.entries(0, reader.checkpoint().size)]
    assert [one["command"] for one in said] == ["serve", "serve"]
    assert said[0]["filters"] == {"questions_are_in": "office.example/api"}
    assert said[0]["auditors"] == ["li", "wang", "zhao"]


def test_a_restricted_opening_is_not_shown(desk: Path) -> None:
    order = Order(A, RESTRICT, 1, 1_763_741_600, parse("2-3"), "accuracy_disputed", "basis")
    write(desk.parent / "mirror/a", A, [], [notice_of(order, 1_763_741_600_000).encode()])
    assert index(desk.parent, str(desk.parent / "mirror"), *keys(desk.parent, "one", "two")) == 0
    config = desk.parent / "api.toml"
    config.write_text(
        config.read_text().replace("openings = true", 'openings = true\nauditor = "one.pem"\nsecond = "two.pem"')
    )
    with running(config) as office:
        for position, shown in ((1, True), (2, False), (3, False), (4, True)):
            found = office.post("li", "/v1/openings", log=A, position=position).json
            assert (found["opening"] is not None, found["restricted"]) == (shown, not shown)
