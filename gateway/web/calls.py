"""One authenticated call, from the request to the response. No record, no data.

1. Who asks is found out first, from the header fields alone; a stranger gets a 401 and nothing else, and no record.
2. From then on every outcome has an access record: the answer, the refusal, and the request that nobody could read.
   A call's own code only makes an `Outcome`, a plain value. It cannot reach the socket.
3. `respond` is the one way out: it makes the record, waits until it is durable, and only then builds a response. If
   the record cannot be written, the outcome is dropped and the client gets `audit_unavailable`. The same where answers
   wait for the auditor's mirror, too, and it does not confirm the record: `mirror_unavailable` (`mirrored`).
4. What could not be checked about clerk and case is recorded as such.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from os import urandom
from time import perf_counter
from typing import Any, Final, NamedTuple

import orjson
from aiohttp import web
from multidict import CIMultiDict

from audit.log import AuditLog
from audit.merkle import leaf_hash
from audit.record import AccessFacts, digest_text, record
from contracts.algorithms import sha256
from contracts.encoding import Json, b64url_encode, parse_object
from contracts.errors import Fault
from contracts.registry import Snapshot
from contracts.schemas import Compiled
from gateway.access.decide import CASE_CHECK, CLERK_ASSURANCE
from gateway.access.question import ByHolder, ByKey, Purpose
from gateway.access.usage import GRANTED
from gateway.lookup.answer import Answer
from gateway.tokens.authenticate import Authenticator, challenge, public_code
from gateway.tokens.settings import Settings
from gateway.tokens.values import DPOP, Caller
from gateway.tokens.values import Refused as NotAuthenticated
from gateway.web import wire
from gateway.web.mirrored import UNMIRRORED
from gateway.web.problems import (
    HEADERS,
    HTTP_CODES,
    MEDIA_TYPE,
    Problem,
    RequestInvalid,
    log_internal,
    problem_of,
    problem_of_http,
    problem_response,
)
from gateway.web.schemas import API_VERSION, MAX_BODY
from gateway.web.token import facts as facts_of_request

REFUSED: Final = "refused"
VISIBILITY: Final = "ordinary"
BODY_SECONDS: Final = 10.0
SALT_SIZE: Final = 16
POOL_SIZE: Final = 4096

_NOTHING: Mapping[str, Any] = {}
_API_VERSION = API_VERSION.encode()
_PROBLEM_HEADERS: Mapping[str, str] = {"Content-Type": MEDIA_TYPE, **HEADERS}
_BODY = b'{"api_version":"%b","transaction":"%b",%b,"receipt":{"log":%b,"index":%d,"leaf_hash":"%b","salt":"%b"}}'
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
# RFC 9562 §5.7: version 7, variant 10; everything below the time but these two is random.
_UUID_VERSION, _UUID_VARIANT = 0x7 << 76, 0x2 << 62
_UUID_RANDOM_BITS = (1 << 80) - 1 - (0xF << 76) - (0x3 << 62)


class Call(NamedTuple):
    """An authenticated call. `action` is what the access record says was done; `now` in Unix ms."""

    transaction: str
    now: int
    registry: Snapshot
    caller: Caller
    action: str
    request_proof: str | None
    trace: str | None


class Asked(NamedTuple):
    """As much of a question as is known: what a refusal, too, puts into the record."""

    purpose: Purpose | None = None
    by: ByHolder | ByKey | None = None
    evidence_types: tuple[str, ...] = ()
    channel: str | None = None


class Outcome(NamedTuple):
    """What a call came to. `members` is the body's JSON without its outer braces; `released` the strings that leave."""

    facts: AccessFacts
    members: bytes
    released: tuple[bytes, ...] = ()
    status: int = 200
    headers: Mapping[str, str] | None = None


Work = Callable[[Call, web.Request], Awaitable[Outcome]]
Answerer = Callable[[Call, Mapping[str, Json]], Outcome]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Conditions(NamedTuple):
    """What else must hold. `check` sees each body (action, status, bytes) before it leaves; it raises to stop it.
    `gate` raises `Fault` while no question may be answered. `confirmed` returns when the mirror has the record of this
    index, or raises `Fault` `mirror_unavailable`; None: answers do not wait for a mirror."""

    check: Callable[[str, int, bytes], None] | None = None
    gate: Callable[[], None] | None = None
    confirmed: Callable[[int], Awaitable[None]] | None = None


class Calls:
    """The frame around every authenticated call. `count` is told action, code and duration (s) of each."""

    def __init__(
        self,
        registry: Callable[[], Snapshot],
        authenticator: Authenticator,
        settings: Settings,
        log: AuditLog,
        clock: Callable[[], int],
        count: Callable[[str, str, float], None],
        conditions: Conditions,
    ) -> None:
        self._registry = registry
        self._authenticator = authenticator
        self._settings = settings
        self._log = log
        self._origin = orjson.dumps(log.origin)
        self._clock = clock
        self._count = count
        self._check, self._gate, self._confirmed = conditions

    def handler(self, action: str, work: Work, query: str | None = None) -> Handler:
        """The aiohttp handler of a call whose own part is `work`; `query` names the one query parameter it takes."""

        async def outcome(call: Call, request: web.Request) -> Outcome:
            try:
                if query is None or list(request.query) != [query]:
                    _no_query(request)
                return await work(call, request)
            except Exception as error:  # noqa: BLE001 — an unknown failure leaves a record, too
                return _failed(call, error)

        return self._framed(action, outcome)

    def question(self, action: str, schema: Compiled, answer: Answerer) -> Handler:
        """The handler of a call that is a JSON body of this schema and an answer to it."""

        async def outcome(call: Call, request: web.Request) -> Outcome:
            try:
                if self._gate is not None:
                    self._gate()
                _no_query(request)
                body = _ready_body(request)
                return answer(call, checked_json(request, await _late_body(request) if body is None else body, schema))
            except Exception as error:  # noqa: BLE001 — an unknown failure leaves a record, too
                return _failed(call, error)

        return self._framed(action, outcome)

    def _framed(self, action: str, outcome_of: Work) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            started = perf_counter()
            call = self._begin(request, action)
            if isinstance(call, Problem):
                self._count(action, call.code, perf_counter() - started)
                return problem_response(call)
            outcome = await outcome_of(call, request)
            response = await self.respond(call, outcome, request)
            self._count(action, outcome.facts.reason or GRANTED, perf_counter() - started)
            return response

        return handle

    def _begin(self, request: web.Request, action: str) -> Call | Problem:
        """Rule 1."""
        now = self._clock()
        try:
            registry = self._registry()
        except Fault as fault:
            return problem_of(fault)
        facts = facts_of_request(request, self._settings)
        caller = self._authenticator.authenticate(facts, registry, now)
        if isinstance(caller, NotAuthenticated):
            return _stranger(caller)
        proof = f"sha-256:{sha256(facts.dpop[0].encode()).hex()}" if caller.binding == DPOP else None
        trace = request.headers.get("traceparent")
        return Call(uuid7(now), now, registry, caller, action, proof, trace and _trace_id(trace))

    async def respond(self, call: Call, outcome: Outcome, request: web.Request) -> web.StreamResponse:
        """Rule 3: the access record, then, when it is durable, the response."""
        salt = _random(SALT_SIZE)
        try:
            leaf, opening = record(outcome.facts, outcome.released, salt)
            await _turn  # whoever else is ready appends in the same turn: one frame for all of them
            index = await self._log.append(leaf, opening)
            if self._confirmed is not None and outcome.facts.reason != UNMIRRORED:  # that refusal releases nothing
                await self._confirmed(index)
        except Fault as fault:
            if fault.code == "record_too_large" and outcome.facts.decision == GRANTED:
                return await self.respond(call, refused(call, problem_of(fault), Asked()), request)
            return problem_response(Problem(fault.code if fault.code == UNMIRRORED else "audit_unavailable"))
        body = _BODY % (
            _API_VERSION,
            call.transaction.encode(),
            outcome.members,
            self._origin,
            index,
            digest_text(leaf_hash(leaf)).encode(),
            b64url_encode(salt),
        )
        if self._check is not None:
            self._check(call.action, outcome.status, body)
        if outcome.headers is None:
            return wire.response(request, body)
        return web.Response(body=body, status=outcome.status, headers=CIMultiDict(outcome.headers))


def _failed(call: Call, error: Exception) -> Outcome:
    """Rule 2, for what was raised."""
    if isinstance(error, Fault):
        return refused(call, problem_of(error), Asked())
    if isinstance(error, web.HTTPException):
        return refused(call, problem_of_http(error), Asked())
    log_internal(error, call.action, call.transaction)
    return refused(call, Problem("internal"), Asked())


class _Turn:
    """Awaited, it gives everybody else who is ready one turn."""

    def __await__(self) -> Generator[None, None, None]:
        yield


_turn = _Turn()


class _RandomBytes:
    """Random bytes from the system, taken in larger pieces; none is given out twice."""

    def __init__(self) -> None:
        self._pool, self._at = b"", 0

    def __call__(self, size: int) -> bytes:
        if self._at + size > len(self._pool):
            self._pool, self._at = urandom(POOL_SIZE), 0
        self._at += size
        return self._pool[self._at - size : self._at]


_random = _RandomBytes()


def _no_query(request: web.Request) -> None:
    if request.rel_url.raw_query_string:
        raise Fault("query_refused")


def answered(call: Call, asked: Asked, answer: Answer) -> Outcome:
    """The outcome of a granted question."""
    facts = access_facts(
        call, asked, GRANTED, None, fields=answer.fields, counts=answer.counts, feed=answer.feed, records=answer.records
    )
    return Outcome(facts, answer.members, answer.released)


def refused(call: Call, problem: Problem, asked: Asked) -> Outcome:
    """The outcome of a refused request."""
    headers = {**_PROBLEM_HEADERS, **problem.headers} if problem.headers else _PROBLEM_HEADERS
    facts = access_facts(call, asked, REFUSED, problem.code)
    return Outcome(facts, problem.members(), (), problem.status, headers)


def access_facts(
    call: Call,
    asked: Asked,
    decision: str,
    reason: str | None,
    *,
    fields: Mapping[str, Sequence[str]] = _NOTHING,
    counts: Mapping[str, int] = _NOTHING,
    feed: Mapping[str, str] = _NOTHING,
    records: Sequence[str] = (),
) -> AccessFacts:
    """The facts of the access record. Names that the registry does not know stay out of the leaf: a client could put
    anything there."""
    app, purpose, registry = call.caller.app, asked.purpose, call.registry
    known = purpose is not None
    return AccessFacts(
        transaction=call.transaction,
        time=call.now,
        organisation=app.organisation,
        unit=app.unit,
        app=app.id,
        app_key=call.caller.key_id,
        channel=asked.channel,
        service_item=purpose.item if purpose is not None and purpose.item in registry.items else None,
        action=call.action,
        evidence_types=[name for name in asked.evidence_types if name in registry.versions],
        decision=decision,
        reason=reason,
        policy_version=registry.version,
        clerk_assurance=CLERK_ASSURANCE if known else None,
        case_check=CASE_CHECK if known else None,
        fields=fields,
        counts=counts,
        feed=feed,
        request_proof=call.request_proof,
        visibility=VISIBILITY,
        trace=call.trace,
        holder=None if asked.by is None else asked.by.to_json(),
        clerk=purpose.clerk if purpose is not None else None,
        terminal=purpose.terminal if purpose is not None else None,
        case=purpose.case if purpose is not None else None,
        records=records,
        declared=dict(purpose.facts) if purpose is not None else {},
    )


def checked_json(request: web.Request, body: bytes, schema: Compiled) -> dict[str, Json]:
    """The object in the body; raises `Fault` `media_type_wrong`, `request_not_json` or `request_invalid`."""
    media_type = request.headers.get("Content-Type", "")
    if media_type != "application/json" and media_type.partition(";")[0].strip().lower() != "application/json":
        raise Fault("media_type_wrong")
    try:
        value = parse_object(body)
    except Fault as fault:
        raise Fault(HTTP_CODES.get(fault.code, fault.code), detail=fault.detail) from None
    faults = schema.faults(value)
    if faults:
        raise RequestInvalid(faults)
    return value


def _ready_body(request: web.Request) -> bytes | None:
    """The body if it came with the header, as most do: no timer, no loop. Raises `Fault` `body_too_large`."""
    content = request.content
    if not content.is_eof():
        return None
    if content.total_bytes > MAX_BODY:
        raise Fault("body_too_large")
    return content.read_nowait()


async def _late_body(request: web.Request) -> bytes:
    """The body, waited for; raises `Fault` `request_timeout`, and aiohttp's 413 above the cap."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise Fault("request_timeout") from None


def _stranger(refused_caller: NotAuthenticated) -> Problem:
    """All that somebody who is not an app hears (rule 1)."""
    code = public_code(refused_caller)
    headers: dict[str, str] = {}
    if code == "unauthenticated":
        headers["WWW-Authenticate"] = challenge(refused_caller)
    if refused_caller.retry_after:
        headers["Retry-After"] = str(refused_caller.retry_after)
    return Problem(code, headers=headers)


def _trace_id(traceparent: str) -> str | None:
    """The trace id of a W3C `traceparent` header field; None if it is not one."""
    match = _TRACEPARENT.fullmatch(traceparent)
    return match[1] if match else None


def uuid7(now: int) -> str:
    """A UUID of version 7 (RFC 9562 §5.7): 48 bits of Unix ms, the rest random."""
    text = (
        f"{now << 80 | _UUID_VERSION | _UUID_VARIANT | (int.from_bytes(_random(10), 'big') & _UUID_RANDOM_BITS):032x}"
    )
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
