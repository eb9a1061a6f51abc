"""TLS of the serving edge: the server's own certificate, and which client certificates may knock.

1. What is negotiated, and that a client certificate is asked for, not demanded (DPoP clients have none): one place,
   `contracts.edge.tls`.
2. The trust store is the registry; which app it is, the fingerprint decides later (`gateway.tokens.certificates`).
3. OpenSSL can add to a trust store but never take from it. So each registry version gets a context of its own, and
   the listening context hands each new handshake over to the newest (the callback runs without SNI too).
4. No session resumption: it would skip the verification, and with it the registry.
"""

import ssl
from collections.abc import Iterable
from pathlib import Path

from contracts.edge.tls import peer_certificate, server_context

__all__ = ["ServerTls", "peer_certificate"]


class ServerTls:
    """The TLS side of one listening socket. `context` is for the server; `trust` may be called at any time."""

    def __init__(self, certificate: Path, private_key: Path) -> None:
        """PEM files of the server's chain and key. Raises `UserError`."""
        self._files = (certificate, private_key)
        self._current = self._build(())
        self.context = self._build(())
        self.context.sni_callback = self._hand_over

    def trust(self, certificates: Iterable[bytes]) -> None:
        """From the next handshake on, exactly these client certificates (DER) are acceptable."""
        self._current = self._build(certificates)

    def _hand_over(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        del name, context
        connection.context = self._current

    def _build(self, certificates: Iterable[bytes]) -> ssl.SSLContext:
        return server_context(*self._files, certificates)
