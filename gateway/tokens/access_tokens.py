"""Access tokens: `at+jwt` (RFC 9068) under a node key that the registry lists, bound to the app (RFC 7800 `cnf`).

1. Any node of the zone issues, any node of the zone accepts: the registry is all that they share.
2. A token lives ten minutes at most, whatever it says itself.
3. A token alone opens nothing: `cnf` holds the thumbprint of the app's registered key (`jkt`, RFC 9449 §6) or of
   its registered certificate (`x5t#S256`, RFC 8705 §3.1), and one of the two must be shown with every request.
4. The registry is asked each time: node, app, the bound key or certificate, and the key that once obtained the
   token (`auth_kid`) must all still be listed. What is retired there is dead here, however long the token has.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.algorithms import SigningKey, VerifyKey
from contracts.encoding import Json, b64url_decode
from contracts.errors import Fault
from contracts.registry import Snapshot
from gateway.tokens.certificates import Certificate, Certificates
from gateway.tokens.jwts import Kind, seconds, signed, text, verified
from gateway.tokens.settings import MAX_TOKEN_SECONDS, Settings
from gateway.tokens.values import DPOP, MTLS, Caller

TYP = "at+jwt"
_KIND = Kind(frozenset({TYP, "application/at+jwt"}), frozenset({"alg", "kid", "typ"}))
_CONFIRMATIONS: Mapping[str, str] = {"jkt": DPOP, "x5t#S256": MTLS}
_MEMBERS: Mapping[str, str] = {binding: member for member, binding in _CONFIRMATIONS.items()}
_INVALID = "token_claims_invalid"


@dataclass(frozen=True, slots=True)
class Subject:
    """Who gets a token, bound to what: `thumb` is the `jkt` or `x5t#S256` value, `auth_kid` None without a key."""

    app_id: str
    binding: str
    thumb: str
    auth_kid: str | None


@dataclass(frozen=True, slots=True)
class Token:
    """The verified claims of a token. `expires` in Unix ms."""

    subject: Subject
    jti: str
    expires: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """A token resolved against one registry version: who may use it, with which `key` or `certificate`."""

    caller: Caller
    expires: int
    key: VerifyKey | None = None
    certificate: Certificate | None = None


def issue(subject: Subject, settings: Settings, key: SigningKey, jti: str, now: int) -> str:
    """A token for `subject` from the node with `key`; `now` in Unix ms."""
    issued = now // 1000
    claims = {
        "iss": settings.issuer,
        "sub": subject.app_id,
        "client_id": subject.app_id,
        "aud": settings.resource,
        "iat": issued,
        "exp": issued + settings.token_seconds,
        "jti": jti,
        "cnf": {_MEMBERS[subject.binding]: subject.thumb},
    }
    if subject.auth_kid is not None:
        claims["auth_kid"] = subject.auth_kid
    return signed(TYP, claims, key)


def verify(token: str, settings: Settings, registry: Snapshot, now: int) -> Token:
    """The claims of `token`, if a node of this zone issued it for here and it lives (rules 1, 2); raises `Fault`."""

    def node_key(kid: str) -> VerifyKey:
        node, key = registry.node_keys.get(kid, (None, None))
        if node is None or key is None or node.zone != settings.zone:
            raise Fault("key_unknown")
        return key

    _, claims = verified(token, _KIND, node_key)
    return _token(claims, settings, now)


def _token(claims: Mapping[str, Json], settings: Settings, now: int) -> Token:
    if claims.get("iss") != settings.issuer or claims.get("aud") != settings.resource:
        raise Fault(_INVALID, "/aud")
    issued, expires = (seconds(claims, name, _INVALID) for name in ("iat", "exp"))
    if issued * 1000 > now + settings.skew * 1000 or expires - issued > MAX_TOKEN_SECONDS:
        raise Fault(_INVALID, "/exp")
    if now >= expires * 1000:
        raise Fault("token_expired")
    return Token(_subject(claims), text(claims, "jti", _INVALID), expires * 1000)


def _subject(claims: Mapping[str, Json]) -> Subject:
    app_id = text(claims, "sub", _INVALID)
    cnf = claims.get("cnf")
    if claims.get("client_id") != app_id or type(cnf) is not dict or len(cnf) != 1:
        raise Fault(_INVALID, "/cnf")
    member = next(iter(cnf))
    if member not in _CONFIRMATIONS:
        raise Fault(_INVALID, "/cnf")
    auth_kid = text(claims, "auth_kid", _INVALID) if "auth_kid" in claims else None
    return Subject(app_id, _CONFIRMATIONS[member], text(cnf, member, _INVALID), auth_kid)


def resolve(token: Token, registry: Snapshot, certificates: Certificates) -> Ticket:
    """What the registry says about `token` today (rule 4); raises `Fault` `client_unknown`."""
    subject = token.subject
    if subject.auth_kid is not None:
        registered_key(subject.auth_kid, subject.app_id, registry)
    if subject.binding == DPOP:
        key = registered_key(subject.thumb, subject.app_id, registry)
        caller = Caller(registry.apps[subject.app_id], key.kid, DPOP, token.jti)
        return Ticket(caller, token.expires, key=key)
    certificate = certificates.by_digest.get(b64url_decode(subject.thumb.encode()))
    if certificate is None or certificate.app.id != subject.app_id:
        raise Fault("client_unknown")
    caller = Caller(certificate.app, certificate.key_id, MTLS, token.jti)
    return Ticket(caller, token.expires, certificate=certificate)


def registered_key(kid: str, app_id: str, registry: Snapshot) -> VerifyKey:
    """The active key `kid` of this very app; raises `Fault` `client_unknown`."""
    app, key = registry.app_keys.get(kid, (None, None))
    if app is None or key is None or app.id != app_id:
        raise Fault("client_unknown")
    return key
