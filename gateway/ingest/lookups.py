"""What a record is found by: its holders, and the key fields of its type, in their normal form. Pure.

A refused message is found by what can be read of it: the disclosures that its signed payload lists. They are taken
from the refused message itself, never from the record's former state, because a node that is built from the compacted
log later has never seen that one; so an old node and a fresh one find the same. A refused message that names nobody
readable is found by nothing: it still counts in `rejected`, which every answer about its stream says.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from contracts.disclosures import Disclosure, listed_digests, read_again
from contracts.encoding import Json, b64url_encode
from contracts.errors import Fault
from contracts.evidence_types import EvidenceType
from contracts.identifiers import normalise
from contracts.messages import MAX_MESSAGE, Claims, Evidence, MessageFault
from gateway.store.rows import SUPERSEDES, Lookups

MAX_LOOKUPS = 256


@lru_cache(maxsize=4096)
def _key_formats(evidence_type: EvidenceType) -> dict[str, str]:
    """Key field → its format, "" for none."""
    return {name: evidence_type.key_format(name) for name in evidence_type.key_fields}


def lookups_of(evidence_type: EvidenceType, visible: Mapping[str, Json], disclosures: Iterable[Disclosure]) -> Lookups:
    """(field, normalised value) of all that finds a document; a holder's field is `holder:<scheme>`, what it supersedes
    is `SUPERSEDES` with the record's id."""
    found: list[tuple[str, str]] = []
    formats = _key_formats(evidence_type)
    for _, name, value in disclosures:
        if name is None:
            if type(value) is dict and type(value.get("scheme")) is str and type(value.get("id")) is str:
                found.append((f"holder:{value['scheme']}", normalise(value["scheme"], value["id"])))
        elif name in formats and type(value) is str:
            found.append((name, normalise(formats[name], value)))
    former = visible.get("supersedes")
    if type(former) is list:  # a refused message may show anything
        found.extend((SUPERSEDES, record) for record in former if type(record) is str)
    shown = ((name, visible[name]) for name in formats if name in visible)
    found.extend((name, normalise(formats[name], value)) for name, value in shown if type(value) is str)
    return tuple(found)


def lookups_of_message(claims: Claims, opened: Evidence | MessageFault, message: bytes) -> Lookups:
    """The same for a verified message, refused or not."""
    readable = opened.disclosures if isinstance(opened, Evidence) else _readable(claims, message)
    return lookups_of(claims.type, claims.visible, readable)[:MAX_LOOKUPS]


def _readable(claims: Claims, message: bytes) -> Iterator[Disclosure]:
    """The listed disclosures that can be read; what somebody added on the way is not listed."""
    try:
        listed = listed_digests(claims.visible, claims.type)
    except Fault:
        return
    for text in message[:MAX_MESSAGE].split(b"~")[1 : 1 + MAX_LOOKUPS]:
        is_holder = listed.pop(b64url_encode(claims.suite.digest(text)).decode(), None)
        disclosure = _read(text) if is_holder is not None else None
        if disclosure is not None and is_holder == (disclosure.name is None):
            yield disclosure


def _read(text: bytes) -> Disclosure | None:
    try:
        disclosure = read_again(text)
    except (Fault, ValueError, TypeError):
        return None
    return disclosure if disclosure.name is None or type(disclosure.name) is str else None
