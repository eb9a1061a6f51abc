"""A small HTTP client for logs and witnesses: standard library, one connection kept alive, nothing believed.

1. An answer has a cap in bytes, and the whole exchange one time (`exchange_time`): connecting, asking, and every byte
   of the answer. Redirects are not followed.
2. A connection that the other side closed between two requests is opened again, once.
3. Whatever goes wrong on the way is `Unavailable`: it says something about the network, never about a log.
"""

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from audit.exchange_time import ExchangeTime, TimedSocket, connected
from contracts.edge import system_errors
from contracts.errors import Unavailable, UserError
from contracts.text import Text

TIMEOUT_S = 10.0

_PORTS = {"http": 80, "https": 443}

_BAD_URL = Text("应为 http(s)://主机[:端口][/路径]", "must be http(s)://host[:port][/path]")
_BAD_CA = Text("无法使用证书文件", "The certificate file cannot be used")
_PEM = Text("请给出 PEM 文件,私钥与证书须成对。", "Give PEM files; certificate and key belong together.")


@dataclass(frozen=True, slots=True)
class Answer:
    """Header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to ask. `ca`: what verifies the server (None: the system's); `client`: own certificate and key.

    `timeout_s`: for a whole exchange, beside what a long answer earns by coming.
    """

    url: str
    ca: Path | None = None
    client: tuple[Path, Path] | None = None
    timeout_s: float = TIMEOUT_S


def is_url(url: str) -> bool:
    """Whether this client can ask there."""
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and not parts.fragment


class Client:
    """One endpoint. Not for several threads."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Raises `UserError` for a URL or certificate that cannot be used."""
        if not is_url(endpoint.url):
            raise UserError(_BAD_URL, endpoint.url)
        parts = urlsplit(endpoint.url)
        self.url = endpoint.url.rstrip("/")
        self._prefix = parts.path.rstrip("/")
        self._address = (parts.hostname or "", parts.port or _PORTS[parts.scheme])
        self._context = _context(endpoint) if parts.scheme == "https" else None
        self._time = ExchangeTime(endpoint.timeout_s)
        self._connection: http.client.HTTPConnection | None = None

    def get(self, path: str, most: int) -> Answer:
        """GET `path` below the URL; at most `most` bytes; raises `Unavailable`."""
        return self._ask("GET", path, None, most)

    def post(self, path: str, body: bytes, most: int) -> Answer:
        """POST `body`, which the other side may get twice; raises `Unavailable`."""
        return self._ask("POST", path, body, most)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, method: str, path: str, body: bytes | None, most: int) -> Answer:
        fresh = self._connection is None
        self._time.begin(most)
        try:
            try:
                return self._exchange(method, path, body, most)
            except (ConnectionError, http.client.BadStatusLine):
                self.close()
                if fresh:
                    raise
                return self._exchange(method, path, body, most)  # rule 2
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unavailable(f"{self.url}: {_reason(error)}") from None

    def _exchange(self, method: str, path: str, body: bytes | None, most: int) -> Answer:
        if self._connection is None:
            self._connection = self._open()
        headers = {"Content-Type": "text/plain; charset=utf-8"} if body is not None else {}
        self._connection.request(method, self._prefix + path, body, headers)
        response = self._connection.getresponse()
        data = response.read(most + 1)
        if len(data) > most:
            raise OSError(f"an answer above {most} bytes")
        if response.will_close or not response.isclosed():
            self.close()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, data)

    def _open(self) -> http.client.HTTPConnection:
        host, port = self._address
        plain = connected(host, port, self._time)
        if self._context is None:
            connection = http.client.HTTPConnection(host, port)
        else:
            connection = http.client.HTTPSConnection(host, port, context=self._context)
            plain.settimeout(self._time.left())  # of the whole handshake
            plain = self._context.wrap_socket(plain, server_hostname=host)
        connection.sock = TimedSocket(plain, self._time)
        return connection


def _context(endpoint: Endpoint) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=None if endpoint.ca is None else str(endpoint.ca))
        if endpoint.client is not None:
            context.load_cert_chain(*endpoint.client)
    except (OSError, ssl.SSLError):
        raise UserError(_BAD_CA, str(endpoint.ca or (endpoint.client or ("",))[0]), _PEM) from None
    return context


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no whole answer in time"
    if isinstance(error, ssl.SSLError):
        return error.reason or "TLS failed"
    if isinstance(error, OSError) and error.errno is not None:
        return system_errors.why(error).en
    return str(error) if isinstance(error, OSError) else "not HTTP"
