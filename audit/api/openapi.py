"""The interface as an OpenAPI 3.1 document, from the same schemas that check requests. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audit.api import schemas
from audit.api.schemas import Schema
from contracts.errors import ERRORS
from contracts.text import Text

TITLE = Text("oncegate 审计员接口", "oncegate auditor's interface")
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_READ_ERRORS = (403, 500, 503)
_ASK_ERRORS = (400, 408, 409, 413, 415, 422, 429)


@dataclass(frozen=True, slots=True)
class Operation:
    """One call. `file`: the part of a form that may be uploaded; `waits`: it can be 202, with the answer elsewhere."""

    method: str
    path: str
    name: str
    summary: Text
    answer: Schema
    request: Schema | None = None
    file: str | None = None
    waits: bool = False
    public: bool = False
    media: str = "application/json"
    query: str | None = None


_ANY: Schema = {"type": "string"}
_STATE = schemas.closed({"api_version": {"const": schemas.API_VERSION}, "id": _ANY, "state": _ANY, "expires": _ANY})

OPERATIONS: Sequence[Operation] = (
    Operation(
        "post", "/v1/searches", "search", Text("查询访问记录", "Find access records"),
        schemas.SEARCH_ANSWER, schemas.SEARCH, waits=True,
    ),
    Operation(
        "post", "/v1/stats", "stats", Text("统计", "Facets with counts, and a histogram"),
        schemas.STATS_ANSWER, schemas.STATS, waits=True,
    ),
    Operation("get", "/v1/logs", "logs", Text("所索引的日志", "The logs that are indexed"), schemas.LOGS_ANSWER),
    Operation(
        "get", "/v1/entries/{log}/{index}", "entry", Text("一条记录及其证明", "One entry with its proof"),
        schemas.ENTRY_ANSWER,
    ),
    Operation(
        "post", "/v1/openings", "opening", Text("查看一条密封内容", "Open one entry's opening"),
        schemas.OPENING_ANSWER, schemas.OPENING,
    ),
    Operation(
        "post", "/v1/analyses", "analysis", Text("异常访问分析", "Accesses that ask for an explanation"),
        schemas.ANALYSIS_ANSWER, schemas.ANALYSIS, file="roster", waits=True,
    ),
    Operation(
        "post", "/v1/reconciliations", "reconciliation", Text("办件比对", "Accesses against a list of cases"),
        schemas.RECONCILIATION_ANSWER, schemas.RECONCILIATION, file="cases", waits=True,
    ),
    Operation(
        "post", "/v1/samples", "sample", Text("双随机抽样", "Draw a double-random sample"),
        schemas.SAMPLE_ANSWER, schemas.SAMPLE,
    ),
    Operation(
        "post", "/v1/samples/verify", "sampleCheck", Text("核对抽样", "Draw a sample again and compare"),
        schemas.SAMPLE_CHECK_ANSWER, schemas.SAMPLE_CHECK,
    ),
    Operation(
        "get", "/v1/approvals", "approvals", Text("待核准的查询", "Questions of others that wait for you"),
        schemas.APPROVALS_ANSWER,
    ),
    Operation(
        "post", "/v1/approvals/{id}", "decide", Text("同意或拒绝", "Agree or refuse"),
        schemas.DECISION_ANSWER, schemas.DECISION,
    ),
    Operation("get", "/v1/own-log", "ownLog", Text("查询日志", "The log of questions"), schemas.OWN_LOG_ANSWER),
    Operation(
        "get", "/own-log/checkpoint", "checkpoint", Text("查询日志的检查点(公开)", "Its checkpoint, for everybody"),
        _ANY, public=True, media="text/plain",
    ),
    Operation(
        "get", "/own-log/tile/{path}", "tile", Text("查询日志的哈希瓦片(公开)", "Its hash tiles, for everybody"),
        _ANY, public=True, media="application/octet-stream",
    ),
)  # fmt: skip


def document(version: str) -> dict[str, Any]:
    """The OpenAPI document."""
    paths: dict[str, Any] = {}
    for operation in (*OPERATIONS, *map(_result, filter(lambda one: one.waits, OPERATIONS))):
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{TITLE.zh} / {TITLE.en}", "version": version, "license": {"name": "Apache-2.0"}},
        "security": [{"mtls": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"mtls": {"type": "mutualTLS", "description": "A certificate that is listed here"}},
            "schemas": {"Problem": {**schemas.PROBLEM, "x-codes": _codes()}},
        },
    }


def _result(operation: Operation) -> Operation:
    """Where the answer of a question that waited is."""
    summary = Text(f"{operation.summary.zh}(核准后)", f"{operation.summary.en}, agreed to")
    return Operation(
        "get", operation.path + "/{id}", operation.name + "Result", summary, operation.answer, waits=True, query="after"
    )


def _operation(operation: Operation) -> dict[str, Any]:
    form: dict[str, Any] = {
        "operationId": operation.name,
        "summary": f"{operation.summary.zh} / {operation.summary.en}",
        "responses": _responses(operation),
    }
    if operation.public:
        form["security"] = []
    names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    places = [{"name": name, "in": "path", "required": True, "schema": _ANY} for name in names]
    if operation.query is not None:
        places.append({"name": operation.query, "in": "query", "required": False, "schema": _ANY})
    if places:
        form["parameters"] = places
    if operation.request is not None:
        form["requestBody"] = {"required": True, "content": _content(operation.request, operation.file)}
    return form


def _content(request: Schema, file: str | None) -> Mapping[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": request}}
    if file is not None:
        parts = {"question": request, file: {"type": "string", "contentMediaType": "text/csv"}}
        form = {"type": "object", "properties": parts, "required": ["question", file], "additionalProperties": False}
        content["multipart/form-data"] = {"schema": form}
    return content


def _responses(operation: Operation) -> dict[str, Any]:
    content = {operation.media: {"schema": operation.answer}}
    responses: dict[str, Any] = {"200": {"description": operation.summary.en, "content": content}}
    if operation.waits:
        waiting = schemas.WAITING if operation.request is not None else _STATE
        described = {
            "description": "A second auditor has to agree",
            "content": {"application/json": {"schema": waiting}},
        }
        responses["202"] = described
    asked = _ASK_ERRORS if operation.request is not None else (400, 404, 410) if "{" in operation.path else (400,)
    for status in sorted({*_READ_ERRORS, *asked, *((404, 410) if "approvals/" in operation.path else ())}):
        responses[str(status)] = {"description": "Problem document", "content": _PROBLEM}
    return responses


def _codes() -> dict[str, Any]:
    """The codes that an auditor can meet, with what they say."""
    return {
        code: {"status": row.status, "title": row.title.as_json(), "next_step": row.next_step.as_json()}
        for code, row in ERRORS.items()
        if code in CODES
    }


CODES = frozenset(
    (
        "approval_done", "approval_expired", "approval_mismatch", "approval_of_own", "approval_refused",
        "approval_unknown", "approvals_full", "audit_internal", "auditors_busy", "auditors_only", "copy_altered",
        "entry_unknown", "http_malformed", "index_unavailable", "keys_missing", "media_type_wrong", "method_wrong",
        "opening_unreadable", "own_log_unavailable", "query_refused", "question_invalid", "question_too_large",
        "question_too_long", "request_invalid", "request_not_json", "request_timeout", "role_missing", "route_unknown",
        "tokens_missing", "upload_invalid", "upload_too_large",
    )
)  # fmt: skip
