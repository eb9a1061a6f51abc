"""What goes in and out of the token rooms."""

from dataclasses import dataclass

from contracts.registry import App

DPOP, MTLS = "dpop", "mtls"
SCHEMES = {DPOP: "DPoP", MTLS: "Bearer"}  # the HTTP scheme and `token_type` of each binding


@dataclass(frozen=True, slots=True)
class Request:
    """The facts of one HTTP request that decide who asks.

    `url` is what the client must have put into `htu`: the configured base URL and the path, never from the Host
    header. `authorization` and `dpop` are all header fields of that name. `certificate` is the DER of the
    certificate that the TLS handshake proved, `peer` the network address that counts failures.
    """

    method: str
    url: str
    authorization: tuple[str, ...] = ()
    dpop: tuple[str, ...] = ()
    certificate: bytes | None = None
    peer: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated app. `key_id`: the `kid` of its key, or `sha-256:<hex>` of its certificate."""

    app: App
    key_id: str
    binding: str  # DPOP or MTLS
    token_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Not authenticated. `code` (from the error table) is for counters, the wire says `unauthenticated`.

    `scheme` is the binding that the client tried, "" when it tried none; `retry_after` in seconds, with 429 only.
    """

    code: str
    scheme: str = ""
    retry_after: int = 0
