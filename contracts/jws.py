"""Compact JWS (RFC 7515), strictly: one form on the wire, verified over the exact bytes received.

1. Three base64url parts, no padding.
2. The protected header is a strict JSON object of at most 512 bytes with exactly `alg`, `kid`, `typ`; no `crit`, no
   `jwk`. `alg` is in the table of suites, so `none` is not.
3. `typ` is what the caller expects (RFC 8725 §3.11), and the key's registered `alg` is the header's (§3.1).
4. Only then the signature, and only after that may anybody look into the payload.
"""

from functools import lru_cache
from typing import NamedTuple

from contracts.algorithms import SigningKey, VerifyKey, suite_of
from contracts.encoding import b64url_decode, b64url_encode, canonical, parse_object
from contracts.errors import Fault

MAX_HEADER = 512  # of its base64url text; also what one entry of the cache below can cost
_HEADER_NAMES = {"alg", "kid", "typ"}


class Compact(NamedTuple):
    """A parsed, not yet verified JWS. `signing_input` is what the signature and the identity are over."""

    alg: str
    kid: str
    signing_input: bytes
    payload_text: bytes
    signature: bytes

    def verified_payload(self, key: VerifyKey) -> bytes:
        """The payload bytes; raises `Fault` `alg_mismatch` or `signature_invalid`."""
        if key.suite.alg != self.alg:
            raise Fault("alg_mismatch")
        if not key.verify(self.signature, self.signing_input):
            raise Fault("signature_invalid")
        return b64url_decode(self.payload_text)


def sign(typ: str, payload: bytes, key: SigningKey) -> bytes:
    """The compact JWS of `payload` under `key`."""
    header = canonical({"alg": key.suite.alg, "kid": key.kid, "typ": typ})
    signing_input = b64url_encode(header) + b"." + b64url_encode(payload)
    return signing_input + b"." + b64url_encode(key.sign(signing_input))


def parse(token: bytes, typ: str) -> Compact:
    """Split and check the form (rules 1–3 but the key); raises `Fault`."""
    parts = token.split(b".")
    if len(parts) != 3:
        raise Fault("jws_malformed")
    header_text, payload_text, signature_text = parts
    if len(header_text) > MAX_HEADER:
        raise Fault("jws_header_invalid")
    alg, kid = _header(header_text, typ)
    signing_input = token[: len(header_text) + 1 + len(payload_text)]
    return Compact(alg, kid, signing_input, payload_text, b64url_decode(signature_text))


@lru_cache(maxsize=4096)  # a key's header never changes: the same bytes come with each of its messages
def _header(text: bytes, typ: str) -> tuple[str, str]:
    header = parse_object(b64url_decode(text))
    if header.keys() != _HEADER_NAMES:
        raise Fault("jws_header_invalid")
    if header["typ"] != typ:
        raise Fault("typ_wrong")
    alg, kid = header["alg"], header["kid"]
    if type(kid) is not str:
        raise Fault("jws_header_invalid")
    return suite_of(alg).alg, kid
