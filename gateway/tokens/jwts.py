"""JSON Web Tokens, strictly: what PyJWT does, and what it leaves to us (RFC 8725).

1. Three base64url parts without padding, header and payload strict JSON objects, a size cap. PyJWT alone would
   take padding and duplicate names.
2. The header has exactly the members that the kind of token may have; never `crit`, `jku`, `x5c` and their like.
3. The key is found by `kid` among the registered ones; `alg` is exactly the registered key's (RFC 8725 §3.1).
4. `typ` is one of the kind's own (§3.11).
5. PyJWT verifies the signature. Times, audience and everything else is then judged by the caller of this module,
   with the clock that it was given: PyJWT would read its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.types import Options

from contracts.algorithms import SigningKey, VerifyKey
from contracts.encoding import Json, b64url_decode, parse_object
from contracts.errors import Fault

MAX_TOKEN = 4096  # characters

# Our suites → PyJWT's names. A suite that PyJWT lacks is refused here until it has a row.
PYJWT: Mapping[str, str] = {"ES256": "ES256", "ES384": "ES384", "EdDSA": "EdDSA"}

# Everything that PyJWT would check with a clock or a looser rule of its own.
_SIGNATURE_ONLY: Options = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of token: the `typ` values that it may carry (None: no `typ` at all) and its size cap."""

    typs: frozenset[str | None]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Parts:
    """A split, not yet verified JWS."""

    header: bytes
    payload: bytes
    signature: bytes
    signing_input: bytes


def split(token: str) -> Parts:
    """The three parts of `token`, still base64url (rule 1); raises `Fault` `jws_malformed`."""
    if len(token) > MAX_TOKEN or not token.isascii():
        raise Fault("jws_malformed")
    signing_input, _, signature = token.encode().rpartition(b".")
    header, _, payload = signing_input.partition(b".")
    if not header or not payload or not signature or b"." in payload:
        raise Fault("jws_malformed")
    return Parts(header, payload, signature, signing_input)


def verified(token: str, kind: Kind, key_of: Callable[[str], VerifyKey]) -> tuple[str, dict[str, Json]]:
    """The `kid` and the claims of `token`, its signature verified; raises `Fault` (also what `key_of` raises)."""
    parts = split(token)
    header = parse_object(b64url_decode(parts.header))
    b64url_decode(parts.signature)
    claims = parse_object(b64url_decode(parts.payload))
    kid, key = _key(header, kind, key_of)
    _verify(token, key)
    return kid, claims


def _key(header: dict[str, Json], kind: Kind, key_of: Callable[[str], VerifyKey]) -> tuple[str, VerifyKey]:
    kid = header.get("kid")
    if not header.keys() <= kind.names or not isinstance(kid, str):
        raise Fault("jws_header_invalid")
    if header.get("typ") not in kind.typs:
        raise Fault("typ_wrong")
    key = key_of(kid)
    if header.get("alg") != key.suite.alg:
        raise Fault("alg_mismatch")
    return kid, key


def _verify(token: str, key: VerifyKey) -> None:
    try:
        jwt.decode(token, key.key, algorithms=[pyjwt_name(key.suite.alg)], options=_SIGNATURE_ONLY)
    except jwt.InvalidSignatureError:
        raise Fault("signature_invalid") from None
    except (jwt.PyJWTError, ValueError):
        raise Fault("jws_malformed") from None


def signed(typ: str, claims: Mapping[str, Any], key: SigningKey) -> str:
    """The compact JWT of `claims`."""
    header = {"typ": typ, "kid": key.kid}
    return jwt.encode(dict(claims), key.key, pyjwt_name(key.suite.alg), header)


def pyjwt_name(alg: str) -> str:
    """PyJWT's name of a suite; raises `Fault` `alg_unknown`."""
    if alg not in PYJWT:
        raise Fault("alg_unknown")
    return PYJWT[alg]


def text(claims: Mapping[str, Json], name: str, code: str) -> str:
    """A claim that must be a text of 1 to 256 characters; raises `Fault` `code`."""
    value = claims.get(name)
    if type(value) is not str or not 0 < len(value) <= 256:
        raise Fault(code, f"/{name}")
    return value


def seconds(claims: Mapping[str, Json], name: str, code: str) -> int:
    """A claim that must be a whole NumericDate; raises `Fault` `code`."""
    value = claims.get(name)
    if type(value) is not int or value < 0:
        raise Fault(code, f"/{name}")
    return value
