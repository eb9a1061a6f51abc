"""The serving process: who holds its slot and its port, and what it says of itself.

1. The slot's lock says whether a serving process runs; the certificate shown on the port says whether it is ours.
2. A port that is free is tried without listening, so that a process which starts at that moment gets it.
3. A process that runs is asked for `/readyz`: what it says counts more than what files say.
"""

import errno
import http.client
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from contracts.edge import system_errors
from contracts.edge.doctor import certificates
from contracts.edge.doctor.finding import Finding, failed, ok, warning
from contracts.edge.doctor.locks import is_held
from contracts.errors import ERRORS, UserError
from contracts.text import Text
from gateway.config import ServeConfig
from gateway.doctor.situation import Situation
from gateway.web.health import OK

ANSWER_SECONDS: Final = 5.0
FREE, OURS, OTHER, SILENT = "free", "ours", "other", "silent"
_ANY: Final[Mapping[str, str]] = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104

_TAKEN = Text("端口被其他程序占用", "Another program has the port")
_OTHER_PORT = Text(
    "请停止该程序,或在 [serve] 中改用其他端口。", "Stop that program, or choose another port in [serve]."
)
_OLD_CERTIFICATE = Text("serve 仍在使用旧证书", "serve still shows a former certificate")
_RESTART = Text("请重启 serve。", "Start serve again.")
_NOT_LISTENING = Text("serve 持有日志锁,但端口没有应答", "serve holds the slot's lock, but nothing answers on its port")
_WAIT = Text(
    "若刚启动请稍候,否则查看其日志并重启。", "Wait if it has just started; else see its log and start it again."
)
_OTHER_SLOT = Text(
    "端口由使用同一证书、但不是本日志槽的进程占用", "A process with our certificate, but not of this slot, has the port"
)
_OTHER_CONFIG = Text("请核对其他配置文件是否使用了同一端口。", "Look whether another configuration has the same port.")
_IDLE = Text("没有 serve 在运行,端口空闲", "No serve is running, the port is free")
_START = Text(
    "请启动 oncegate serve(或 up),除非是有意停止。", "Start oncegate serve (or up), unless it is meant to be down."
)
_CANNOT_LISTEN = Text("无法监听:{why}", "Cannot listen: {why}")
_NOT_READY = Text("serve 未就绪:{check}:{why}", "serve is not ready: {check}: {why}")
_SEE_LOG = Text("请查看 serve 的日志。", "See the log of serve.")


@dataclass(frozen=True, slots=True)
class Port:
    """Who has the port: `FREE`, `OURS`, `OTHER` (shows another certificate or none), `SILENT` (takes connections and
    says nothing). `locked`: a process holds the slot. `cannot`: why the port cannot be listened on."""

    state: str
    locked: bool
    where: str
    cannot: Text | None = None


_JUDGED: Final[Mapping[tuple[str, bool], Finding]] = {
    (FREE, False): warning(_IDLE, _START),
    (FREE, True): failed(_NOT_LISTENING, _WAIT),
    (OURS, False): failed(_OTHER_SLOT, _OTHER_CONFIG),
    (OURS, True): ok("serve 在运行并应答", "serve is running and answers"),
    (OTHER, False): failed(_TAKEN, _OTHER_PORT),
    (OTHER, True): failed(_OLD_CERTIFICATE, _RESTART),
    (SILENT, False): failed(_TAKEN, _OTHER_PORT),
    (SILENT, True): failed(_NOT_LISTENING, _WAIT),
}


def judge(port: Port) -> Finding:
    """Rule 1."""
    if port.cannot is not None:
        return failed(_CANNOT_LISTEN.fill(why=port.cannot), _OTHER_PORT, port.where)
    found = _JUDGED[port.state, port.locked]
    return Finding(found.level, found.what, port.where, found.remedy)


def judge_ready(answer: Mapping[str, object]) -> Iterator[Finding]:
    """Rule 3. `answer`: the document of `/readyz`; what it warns of has lines of its own."""
    checks = answer.get("checks")
    troubles = [pair for pair in checks.items() if pair[1] != OK] if isinstance(checks, dict) else [("readyz", "?")]
    for name, code in troubles:
        row = ERRORS.get(str(code))
        why = Text(str(code), str(code)) if row is None else row.title
        yield failed(_NOT_READY.fill(check=name, why=why), _SEE_LOG if row is None else row.next_step)
    if not troubles:
        yield ok("serve 已就绪", "serve is ready", "/readyz")


# --- gathering ---------------------------------------------------------------------------------------------------


def check(situation: Situation) -> Iterator[Finding]:
    """The port and, if it is ours, `/readyz`."""
    serve = situation.serve
    if serve is None:
        return
    port = look(serve)
    yield judge(port)
    if (port.state, port.locked) == (OURS, True):
        yield from judge_ready(ready(serve))


def look(serve: ServeConfig) -> Port:
    """Who has the port."""
    locked = is_held(serve.audit_dir / "lock")
    where = f"{serve.host}:{serve.port}"
    try:
        shown = _shown(serve)
    except ConnectionRefusedError:
        return Port(FREE, locked, where, None if locked else _cannot_listen(serve))
    except (ssl.SSLError, ConnectionError):
        return Port(OTHER, False, where)  # not even TLS: no serve of any kind, whoever holds the slot
    except TimeoutError:
        return Port(SILENT, locked, where)
    except OSError as error:
        return Port(FREE, locked, where, system_errors.why(error))
    return Port(OURS if shown == _configured(serve) else OTHER, locked, where)


def _configured(serve: ServeConfig) -> bytes:
    try:
        return certificates.read(serve.certificate)[1]
    except UserError:
        return b""


def _shown(serve: ServeConfig) -> bytes:
    """The certificate (DER) that whoever has the port shows; b"" for none."""
    with (
        socket.create_connection(_address(serve), ANSWER_SECONDS) as plain,
        _context().wrap_socket(plain, server_hostname=serve.host) as tls,
    ):
        return tls.getpeercert(binary_form=True) or b""


def _context() -> ssl.SSLContext:
    """Takes any certificate: which one it is gets compared."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _address(serve: ServeConfig) -> tuple[str, int]:
    return _ANY.get(serve.host, serve.host), serve.port


def _cannot_listen(serve: ServeConfig) -> Text | None:
    """Rule 2."""
    family, kind, protocol, _, address = socket.getaddrinfo(serve.host, serve.port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            return system_errors.why(error)
    return None


def ready(serve: ServeConfig) -> Mapping[str, object]:
    """The document of `/readyz`; raises OSError, `UserError`."""
    host, port = _address(serve)
    connection = http.client.HTTPSConnection(host, port, timeout=ANSWER_SECONDS, context=_context())
    try:
        connection.request("GET", "/readyz")
        document = json.loads(connection.getresponse().read())
    except (http.client.HTTPException, ValueError):
        raise OSError(errno.EIO, "/readyz") from None
    finally:
        connection.close()
    return document if isinstance(document, dict) else {}
