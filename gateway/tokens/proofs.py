"""DPoP proofs (RFC 9449 §4.3): one signature by the app's registered key for one request.

Own parser, not PyJWT: this runs on every request, and PyJWT's share beside the signature is as large as the
signature itself (docs/decisions/0006-tokens.md). The checks, in order:

1. Exactly one proof, a strict compact JWS.
2. Header: `typ` `dpop+jwt`, a public `jwk` and nothing private in it; no other members than `alg`, `jwk`, `typ`.
3. The thumbprint of that `jwk` (RFC 7638) is the wanted key's: the registered one, and it is that registered key,
   not the embedded one, that verifies; `alg` is exactly the registered one.
4. The signature.
5. Claims: `htm` and `htu` are this request, `iat` is near, `ath` is the token's digest (where there is a token).
6. Last, once only: what failed before is not remembered, so nobody can fill the memory with garbage.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from contracts.algorithms import VerifyKey, thumbprint
from contracts.encoding import Json, b64url_decode, parse_object
from contracts.errors import Fault
from gateway.tokens.htu import same_target
from gateway.tokens.jwts import Parts, seconds, split, text
from gateway.tokens.replay import FIRST, FULL, SEEN, STALE, ReplayMemory, Use

_HEADER = {"alg", "jwk", "typ"}
_PUBLIC = {"kty", "crv", "x", "y"}
_REQUIRED = {"kty", "crv", "x"}
_HARMLESS = {"kid", "alg", "use", "key_ops", "ext"}
_ONCE: Mapping[str, str] = {SEEN: "dpop_replayed", STALE: "dpop_stale", FULL: "replay_memory_full"}


@dataclass(frozen=True, slots=True)
class Proof:
    """A parsed, not yet verified proof. `jkt`: the thumbprint of the key that it says it is signed with."""

    alg: str
    jkt: str
    parts: Parts
    signature: bytes


@dataclass(frozen=True, slots=True)
class Expected:
    """What a proof must prove: this request now, and the token with this `ath` ("" at the token endpoint)."""

    method: str
    url: str
    ath: str
    now: int  # Unix ms
    window: int  # seconds, either way


def parse(fields: tuple[str, ...]) -> Proof:
    """The proof in the DPoP header fields (rules 1 and 2); raises `Fault`."""
    if not fields:
        raise Fault("dpop_missing")
    if len(fields) != 1:
        raise Fault("dpop_malformed", detail="more than one")
    try:
        parts = split(fields[0])
        return Proof(*_header(parts.header), parts, b64url_decode(parts.signature))
    except Fault as fault:
        raise _as_proof(fault) from None


def use_of(proof: Proof, key: VerifyKey, expected: Expected) -> Use:
    """Verify `proof` with the registered `key` (rules 3 to 5); what must not be seen before; raises `Fault`."""
    if proof.jkt != key.kid or proof.alg != key.suite.alg:
        raise Fault("dpop_key_mismatch")
    if not key.verify(proof.signature, proof.parts.signing_input):
        raise Fault("dpop_signature_invalid")
    claims = _claims(proof.parts)
    _check_request(claims, expected)
    issued = seconds(claims, "iat", "dpop_claims_invalid")
    if abs(expected.now - issued * 1000) > expected.window * 1000:
        raise Fault("dpop_stale")
    jti = text(claims, "jti", "dpop_claims_invalid")
    return Use("dpop", key.kid, jti, issued, issued + expected.window)


def accept_once(use: Use, memory: ReplayMemory, now: int) -> None:
    """Rule 6; raises `Fault` `dpop_replayed`, `dpop_stale` or `replay_memory_full`."""
    outcome = memory.once(use, now)
    if outcome != FIRST:
        raise Fault(_ONCE[outcome])


def _claims(parts: Parts) -> dict[str, Json]:
    try:
        return parse_object(b64url_decode(parts.payload))
    except Fault as fault:
        raise _as_proof(fault) from None


def _as_proof(fault: Fault) -> Fault:
    own = fault.code.startswith("dpop_")
    return fault if own else Fault("dpop_malformed", detail=fault.code)


def _check_request(claims: Mapping[str, Json], expected: Expected) -> None:
    if claims.get("htm") != expected.method or not same_target(claims.get("htu"), expected.url):
        raise Fault("dpop_wrong_request")
    if expected.ath and claims.get("ath") != expected.ath:
        raise Fault("dpop_token_mismatch")


@lru_cache(maxsize=1024)  # a client's header never changes: the same bytes come with each of its proofs
def _header(encoded: bytes) -> tuple[str, str]:
    header = parse_object(b64url_decode(encoded))
    alg, jwk = header.get("alg"), header.get("jwk")
    if header.keys() != _HEADER or type(alg) is not str or type(jwk) is not dict:
        raise Fault("jws_header_invalid")
    if header["typ"] != "dpop+jwt":
        raise Fault("typ_wrong")
    return alg, _thumbprint(jwk)


def _thumbprint(jwk: Mapping[str, Json]) -> str:
    public = {name: value for name, value in jwk.items() if name in _PUBLIC}
    if not jwk.keys() <= _PUBLIC | _HARMLESS or not public.keys() >= _REQUIRED:
        raise Fault("dpop_key_invalid")
    if any(type(value) is not str for value in public.values()):
        raise Fault("dpop_key_invalid")
    return thumbprint(public)
