"""What is wrong with a document under its type: in words, without its values. Pure.

1. The whole schema decides first, then the order of the validity's days.
2. What is doubtful but no fault (`identifiers.warnings`) is said apart: the document is good, the department hears of
   it.
3. A fault or a doubt names the label that people know, and the place (RFC 6901 JSON pointer).
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from contracts import identifiers
from contracts.encoding import Json
from contracts.evidence_types import EvidenceType
from contracts.text import Text

_ENDS_EARLY = Text("早于起始日期", "is before its beginning")


@dataclass(frozen=True, slots=True)
class DocumentFault:
    """What is wrong with a document: `pointer` (RFC 6901), the schema's `keyword`, and words without its values."""

    pointer: str
    keyword: str
    words: Text


def check(evidence_type: EvidenceType, document: Json) -> tuple[DocumentFault, ...]:
    """The faults of a whole document under its type; empty if there are none."""
    faults = compiled(evidence_type).faults(document)
    if faults:
        return tuple(_in_words(evidence_type, fault.pointer, fault.keyword, fault.message) for fault in faults)
    validity = document["validity"]
    if validity["until"] is None or validity["from"] <= validity["until"]:
        return ()
    return (_in_words(evidence_type, "/validity/until", "order", _ENDS_EARLY),)


def check_property(evidence_type: EvidenceType, name: str, value: Json) -> tuple[DocumentFault, ...]:
    """As `check`, for one top-level property alone: what a node behind a border can see. `KeyError` if unknown."""
    faults = compiled(evidence_type).faults_of(name, value)
    return tuple(_in_words(evidence_type, fault.pointer, fault.keyword, fault.message) for fault in faults)


def doubts(evidence_type: EvidenceType, document: Mapping[str, Json]) -> tuple[DocumentFault, ...]:
    """What is doubtful in a good document: in its top-level fields, and in lists of such values."""
    return tuple(
        _in_words(evidence_type, f"/{name}", code, identifiers.WARNINGS[code])
        for name, form in _doubtful(evidence_type)
        for value in _values(document.get(name))
        for code in identifiers.warnings(form, value)
    )


def _values(value: Json) -> tuple[str, ...]:
    """The texts in a value: a field may also be null, a number, or a list of such."""
    return tuple(one for one in (value if type(value) is list else (value,)) if type(one) is str)


@lru_cache(maxsize=256)
def _doubtful(evidence_type: EvidenceType) -> tuple[tuple[str, str], ...]:
    """The own fields whose values can be doubtful, with their formats."""
    schemas = evidence_type.schema["properties"]
    forms = ((name, schemas[name].get("items", schemas[name]).get("format", "")) for name in evidence_type.fields)
    return tuple((name, form) for name, form in forms if form in identifiers.DOUBTFUL)


@lru_cache(maxsize=4096)
def compiled(evidence_type: EvidenceType) -> Any:
    """The `contracts.schemas.Compiled` of a type.

    Loaded on first use: the validator comes with the gateway and adapter extras only, and programs that merely read
    types do without.
    """
    return importlib.import_module("contracts.schemas").Compiled(evidence_type.schema)


def _in_words(evidence_type: EvidenceType, pointer: str, keyword: str, message: Text) -> DocumentFault:
    name = pointer[1:].partition("/")[0]
    if name not in evidence_type.schema["properties"]:
        return DocumentFault(pointer, keyword, Text(f"数据{message.zh}", f"the document {message.en}"))
    label = evidence_type.label(name)
    words = Text(f"{label.zh}({pointer}){message.zh}", f"{label.en} ({pointer}) {message.en}")
    return DocumentFault(pointer, keyword, words)
