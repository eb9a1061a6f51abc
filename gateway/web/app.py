"""The serving process: connects its parts, and decides nothing.

The route table is the list of all calls; a call is one file in this room and one line here.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import version

import orjson
from aiohttp import web

from audit.lines import alarm
from audit.mirror.heads import MirrorHeads
from audit.reader import LogReader
from audit.witness.cosigning import Cosigning
from contracts.errors import Corrupt, Fault
from contracts.schemas import Compiled
from gateway.access.usage import UsageBook
from gateway.web import asyncapi, catalogue, docs, openapi, schemas
from gateway.web.auditors import SlotAuditor
from gateway.web.calls import Calls, Conditions
from gateway.web.corrections import Corrections
from gateway.web.evidence import Evidence
from gateway.web.health import Health
from gateway.web.logs import Logs, Rooms
from gateway.web.lookups import BUNDLE, LOOKUP, Lookups
from gateway.web.metrics import CONTENT_TYPE, Metrics
from gateway.web.mirrored import Answers, Mirrored
from gateway.web.parts import ServeParts
from gateway.web.problems import HEADERS, Problem, log_internal, problem_of, problem_of_http, problem_response
from gateway.web.receipts import Receipts
from gateway.web.server import HOT
from gateway.web.token import TokenEndpoint

_BUNDLE_WIDTH = 256


def build_app(parts: ServeParts) -> web.Application:
    """The application over `parts`. Call it in the thread of the event loop; reads today's access records."""
    reader = LogReader(parts.log_dir, parts.log.verifier)
    usage = UsageBook()
    usage.recount(_all_newest_first(reader, parts), parts.clock())
    evidence = Evidence(parts.open_store, parts.current_store)
    heads = parts.mirror or MirrorHeads(parts.log, parts.log_dir)
    answers = _answers(parts, heads)
    health = Health(parts, evidence, heads, answers)
    metrics = Metrics(health.gauges)
    settings = parts.issuer.settings
    check = AnswerCheck() if parts.check_answers else None
    gate = _gate(parts.cosigning, answers)
    conditions = Conditions(check, gate, None if answers is None else answers.confirmed)
    calls = Calls(parts.registry, parts.authenticator, settings, parts.log, parts.clock, metrics.count, conditions)
    lookups = Lookups(evidence, usage)
    corrections = Corrections(evidence, usage, parts.corrections, lambda: parts.log.size, gate)
    receipts = Receipts(parts.log, reader, () if parts.cosigning is None else parts.cosigning.keys, parts.closed)
    is_auditor_of = partial(SlotAuditor, parts.registry, clock=parts.clock)
    is_auditor = is_auditor_of(parts.slot)
    logs = Logs(Rooms.of(parts.slot, reader, is_auditor), parts.closed, is_auditor_of)
    mirrored = Mirrored(parts.slot, parts.log, heads, reader, is_auditor, answers)
    tokens = TokenEndpoint(parts.issuer, parts.registry, parts.clock, lambda code: metrics.count("token", code, 0.0))
    app = web.Application(middlewares=[problems], client_max_size=schemas.MAX_BODY)
    hot = {
        ("POST", "/v1/lookups"): calls.question("lookup", LOOKUP, lookups.lookup),
        ("POST", "/v1/bundles"): calls.question("bundle", BUNDLE, lookups.bundle),
    }
    app[HOT] = hot
    app.add_routes(
        [
            *(web.post(path, handler) for (_, path), handler in hot.items()),
            web.post("/v1/corrections", calls.handler("correction", corrections.correct)),
            web.get("/v1/receipts/{log}/{index}", calls.handler("receipt", receipts.receipt)),
            web.get("/v1/service-items", calls.handler("service_items", catalogue.service_items)),
            web.get("/v1/evidence-types", calls.handler("evidence_types", catalogue.evidence_types)),
            web.get("/v1/evidence-types/{id}/schema", calls.handler("schema", catalogue.schema, "service_item")),
            *tokens.routes(),
            web.get("/livez", health.livez),
            web.get("/readyz", health.readyz),
            web.get("/metrics", _exposition(metrics)),
            *logs.routes(),
            *mirrored.routes(),
            *_documents(settings.base_url),
        ]
    )

    app.cleanup_ctx.extend((_kept_current(evidence), mirrored.lifetime))
    app.on_shutdown.append(mirrored.end)
    return app


def _answers(parts: ServeParts, heads: MirrorHeads) -> Answers | None:
    """Where answers wait for the mirror."""
    wait_s = parts.mirror_wait_s
    return None if wait_s is None else Answers(parts.log.origin, heads.standing().size, wait_s)


def _gate(cosigning: Cosigning | None, answers: Answers | None) -> Callable[[], None] | None:
    """Whoever may say that no question is answered now."""
    checks = [one.check for one in (cosigning, answers) if one is not None]
    if len(checks) < 2:
        return checks[0] if checks else None

    def gate() -> None:
        for check in checks:
            check()

    return gate


def _kept_current(evidence: Evidence) -> Callable[[web.Application], AsyncIterator[None]]:
    async def keep(_: web.Application) -> AsyncIterator[None]:
        following = asyncio.create_task(evidence.follow())
        yield
        following.cancel()
        evidence.close()

    return keep


class AnswerCheck:
    """Validates every body that is about to leave against its schema; raises `AssertionError` if one does not hold."""

    def __init__(self) -> None:
        answers = {
            "lookup": schemas.LOOKUP_ANSWER,
            "bundle": schemas.BUNDLE_ANSWER,
            "receipt": schemas.RECEIPT_ANSWER,
            "correction": schemas.CORRECTION_ANSWER,
            "service_items": schemas.ITEMS_ANSWER,
            "evidence_types": schemas.TYPES_ANSWER,
            "schema": schemas.SCHEMAS_ANSWER,
        }
        self._answers = {action: Compiled(schema) for action, schema in answers.items()}
        self._problem = Compiled(schemas.PROBLEM)

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions of all recorded calls."""
        return tuple(self._answers)

    def __call__(self, action: str, status: int, body: bytes) -> None:
        schema = self._answers[action] if status == 200 else self._problem
        faults = schema.faults(orjson.loads(body))
        if faults:
            raise AssertionError(f"{action} {status}: {faults[0].pointer} {faults[0].keyword}")


@web.middleware
async def problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Whatever goes wrong outside an authenticated call becomes a problem document."""
    try:
        return await handler(request)
    except Fault as fault:
        return problem_response(problem_of(fault))
    except web.HTTPException as error:
        return problem_response(problem_of_http(error))
    except Exception as error:  # noqa: BLE001 — the last place where it can become a document
        log_internal(error, request.path)
        return problem_response(Problem("internal"))


def _all_newest_first(reader: LogReader, parts: ServeParts) -> Iterator[bytes]:
    """The published entries of the log, then those of the closed ones before it, as far as they are whole."""
    yield from newest_first(reader, parts.log.published.size)
    for one in parts.closed.there():
        try:
            yield from newest_first(one.reader, one.ending.head.size)
        except Corrupt as error:  # nothing that is closed keeps this process from answering
            alarm("closed_log_damaged", log=one.ending.head.origin, reason=str(error))
            return


def newest_first(reader: LogReader, size: int) -> Iterator[bytes]:
    """The published entries, newest first."""
    for number in range((size - 1) // _BUNDLE_WIDTH, -1, -1):
        yield from reversed(reader.entries(number, size))


def _documents(base_url: str) -> Iterable[web.RouteDef]:
    form = openapi.document(version("oncegate"), base_url)
    text, page, topics = orjson.dumps(form), docs.page(form), orjson.dumps(asyncapi.document(version("oncegate")))
    policy = {"Content-Security-Policy": docs.CONTENT_SECURITY_POLICY, "Referrer-Policy": "no-referrer"}

    async def openapi_json(_: web.Request) -> web.Response:
        return web.Response(body=text, content_type="application/json", headers=HEADERS)

    async def asyncapi_json(_: web.Request) -> web.Response:
        return web.Response(body=topics, content_type="application/json", headers=HEADERS)

    async def docs_html(_: web.Request) -> web.Response:
        return web.Response(body=page, content_type="text/html", charset="utf-8", headers={**HEADERS, **policy})

    return (
        web.get("/openapi.json", openapi_json),
        web.get("/asyncapi.json", asyncapi_json),
        web.get("/docs", docs_html),
    )


def _exposition(metrics: Metrics) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def exposition(_: web.Request) -> web.Response:
        return web.Response(body=metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    return exposition
