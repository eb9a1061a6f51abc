"""The message log on Apache Kafka: configuration, and the transport that it describes.

[log]
kind = "kafka"
bootstrap = "kafka-1:9093,kafka-2:9093,kafka-3:9093"
prefix = "oncegate."
security = "sasl_tls"               # none | tls | sasl | sasl_tls
ca_file = "kafka-ca.pem"            # the system's own authorities without it
sasl_mechanism = "SCRAM-SHA-512"    # PLAIN | SCRAM-SHA-256 | SCRAM-SHA-512 | OAUTHBEARER
username = "oncegate"
password_file = "kafka.password"    # OAUTHBEARER: token_file, or token_command = ["program", "argument"]
certificate = "node.pem"            # mTLS, with tls or sasl_tls
private_key = "node.key"
patience = 30                       # seconds that a call goes on trying while no broker answers

1. How safe the connection is has to be said: `security` has no default.
2. No secret stands in the configuration: files and commands give them, and are read again for each connection. A file
   that others can touch is refused. A command that fails is told by its program's name: its arguments may be secret.
3. A password or token in the clear crosses TLS only: `sasl` takes SCRAM mechanisms.
4. Options that the chosen security does not use are refused, as any unknown option is.
"""

import ssl
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka.net.sasl.oauth import AbstractTokenProvider

from contracts.edge.config import Section
from contracts.edge.keys import require_private
from contracts.edge.transport.interface import COMPACTED, full_name
from contracts.edge.transport.kafka_admin import KafkaAdmin
from contracts.edge.transport.kafka_fetch import FETCH_BYTES, TOPIC_FETCH_BYTES
from contracts.edge.transport.kafka_link import PATIENCE_S, Link
from contracts.edge.transport.kafka_reader import KafkaReader
from contracts.edge.transport.kafka_writer import KafkaWriter
from contracts.errors import UserError
from contracts.text import Text

REQUEST_TIMEOUT_MS = 15_000  # longer than a broker waits for its replicas
CONNECT_TIMEOUT_MS = 5_000
TOKEN_TIMEOUT_S = 10
MAX_ANSWER_BYTES = FETCH_BYTES + 4 * TOPIC_FETCH_BYTES

Options = dict[str, Any]

_PROTOCOLS: Mapping[str, str] = {
    "none": "PLAINTEXT",
    "tls": "SSL",
    "sasl": "SASL_PLAINTEXT",
    "sasl_tls": "SASL_SSL",
}
_UNREADABLE = Text("无法读取 {name}:{why}", "{name} cannot be read: {why}")
_EMPTY = Text("{name} 指向的文件为空", "The file that {name} names is empty")
_TLS = Text("TLS 设置不可用:{why}", "The TLS settings cannot be used: {why}")
_NO_TLS = Text("{mechanism} 会以明文传送口令或令牌", "{mechanism} would send a password or token in the clear")
_USE_TLS = Text('请使用 security = "sasl_tls"。', 'Use security = "sasl_tls".')
_BOOTSTRAP = Text("bootstrap 不是 主机:端口 列表", "bootstrap is not a list of HOST:PORT")
_EXAMPLE = Text("例如 kafka-1:9093,kafka-2:9093。", "For example kafka-1:9093,kafka-2:9093.")
_COMMAND = Text("取令牌的命令失败:{why}", "The command for the token failed: {why}")
_NO_COMMAND = Text("token_command 中没有命令", "token_command names no command")
_TRY_IT = Text("请以同一用户手工运行该命令。", "Run the command by hand as the same user.")


@dataclass(frozen=True, slots=True)
class KafkaTransport:
    """The cluster at `bootstrap`; topics are those whose names begin with `prefix`."""

    bootstrap: str
    prefix: str
    patience_s: float  # how long a call waits for what may pass by itself
    options: Callable[[], Options]  # for kafka-python; read anew for each object, so that secrets may change
    rolls_after_ms: int = COMPACTED.segment_ms

    def writer(self) -> KafkaWriter:
        return KafkaWriter(self._link, self.prefix)

    def reader(self) -> KafkaReader:
        return KafkaReader(self._link, self.prefix)

    def admin(self) -> KafkaAdmin:
        return KafkaAdmin(self._link, self.prefix)

    def _link(self) -> Link:
        return Link(_COMMON | {"bootstrap_servers": self.bootstrap} | self.options(), self.patience_s)


_COMMON: Options = {
    "client_id": "oncegate",
    "request_timeout_ms": REQUEST_TIMEOUT_MS,
    "socket_connection_setup_timeout_ms": CONNECT_TIMEOUT_MS,
    "reconnect_backoff_max_ms": 1000,
    "max_in_flight_requests_per_connection": 1000,  # order is kept by one batch a topic, not by few requests
    "receive_message_max_bytes": MAX_ANSWER_BYTES,
}


def open_kafka(section: Section) -> KafkaTransport:
    """The log of a configuration table as above; raises `UserError`."""
    prefix = section.text("prefix", default="")
    full_name(prefix, "x")
    security = section.choice("security", _PROTOCOLS)
    parts = [_tls(section)] if security.endswith("tls") else []
    parts += [_sasl(section, security)] if security.startswith("sasl") else []

    def options() -> Options:
        chosen: Options = {"security_protocol": _PROTOCOLS[security]}
        for part in parts:
            chosen |= part()
        return chosen

    options()  # mistakes are told at start
    patience_s = section.number("patience", default=PATIENCE_S, low=0.1, high=600)
    return KafkaTransport(_bootstrap(section), prefix, patience_s, options)


def _bootstrap(section: Section) -> str:
    value = section.text("bootstrap")
    for server in value.split(","):
        host, _, port = server.strip().rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise section.mistake(_BOOTSTRAP, "bootstrap", _EXAMPLE)
    return value.replace(" ", "")


# --- TLS -------------------------------------------------------------------------------------------------------


def _tls(section: Section) -> Callable[[], Options]:
    authority = section.path("ca_file", default=None)
    certificate = section.path("certificate", default=None)
    key = section.path("private_key") if certificate is not None else None

    def options() -> Options:
        if key is not None:
            require_private(key)
        try:
            return {"ssl_context": _context(authority, certificate, key)}
        except OSError as error:  # ssl.SSLError is one
            raise section.mistake(_TLS.fill(why=_why(error)), "ca_file" if certificate is None else "") from None

    return options


def _context(authority: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        context.load_cert_chain(certificate, key, password=_no_password)
    return context


def _no_password() -> str:
    """An encrypted key must not make a server ask on its terminal."""
    raise OSError("the private key is encrypted; store it in the clear with mode 0600")


# --- SASL ------------------------------------------------------------------------------------------------------


def _sasl(section: Section, security: str) -> Callable[[], Options]:
    mechanism = section.choice("sasl_mechanism", _MECHANISMS)
    if security == "sasl" and not mechanism.startswith("SCRAM"):
        raise section.mistake(_NO_TLS.fill(mechanism=mechanism), "sasl_mechanism", _USE_TLS)
    credentials = _MECHANISMS[mechanism](section)
    return lambda: {"sasl_mechanism": mechanism} | credentials()


def _password(section: Section) -> Callable[[], Options]:
    username = section.text("username")
    file = section.path("password_file")
    return lambda: {
        "sasl_plain_username": username,
        "sasl_plain_password": _secret(section, "password_file", file),
    }


def _token(section: Section) -> Callable[[], Options]:
    if not section.has("token_command"):
        file = section.path("token_file")
        return lambda: _provider(lambda: _secret(section, "token_file", file), at_once=True)
    command = section.texts("token_command")
    if not command:
        raise section.mistake(_NO_COMMAND, "token_command")
    return lambda: _provider(lambda: _printed(section, command), at_once=False)


def _provider(read: Callable[[], str], at_once: bool) -> Options:
    """`at_once`: read already to tell a mistake, as `open_kafka` does at start."""
    if at_once:
        read()
    return {"sasl_oauth_token_provider": _Token(read)}


_MECHANISMS: Mapping[str, Callable[[Section], Callable[[], Options]]] = {
    "PLAIN": _password,
    "SCRAM-SHA-256": _password,
    "SCRAM-SHA-512": _password,
    "OAUTHBEARER": _token,
}


@AbstractTokenProvider.register
@dataclass(frozen=True, slots=True)
class _Token:
    """Asked by kafka-python at each login and, should the broker want it, before the token expires."""

    read: Callable[[], str]

    def token(self) -> str:
        return self.read()

    def extensions(self) -> Mapping[str, str]:
        return {}


def _secret(section: Section, name: str, file: Path) -> str:
    try:
        if file.exists():
            require_private(file)
        secret = file.read_text(encoding="utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise section.mistake(_UNREADABLE.fill(name=name, why=_why(error)), name) from None
    if not secret:
        raise section.mistake(_EMPTY.fill(name=name), name)
    return secret


def _printed(section: Section, command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TOKEN_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise UserError(
            _COMMAND.fill(why=f"{command[0]}: {_ended(error)}"), section.where("token_command"), _TRY_IT
        ) from None
    return done.stdout.strip()


def _ended(error: OSError | subprocess.SubprocessError) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return f"exit code {error.returncode}"
    return _why(error) if isinstance(error, OSError) else "timed out"


def _why(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or " ".join(str(error).split())
