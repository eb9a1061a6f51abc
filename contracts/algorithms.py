"""The one table of signature suites, and the keys that belong to them.

A suite names everything that goes together: the JOSE `alg`, the digest, the key type. Unknown means refused.
No caller may assume a length: a new suite (SM2 with SM3, say) is one row in `SUITES`.

1. ECDSA signs deterministically (RFC 6979): a weak random generator cannot leak a key, and vectors are reproducible.
2. ECDSA signatures are r ‖ s of fixed size (RFC 7518 §3.4). Both (r, s) and (r, n − s) verify, so no identity is
   ever made from a signature.
3. A public key is a point on its curve and not one of small order: under such a key anybody's signature verifies.
4. A public JWK with private members is refused: it must not travel further.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import methodcaller
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from contracts.encoding import b64url_decode, b64url_encode, canonical
from contracts.errors import Fault

_FINISH = methodcaller("digest")


@dataclass(frozen=True, slots=True)
class Suite:
    """One row: a JOSE `alg` (RFC 7518, RFC 8037) with the digest used beside it (IANA named-information name)."""

    alg: str
    hash_name: str
    hash: Callable[[bytes], Any]  # a constructor of `hashlib`
    jwk_members: tuple[str, ...]  # the required members of the public JWK (RFC 7638 §3.2)
    generate: Callable[[], Any]
    sign: Callable[[Any, bytes], bytes]
    verify: Callable[[Any, bytes, bytes], bool]  # (public key, signature, data)
    to_jwk: Callable[[Any], dict[str, str]]
    from_jwk: Callable[[Mapping[str, str]], Any]

    def digest(self, data: bytes) -> bytes:
        """The digest of `data`."""
        digest: bytes = self.hash(data).digest()
        return digest

    def digest_all(self, items: Iterable[bytes]) -> list[bytes]:
        """The digest of each: `map` over functions of C makes no Python frame for any of them."""
        return list(map(_FINISH, map(self.hash, items)))

    def digest_text(self, data: bytes) -> str:
        """The digest as `alg:hex`, the written form everywhere in oncegate."""
        return f"{self.hash_name}:{self.hash(data).hexdigest()}"


def sha256(data: bytes) -> bytes:
    """SHA-256 of `data`."""
    return hashlib.sha256(data).digest()


def _ecdsa(alg: str, hash_name: str, new_hash: Callable[[bytes], Any], curve: ec.EllipticCurve, name: str) -> Suite:
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
        if jwk["kty"] != "EC" or jwk["crv"] != name or len(x) != size or len(y) != size:
            raise Fault("key_invalid")
        numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve)
        return numbers.public_key()  # refuses what is not on the curve

    members = ("crv", "kty", "x", "y")
    return Suite(
        alg, hash_name, new_hash, members, lambda: ec.generate_private_key(curve), sign, verify, to_jwk, from_jwk
    )


def _verify_ed25519(key: ed25519.Ed25519PublicKey, signature: bytes, data: bytes) -> bool:
    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True


def _ed25519_jwk(key: ed25519.Ed25519PublicKey) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "x": b64url_encode(key.public_bytes_raw()).decode()}


def _ed25519_from_jwk(jwk: Mapping[str, str]) -> ed25519.Ed25519PublicKey:
    raw = b64url_decode(jwk["x"].encode())
    if jwk["kty"] != "OKP" or jwk["crv"] != "Ed25519" or not _is_ed25519_point(raw):
        raise Fault("key_invalid")
    return ed25519.Ed25519PublicKey.from_public_bytes(raw)


# The field, the constant d, and y of the points of small order (RFC 8032 §5.1): of order 1 and 2, 4, and 8.
_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_Y8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER_Y = frozenset((1, _P - 1, 0, _Y8, _P - _Y8))


def _is_ed25519_point(raw: bytes) -> bool:
    """Whether `raw` decodes to a point (RFC 8032 §5.1.3) of large order; the library checks the length alone."""
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if len(raw) != 32 or y >= _P or y in _SMALL_ORDER_Y:
        return False
    x_squared = (y * y - 1) * pow(_D * y * y + 1, -1, _P)
    return pow(x_squared, (_P - 1) // 2, _P) == 1


SUITES: Mapping[str, Suite] = {
    suite.alg: suite
    for suite in (
        _ecdsa("ES256", "sha-256", hashlib.sha256, ec.SECP256R1(), "P-256"),
        _ecdsa("ES384", "sha-384", hashlib.sha384, ec.SECP384R1(), "P-384"),
        Suite(
            "EdDSA",
            "sha-256",
            hashlib.sha256,
            ("crv", "kty", "x"),
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
    """JWK thumbprint (RFC 7638, SHA-256) of required members alone, base64url: the key id used everywhere."""
    return b64url_encode(sha256(canonical(dict(jwk)))).decode()


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """A public key with its suite. `jwk` is the public JWK (RFC 7517), its required members alone."""

    kid: str
    suite: Suite
    jwk: Mapping[str, str]
    key: Any = field(repr=False, compare=False)

    @classmethod
    def from_jwk(cls, alg: str, jwk: Mapping[str, str]) -> "VerifyKey":
        """Other public members (`use`, `kid`, …) are let go; raises `Fault` `alg_unknown` or `key_invalid`."""
        suite = suite_of(alg)
        if "d" in jwk:
            raise Fault("key_invalid", detail="a private key")
        try:
            required = {name: jwk[name] for name in suite.jwk_members}
            return cls(thumbprint(required), suite, required, suite.from_jwk(required))
        except (Fault, KeyError, ValueError, AttributeError):
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
