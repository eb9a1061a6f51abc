"""Errors over HTTP: problem documents (RFC 9457), and nothing else.

1. What is said comes from the one table of errors. A document has code, fault, title and next step in both languages;
   never a value that the client sent, nor anything about a person.
2. A `Fault` of an inner room may have a code that is about messages or files; over HTTP the request is meant:
   `HTTP_CODES` translates.
3. What nobody expected is `internal`, with the details in our log only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from traceback import extract_tb

import orjson
import structlog
from aiohttp import web

from contracts.encoding import Json
from contracts.errors import ERRORS, Fault
from contracts.schemas import SchemaFault

MEDIA_TYPE = "application/problem+json"
HTTP_CODES: Mapping[str, str] = {
    "json_invalid": "request_not_json",
    "json_duplicate_name": "request_not_json",
}
# What aiohttp raises by itself.
_STATUS_CODES: Mapping[int, str] = {404: "route_unknown", 405: "method_wrong", 413: "body_too_large"}
HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Server": "oncegate",
    "X-Content-Type-Options": "nosniff",
}


_log = structlog.get_logger("oncegate.serve")


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong with one request. `headers` go with the response (RFC 9110: Allow, WWW-Authenticate, …)."""

    code: str
    pointer: str = ""
    detail: str = ""
    errors: Sequence[SchemaFault] = ()
    headers: Mapping[str, str] | None = None

    @property
    def status(self) -> int:
        return ERRORS[self.code].status

    def members(self) -> bytes:
        """Its JSON without the outer braces, so that transaction and receipt can be put around it."""
        row = ERRORS[self.code]
        form: dict[str, Json] = {
            "type": f"urn:oncegate:error:{self.code}",
            "status": row.status,
            "code": self.code,
            "fault": row.fault,
            "title": row.title.as_json(),
            "next_step": row.next_step.as_json(),
        }
        if self.pointer:
            form["pointer"] = self.pointer
        if self.detail:
            form["detail"] = self.detail
        if self.errors:
            form["errors"] = [_error(one) for one in self.errors]
        return orjson.dumps(form)[1:-1]


class RequestInvalid(Fault):
    """A request that its schema refuses; `errors` say where and why."""

    def __init__(self, errors: Sequence[SchemaFault]) -> None:
        super().__init__("request_invalid", errors[0].pointer)
        self.errors = tuple(errors)


def problem_of(fault: Fault) -> Problem:
    """The problem that `fault` is to an HTTP client (rule 2)."""
    code = HTTP_CODES.get(fault.code, fault.code)
    errors = fault.errors if isinstance(fault, RequestInvalid) else ()
    return Problem(code, fault.pointer, fault.detail, errors)


def problem_of_http(error: web.HTTPException) -> Problem:
    """The problem that one of aiohttp's own refusals is."""
    allow = error.headers.get("Allow")
    return Problem(_STATUS_CODES.get(error.status, "http_malformed"), headers={"Allow": allow} if allow else None)


def problem_response(problem: Problem) -> web.Response:
    """The response to somebody who is not an authenticated app: it has no access record."""
    return web.Response(
        body=b"{" + problem.members() + b"}",
        status=problem.status,
        content_type=MEDIA_TYPE,
        headers={**HEADERS, **(problem.headers or {})},
    )


def log_internal(error: Exception, action: str, transaction: str | None = None) -> None:
    """What failed and where, for us; never the error's own words, in which a value may stand."""
    place = extract_tb(error.__traceback__)[-1]
    at = f"{place.filename}:{place.lineno}"
    _log.error("internal", action=action, transaction=transaction, error=type(error).__name__, at=at)


def _error(one: SchemaFault) -> dict[str, Json]:
    return {"pointer": one.pointer, "keyword": one.keyword, "message": one.message.as_json()}
