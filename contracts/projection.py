"""The schema of what an answer shows of a type: its published projection. Pure.

1. An answer's `document` has the members that are never withheld, the type's `always` fields, and the fields granted;
   nothing else. Each has the subschema of the type.
2. `holders` is there and holds those disclosed: all of them, or only the one asked for; none for a question by key.
3. Required is what is never withheld. A granted field may be missing all the same: a question may ask for fewer, a
   proof may not apply, and behind a border a field may have been dropped.
"""

from collections.abc import Collection

from contracts.encoding import Json
from contracts.evidence_types import EvidenceType
from contracts.life_cycle import REQUIRED, VISIBLE


def projection(evidence_type: EvidenceType, granted: Collection[str]) -> dict[str, Json]:
    """The JSON Schema (2020-12) of documents in answers that show the `granted` fields; unknown names are ignored."""
    schema = evidence_type.schema
    shown = {*VISIBLE, *evidence_type.always, *granted}
    properties = {name: subschema for name, subschema in schema["properties"].items() if name in shown}
    properties["holders"] = {**schema["properties"]["holders"], "minItems": 0}
    required = [name for name in schema["required"] if name in (*VISIBLE, *evidence_type.always)]
    more = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    return {
        "$schema": schema["$schema"],
        "$id": f"{evidence_type.vct}:answer",
        "type": "object",
        **more,
        "properties": properties,
        "required": sorted({*REQUIRED, *required}),
        "additionalProperties": False,
    }
