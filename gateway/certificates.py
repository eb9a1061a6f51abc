"""Self-signed X.509 certificates (RFC 5280): for the demo's server and for apps that bring their own.

The registered fingerprint decides, so no certificate authority is needed.
"""

import ipaddress
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DIGESTS = {"ES256": hashes.SHA256(), "ES384": hashes.SHA384(), "EdDSA": None}


def self_signed(key: Any, alg: str, common_name: str, now_ms: int, hosts: tuple[str, ...] = ()) -> bytes:
    """A certificate in PEM for `key` (ECDSA or Ed25519), valid for a year from `now_ms`.

    With `hosts` (DNS names or IP addresses) it is a server's, without it is a client's.
    """
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    start = datetime.fromtimestamp(now_ms / 1000, UTC) - timedelta(minutes=5)
    usage = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    )
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(host) for host in hosts]), critical=False)
    return builder.sign(key, _DIGESTS[alg]).public_bytes(Encoding.PEM)


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
