"""The interface as an OpenAPI 3.1 document, from the route table and the same schemas that check requests. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.errors import ERRORS
from contracts.text import Text
from gateway.tokens.grant import ASSERTION_TYPE
from gateway.web import schemas
from gateway.web.schemas import Schema

TITLE = Text("oncegate 网关接口", "oncegate gateway interface")
_PROBLEM_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_BODY_ERRORS = (400, 413, 415)
_AUTH_ERRORS = (401, 403, 429, 503)


@dataclass(frozen=True, slots=True)
class Operation:
    """One call, for readers. `errors`: HTTP statuses of its problem documents. `media` of the answer."""

    method: str
    path: str
    name: str
    summary: Text
    answer: Schema
    request: Schema | None = None
    authenticated: bool = True
    errors: Sequence[int] = ()
    query: str | None = None
    media: str = "application/json"


_ANY_OBJECT: Schema = {"type": "object"}
_ANY_TEXT: Schema = {"type": "string"}

OPERATIONS: Sequence[Operation] = (
    Operation(
        "post", "/v1/lookups", "lookup", Text("调取一类证照", "One type's evidence"),
        schemas.LOOKUP_ANSWER, schemas.LOOKUP_REQUEST, errors=(*_BODY_ERRORS, 408, 422, 500),
    ),
    Operation(
        "post", "/v1/bundles", "bundle", Text("一次调齐事项所需证照", "Everything that a service item needs, at once"),
        schemas.BUNDLE_ANSWER, schemas.BUNDLE_REQUEST, errors=(*_BODY_ERRORS, 408, 422, 500),
    ),
    Operation(
        "post", "/v1/corrections", "correction", Text("纠错申请", "A correction request: this data is wrong"),
        schemas.CORRECTION_ANSWER, schemas.CORRECTION_REQUEST, errors=(*_BODY_ERRORS, 408, 422, 500),
    ),
    Operation(
        "get", "/v1/receipts/{log}/{index}", "receipt",
        Text("访问记录及其存证证明(仅限本应用的记录)", "An access record of this app, with its proof"),
        schemas.RECEIPT_ANSWER, errors=(400, 404, 500),
    ),
    Operation(
        "get", "/v1/service-items", "serviceItems", Text("本应用可用的事项", "The service items that this app may use"),
        schemas.ITEMS_ANSWER, errors=(400, 500),
    ),
    Operation(
        "get", "/v1/evidence-types", "evidenceTypes",
        Text("这些事项所需的证照类型", "The evidence types that these service items need"),
        schemas.TYPES_ANSWER, errors=(400, 500),
    ),
    Operation(
        "get", "/v1/evidence-types/{id}/schema", "schema",
        Text("该事项所见文档的 JSON Schema", "The JSON Schema of documents as a service item sees them"),
        schemas.SCHEMAS_ANSWER, errors=(400, 500), query="service_item",
    ),
    Operation("get", "/livez", "livez", Text("进程存活", "The process is alive"), _ANY_OBJECT, authenticated=False),
    Operation("get", "/readyz", "readyz", Text("能否应答", "Ready for questions"), _ANY_OBJECT, authenticated=False),
    Operation(
        "get", "/metrics", "metrics", Text("监控指标", "Metrics for Prometheus"), _ANY_TEXT,
        authenticated=False, media="text/plain",
    ),
    Operation(
        "get", "/audit/logs/{slot}/checkpoint", "checkpoint", Text("审计日志检查点", "The audit log's checkpoint"),
        _ANY_TEXT, authenticated=False, errors=(404,), media="text/plain",
    ),
    Operation(
        "get", "/audit/logs/{slot}/tile/{path}", "tile",
        Text("审计日志哈希瓦片(路径含斜杠)", "A hash tile of the audit log; the path has slashes"),
        _ANY_TEXT, authenticated=False, errors=(403, 404), media="application/octet-stream",
    ),
    Operation(
        "get", "/audit/logs", "auditLogs",
        Text("本进程的审计日志,含已关闭的", "The audit log that this process writes, and closed ones before it"),
        _ANY_OBJECT, authenticated=False,
    ),
    Operation(
        "get", "/audit/logs/{slot}/openings/{path}", "openings",
        Text("密封内容(仅限该日志的审计员证书)", "Sealed openings, for the certificate of the log's auditor"),
        _ANY_TEXT, authenticated=False, errors=(403, 404), media="application/octet-stream",
    ),
    Operation(
        "get", "/audit/logs/{slot}/openings/keys/{key}", "dayKey",
        Text("封装的日密钥(仅限该日志的审计员证书)", "A wrapped day key, for the certificate of the log's auditor"),
        _ANY_TEXT, authenticated=False, errors=(403, 404), media="application/octet-stream",
    ),
    Operation(
        "get", "/audit/logs/{slot}/next/{size}", "nextHead",
        Text("等待下一个检查点(仅限该日志的审计员证书)", "Wait for the next checkpoint, for the log's auditor"),
        _ANY_TEXT, authenticated=False, errors=(403, 404), media="text/plain",
    ),
    Operation(
        "post", "/audit/logs/{slot}/mirrored", "mirrored",
        Text("镜像持有的检查点(仅限该日志的审计员证书)", "The checkpoint that the mirror holds, for the log's auditor"),
        _ANY_TEXT, _ANY_TEXT, authenticated=False, errors=(403, 404, 408, 409, 413, 422, 503), media="text/plain",
    ),
    Operation(
        "get", "/audit/logs/{slot}/orders/{order}", "order",
        Text("关于密封内容的指令(仅限该日志的审计员证书)", "An order about openings, for the log's auditor"),
        _ANY_TEXT, authenticated=False, errors=(403, 404), media="text/plain",
    ),
)  # fmt: skip

_TOKEN: Mapping[str, Any] = {
    "post": {
        "operationId": "token",
        "summary": "访问令牌 / An access token (RFC 6749 §4.4, FAPI 2.0)",
        "security": [],
        "requestBody": {
            "required": True,
            "content": {
                "application/x-www-form-urlencoded": {
                    "schema": {
                        "type": "object",
                        "required": ["grant_type"],
                        "properties": {
                            "grant_type": {"const": "client_credentials"},
                            "client_id": {"type": "string"},
                            "client_assertion_type": {"const": ASSERTION_TYPE},
                            "client_assertion": {"type": "string", "description": "private_key_jwt (RFC 7523)"},
                            "resource": {"type": "string"},
                        },
                    }
                }
            },
        },
        "responses": {
            "200": {
                "description": "A token bound to the app's key (DPoP) or certificate (mTLS)",
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "required": ["access_token", "token_type", "expires_in"],
                            "properties": {
                                "access_token": {"type": "string"},
                                "token_type": {"enum": ["DPoP", "Bearer"]},
                                "expires_in": {"type": "integer"},
                            },
                        }
                    }
                },
            },
            "400": {"description": "An OAuth error (RFC 6749 §5.2)"},
            "401": {"description": "An OAuth error (RFC 6749 §5.2)"},
        },
    }
}


def document(version: str, base_url: str) -> dict[str, Any]:
    """The OpenAPI document of a gateway at `base_url`."""
    paths: dict[str, Any] = {"/oauth/token": dict(_TOKEN)}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{TITLE.zh} / {TITLE.en}", "version": version, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": base_url}],
        "security": [{"dpop": []}, {"mtls": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "dpop": {"type": "http", "scheme": "DPoP", "description": "RFC 9449: token bound to the app's key"},
                "mtls": {"type": "http", "scheme": "Bearer", "description": "RFC 8705: bound to its certificate"},
            },
            "schemas": {"Problem": {**schemas.PROBLEM, "x-codes": _codes()}},
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    form: dict[str, Any] = {
        "operationId": operation.name,
        "summary": f"{operation.summary.zh} / {operation.summary.en}",
        "responses": _responses(operation),
    }
    places = [(part[1:-1], "path") for part in operation.path.split("/") if part.startswith("{")]
    if operation.query is not None:
        places.append((operation.query, "query"))
    if places:
        form["parameters"] = [
            {"name": name, "in": place, "required": True, "schema": {"type": "string"}} for name, place in places
        ]
    if operation.request is not None:
        form["requestBody"] = {"required": True, "content": {_request_media(operation): {"schema": operation.request}}}
    if not operation.authenticated:
        form["security"] = []
    return form


def _request_media(operation: Operation) -> str:
    """Apps send JSON; the auditor's program sends text, as it gets."""
    return "application/json" if operation.authenticated else operation.media


def _responses(operation: Operation) -> dict[str, Any]:
    responses: dict[str, Any] = {
        "200": {"description": operation.summary.en, "content": {operation.media: {"schema": operation.answer}}}
    }
    statuses = {*operation.errors, *(_AUTH_ERRORS if operation.authenticated else ())}
    for status in sorted(statuses):
        responses[str(status)] = {"description": "Problem document", "content": _PROBLEM_CONTENT}
    return responses


def _codes() -> dict[str, Any]:
    """The codes that a client can meet, with what they say."""
    return {
        code: {
            "status": row.status,
            "fault": row.fault,
            "title": row.title.as_json(),
            "next_step": row.next_step.as_json(),
        }
        for code, row in ERRORS.items()
        if row.fault in ("client", "policy") or row.status >= 500
    }
