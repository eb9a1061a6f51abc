"""deploy/kafka/kafka.sh as a person uses it: mistakes end in one line, what is done already is left alone."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.e2e.kafka.broker import SCRIPT, Broker, kafka_sh


def _refused(*arguments: str, code: int = 2) -> str:
    done = subprocess.run(["sh", str(SCRIPT), *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("Error: ")
    return line


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["begin"], "unknown command 'begin'"),
        (["start", "--nodes", "2"], "--nodes must be 1 or 3"),
        (["start", "--port", "http"], "--port must be a number"),
        (["start", "--port", "65536"], "--port must be a number"),
        (["start", "--port", "08"], "--port must be a number"),
        (["start", "--port"], "--port needs a value"),
        (["start", "--security", "tls"], "--security must be none or sasl_tls"),
        (["start", "--verbose"], "unknown option '--verbose'"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments: list[str], what: str) -> None:
    assert what in _refused(*arguments)


def test_a_cluster_that_was_never_made_has_no_status(tmp_path: Path) -> None:
    assert "there is no cluster" in _refused("status", "--dir", str(tmp_path), code=1)
    assert "nothing runs" in kafka_sh("stop", "--dir", str(tmp_path))


def test_starting_again_changes_nothing(broker: Broker) -> None:
    pid = broker.directory / "node-0" / "pid"
    before = pid.read_text()
    broker.start()
    assert pid.read_text() == before
    status = kafka_sh("status", "--dir", str(broker.directory))
    assert "1 of 1 node(s) ready" in status
    assert broker.bootstrap in status


def test_another_shape_needs_another_directory(broker: Broker) -> None:
    directory = ["--dir", str(broker.directory)]
    assert "has 1 node(s)" in _refused("start", *directory, "--nodes", "3")
    assert "has security sasl_tls" in _refused("start", *directory, "--security", "none")
    assert "runs on port" in _refused("start", *directory, "--port", str(broker.port + 1))


def test_ports_in_use_and_bad_settings_are_told(broker: Broker, tmp_path: Path) -> None:
    taken = ["--dir", str(tmp_path / "taken"), "--port", str(broker.port)]
    assert "one of its ports is in use" in _refused("start", *taken, code=1)
    wrong = ["--dir", str(tmp_path / "wrong"), "--property", "num.io.threads=many"]
    assert "Invalid value many" in _refused("start", *wrong, code=1)


def test_secrets_are_for_the_owner_only(broker: Broker) -> None:
    files = [path for path in broker.directory.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077]


def test_no_password_shows_in_the_list_of_processes(broker: Broker) -> None:
    secret = (broker.directory / "secrets" / "admin.password").read_text().strip()
    line = Path(f"/proc/{(broker.directory / 'node-0' / 'pid').read_text().strip()}/cmdline").read_bytes()
    assert os.fsencode(str(broker.directory)) in line
    assert secret.encode() not in line


def test_kafkas_own_tools_run_as_administrator(broker: Broker) -> None:
    tool = ["tool", "--dir", str(broker.directory)]
    kafka_sh(*tool, "topics", "--create", "--topic", "by-hand")
    assert "unknown tool" in _refused(*tool, "produce")
