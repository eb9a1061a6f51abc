"""`POST /oauth/token` and the metadata document; and how a request becomes the facts that authentication needs."""

from asyncio import IncompleteReadError
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from aiohttp import web

from contracts.encoding import canonical
from contracts.errors import ERRORS, Fault
from contracts.registry import Snapshot
from gateway.tokens.authenticate import challenge
from gateway.tokens.form import MAX_FORM
from gateway.tokens.grant import UNAUTHORIZED, Granted, Issuer, oauth_code, oauth_error, oauth_status
from gateway.tokens.metadata import WELL_KNOWN, metadata
from gateway.tokens.settings import ENDPOINT, Settings
from gateway.tokens.values import Refused, Request
from gateway.web.tls import peer_certificate

_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749 §5.1


def facts(request: web.Request, settings: Settings) -> Request:
    """What `Authenticator.authenticate` needs of `request`. The path counts as received, the Host header never."""
    headers = request.headers
    return Request(
        method=request.method,
        url=settings.base_url + request.rel_url.raw_path,
        authorization=tuple(headers.getall("Authorization", ())),
        dpop=tuple(headers.getall("DPoP", ())),
        certificate=peer_certificate(request.transport),
        peer=request.remote or "",
    )


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """The two handlers. `registry` gives the snapshot in force or raises `Fault`; `clock` Unix ms;
    `count` is told the code of each outcome ("granted" or why not), for the metrics.
    """

    issuer: Issuer
    registry: Callable[[], Snapshot]
    clock: Callable[[], int]
    count: Callable[[str], None]

    def routes(self) -> Iterable[web.RouteDef]:
        """Their lines for the route table."""
        return (web.post(ENDPOINT, self.token), web.get(WELL_KNOWN, self.metadata))

    async def token(self, request: web.Request) -> web.Response:
        """`POST /oauth/token` (RFC 6749 §4.4)."""
        outcome = self._outcome(request, await _body(request))
        if isinstance(outcome, Granted):
            self.count("granted")
            return _json(outcome.as_json(), 200)
        self.count(outcome.code)
        return _refusal(outcome)

    async def metadata(self, request: web.Request) -> web.Response:
        """`GET /.well-known/oauth-authorization-server` (RFC 8414 §3)."""
        del request
        return web.Response(body=canonical(metadata(self.issuer.settings)), content_type="application/json")

    def _outcome(self, request: web.Request, body: bytes) -> Granted | Refused:
        try:
            registry = self.registry()
        except Fault as fault:
            return Refused(fault.code)
        content_type = request.headers.get("Content-Type", "")
        return self.issuer.grant(facts(request, self.issuer.settings), content_type, body, registry, self.clock())


async def _body(request: web.Request) -> bytes:
    try:
        return await request.content.readexactly(MAX_FORM + 1)
    except IncompleteReadError as whole:
        return whole.partial


def _refusal(refused: Refused) -> web.Response:
    code = oauth_code(refused.code)
    title = ERRORS[code].title.as_json()
    status = oauth_status(refused.code)
    body = {
        "error": oauth_error(refused.code),
        "error_description": ERRORS[code].title.en,
        "code": code,
        "title": title,
    }
    response = _json(body, status)
    if status == UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = challenge(Refused("token_missing"))
    if refused.retry_after:
        response.headers["Retry-After"] = str(refused.retry_after)
    return response


def _json(value: object, status: int) -> web.Response:
    return web.Response(body=canonical(value), status=status, content_type="application/json", headers=_NO_STORE)
