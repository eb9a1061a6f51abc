"""The token endpoint: `client_credentials` after FAPI 2.0. Who proves to be an app gets a token bound to it.

1. Past `valid_until` the registry proves nothing; an address that failed too often waits.
2. The form; only `client_credentials`; no scopes (grants are in the registry); `resource` (RFC 8707), if given, is us.
3. Who: an app that registered keys proves itself by `private_key_jwt`, always. One that registered only
   certificates proves itself by the TLS handshake (`self_signed_tls_client_auth`, RFC 8705 §2.2).
4. Bound to what: a DPoP proof by an active key of that app, else the certificate of this connection, which must be
   registered for that app. Neither: no token; there are no bearer tokens here.
5. Only when all of this holds are assertion and proof used up, and the token issued.
6. What is said to whom failed: an OAuth error (RFC 6749 §5.2), and our code only where it tells a stranger nothing.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from contracts.algorithms import SigningKey
from contracts.errors import Fault
from contracts.registry import App, Snapshot
from gateway.tokens import assertions, form, proofs
from gateway.tokens.access_tokens import Subject, issue, registered_key
from gateway.tokens.assertions import Assertion
from gateway.tokens.authenticate import Authenticator
from gateway.tokens.certificates import Certificate, Certificates
from gateway.tokens.proofs import Expected
from gateway.tokens.replay import ReplayMemory, Use
from gateway.tokens.settings import Settings
from gateway.tokens.values import DPOP, MTLS, SCHEMES, Refused, Request

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class Granted:
    """A token for `app_id`; `token_type` DPoP or Bearer, `expires_in` in seconds (RFC 6749 §5.1)."""

    app_id: str
    access_token: str
    token_type: str
    expires_in: int

    def as_json(self) -> dict[str, str | int]:
        """The body of the answer."""
        return {"access_token": self.access_token, "token_type": self.token_type, "expires_in": self.expires_in}


@dataclass(frozen=True, slots=True)
class Client:
    """An app that proved itself; with `assertion` unless it did so by certificate alone."""

    app: App
    assertion: Assertion | None

    @property
    def auth_kid(self) -> str | None:
        return self.assertion.kid if self.assertion else None


@dataclass(frozen=True, slots=True)
class Issuer:
    """The token endpoint of one process. `new_id` gives an unguessable text for each `jti`."""

    settings: Settings
    key: SigningKey
    memory: ReplayMemory
    authenticator: Authenticator
    new_id: Callable[[], str]

    def grant(
        self, request: Request, content_type: str, body: bytes, registry: Snapshot, now: int
    ) -> Granted | Refused:
        """A token for whoever sent `request` with the form `body`, at `now` (Unix ms)."""
        throttle = self.authenticator.throttle
        if seconds := throttle.wait(request.peer, now):
            return Refused("too_many_failures", retry_after=seconds)
        try:
            certificates = self.authenticator.known(registry, now).certificates
            return self._grant(request, form.parse(content_type, body), registry, certificates, now)
        except Fault as fault:
            if oauth_status(fault.code) == UNAUTHORIZED:
                throttle.failed(request.peer, now)
            return Refused(fault.code)

    def _grant(
        self, request: Request, fields: Mapping[str, str], registry: Snapshot, certificates: Certificates, now: int
    ) -> Granted:
        _check_fields(fields, self.settings)
        certificate = certificates.find(request.certificate)
        client = self._client(request, fields, registry, certificate, now)
        subject, proof_use = self._bind(request, client, registry, certificate, now)
        self._use_up(client, proof_use, now)
        token = issue(subject, self.settings, self.key, self.new_id(), now)
        return Granted(client.app.id, token, SCHEMES[subject.binding], self.settings.token_seconds)

    def _client(
        self,
        request: Request,
        fields: Mapping[str, str],
        registry: Snapshot,
        certificate: Certificate | None,
        now: int,
    ) -> Client:
        if request.authorization:
            raise Fault("client_method_unsupported")
        if "client_assertion" in fields or "client_assertion_type" in fields:
            return _by_assertion(fields, self.settings, registry, now)
        return _by_certificate(fields, certificate, now)

    def _bind(
        self, request: Request, client: Client, registry: Snapshot, certificate: Certificate | None, now: int
    ) -> tuple[Subject, Use | None]:
        if request.dpop:
            return self._bind_to_key(request, client, registry, now)
        if request.certificate is None:
            raise Fault("binding_missing")
        if certificate is None or certificate.app.id != client.app.id:
            raise Fault("certificate_mismatch")
        if not certificate.covers(now):
            raise Fault("certificate_expired")
        return Subject(client.app.id, MTLS, certificate.x5t, client.auth_kid), None

    def _bind_to_key(self, request: Request, client: Client, registry: Snapshot, now: int) -> tuple[Subject, Use]:
        proof = proofs.parse(request.dpop)
        try:
            key = registered_key(proof.jkt, client.app.id, registry)
        except Fault:
            raise Fault("dpop_key_mismatch") from None
        expected = Expected(request.method, self.settings.token_endpoint, "", now, self.settings.proof_window)
        return Subject(client.app.id, DPOP, key.kid, client.auth_kid), proofs.use_of(proof, key, expected)

    def _use_up(self, client: Client, proof: Use | None, now: int) -> None:
        if client.assertion:
            assertions.accept_once(client.assertion.use, self.memory, now)
        if proof:
            proofs.accept_once(proof, self.memory, now)


def _check_fields(fields: Mapping[str, str], settings: Settings) -> None:
    if "grant_type" not in fields:
        raise Fault("form_invalid", detail="grant_type is missing")
    if fields["grant_type"] != "client_credentials":
        raise Fault("grant_type_unsupported")
    if "scope" in fields:
        raise Fault("scope_unsupported")
    if fields.get("resource", settings.resource) != settings.resource:
        raise Fault("resource_unknown")


def _by_assertion(fields: Mapping[str, str], settings: Settings, registry: Snapshot, now: int) -> Client:
    if fields.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in fields:
        raise Fault("client_method_unsupported")
    assertion = assertions.verify(fields["client_assertion"], settings, registry, now)
    if fields.get("client_id", assertion.app.id) != assertion.app.id:
        raise Fault("assertion_claims_invalid", "/sub")
    return Client(assertion.app, assertion)


def _by_certificate(fields: Mapping[str, str], certificate: Certificate | None, now: int) -> Client:
    claimed = fields.get("client_id", "")
    if certificate is None or not hmac.compare_digest(certificate.app.id.encode(), claimed.encode()):
        raise Fault("client_unknown")
    if certificate.app.keys or not certificate.covers(now):
        raise Fault("client_unknown")
    return Client(certificate.app, None)


UNAUTHORIZED = 401
_INVALID_CLIENT = ("invalid_client", UNAUTHORIZED)
_ERRORS: Mapping[str, tuple[str, int]] = {
    "form_invalid": ("invalid_request", 400),
    "binding_missing": ("invalid_request", 400),
    "client_method_unsupported": ("invalid_client", UNAUTHORIZED),
    "grant_type_unsupported": ("unsupported_grant_type", 400),
    "scope_unsupported": ("invalid_scope", 400),
    "resource_unknown": ("invalid_target", 400),
    "registry_expired": ("temporarily_unavailable", 503),
    "registry_absent": ("temporarily_unavailable", 503),
    "replay_memory_full": ("temporarily_unavailable", 503),
    "too_many_failures": ("temporarily_unavailable", 429),
}
# Reached only after the client's signature was verified, or about nothing but the form: safe to name.
_NAMED_PREFIXES = ("assertion_", "dpop_", "certificate_")


def oauth_error(code: str) -> str:
    """The OAuth error for `code` (RFC 6749 §5.2, RFC 8707 §2, RFC 9449 §5)."""
    return "invalid_dpop_proof" if code.startswith("dpop_") else _ERRORS.get(code, _INVALID_CLIENT)[0]


def oauth_status(code: str) -> int:
    """The HTTP status of the token endpoint for `code`."""
    return 400 if code.startswith("dpop_") else _ERRORS.get(code, _INVALID_CLIENT)[1]


def oauth_code(code: str) -> str:
    """The code of ours that may be told (rule 6)."""
    return code if code in _ERRORS or code.startswith(_NAMED_PREFIXES) else "unauthenticated"
