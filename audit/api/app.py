"""The application: connects the calls, and decides nothing but who is let in.

1. Who shows no listed certificate gets 403 whatever is asked, whether it exists or not. Only the public part of the log
   of questions is for everybody (`own_log_tiles`).
2. The route table is the list of all calls; a question is a row of `questions.KINDS`.
3. Whatever goes wrong becomes a problem document.
"""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from importlib.metadata import version

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from audit.api import openapi, problems, schemas
from audit.api.callers import Callers
from audit.api.calls import CALLER, Calls
from audit.api.own_log_tiles import PREFIX, OwnLogTiles
from audit.api.questions import KINDS
from contracts.edge.tls import peer_certificate
from contracts.errors import Fault


def build_app(calls: Calls, callers: Callers, tiles: OwnLogTiles) -> web.Application:
    """The routes (rule 2)."""
    app = web.Application(middlewares=[documents, admitted(callers, calls.clock)], client_max_size=schemas.MAX_UPLOAD)
    app.add_routes(
        [
            *_questions(calls),
            web.get("/v1/entries/{log}/{index:[0-9]{1,13}}", calls.entry),
            web.get("/v1/logs", calls.logs),
            web.get("/v1/approvals", calls.waiting),
            web.post("/v1/approvals/{id:[0-9a-f]{32}}", calls.decide),
            web.get("/v1/own-log", calls.own_log),
            web.get("/openapi.json", _openapi()),
            *tiles.routes(),
        ]
    )
    return app


def admitted(callers: Callers, clock: Callable[[], int]) -> Middleware:
    """Rule 1."""

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(PREFIX + "/"):
            request[CALLER] = callers.find(peer_certificate(request.transport), clock())
        return await handler(request)

    return admit


@web.middleware
async def documents(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Rule 3."""
    try:
        return await handler(request)
    except Fault as fault:
        return problems.response(fault)
    except web.HTTPException as error:
        # Under the public prefix nobody was asked who they are: a stranger must not learn what there is.
        return problems.of_http(error) if CALLER in request else problems.response(Fault("auditors_only"))
    except Exception as error:  # noqa: BLE001 — the last place where it can become a document
        return problems.of_failure(error)


def _questions(calls: Calls) -> Iterable[web.RouteDef]:
    for kind in KINDS:
        yield web.post(kind.path, partial(calls.question, kind))
        if kind.waits:
            yield web.get(kind.path + "/{id:[0-9a-f]{32}}", partial(calls.result, kind))


def _openapi() -> Callable[[web.Request], Awaitable[web.Response]]:
    text = orjson.dumps(openapi.document(version("oncegate")))

    async def document(_: web.Request) -> web.Response:
        return web.Response(body=text, content_type="application/json", headers=problems.HEADERS)

    return document
