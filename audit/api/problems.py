"""Errors over HTTP: problem documents (RFC 9457) from the one table of errors, and nothing else.

1. A document has code, fault, title and next step in both languages; what an auditor sent comes back only in `errors`
   of the meaning of a question, never a person.
2. Inner codes that are about messages or files are translated (`HTTP_CODES`): over HTTP the request is meant.
3. What nobody expected is `audit_internal`; where it happened goes to our own lines, never the error's words.
"""

from collections.abc import Mapping
from traceback import extract_tb
from typing import Final

import orjson
from aiohttp import web

from audit.api.asking import QuestionInvalid
from audit.lines import alarm
from contracts.encoding import Json
from contracts.errors import ERRORS, Fault

MEDIA_TYPE: Final = "application/problem+json"
HTTP_CODES: Mapping[str, str] = {
    "json_invalid": "request_not_json",
    "json_duplicate_name": "request_not_json",
    "internal": "audit_internal",
}
# What aiohttp raises by itself.
_STATUS_CODES: Mapping[int, str] = {404: "route_unknown", 405: "method_wrong", 413: "upload_too_large"}
_ALARMS = frozenset(("own_log_unavailable", "index_unavailable", "copy_altered"))
HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Server": "oncegate-audit",
    "X-Content-Type-Options": "nosniff",
}


def form_of(fault: Fault) -> dict[str, Json]:
    """The document (rule 1)."""
    code = HTTP_CODES.get(fault.code, fault.code)
    row = ERRORS[code]
    form: dict[str, Json] = {
        "type": f"urn:oncegate:error:{code}",
        "status": row.status,
        "code": code,
        "fault": row.fault,
        "title": row.title.as_json(),
        "next_step": row.next_step.as_json(),
    }
    form |= {name: value for name, value in (("pointer", fault.pointer), ("detail", fault.detail)) if value}
    if isinstance(fault, QuestionInvalid):
        form["errors"] = [
            {"pointer": one.pointer, "keyword": one.keyword, "message": one.message.as_json()} for one in fault.errors
        ]
    return form


def response(fault: Fault, headers: Mapping[str, str] | None = None) -> web.Response:
    """The response that a refusal is; some are alarms of ours, too."""
    form = form_of(fault)
    if form["code"] in _ALARMS:
        alarm(form["code"], detail=fault.detail)
    body = orjson.dumps(form)
    return web.Response(
        body=body, status=form["status"], content_type=MEDIA_TYPE, headers={**HEADERS, **(headers or {})}
    )


def of_http(error: web.HTTPException) -> web.Response:
    """What one of aiohttp's own refusals is."""
    allow = error.headers.get("Allow")
    return response(Fault(_STATUS_CODES.get(error.status, "http_malformed")), {"Allow": allow} if allow else None)


def of_failure(error: Exception) -> web.Response:
    """Rule 3."""
    place = extract_tb(error.__traceback__)[-1]
    alarm("audit_internal", error=type(error).__name__, at=f"{place.filename}:{place.lineno}")
    return response(Fault("audit_internal"))
