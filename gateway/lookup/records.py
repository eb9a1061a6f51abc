"""One record as it leaves: what the grant shows, and nothing else. Pure.

1. The stored message was verified and checked before it was stored; it is taken apart here without checking it again.
2. `sd_jwt` is the department's message with exactly the disclosures that the grant allows for the record's version
   of its type; of the holders all, or only the one that was asked for, or none. The rest appears nowhere.
3. `document` is what `sd_jwt` discloses, as plain JSON: visible members, allowed fields, holders.
4. `withheld` and `labels` follow from type and grant alone, never from the record: an absent field does not show.
   `codes` labels the coded values that the document has.
5. `validity_state` compares the validity with the local day of the question, in the type's zone (`utc_offset`): a
   department may be slow to say "expired".
6. `type_phase` says whether the version of the type that the record was published under is in force, deprecated or
   ended.
7. A record whose newest state was refused has no content: `status` is `refused`, `document` and `sd_jwt` are null.
   It is never left out, because "not found" would be untrue.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import orjson
from pybase64 import b64decode

from contracts.disclosures import HOLDERS
from contracts.encoding import Json
from contracts.evidence_types import EvidenceType
from contracts.life_cycle import COMMON_LABELS, RESTRICTIONS, STATUSES, local_day, validity_state
from contracts.text import Text
from gateway.access.decide import ALL_HOLDERS, ASKED_HOLDER, Granted
from gateway.store.rows import StoredRecord

REFUSED: Final = "refused"

MAX_MADE: Final = 1024

_FORM = b",".join(
    (
        b'{"record":"%b","status":"%b","validity_state":"%b","type_phase":"%b","superseded":%b',
        b'%b,"document":%b,"codes":%b,"sd_jwt":"%b"}',
    )
)
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
# By length modulo 4: what fills a group up so that it ends in line feeds. And "[", ",", "]", each with two spaces.
_FILL = (b"", b"", b"oK", b"K")
_OPEN, _COMMA, _CLOSE = b"WyAg", b"LCAg", b"ICBd"


class Rendered(NamedTuple):
    """A record's JSON, its status and validity state, the string that is released with it (None: nothing is), and the
    ids of the records that it supersedes."""

    form: bytes
    status: str
    released: bytes | None
    validity_state: str | None = None
    type_phase: str | None = None
    supersedes: Sequence[str] = ()
    superseded: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """What all records of one type and grant have in common (rule 4): the fields shown, the JSON members that depend
    on nothing else, and the labels of coded values by field. `made` remembers what `_codes` made of them."""

    type: EvidenceType
    allowed: frozenset[str]
    members: bytes
    codes: Mapping[str, Mapping[str, Text]]
    made: dict[tuple[Json, ...], bytes] = field(default_factory=dict, compare=False)


def frame(evidence_type: EvidenceType, allowed: frozenset[str]) -> Frame:
    """The frame of records of this version of the type, of which `allowed` fields are shown."""
    shown = [
        *(name for name in COMMON_LABELS if name in evidence_type.schema["properties"]),
        *(name for name in evidence_type.fields if name in allowed or name in evidence_type.always),
    ]
    members = {
        "evidence_type": evidence_type.vct,
        "labels": {name: evidence_type.label(name).as_json() for name in shown},
        "withheld": [name for name in evidence_type.disclosable if name not in allowed],
        "utc_offset": evidence_type.utc_offset,
    }
    coded = {name: evidence_type.fields[name].codes for name in shown if name not in COMMON_LABELS}
    codes = {
        "status": STATUSES,
        "restrictions": RESTRICTIONS,
        **{name: labels for name, labels in coded.items() if labels},
    }
    return Frame(evidence_type, allowed, orjson.dumps(members)[1:-1], codes)


def render(granted: Granted, row: StoredRecord, common: Frame, now: int) -> Rendered:
    """The record as `granted` shows it at `now` (Unix ms); `common` is the frame of its version."""
    if row.message is None:
        return Rendered(_refused(row), REFUSED, None)
    document, sd_jwt = disclose(row.message, common.allowed, granted)
    day = local_day(now, common.type.utc_offset)
    state, phase = validity_state(document["validity"], day), common.type.phase(day)
    # Record ids are plain ASCII and statuses words of ours: both checked before the message was stored.
    form = _FORM % (
        row.record.encode(),
        document["status"].encode(),
        state.encode(),
        phase.encode(),
        b"true" if row.superseded else b"false",
        common.members,
        orjson.dumps(document),
        _codes(common, document),
        sd_jwt,
    )
    return Rendered(form, document["status"], sd_jwt, state, phase, document.get("supersedes", ()), row.superseded)


def disclose(message: bytes, allowed: frozenset[str], granted: Granted) -> tuple[dict[str, Json], bytes]:
    """`document` and `sd_jwt` (rules 1 to 3)."""
    token, *texts = message.split(b"~")
    texts.pop()  # what follows the last "~" is empty
    claims, *contents = _decoded([token.split(b".", 2)[1], *texts])
    document: dict[str, Json] = claims["doc"]
    del document["_sd"]
    rule, asked = granted.holders(allowed), granted.by
    holders: list[Json] = []
    kept = [token]
    for text, content in zip(texts, contents, strict=True):
        if len(content) == 3:
            if content[1] in allowed:
                document[content[1]] = content[2]
                kept.append(text)
        elif rule == ALL_HOLDERS or (rule == ASKED_HOLDER and (content[1]["scheme"], content[1]["id"]) == asked):
            holders.append(content[1])
            kept.append(text)
    document[HOLDERS] = holders
    kept.append(b"")
    return document, b"~".join(kept)


def _decoded(texts: list[bytes]) -> list[Json]:
    """The JSON values of base64url texts, by one decoding and one parsing: ten small ones cost twice as much.

    Each text is filled up to whole groups of four characters such that what is added decodes to line feeds, which
    JSON allows. That needs the unused bits to be zero; strict base64url was checked before the message was stored.
    """
    filled = [text + _FILL[len(text) & 3] for text in texts]
    array = _OPEN + _COMMA.join(filled) + _CLOSE
    values: list[Json] = orjson.loads(b64decode(array.translate(_TO_STANDARD)))
    return values


def _codes(common: Frame, document: Mapping[str, Json]) -> bytes:
    """The labels of the coded values in `document`; made once for each combination of values."""
    values = tuple([_hashable(document.get(name)) for name in common.codes])
    found = common.made.get(values)
    if found is None:
        if len(common.made) >= MAX_MADE:
            common.made.clear()
        found = common.made[values] = orjson.dumps(dict(_labelled(common.codes, values)))
    return found


def _hashable(value: Json) -> Json:
    if type(value) is not list:
        return value
    return tuple([one["kind"] if type(one) is dict else one for one in value])  # restrictions have kinds


def _labelled(codes: Mapping[str, Mapping[str, Text]], values: Iterable[Json]) -> Iterator[tuple[str, Json]]:
    for (name, texts), value in zip(codes.items(), values, strict=True):
        if value is not None:
            each = value if type(value) is tuple else (value,)
            yield name, {one: texts[one].as_json() for one in each if one in texts}


def _refused(row: StoredRecord) -> bytes:
    return orjson.dumps(
        {
            "record": row.record,
            "status": REFUSED,
            "validity_state": None,
            "type_phase": None,
            "superseded": row.superseded,
            "evidence_type": row.vct,
            "labels": {},
            "withheld": [],
            "utc_offset": None,
            "document": None,
            "codes": {},
            "sd_jwt": None,
        }
    )
