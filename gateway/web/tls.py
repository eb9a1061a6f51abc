"""TLS of the serving edge: the server's own certificate, and which client certificates may knock.

1. TLS 1.3, or 1.2 with forward secrecy and an AEAD only (FAPI 2.0 Security Profile §5.2.2, RFC 9325 §4.2).
2. A client certificate is asked for, not demanded: DPoP clients have none. One that is shown must verify.
3. The trust store is the registry: each registered certificate is its own anchor (`VERIFY_X509_PARTIAL_CHAIN`), so
   self-signed and CA-issued ones are the same to us, and no CA can make new ones. The handshake proves possession
   of the private key; which app it is, the fingerprint decides later (`gateway.tokens.certificates`).
4. OpenSSL can add to a trust store but never take from it. So each registry version gets a context of its own, and
   the listening context hands each new handshake over to the newest (the callback runs without SNI too).
5. No session resumption: it would skip the verification, and with it the registry.
"""

import asyncio
import ssl
from collections.abc import Iterable
from pathlib import Path

from contracts.errors import UserError
from contracts.text import Text

# The four suites of RFC 9325 §4.2 for TLS 1.2; those of TLS 1.3 are all acceptable.
_CIPHERS = ":".join(
    f"ECDHE-{key}-{cipher}" for key in ("ECDSA", "RSA") for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384")
)
_UNUSABLE = Text("无法使用 TLS 证书或私钥:{why}", "The TLS certificate or key cannot be used: {why}")
_CHECK = Text("请核对两个 PEM 文件是否成对。", "Check that both PEM files exist and belong together.")


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
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS)
        context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.num_tickets = 0
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(*self._files)
        except (OSError, ssl.SSLError) as error:
            why = error.strerror or str(error)
            raise UserError(_UNUSABLE.fill(why=why), str(self._files[0]), _CHECK) from None
        for certificate in certificates:
            context.load_verify_locations(cadata=certificate)
        return context


def peer_certificate(transport: asyncio.BaseTransport | None) -> bytes | None:
    """The DER of the client certificate that the handshake of this connection proved; None without one."""
    connection = transport.get_extra_info("ssl_object") if transport else None
    return None if connection is None else connection.getpeercert(binary_form=True)
