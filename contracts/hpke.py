"""Keys wrapped for a receiver: HPKE (RFC 9180, base mode, one shot), from one table of suites.

Used for feed keys (to a zone) and for the day keys of openings (to the auditor). The wrapped form is
`enc ‖ ciphertext`, as the `cryptography` library writes it; `info` binds it to what it is for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from contracts.algorithms import sha256
from contracts.encoding import b64url_decode, b64url_encode
from contracts.errors import Fault


@dataclass(frozen=True, slots=True)
class KemRow:
    """One row: the HPKE suite and how its public keys are written (raw bytes)."""

    suite: Suite
    load_public: Callable[[bytes], Any]
    generate: Callable[[], Any]


KEMS: Mapping[str, KemRow] = {
    "X25519-HKDF-SHA256-A256GCM": KemRow(
        Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM),
        x25519.X25519PublicKey.from_public_bytes,
        x25519.X25519PrivateKey.generate,
    ),
}
DEFAULT_KEM = "X25519-HKDF-SHA256-A256GCM"


def _row(alg: str) -> KemRow:
    row = KEMS.get(alg)
    if row is None:
        raise Fault("alg_unknown")
    return row


@dataclass(frozen=True, slots=True)
class WrapKey:
    """A receiver's public key. `public` is base64url of the raw bytes; `kid` is derived from it."""

    alg: str
    public: str

    @classmethod
    def of(cls, alg: str, key: Any) -> "WrapKey":
        """Wrap a public key of the `cryptography` library."""
        return cls(alg, b64url_encode(key.public_bytes_raw()).decode())

    @property
    def kid(self) -> str:
        return b64url_encode(sha256(f"{self.alg}:{self.public}".encode())).decode()[:22]

    def wrap(self, secret: bytes, info: bytes) -> bytes:
        """`secret`, readable by the receiver alone; raises `Fault` `alg_unknown` or `key_invalid`."""
        row = _row(self.alg)
        try:
            key = row.load_public(b64url_decode(self.public.encode()))
            return row.suite.encrypt(secret, key, info=info)
        except (Fault, ValueError):  # no key at all, or one of small order (RFC 9180 §7.1.4)
            raise Fault("key_invalid") from None


@dataclass(frozen=True, slots=True)
class UnwrapKey:
    """A receiver's private key."""

    alg: str
    key: Any = field(repr=False, compare=False)

    @classmethod
    def generate(cls, alg: str = DEFAULT_KEM) -> "UnwrapKey":
        """A new key."""
        return cls(alg, _row(alg).generate())

    @property
    def public(self) -> WrapKey:
        return WrapKey.of(self.alg, self.key.public_key())

    def unwrap(self, wrapped: bytes, info: bytes) -> bytes:
        """The secret; raises `Fault` `unwrap_failed`."""
        try:
            return _row(self.alg).suite.decrypt(wrapped, self.key, info=info)
        except (InvalidTag, ValueError):
            raise Fault("unwrap_failed") from None
