"""Client assertions: `private_key_jwt` (RFC 7521, RFC 7523 §3, FAPI 2.0 Security Profile §5.3.2.1).

1. `kid` names an active registered key, `alg` is that key's. `typ` is `client-authentication+jwt`, `JWT` or absent:
   common client libraries send no other, and access tokens and proofs always carry a `typ` of their own.
2. `iss` and `sub` are the app that the key belongs to.
3. `aud` is one text: the issuer (FAPI 2.0), or the token endpoint's URL (RFC 7523 §3 rule 3). Never a list.
4. `iat`, `exp` and `jti` are required; it lives five minutes at most, from `iat` as it says itself.
5. Accepted once.

Whoever lacks the key learns nothing: until the signature is verified every refusal is `unauthenticated`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.algorithms import VerifyKey
from contracts.encoding import Json
from contracts.errors import Fault
from contracts.registry import App, Snapshot
from gateway.tokens.jwts import Kind, seconds, text, verified
from gateway.tokens.replay import FIRST, FULL, SEEN, STALE, ReplayMemory, Use
from gateway.tokens.settings import Settings

_KIND = Kind(frozenset({"client-authentication+jwt", "JWT", None}), frozenset({"alg", "kid", "typ"}))
_INVALID = "assertion_claims_invalid"
_ONCE: Mapping[str, str] = {SEEN: "assertion_replayed", STALE: "assertion_stale", FULL: "replay_memory_full"}


@dataclass(frozen=True, slots=True)
class Assertion:
    """A verified assertion, not yet used."""

    app: App
    kid: str
    use: Use


def verify(assertion: str, settings: Settings, registry: Snapshot, now: int) -> Assertion:
    """Who `assertion` proves (rules 1 to 4); `now` in Unix ms; raises `Fault`."""

    def app_key(kid: str) -> VerifyKey:
        if kid not in registry.app_keys:
            raise Fault("client_unknown")
        return registry.app_keys[kid][1]

    kid, claims = verified(assertion, _KIND, app_key)
    app, _ = registry.app_keys[kid]
    if claims.get("iss") != app.id or claims.get("sub") != app.id:
        raise Fault(_INVALID, "/sub")
    if claims.get("aud") not in (settings.issuer, settings.token_endpoint):
        raise Fault("assertion_audience")
    issued, expires = _times(claims, settings, now)
    return Assertion(app, kid, Use("assertion", kid, text(claims, "jti", _INVALID), issued, expires))


def accept_once(use: Use, memory: ReplayMemory, now: int) -> None:
    """Rule 5; raises `Fault` `assertion_replayed`, `assertion_stale` or `replay_memory_full`."""
    outcome = memory.once(use, now)
    if outcome != FIRST:
        raise Fault(_ONCE[outcome])


def _times(claims: Mapping[str, Json], settings: Settings, now: int) -> tuple[int, int]:
    issued, expires = seconds(claims, "iat", _INVALID), seconds(claims, "exp", _INVALID)
    not_before = seconds(claims, "nbf", _INVALID) if "nbf" in claims else issued
    if not issued <= expires <= issued + settings.assertion_seconds:
        raise Fault("assertion_lifetime")
    if max(issued, not_before) * 1000 > now + settings.skew * 1000 or now >= expires * 1000:
        raise Fault("assertion_stale")
    return issued, expires
