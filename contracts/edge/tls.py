"""TLS of a serving edge whose clients show certificates of their own.

1. TLS 1.3, or 1.2 with forward secrecy and an AEAD only (FAPI 2.0 Security Profile §5.2.2, RFC 9325 §4.2).
2. A client certificate is asked for, not demanded. One that is shown must verify.
3. Each trusted certificate is its own anchor (`VERIFY_X509_PARTIAL_CHAIN`), so self-signed and CA-issued ones are the
   same to us, and no CA can make new ones. The handshake proves possession of the private key; who it is, the
   fingerprint decides later.
4. No session resumption: it would skip the verification.
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


def server_context(certificate: Path, private_key: Path, trusted: Iterable[bytes]) -> ssl.SSLContext:
    """A server's side, with PEM files of its chain and key; `trusted`: DER of the clients' certificates.

    Raises `UserError`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, private_key)
    except (OSError, ssl.SSLError) as error:
        why = error.strerror or str(error)
        raise UserError(_UNUSABLE.fill(why=why), str(certificate), _CHECK) from None
    for one in trusted:
        context.load_verify_locations(cadata=one)
    return context


def peer_certificate(transport: asyncio.BaseTransport | None) -> bytes | None:
    """The DER of the client certificate that the handshake of this connection proved; None without one."""
    connection = transport.get_extra_info("ssl_object") if transport else None
    return None if connection is None else connection.getpeercert(binary_form=True)
