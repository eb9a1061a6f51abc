"""The registered client certificates, by fingerprint (RFC 8705 §2.2).

1. The SHA-256 fingerprint of the certificate decides which app it is; its names and its issuer decide nothing.
2. A certificate that two apps register belongs to neither.
3. One app's unreadable certificate disables itself, never its neighbours.
4. Outside its own validity a certificate proves nothing, also in the middle of a connection.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from contracts.algorithms import sha256
from contracts.encoding import b64url_encode
from contracts.registry import App, Snapshot


@dataclass(frozen=True, slots=True)
class Certificate:
    """A registered certificate. `not_before`, `not_after` in Unix ms."""

    app: App
    der: bytes
    digest: bytes
    not_before: int
    not_after: int

    @property
    def x5t(self) -> str:
        """The `x5t#S256` confirmation value (RFC 8705 §3.1)."""
        return b64url_encode(self.digest).decode()

    @property
    def key_id(self) -> str:
        return f"sha-256:{self.digest.hex()}"

    def covers(self, now: int) -> bool:
        return self.not_before <= now <= self.not_after


@dataclass(frozen=True, slots=True)
class Certificates:
    """All usable ones by SHA-256 digest; `unusable` names the apps that registered one which is not."""

    by_digest: Mapping[bytes, Certificate]
    unusable: tuple[str, ...]

    @classmethod
    def of(cls, registry: Snapshot) -> "Certificates":
        """Index what `registry` lists."""
        pairs = [(app, _read(app, pem)) for app in registry.contents.apps for pem in app.certificates]
        read = [certificate for _, certificate in pairs if certificate]
        owners = Counter(digest for digest, _ in {(item.digest, item.app.id) for item in read})
        usable = {item.digest: item for item in read if owners[item.digest] == 1}
        unusable = {app.id for app, item in pairs if item is None or owners[item.digest] > 1}
        return cls(usable, tuple(sorted(unusable)))

    def __iter__(self) -> Iterator[Certificate]:
        return iter(self.by_digest.values())

    def find(self, der: bytes | None) -> Certificate | None:
        """The registered certificate that `der` is."""
        return None if der is None else self.by_digest.get(sha256(der))


def _read(app: App, pem: str) -> Certificate | None:
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return None
    der = certificate.public_bytes(Encoding.DER)
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return Certificate(app, der, sha256(der), round(first.timestamp() * 1000), round(last.timestamp() * 1000))
