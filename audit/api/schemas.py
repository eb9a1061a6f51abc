"""What goes in and out over HTTP (JSON Schema 2020-12). The same objects check (`checking`) and document. Pure.

1. A request object is closed: an unknown member is a mistake that the auditor should hear of.
2. Every question says why it is asked (`purpose`); who is asked about stands in bodies only.
3. An answer object is closed too: what is not written here does not leave.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from audit.search.asked import WORDS
from audit.search.drawing import MAX_SIZE, STRATA
from audit.search.output import COLUMNS
from audit.search.rows import FACETS
from audit.search.rules import MAX_LIMIT, NUMBERS, RULES
from contracts.errors import FAULTS

Schema = dict[str, Any]

API_VERSION: Final = "1"
MAX_BODY: Final = 64 * 1024
MAX_UPLOAD: Final = 16 * 1024 * 1024
MAX_PAGE: Final = 1000

# Control and format characters, and white space other than the ordinary space, may not stand anywhere.
_NOT = r"\u0000-\u001f\u007f-\u00a0\u00ad\u061c\u200b-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff0-\uffff"
_PRINTABLE = f"^[^{_NOT} ](?:[^{_NOT}]*[^{_NOT} ])?$"


def closed(required: Mapping[str, Any], optional: Mapping[str, Any] | None = None, **more: Any) -> Schema:
    """An object of exactly these members."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
        **more,
    }


def _described(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


def _text(most: int) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": most, "pattern": _PRINTABLE}


def _list(items: Schema, most: int, least: int = 0) -> Schema:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def _one_of(values: Sequence[str]) -> Schema:
    return {"type": "string", "enum": list(values)}


_PURPOSE = _described(_text(500), "Why this is asked; kept, sealed, in the log of questions")
_VALUES = _list(_text(128), 50, 1)
_DIGEST: Schema = {"type": "string", "pattern": "^sha-256:[0-9a-f]{64}$"}
HOLDER = closed({"scheme": {"type": "string", "maxLength": 64, "pattern": "^[a-z][a-z0-9_.-]*$"}, "id": _text(128)})
FILTERS = closed(
    {},
    {
        "from": _described(_text(40), "ISO 8601; without a zone Beijing time"),
        "to": _described(_text(40), "As `from`; a bare date includes its day"),
        "log": _described(_text(255), "The origin of one log"),
        **dict.fromkeys((*WORDS, "type"), _described(_VALUES, "Alternatives; `none`: not there")),
        "clerk": _text(64),
        "case": _text(64),
        "holder": _described(HOLDER, "Takes a second auditor (202)"),
    },
)
_SAMPLE_FILTERS = closed({}, {name: FILTERS["properties"][name] for name in ("from", "to", "log", *WORDS, "type")})
_ASK = {"purpose": _PURPOSE}
_POSITION: Schema = {"type": "integer", "minimum": 0, "maximum": 2**40 - 1}
_WITNESSES = _list(_text(512), 64, 1)
_NONCE = _described(_text(256), "The auditor's, published as a hash before")

SEARCH = closed(
    {**_ASK, "filters": FILTERS},
    {
        "limit": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 50},
        "after": _described(_text(40), "`next` of the page before"),
        "proof": {"type": "boolean", "description": "With each hit a fresh c2sp.org/tlog-proof@v1", "default": False},
    },
)
STATS = closed({**_ASK, "filters": FILTERS}, {"by": _one_of(("day", "hour"))})
OPENING = closed({**_ASK, "log": _text(255), "position": _POSITION})
_LIMIT: Schema = {"type": "integer", "minimum": 0, "maximum": MAX_LIMIT}
ANALYSIS = closed({**_ASK, "filters": FILTERS}, {"limits": closed({}, dict.fromkeys(NUMBERS, _LIMIT))})
RECONCILIATION = closed({**_ASK, "filters": FILTERS})
SAMPLE = closed(
    {
        **_ASK,
        "checkpoints": _list({"type": "string", "minLength": 1, "maxLength": 8192}, 64, 1),
        "nonce": _NONCE,
        "size": {"type": "integer", "minimum": 1, "maximum": MAX_SIZE},
        "reviewers": {**_list(_text(64), 1000, 1), "uniqueItems": True},
    },
    {
        "by": _one_of(tuple(STRATA)),
        "filters": _SAMPLE_FILTERS,
        "witnesses": _described(_WITNESSES, "vkeys; one of them must have cosigned each checkpoint"),
    },
)
SAMPLE_CHECK = closed(
    {**_ASK, "sample": {"type": "object", "description": "What `POST /v1/samples` answered"}},
    {"witnesses": _described(_WITNESSES, "vkeys of your own; one of them must have cosigned each checkpoint")},
)
DECISION = closed(
    {"decision": _one_of(("agree", "refuse"))},
    {
        "holder": _described(HOLDER, "To agree to a search: whom it is about, from the file that the reason names"),
        "digest": _described(_DIGEST, "To agree to an upload: SHA-256 of the file"),
        "note": _text(500),
    },
)

_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_TIME = _described(_TEXT, "RFC 3339, UTC")
_NULLABLE: Schema = {"type": ["string", "null"]}
_LABEL = closed({"zh-CN": _TEXT, "en": _TEXT})
_RECORDED = closed({"log": _TEXT, "index": _COUNT}, description="Where this question stands in the log of questions")
_ENVELOPE: Mapping[str, Any] = {"api_version": {"const": API_VERSION}, "recorded": _RECORDED}
_PLACE = closed({"log": _TEXT, "position": _COUNT})
_HIT = closed(
    {
        "log": _TEXT,
        "position": _COUNT,
        "time": _TIME,
        **dict.fromkeys(FACETS, _NULLABLE),
        "evidence_types": _list(_TEXT, 1000),
    },
    {"proof": _described(_TEXT, "c2sp.org/tlog-proof@v1")},
)
if set(_HIT["required"]) != set(COLUMNS):
    raise AssertionError("a hit is what the columns of a search are")

_WARNINGS = _described(
    {"type": "array", "items": _LABEL}, "What makes the question doubtful; an empty answer may be a mistake in it"
)
_ASKED: Mapping[str, Any] = {**_ENVELOPE, "warnings": _WARNINGS}
SEARCH_ANSWER = closed({**_ASKED, "hits": _list(_HIT, MAX_PAGE), "next": _NULLABLE})
_COUNTS = {"type": "array", "items": closed({"value": _NULLABLE, "count": _COUNT})}
STATS_ANSWER = closed(
    {
        **_ASKED,
        "total": _COUNT,
        "facets": closed(dict.fromkeys((*FACETS, "evidence_type"), _COUNTS)),
        "by": _TEXT,
        "histogram": {"type": "object", "additionalProperties": _COUNT},
    }
)
_LOG = closed(
    {
        "origin": _TEXT,
        "indexed": _described(_COUNT, "Entries that can be searched"),
        "head": _described({"type": ["integer", "null"]}, "Entries of the copy; null: it is not there or not signed"),
        "lag": {"type": ["integer", "null"]},
        "no_access_records": _COUNT,
        "erased": _COUNT,
        "state": _described(_TEXT, "`followed`, `not_followed`, or what stops it: `differs`, `failed`"),
    }
)
LOGS_ANSWER = closed({"api_version": {"const": API_VERSION}, "logs": _list(_LOG, 10_000)})
ENTRY_ANSWER = closed(
    {
        **_ENVELOPE,
        "log": _TEXT,
        "position": _COUNT,
        "record": _described(_TEXT, "The entry, byte for byte: its UTF-8 bytes are the leaf"),
        "proof": _described(_TEXT, "c2sp.org/tlog-proof@v1"),
    }
)
OPENING_ANSWER = closed(
    {
        **_ENVELOPE,
        "log": _TEXT,
        "position": _COUNT,
        "record": {"type": ["object", "null"]},
        "opening": {"type": ["object", "null"], "description": "null: erased, restricted, or none"},
        "erased": {"type": "boolean"},
        "restricted": {"type": "boolean"},
    }
)
_FINDING = closed(
    {
        "id": _described(_TEXT, "Stays the same as long as what it is about does"),
        "rule": _one_of(tuple(RULES)),
        "period": _described(_NULLABLE, "The day, or the Monday of the week, in Beijing"),
        "subject": _TEXT,
        "what": _LABEL,
        "count": _COUNT,
        "last": _TIME,
        "entries": {"type": "array", "items": _PLACE},
    }
)
ANALYSIS_ANSWER = closed(
    {**_ASKED, "findings": {"type": "array", "items": _FINDING}, "not_applied": {"type": "array", "items": _TEXT}}
)
_UNFIT = closed(
    {"id": _NULLABLE, "kind": _TEXT, "what": _LABEL, "case": _NULLABLE, "access": {"type": ["object", "null"]}}
)
RECONCILIATION_ANSWER = closed(
    {
        **_ASKED,
        "compared": _COUNT,
        "not_compared": _COUNT,
        "counts": {"type": "object", "additionalProperties": _COUNT},
        "findings": {"type": "array", "items": _UNFIT},
    }
)
SAMPLE_ANSWER = closed({**_ASKED, "sample": {"type": "object", "description": "The document that anybody can check"}})
SAMPLE_CHECK_ANSWER = closed(
    {
        **_ENVELOPE,
        "right": {"type": "boolean"},
        "different": _described(_TEXTS, "Members of the sample that drawing again does not give"),
        "not_cosigned": _described(_TEXTS, "Logs whose checkpoint none of the `witnesses` of this question cosigned"),
        "witnessed": _described({"type": "boolean"}, "A witness that the sample names cosigned each checkpoint"),
        "left_out": _described(_TEXTS, "Logs of the index without a checkpoint"),
    }
)
WAITING = closed(
    {
        **_ASKED,
        "id": _TEXT,
        "state": {"const": "waiting_for_second_auditor"},
        "expires": _TIME,
        "result": _described(_TEXT, "Where the answer will be"),
    }
)
_PENDING = closed(
    {
        "id": _TEXT,
        "call": _TEXT,
        "asked_by": _TEXT,
        "asked": _TIME,
        "expires": _TIME,
        "purpose": _TEXT,
        "filters": {"type": "object", "description": "Without the holder"},
        "about": _described({"type": "object"}, "The holder's scheme, or the size of the file; never who"),
    }
)
APPROVALS_ANSWER = closed(
    {"api_version": {"const": API_VERSION}, "approvals": {"type": "array", "items": _PENDING}}, {"recorded": _RECORDED}
)
DECISION_ANSWER = closed({**_ENVELOPE, "id": _TEXT, "state": _one_of(("agreed", "refused")), "expires": _TIME})
OWN_LOG_ANSWER = closed(
    {"api_version": {"const": API_VERSION}, "origin": _TEXT, "vkey": _TEXT, "size": _COUNT, "published": _COUNT}
)
PROBLEM = closed(
    {
        "type": _TEXT,
        "status": _COUNT,
        "code": _TEXT,
        "fault": _one_of(FAULTS),
        "title": _LABEL,
        "next_step": _LABEL,
    },
    {
        "pointer": _described(_TEXT, "RFC 6901, into the request"),
        "detail": _TEXT,
        "errors": _list(closed({"pointer": _TEXT, "keyword": _TEXT, "message": _LABEL}), 20),
    },
    description="RFC 9457 problem details",
)
