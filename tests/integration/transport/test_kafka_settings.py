"""The configuration of the Kafka transport: what it takes, and how mistakes are told. No broker."""

import socket
from pathlib import Path

import pytest

from contracts.edge.config import parse_toml
from contracts.edge.transport import LogUnavailable, Transport, open_transport
from contracts.edge.transport.kafka import KafkaTransport
from contracts.errors import UserError

BASE = 'kind = "kafka"\nbootstrap = "127.0.0.1:9"\nprefix = "p."\n'
SCRAM = 'security = "sasl_tls"\nsasl_mechanism = "SCRAM-SHA-512"\nusername = "u"\npassword_file = "pw"\n'
OAUTH = 'security = "sasl_tls"\nsasl_mechanism = "OAUTHBEARER"\n'


def private(path: Path, text: str) -> None:
    path.touch(0o600)
    path.write_text(text)


def opened(directory: Path, text: str) -> Transport:
    section = parse_toml(BASE + text, directory / "node.toml")
    transport = open_transport(section)
    section.done()
    return transport


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "security is missing"),
        ('security = "ssl"', "security cannot be 'ssl'"),
        ('security = "none"\nca_file = "x"', "ca_file is not an option here"),
        ('security = "none"\nusername = "x"', "username is not an option here"),
        ('security = "tls"\nca_file = "missing.pem"', "The TLS settings cannot be used"),
        ('security = "tls"\nca_file = "pw"', "The TLS settings cannot be used"),
        ('security = "tls"\ncertificate = "x"', "private_key is missing"),
        ('security = "sasl_tls"', "sasl_mechanism is missing"),
        ('security = "sasl_tls"\nsasl_mechanism = "GSSAPI"', "sasl_mechanism cannot be 'GSSAPI'"),
        ('security = "sasl"\nsasl_mechanism = "PLAIN"', "would send a password or token in the clear"),
        ('security = "sasl"\nsasl_mechanism = "OAUTHBEARER"', "would send a password or token in the clear"),
        (SCRAM.replace('"pw"', '"nowhere"'), "password_file cannot be read"),
        (SCRAM.replace('"pw"', '"empty"'), "The file that password_file names is empty"),
        (SCRAM.replace('username = "u"\n', ""), "username is missing"),
        (SCRAM + 'password = "secret"', "password is not an option here"),
        ('security = "sasl_tls"\nsasl_mechanism = "OAUTHBEARER"', "token_file is missing"),
        (OAUTH + "token_command = []", "token_command names no command"),
        ('security = "none"\npatience = 0', "patience is out of bounds"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, text: str, what: str) -> None:
    private(tmp_path / "pw", "secret\n")
    private(tmp_path / "empty", "\n")
    with pytest.raises(UserError) as refused:
        opened(tmp_path, text)
    assert what in refused.value.what.en
    assert str(tmp_path / "node.toml") in refused.value.where


@pytest.mark.parametrize("bootstrap", ["kafka", ":9092", "kafka:", "kafka:0", "kafka:65536", "a:1,,b:2"])
def test_a_bootstrap_that_names_no_broker_is_refused(tmp_path: Path, bootstrap: str) -> None:
    section = parse_toml(f'kind = "kafka"\nbootstrap = "{bootstrap}"\nsecurity = "none"', tmp_path / "node.toml")
    with pytest.raises(UserError) as refused:
        open_transport(section)
    assert "bootstrap" in refused.value.what.en


def test_the_password_is_read_anew_for_each_connection(tmp_path: Path) -> None:
    private(tmp_path / "pw", "first\n")
    transport = opened(tmp_path, SCRAM)
    (tmp_path / "pw").unlink()
    with pytest.raises(UserError):
        transport.admin().topics()


@pytest.mark.parametrize(
    "text",
    [
        SCRAM.replace('"pw"', '"exposed"'),
        OAUTH + 'token_file = "exposed"',
        'security = "tls"\ncertificate = "crt"\nprivate_key = "exposed"',
    ],
    ids=["password", "token", "key"],
)
def test_a_secret_that_others_can_read_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "exposed").write_text("secret\n")
    (tmp_path / "exposed").chmod(0o640)
    with pytest.raises(UserError, match="Others can access"):
        opened(tmp_path, text)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ('["sh", "-c", "exit 7 # hunter2"]', "sh: exit code 7"),
        ('["sleep", "9"]', "sleep: timed out"),
        ('["nowhere/program", "hunter2"]', "nowhere/program: No such file or directory"),
    ],
)
def test_why_a_token_command_failed_is_told_without_its_arguments(
    tmp_path: Path, command: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contracts.edge.transport.kafka.TOKEN_TIMEOUT_S", 0.3)
    text = OAUTH + f"token_command = {command}"
    transport = opened(tmp_path, text)
    assert isinstance(transport, KafkaTransport)
    with pytest.raises(UserError) as refused:
        transport.options()["sasl_oauth_token_provider"].token()
    assert refused.value.what.en == f"The command for the token failed: {why}"
    assert "hunter2" not in str(refused.value)


def test_a_cluster_that_is_not_there_is_unavailable_within_the_patience(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    text = f'kind = "kafka"\nbootstrap = "127.0.0.1:{port}"\nsecurity = "none"\npatience = 0.3'
    transport = open_transport(parse_toml(text, tmp_path / "node.toml"))
    with transport.writer() as writer, pytest.raises(LogUnavailable) as told:
        writer.write("t", b"k", b"v")
    assert str(port) in str(told.value)
    with transport.reader() as reader, pytest.raises(LogUnavailable):
        reader.assign({"t": 0})
