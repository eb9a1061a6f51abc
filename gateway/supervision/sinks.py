"""Where batches of events go: the topic of the zone's message log, or a receiver over HTTPS.

1. `send` returns when the other side has the batch, durably as far as it says so; otherwise it raises `Unavailable`
   with a reason that names no content. The same batch may be sent again.
2. The topic gets the batch as a JWS of the node. It is not encrypted as evidence is: nothing personal is in it.
3. A webhook is a POST signed after Standard Webhooks. 2xx is success, everything else a failure, redirects too: they
   are not followed. The answer's body is not looked at; of a long one the connection is closed.
4. TLS is verified, against `ca` where one is given. Each step has a time limit.
"""

import http.client
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol
from urllib.parse import urlsplit

from contracts import cloud_events, webhooks
from contracts.algorithms import SigningKey
from contracts.edge import keys, system_errors
from contracts.edge.transport import LogUnavailable, Transport, Writer
from contracts.errors import Fault, Unavailable, UserError
from contracts.text import Text
from gateway.supervision import SUPERVISION_TOPIC
from gateway.supervision.settings import Webhook

TIMEOUT_S: Final = 15.0
MAX_RETRY_AFTER_S: Final = 300.0
_MOST: Final = 4096  # of an answer's body
_HEADERS = (("content-type", b"application/jose"),)
_BAD_SECRET = Text("不是 whsec_ 共享密钥(24 至 64 字节)", "Not a shared secret: whsec_ and base64 of 24 to 64 bytes")
_BAD_CA = Text("无法使用证书文件", "The certificate file cannot be used")
_PEM = Text("请给出 PEM 文件。", "Give a PEM file.")
_MAKE = Text("可用 oncegate keygen webhook 生成 Ed25519 密钥。", "oncegate keygen webhook makes an Ed25519 key.")


class Busy(Unavailable):
    """The receiver asks not to be tried again before `after_s`."""

    def __init__(self, reason: str, after_s: float) -> None:
        super().__init__(reason)
        self.after_s = after_s


class Sink(Protocol):
    """For one thread."""

    def send(self, batch: bytes) -> None:
        """Rule 1: an encoded batch of events; raises `Unavailable`."""

    def close(self) -> None: ...


class TopicSink:
    """Rule 2."""

    def __init__(self, transport: Transport, key: SigningKey, origin: str) -> None:
        self._transport, self._key, self._origin = transport, key, origin.encode()
        self._writer: Writer | None = None

    def send(self, batch: bytes) -> None:
        try:
            if self._writer is None:
                self._writer = self._transport.writer()
            self._writer.write(SUPERVISION_TOPIC, self._origin, cloud_events.seal(batch, self._key), _HEADERS)
        except LogUnavailable:
            self.close()
            raise
        except UserError as error:  # no such topic, no right to write it
            self.close()
            raise Unavailable(error.what.en) from None

    def close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(LogUnavailable):
                writer.close()


class WebhookSink:
    """Rules 3 and 4. `clock` gives Unix ms."""

    def __init__(self, webhook: Webhook, clock: Callable[[], int], timeout_s: float = TIMEOUT_S) -> None:
        """Raises `UserError` for files that cannot be used."""
        parts = urlsplit(webhook.url)
        self._address = (parts.hostname or "", parts.port)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._signatures = signatures_of(webhook)
        self._context = _context(webhook)
        self._clock, self._timeout = clock, timeout_s
        self._connection: http.client.HTTPSConnection | None = None

    def send(self, batch: bytes) -> None:
        status, retry_after = self._sent(batch)
        if not 200 <= status < 300:
            raise Busy(f"status {status}", _seconds(retry_after))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _sent(self, body: bytes) -> tuple[int, str]:
        """Status and `Retry-After`. A kept connection may have been closed by the receiver meanwhile, as many do: then
        once more over a new one."""
        kept = self._connection is not None
        try:
            return self._exchange(body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if kept and not isinstance(error, TimeoutError):
                return self._sent(body)
            raise Unavailable(_reason(error)) from None

    def _exchange(self, body: bytes) -> tuple[int, str]:
        identifier, now = webhooks.message_id(body), self._clock() // 1000
        headers = {
            "Content-Type": cloud_events.BATCH_MEDIA_TYPE,
            "User-Agent": "oncegate",
            **webhooks.headers(identifier, now, body, self._signatures),
        }
        connection = self._connection
        if connection is None:
            connection = self._connection = http.client.HTTPSConnection(
                *self._address, timeout=self._timeout, context=self._context
            )
        connection.request("POST", self._target, body, headers)
        answer = connection.getresponse()
        answer.read(_MOST)
        if answer.will_close or not answer.isclosed():
            self.close()
        return answer.status, answer.getheader("Retry-After", "")


def signatures_of(webhook: Webhook) -> list[webhooks.Signature]:
    """What signs for it; raises `UserError`."""
    found: list[webhooks.Signature] = []
    if webhook.key is not None:
        found.append(webhooks.ed25519(keys.load_signing_key(webhook.key, "EdDSA")))
    if webhook.secret is not None:
        try:
            text = keys.load_secret(webhook.secret).decode("ascii").strip()
            found.append(webhooks.hmac_sha256(webhooks.read_secret(text)))
        except (Fault, UnicodeDecodeError):
            raise UserError(_BAD_SECRET, str(webhook.secret), _MAKE) from None
    return found


def _context(webhook: Webhook) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if webhook.ca is None else str(webhook.ca))
    except (OSError, ssl.SSLError):
        raise UserError(_BAD_CA, str(webhook.ca), _PEM) from None


def _seconds(retry_after: str) -> float:
    return min(float(retry_after), MAX_RETRY_AFTER_S) if retry_after.isascii() and retry_after.isdigit() else 0.0


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLError):
        return error.reason or "TLS failed"
    if isinstance(error, OSError) and error.errno is not None:
        return system_errors.why(error).en
    return "the connection was closed" if isinstance(error, OSError | http.client.RemoteDisconnected) else "not HTTP"
