"""One record as it leaves: what the grant shows, and nothing else. Pure.

1. The stored message was verified and checked before it was stored; it is taken apart here without checking it again.
2. `sd_jwt` is the department's message with exactly the disclosures that the grant allows for the record's version
   of its type; of the holders all, or only the one that was asked for, or none. The rest appears nowhere.
3. `document` is what `sd_jwt` discloses, as plain JSON: visible members, allowed fields, holders.
4. `withheld` and `labels` follow from type and grant alone, never from the record: an absent field does not show.
   `codes` labels the coded values that the document has.
5. A record whose newest state was refused has no content: `status` is `refused`, `document` and `sd_jwt` are null.
   It is never left out, because "not found" would be untrue.
"""

from binascii import a2b_base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from contracts.disclosures import HOLDERS
from contracts.encoding import Json
from contracts.evidence_types import COMMON_LABELS, STATUSES, EvidenceType
from contracts.text import Text
from gateway.access.decide import ALL_HOLDERS, ASKED_HOLDER, Granted
from gateway.store.rows import StoredRecord

REFUSED: Final = "refused"

_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_HIDDEN = ("_sd", HOLDERS)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A record's JSON, its status, and the string that is released with it (None: nothing is)."""

    form: bytes
    status: str
    released: bytes | None


@dataclass(frozen=True, slots=True)
class Frame:
    """What all records of one type and grant have in common (rule 4): the fields shown, the JSON members that depend
    on nothing else, and the labels of coded values by field."""

    allowed: frozenset[str]
    members: bytes
    codes: Mapping[str, Mapping[str, Text]]


def frame(evidence_type: EvidenceType, allowed: frozenset[str]) -> Frame:
    """The frame of records of this version of the type, of which `allowed` fields are shown."""
    shown = [
        *COMMON_LABELS,
        *(name for name in evidence_type.fields if name in allowed or name in evidence_type.always),
    ]
    members = {
        "evidence_type": evidence_type.vct,
        "labels": {name: evidence_type.label(name).as_json() for name in shown},
        "withheld": [name for name in evidence_type.disclosable if name not in allowed],
    }
    coded = {name: evidence_type.fields[name].codes for name in shown if name not in COMMON_LABELS}
    codes = {"status": STATUSES, **{name: labels for name, labels in coded.items() if labels}}
    return Frame(allowed, orjson.dumps(members)[1:-1], codes)


def render(granted: Granted, row: StoredRecord, common: Frame) -> Rendered:
    """The record as `granted` shows it; `common` is the frame of its version."""
    if row.message is None:
        return Rendered(_refused(row), REFUSED, None)
    document, sd_jwt = disclose(row.message, common.allowed, granted)
    form = b'{"record":%b,"status":%b,%b,"document":%b,"codes":%b,"sd_jwt":"%b"}' % (
        orjson.dumps(row.record),
        orjson.dumps(document["status"]),
        common.members,
        orjson.dumps(document),
        orjson.dumps(_codes(common.codes, document)),
        sd_jwt,
    )
    return Rendered(form, document["status"], sd_jwt)


def disclose(message: bytes, allowed: frozenset[str], granted: Granted) -> tuple[dict[str, Json], bytes]:
    """`document` and `sd_jwt` (rules 1 to 3)."""
    token, *texts = message.split(b"~")
    visible = _decoded(token.split(b".", 2)[1])["doc"]
    document = {name: value for name, value in visible.items() if name not in _HIDDEN}
    asked = granted.by.to_json() if granted.holders == ASKED_HOLDER else None
    holders: list[Json] = []
    kept = [token]
    for text in texts[:-1]:
        content = _decoded(text)
        if len(content) == 3:
            if content[1] in allowed:
                document[content[1]] = content[2]
                kept.append(text)
        elif granted.holders == ALL_HOLDERS or content[1] == asked:
            holders.append(content[1])
            kept.append(text)
    document[HOLDERS] = holders
    kept.append(b"")
    return document, b"~".join(kept)


def _decoded(text: bytes) -> Json:
    return orjson.loads(a2b_base64(text.translate(_TO_STANDARD) + b"=="))


def _codes(labels: Mapping[str, Mapping[str, Text]], document: Mapping[str, Json]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name, texts in labels.items():
        value = document.get(name)
        if value is not None:
            values: Iterable[str] = value if type(value) is list else (value,)
            found[name] = {one: texts[one].as_json() for one in values if one in texts}
    return found


def _refused(row: StoredRecord) -> bytes:
    return orjson.dumps(
        {
            "record": row.record,
            "status": REFUSED,
            "evidence_type": row.vct,
            "labels": {},
            "withheld": [],
            "document": None,
            "codes": {},
            "sd_jwt": None,
        }
    )
