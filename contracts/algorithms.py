"""The one table of signature suites, and the keys that belong to them.

A suite names everything that goes together: the JOSE `alg`, the digest, the key type. Unknown means refused.
No caller may assume a length: a new suite (SM2 with SM3, say) is one row in `SUITES`.

ECDSA signs deterministically (RFC 6979): a weak random generator cannot leak a key, and vectors are reproducible.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from contracts.encoding import b64url_decode, b64url_encode, canonical
from contracts.errors import Fault


@dataclass(frozen=True, slots=True)
class Suite:
    """One row: a JOSE `alg` (RFC 7518, RFC 8037) with the digest used beside it (IANA named-information name)."""

    alg: str
    hash_name: str
    digest: Callable[[bytes], bytes]
    generate: Callable[[], Any]
    sign: Callable[[Any, bytes], bytes]
    verify: Callable[[Any, bytes, bytes], bool]  # (public key, signature, data)
    to_jwk: Callable[[Any], dict[str, str]]
    from_jwk: Callable[[Mapping[str, str]], Any]

    def digest_text(self, data: bytes) -> str:
        """The digest as `alg:hex`, the written form everywhere in oncegate."""
        return f"{self.hash_name}:{self.digest(data).hex()}"


def sha256(data: bytes) -> bytes:
    """SHA-256 of `data`."""
    return hashlib.sha256(data).digest()


def sha384(data: bytes) -> bytes:
    """SHA-384 of `data`."""
    return hashlib.sha384(data).digest()


def _ecdsa(alg: str, hash_name: str, digest: Callable[[bytes], bytes], curve: ec.EllipticCurve, name: str) -> Suite:
    size = (curve.key_size + 7) // 8
    algorithm = {"sha-256": hashes.SHA256(), "sha-384": hashes.SHA384()}[hash_name]
    signing = ec.ECDSA(algorithm, deterministic_signing=True)
    verifying = ec.ECDSA(algorithm)

    def sign(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(data, signing))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def verify(key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> bool:
        if len(signature) != 2 * size:
            return False
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        try:
            key.verify(encode_dss_signature(r, s), data, verifying)
        except InvalidSignature:
            return False
        return True

    def to_jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
        numbers = key.public_numbers()
        x, y = (b64url_encode(n.to_bytes(size, "big")).decode() for n in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": name, "x": x, "y": y}

    def from_jwk(jwk: Mapping[str, str]) -> ec.EllipticCurvePublicKey:
        x, y = b64url_decode(jwk["x"].encode()), b64url_decode(jwk["y"].encode())
        if jwk.get("kty") != "EC" or jwk.get("crv") != name or len(x) != size or len(y) != size:
            raise Fault("key_invalid")
        numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve)
        return numbers.public_key()

    return Suite(alg, hash_name, digest, lambda: ec.generate_private_key(curve), sign, verify, to_jwk, from_jwk)


def _verify_ed25519(key: ed25519.Ed25519PublicKey, signature: bytes, data: bytes) -> bool:
    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True


def _ed25519_jwk(key: ed25519.Ed25519PublicKey) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "x": b64url_encode(key.public_bytes_raw()).decode()}


def _ed25519_from_jwk(jwk: Mapping[str, str]) -> ed25519.Ed25519PublicKey:
    if jwk.get("kty") != "OKP" or jwk.get("crv") != "Ed25519":
        raise Fault("key_invalid")
    return ed25519.Ed25519PublicKey.from_public_bytes(b64url_decode(jwk["x"].encode()))


SUITES: Mapping[str, Suite] = {
    suite.alg: suite
    for suite in (
        _ecdsa("ES256", "sha-256", sha256, ec.SECP256R1(), "P-256"),
        _ecdsa("ES384", "sha-384", sha384, ec.SECP384R1(), "P-384"),
        Suite(
            "EdDSA",
            "sha-256",
            sha256,
            ed25519.Ed25519PrivateKey.generate,
            lambda key, data: key.sign(data),
            _verify_ed25519,
            _ed25519_jwk,
            _ed25519_from_jwk,
        ),
    )
}


def suite_of(alg: object) -> Suite:
    """The suite of a JOSE `alg`; raises `Fault` `alg_unknown` for `none` and everything else not in the table."""
    suite = SUITES.get(alg) if isinstance(alg, str) else None
    if suite is None:
        raise Fault("alg_unknown")
    return suite


def thumbprint(jwk: Mapping[str, str]) -> str:
    """JWK thumbprint (RFC 7638, SHA-256), base64url: the key id used everywhere."""
    members = ("crv", "kty", "x", "y") if jwk.get("kty") == "EC" else ("crv", "kty", "x")
    return b64url_encode(sha256(canonical({name: jwk[name] for name in members}))).decode()


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """A public key with its suite. `jwk` is the public JWK (RFC 7517), without `kid` and `alg`."""

    kid: str
    suite: Suite
    jwk: Mapping[str, str]
    key: Any = field(repr=False, compare=False)

    @classmethod
    def from_jwk(cls, alg: str, jwk: Mapping[str, str]) -> "VerifyKey":
        """Raises `Fault` `alg_unknown` or `key_invalid`."""
        suite = suite_of(alg)
        try:
            key = suite.from_jwk(jwk)
            return cls(thumbprint(jwk), suite, dict(jwk), key)
        except (KeyError, ValueError, AttributeError, TypeError):
            raise Fault("key_invalid") from None

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Whether `signature` (JOSE form) is this key's over `data`."""
        return self.suite.verify(self.key, signature, data)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with its suite."""

    public: VerifyKey
    key: Any = field(repr=False, compare=False)

    @classmethod
    def of(cls, alg: str, key: Any) -> "SigningKey":
        """Wrap a private key of the `cryptography` library."""
        suite = suite_of(alg)
        return cls(VerifyKey.from_jwk(alg, suite.to_jwk(key.public_key())), key)

    @classmethod
    def generate(cls, alg: str) -> "SigningKey":
        """A new key."""
        return cls.of(alg, suite_of(alg).generate())

    @property
    def kid(self) -> str:
        return self.public.kid

    @property
    def suite(self) -> Suite:
        return self.public.suite

    def sign(self, data: bytes) -> bytes:
        """The signature in JOSE form (RFC 7515 §3.1)."""
        return self.suite.sign(self.key, data)
