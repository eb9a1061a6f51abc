"""The schemas of what goes in and out over HTTP (JSON Schema 2020-12). The same objects check and document. Pure.

1. A request object is closed: an unknown member is a mistake that the client should hear of.
2. Names that people choose (case, clerk, terminal) are at most 64 printable characters, without control or format
   characters, and neither begin nor end with a space.
3. An answer object is closed too: what is not written here does not leave.
"""

from collections.abc import Mapping
from typing import Any, Final

from contracts.corrections import MAX_FIELDS, REASONS
from contracts.errors import FAULTS
from contracts.evidence_types import ANNOUNCED, DEPRECATED, ENDED, IN_FORCE
from contracts.identifiers import HOLDER_SCHEMES
from contracts.life_cycle import CURRENT, LAPSED, STATUSES, UPCOMING
from contracts.service_items import MAX_FACTS
from gateway.lookup.bundle import RESULTS
from gateway.lookup.feeds import STATES
from gateway.lookup.records import REFUSED

Schema = dict[str, Any]

API_VERSION: Final = "1"
MAX_BODY: Final = 16 * 1024

# Control and format characters, and white space other than the ordinary space, may not stand anywhere.
_NOT = r"\u0000-\u001f\u007f-\u00a0\u00ad\u061c\u200b-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff0-\uffff"
_PRINTABLE = f"^[^{_NOT} ](?:[^{_NOT}]*[^{_NOT} ])?$"


def _closed(required: Mapping[str, Any], optional: Mapping[str, Any] | None = None, **more: Any) -> Schema:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
        **more,
    }


def _described(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


def _nullable(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _list(items: Schema, most: int) -> Schema:
    return {"type": "array", "items": items, "maxItems": most}


_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": _PRINTABLE}
_ID: Schema = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[a-z0-9][a-z0-9._-]*$"}
_FIELD: Schema = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[a-z][a-z0-9_]*$"}
_VALUE: Schema = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": _PRINTABLE}
_LABEL = _closed({"zh-CN": _TEXT, "en": _TEXT})
_TIME: Schema = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"}
_DIGEST: Schema = {"type": "string", "pattern": "^sha-256:[0-9a-f]{64}$"}
_TRANSACTION: Schema = {
    "type": "string",
    "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
    "description": "UUIDv7 (RFC 9562); the same in the access record",
}

HOLDER = _closed(
    {"scheme": {"type": "string", "enum": list(HOLDER_SCHEMES)}, "id": {**_VALUE, "maxLength": 64}},
    description="A person or an organisation",
)

_PURPOSE: Mapping[str, Schema] = {
    "service_item": _described(_ID, "The service item that the question belongs to"),
    "case": _described(_NAME, "The number of the case that the question belongs to"),
    "clerk": _described(_NAME, "Who asks, as the approval system knows them"),
}
_PURPOSE_MORE: Mapping[str, Schema] = {
    "terminal": _described(_NAME, "The workplace or device"),
    "channel": _described(_ID, "The channel; only needed by an app that holds the item on several"),
    "facts": {
        "type": "object",
        "propertyNames": _FIELD,
        "additionalProperties": {"type": "boolean"},
        "maxProperties": MAX_FACTS,
        "description": "What the applicant declares, by the ids of the item's `facts`",
    },
}

LOOKUP_REQUEST = _closed(
    {
        **_PURPOSE,
        "evidence_type": _described(_ID, "The id of an evidence type, without version"),
        "by": {
            "type": "object",
            "description": "The holder, or one of the type's key fields with its value",
            "properties": {"holder": HOLDER},
            "propertyNames": _FIELD,
            "additionalProperties": _VALUE,
            "minProperties": 1,
            "maxProperties": 1,
        },
    },
    {
        "fields": {
            **_list(_FIELD, 64),
            "minItems": 1,
            "uniqueItems": True,
            "description": "Only these fields; without it, all that the service item may see",
        },
        "history": {"type": "boolean", "description": "Also the records that others found here supersede"},
        **_PURPOSE_MORE,
    },
)
BUNDLE_REQUEST = _closed({**_PURPOSE, "holder": HOLDER}, _PURPOSE_MORE)

CORRECTION_REQUEST = _closed(
    {
        **_PURPOSE,
        "evidence_type": _described(_ID, "The id of an evidence type, without version"),
        "record": _described({**_NAME, "maxLength": 200}, "`record` of the evidence in a lookup's answer"),
        "reason": {"type": "string", "enum": list(REASONS), "description": "What is wrong with it"},
    },
    {
        "fields": {
            **_list(_FIELD, MAX_FIELDS),
            "minItems": 1,
            "uniqueItems": True,
            "description": "The fields that are wrong; without it, the record as a whole",
        },
        **_PURPOSE_MORE,
    },
)

RECEIPT = _closed(
    {
        "log": _described(_TEXT, "The origin of the audit log"),
        "index": _COUNT,
        "leaf_hash": _described(_DIGEST, "RFC 6962 hash of the access record"),
        "salt": {"type": "string", "pattern": "^[A-Za-z0-9_-]{22}$", "description": "base64url, 16 bytes"},
    },
    description="Where the access record is; what to compute from it, docs/api.md says",
)
_FEED = _closed(
    {
        "state": {"type": "string", "enum": list(STATES), "description": "The worst of its streams"},
        "streams": _list(
            _closed(
                {
                    "organisation": _TEXT,
                    "adapter": _TEXT,
                    "state": {"type": "string", "enum": list(STATES)},
                    "as_of": _nullable(_TIME),
                    "refused": {
                        "type": "integer",
                        "minimum": 0,
                        "description": "Records whose newest state was refused",
                    },
                }
            ),
            10_000,
        ),
    }
)
_AS_OF = _described(_nullable(_TIME), "All data up to here is in; null: not yet known")
_SUPERSEDED = _described(_COUNT, "Records found that others found here supersede, left out")
_LABELS: Schema = {"type": "object", "additionalProperties": _LABEL}
_RECORD = _closed(
    {
        "record": _TEXT,
        "status": {"type": "string", "enum": [*STATUSES, REFUSED]},
        "validity_state": {
            "type": ["string", "null"],
            "enum": [UPCOMING, CURRENT, LAPSED, None],
            "description": "The validity beside today's date at `utc_offset`; null: the newest state was refused",
        },
        "type_phase": {
            "type": ["string", "null"],
            "enum": [ANNOUNCED, IN_FORCE, DEPRECATED, ENDED, None],
            "description": "Of the version that the record was published under; null: the newest state was refused",
        },
        "superseded": {"type": "boolean", "description": "Another record, which may be somebody else's, replaces it"},
        "evidence_type": _described(_TEXT, "URI of the type with its version"),
        "utc_offset": _described(_nullable(_TEXT), "Whose days the validity counts in"),
        "labels": _described(_LABELS, "Names of the members of `document`"),
        "withheld": _described(_list(_TEXT, 256), "Fields of the type that this answer may not show"),
        "document": {
            "type": ["object", "null"],
            "description": "What `sd_jwt` discloses; null: the newest state was refused",
        },
        "codes": {"type": "object", "additionalProperties": _LABELS, "description": "Names of the coded values"},
        "sd_jwt": {
            "type": ["string", "null"],
            "pattern": "^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+~(?:[A-Za-z0-9_-]+~)*$",
            "description": "The department's signed message (RFC 9901) with the disclosures allowed here",
        },
    }
)
_BY: Schema = {
    "oneOf": [_closed({"scheme": _TEXT, "id": _TEXT}), _closed({"field": _TEXT, "value": _TEXT})],
    "description": "What was asked for, in normal form",
}
_ENVELOPE: Mapping[str, Schema] = {"api_version": {"const": API_VERSION}, "transaction": _TRANSACTION}

LOOKUP_ANSWER = _closed(
    {
        **_ENVELOPE,
        "by": _BY,
        "as_of": _AS_OF,
        "feed": _FEED,
        "superseded": _SUPERSEDED,
        "evidence": _list(_RECORD, 100),
        "receipt": RECEIPT,
    }
)
_PROOF_ANSWER = _closed(
    {
        "proof": _TEXT,
        "evidence_type": _TEXT,
        "mode": _TEXT,
        "group": _nullable(_TEXT),
        "replaces_paper": _LABEL,
        "result": {"type": "string", "enum": list(RESULTS)},
        "sentence": _described(_LABEL, "For the clerk"),
        "as_of": _AS_OF,
        "feed": _FEED,
        "superseded": _SUPERSEDED,
        "evidence": _list(_RECORD, 100),
    }
)
BUNDLE_ANSWER = _closed(
    {
        **_ENVELOPE,
        "holder": _closed({"scheme": _TEXT, "id": _TEXT}),
        "complete": {"type": "boolean", "description": "Every requirement of the item has a valid record"},
        "proofs": _list(_PROOF_ANSWER, 32),
        "receipt": RECEIPT,
    }
)
RECEIPT_ANSWER = _closed(
    {
        **_ENVELOPE,
        "log": _TEXT,
        "index": _COUNT,
        "record": _described(_TEXT, "The access record, byte for byte: its UTF-8 bytes are the leaf"),
        "proof": _described(_nullable(_TEXT), "c2sp.org/tlog-proof@v1; null until the entry is published"),
        "trust": {"type": "string", "enum": ["durable", "published", "witnessed", "anchored"]},
        "receipt": RECEIPT,
    }
)
CORRECTION_ANSWER = _closed(
    {
        **_ENVELOPE,
        "correction": _described(_TEXT, "The id of the request"),
        "due": _described(_TEXT, "Until when the department answers (RFC 3339)"),
        "receipt": RECEIPT,
    }
)
TYPES_ANSWER = _closed(
    {**_ENVELOPE, "evidence_types": {"type": "array", "items": {"type": "object"}}, "receipt": RECEIPT}
)
ITEMS_ANSWER = _closed(
    {**_ENVELOPE, "service_items": {"type": "array", "items": {"type": "object"}}, "receipt": RECEIPT}
)
SCHEMAS_ANSWER = _closed(
    {
        **_ENVELOPE,
        "schemas": _list(
            _closed({"evidence_type": _TEXT, "schema": {"type": "object", "description": "JSON Schema 2020-12"}}), 100
        ),
        "receipt": RECEIPT,
    }
)
PROBLEM = _closed(
    {
        "type": {"type": "string"},
        "status": {"type": "integer"},
        "code": _TEXT,
        "fault": {"type": "string", "enum": list(FAULTS)},
        "title": _LABEL,
        "next_step": _LABEL,
    },
    {
        "api_version": {"const": API_VERSION},
        "transaction": _TRANSACTION,
        "pointer": _described(_TEXT, "RFC 6901, into the request"),
        "detail": _TEXT,
        "errors": _list(_closed({"pointer": _TEXT, "keyword": _TEXT, "message": _LABEL}), 20),
        "receipt": RECEIPT,
    },
    description="RFC 9457 problem details",
)
