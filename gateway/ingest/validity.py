"""What a verified message is worth: is it complete, and does its document keep the rules of its type? Pure.

1. In its home zone a message comes whole: a disclosure that was published and is not here was dropped on the way.
2. Every holder that the message lists is disclosed, so that nobody holds a record unseen.
3. At home the whole document is checked against its type. Behind a border, where the relay drops what policy does not
   allow, each property that is here is checked against its own subschema.
4. The first fault is named by its place. What stood there is never repeated.
"""

from collections.abc import Iterable
from typing import NamedTuple

from contracts.disclosures import HOLDERS
from contracts.documents import DocumentFault, check, check_property
from contracts.messages import PUT, Evidence


class Flaw(NamedTuple):
    """Why a verified message is refused: `code`, JSON `pointer` into the document."""

    code: str
    pointer: str


def flaw_of(evidence: Evidence, home: bool) -> Flaw | None:
    """The first reason to refuse a verified message; None if there is none."""
    if evidence.claims.operation != PUT:
        return None if evidence.whole else Flaw("disclosures_missing", "/sd_all")
    return _at_home(evidence) if home else _behind_border(evidence)


def _at_home(evidence: Evidence) -> Flaw | None:
    if not evidence.whole:
        return Flaw("disclosures_missing", "/sd_all")
    document = evidence.document()
    if len(document[HOLDERS]) != len(evidence.claims.visible[HOLDERS]):
        return Flaw("disclosures_missing", "/doc/holders")
    return _first(check(evidence.claims.type, document))


def _behind_border(evidence: Evidence) -> Flaw | None:
    evidence_type = evidence.claims.type
    document = evidence.document()
    if not document[HOLDERS]:
        del document[HOLDERS]
    for name in ("status", "validity", *evidence_type.always):
        if name not in document and name in evidence_type.schema["required"]:
            return Flaw("document_invalid", f"/{name}")
    return _first(fault for name, value in document.items() for fault in check_property(evidence_type, name, value))


def _first(faults: Iterable[DocumentFault]) -> Flaw | None:
    for fault in faults:
        return Flaw("document_invalid", fault.pointer)
    return None
