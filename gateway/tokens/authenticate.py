"""Who asks: the decision on every request but the token request itself.

1. Past `valid_until` the registry proves nothing, so nobody is authenticated.
2. One Authorization field: `DPoP <token>` (RFC 9449 §7.1) or `Bearer <token>` (RFC 6750 §2.1). Never a token in a
   body or URL.
3. An address that failed too often waits, unless its token is already known to be good.
4. The token: verified once, then remembered by its digest until it expires or the registry changes. A new
   registry version forgets all of them, so that whoever was struck off is out with the next request.
5. The scheme is the token's binding: a DPoP token never passes as Bearer (RFC 9449 §7.2).
6. What it is bound to is shown: the certificate of this TLS connection, compared in constant time, or a proof for
   this very request, accepted once.
7. A refusal says why to us and nothing to the stranger: `challenge` and the code `unauthenticated` are all.
"""

import hmac
from collections.abc import Callable, Mapping

from contracts.algorithms import SUITES, sha256
from contracts.encoding import b64url_encode
from contracts.errors import Fault
from contracts.registry import Snapshot
from contracts.registry.snapshot import CLOSED
from gateway.tokens import access_tokens, proofs
from gateway.tokens.access_tokens import Ticket
from gateway.tokens.certificates import Certificates
from gateway.tokens.jwts import MAX_TOKEN
from gateway.tokens.proofs import Expected
from gateway.tokens.replay import ReplayMemory
from gateway.tokens.settings import Settings
from gateway.tokens.throttle import Throttle
from gateway.tokens.values import DPOP, MTLS, Caller, Refused, Request

_BINDING_OF_SCHEME: Mapping[str, str] = {"dpop": DPOP, "bearer": MTLS}
_ALGS = " ".join(SUITES)
# Refusals that are not the caller's failure to authenticate keep their own status.
_NOT_AUTHENTICATION = {"registry_expired", "replay_memory_full", "too_many_failures"}


class Known:
    """What is derived from one registry version: the certificates, and the tokens verified against it."""

    def __init__(self, registry: Snapshot) -> None:
        self.registry = registry
        self.certificates = Certificates.of(registry)
        self.tickets: dict[bytes, Ticket] = {}


class Authenticator:
    """Rules 1 to 6. Pure but for its memories; not for threads, safe under one event loop."""

    def __init__(self, settings: Settings, memory: ReplayMemory, throttle: Throttle | None = None) -> None:
        self._settings = settings
        self._memory = memory
        self.throttle = Throttle() if throttle is None else throttle
        self._known: Known | None = None

    @property
    def accepts_from(self) -> int:
        """Unix ms: what clients sign before is refused, so a server begins to listen then, not earlier."""
        return self._memory.accepts_from

    def authenticate(self, request: Request, registry: Snapshot, now: int) -> Caller | Refused:
        """Who sent `request`, under `registry`, at `now` (Unix ms)."""
        scheme = ""
        try:
            known = self.known(registry, now)
            scheme, token = _credentials(request.authorization)
            digest = sha256(token.encode())
            ticket = known.tickets.get(digest)
            if ticket is None:
                if seconds := self.throttle.wait(request.peer, now):
                    return Refused("too_many_failures", scheme, seconds)
                ticket = self._admit(token, digest, known, now)
            self._check(ticket, scheme, digest, request, now)
        except Fault as fault:
            return self._refused(fault.code, scheme, request.peer, now)
        return ticket.caller

    def known(self, registry: Snapshot, now: int) -> Known:
        """What is derived from `registry` (rule 4); raises `Fault` `registry_expired` (rule 1)."""
        if registry.freshness(now) == CLOSED:
            raise Fault("registry_expired")
        if self._known is None or self._known.registry is not registry:
            self._known = Known(registry)
        return self._known

    def _refused(self, code: str, scheme: str, peer: str, now: int) -> Refused:
        if code not in _NOT_AUTHENTICATION:
            self.throttle.failed(peer, now)
        return Refused(code, scheme)

    def _admit(self, token: str, digest: bytes, known: Known, now: int) -> Ticket:
        verified = access_tokens.verify(token, self._settings, known.registry, now)
        ticket = access_tokens.resolve(verified, known.registry, known.certificates)
        if len(known.tickets) >= self._settings.cached_tokens:
            known.tickets.pop(next(iter(known.tickets)))  # the oldest: it expires first
        known.tickets[digest] = ticket
        return ticket

    def _check(self, ticket: Ticket, scheme: str, digest: bytes, request: Request, now: int) -> None:
        if now >= ticket.expires:
            raise Fault("token_expired")
        if scheme != ticket.caller.binding:
            raise Fault("token_binding_mismatch")
        if ticket.certificate is not None:
            _check_certificate(ticket, request, now)
        else:
            self._check_proof(ticket, digest, request, now)

    def _check_proof(self, ticket: Ticket, digest: bytes, request: Request, now: int) -> None:
        if ticket.key is None:
            raise Fault("token_binding_mismatch")
        ath = b64url_encode(digest).decode()
        expected = Expected(request.method, request.url, ath, now, self._settings.proof_window)
        use = proofs.use_of(proofs.parse(request.dpop), ticket.key, expected)
        proofs.accept_once(use, self._memory, now)


def _check_certificate(ticket: Ticket, request: Request, now: int) -> None:
    if request.certificate is None:
        raise Fault("certificate_missing")
    bound = ticket.certificate
    if bound is None or not hmac.compare_digest(bound.digest, sha256(request.certificate)):
        raise Fault("certificate_mismatch")
    if not bound.covers(now):
        raise Fault("certificate_expired")


def _credentials(fields: tuple[str, ...]) -> tuple[str, str]:
    if not fields:
        raise Fault("token_missing")
    scheme, _, token = fields[0].partition(" ")
    binding = _BINDING_OF_SCHEME.get(scheme.lower())
    if len(fields) != 1 or binding is None or not 0 < len(token) <= MAX_TOKEN or not token.isascii():
        raise Fault("authorization_malformed")
    return binding, token


def challenge(refused: Refused) -> str:
    """The WWW-Authenticate field for `refused` (RFC 9449 §7.1, RFC 6750 §3): the kind of failure, no more."""
    if refused.code == "token_missing":
        return f'DPoP algs="{_ALGS}", Bearer'
    error = "invalid_dpop_proof" if refused.code.startswith("dpop_") else "invalid_token"
    form = _CHALLENGES.get(refused.scheme, _CHALLENGES[DPOP])
    return form(error)


_CHALLENGES: Mapping[str, Callable[[str], str]] = {
    DPOP: lambda error: f'DPoP error="{error}", algs="{_ALGS}"',
    MTLS: lambda error: f'Bearer error="{error}"',
}


def public_code(refused: Refused) -> str:
    """The code that the caller is told: one for all failures to authenticate (rule 7)."""
    return refused.code if refused.code in _NOT_AUTHENTICATION else "unauthenticated"
