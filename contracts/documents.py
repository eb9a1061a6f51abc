"""What is wrong with a document under its type: in words, without its values. Pure.

1. The whole schema decides first, then the order of the validity's days.
2. A fault names the label that people know, and the place (RFC 6901 JSON pointer).
"""

import importlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

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
