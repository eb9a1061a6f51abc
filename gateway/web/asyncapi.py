"""The topics of the message log as an AsyncAPI 3.0 document: what departments write, what nodes read. Pure.

1. Addresses are templates: which topic is which stream says the registry, never the name. Every address stands under
   the installation's prefix (`x-prefix`).
2. Nothing of an installation's registry is in it: anybody may read this document.
3. A payload is a text in a signed or encrypted form; its schema describes that form, and what is inside stands in
   `x-content`.
"""

from typing import Any, Final

from contracts import cloud_events, corrections, feeds, messages, rejects
from contracts.envelope import MAX_ENVELOPE
from contracts.text import Text
from gateway.supervision import SUPERVISION_TOPIC

VERSION: Final = "3.0.0"
TITLE = Text("oncegate 消息日志", "oncegate message log")

_JWE = "^[A-Za-z0-9_-]+\\.\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$"
_JWS = "^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$"
_HEADERS = {
    "type": "object",
    "properties": {
        "content-type": {"type": "string"},
        "traceparent": {"type": "string", "description": "W3C Trace Context, where a trace exists"},
    },
    "additionalProperties": False,
    "description": "Never trusted: all that matters is inside the signature",
}
_PARAMETERS = {
    "type": {"description": "The id of an evidence type, without version", "examples": ["cn.business-licence"]},
    "adapter": {"description": "The id of an adapter", "examples": ["market-regulation-1"]},
    "node": {"description": "The id of a node", "examples": ["node-1"]},
}


def document(version: str) -> dict[str, Any]:
    """The AsyncAPI document of this program's `version`."""
    return {
        "asyncapi": VERSION,
        "info": {
            "title": f"{TITLE.zh} / {TITLE.en}",
            "version": version,
            "license": {"name": "Apache-2.0"},
            "description": (
                "Departments publish signed, encrypted evidence; nodes read it, verify it and answer with rejects. "
                "Every topic has one partition; keys are never null, values never null."
            ),
        },
        "defaultContentType": "application/jose",
        "channels": _channels(),
        "operations": _operations(),
        "components": {"messages": _messages()},
        "x-prefix": "every address stands under the installation's configurable prefix, for example `oncegate.`",
    }


def _channels() -> dict[str, Any]:
    return {
        "evidence": _channel(
            "evidence.{type}.{adapter}",
            Text("一个适配器的一类证照", "One adapter's evidence of one type: a stream"),
            ("evidence", "feedStatement"), ("type", "adapter"), "compact",
        ),
        "registry": _channel(
            "registry", Text("签名的注册库", "The signed registry"), ("registryManifest", "registryPart"), (), "compact"
        ),
        "rejects": _channel(
            "rejects.{adapter}",
            Text("被拒绝的消息及原因", "What nodes refused of an adapter, and why"),
            ("reject",), ("adapter",), "delete",
        ),
        "rejectsUnverified": _channel(
            "rejects.unverified",
            Text("无法确认来源的消息", "What nobody can be told apart by signature"), ("reject",), (), "delete",
        ),
        "requests": _channel(
            "requests.{adapter}",
            Text("发给部门的纠错申请", "Correction requests to a department"), ("correction",), ("adapter",), "delete",
        ),
        "replies": _channel(
            "replies.{node}",
            Text("部门对纠错申请的答复", "What departments say of them"), ("correctionReply",), ("node",), "delete",
        ),
        "supervision": _channel(
            SUPERVISION_TOPIC,
            Text("送电子监察的实时事件", "The live feed to supervision: every entry of the audit logs"),
            ("events",), (), "delete",
        ),
    }  # fmt: skip


def _channel(
    address: str, title: Text, names: tuple[str, ...], parameters: tuple[str, ...], cleanup: str
) -> dict[str, Any]:
    form: dict[str, Any] = {
        "address": address,
        "title": f"{title.zh} / {title.en}",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {"kafka": {"partitions": 1, "topicConfiguration": {"cleanup.policy": [cleanup]}}},
    }
    if parameters:
        form["parameters"] = {name: _PARAMETERS[name] for name in parameters}
    return form


def _operations() -> dict[str, Any]:
    rows = (
        ("publishEvidence", "send", "evidence", Text("部门适配器发布", "An adapter publishes")),
        ("readEvidence", "receive", "evidence", Text("节点读取", "A node reads from its own offsets")),
        ("followRegistry", "receive", "registry", Text("节点跟随注册库", "A node follows the registry")),
        ("publishRegistry", "send", "registry", Text("安全管理员发布", "The security officer publishes")),
        ("reject", "send", "rejects", Text("节点退回", "A node rejects")),
        ("readRejects", "receive", "rejects", Text("部门查看退回", "The department reads what was refused")),
        ("rejectUnverified", "send", "rejectsUnverified", Text("节点隔离", "A node sets aside")),
        ("requestCorrection", "send", "requests", Text("节点转交纠错申请", "A node passes a correction request on")),
        ("readRequests", "receive", "requests", Text("部门查看纠错申请", "The department reads what it is asked")),
        ("replyToCorrection", "send", "replies", Text("部门答复", "A department replies")),
        ("readReplies", "receive", "replies", Text("节点读取答复", "A node reads the replies")),
        ("tellSupervision", "send", "supervision", Text("节点上报", "A node tells supervision")),
        ("supervise", "receive", "supervision", Text("电子监察读取", "Supervision reads")),
    )
    return {
        name: {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": f"{text.zh} / {text.en}"}
        for name, action, channel, text in rows
    }


def _messages() -> dict[str, Any]:
    return {
        "evidence": _message(
            Text("证照报文", "Evidence message"), _JWE, "the record id",
            f"JWE (dir, A256GCM) around an SD-JWT (RFC 9901), typ {messages.TYP}, op {', '.join(messages.OPERATIONS)}",
        ),
        "feedStatement": _message(
            Text("供数对账单", "Feed statement"), _JWE, "@feed, or @feed/full",
            f"JWE (dir, A256GCM) around a JWT, typ {feeds.TYP}",
        ),
        "registryManifest": _message(
            Text("注册库清单", "Registry manifest"), _JWS, "manifest", "JWS under the pinned root key"
        ),
        "registryPart": _message(
            Text("注册库分片", "Registry part"), "^\\{.*\\}$", "part/ and its digest", "canonical JSON, at most 512 KB",
            "application/json",
        ),
        "reject": _message(
            Text("退回", "Reject"), _JWS, "topic@offset of what was refused", f"JWS of a node, typ {rejects.TYP}"
        ),
        "correction": _message(
            Text("纠错申请", "Correction request"), _JWS, "its id", f"JWS of a node, typ {corrections.TYP}"
        ),
        "correctionReply": _message(
            Text("纠错答复", "Reply to a correction request"), _JWS, "the request's id",
            f"JWS of an adapter, typ {corrections.REPLY_TYP}",
        ),
        "events": _message(
            Text("监察事件", "Events"), _JWS, "the origin of the audit log",
            f"JWS of a node, typ {cloud_events.TYP}, around a JSON batch of CloudEvents 1.0",
        ),
    }  # fmt: skip


def _message(title: Text, pattern: str, key: str, content: str, media: str = "application/jose") -> dict[str, Any]:
    return {
        "title": f"{title.zh} / {title.en}",
        "contentType": media,
        "headers": _HEADERS,
        "payload": {"type": "string", "pattern": pattern, "maxLength": 2 * MAX_ENVELOPE},
        "bindings": {"kafka": {"key": {"type": "string", "description": key}}},
        "x-content": content,
    }
