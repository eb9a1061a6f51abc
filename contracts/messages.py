"""Evidence messages: SD-JWTs (RFC 9901) in compact form, `<JWS>~<disclosure>~…~`, without key binding.

What is visible in every message: issuer, adapter, type, record, operation, position, times, and in `doc` the status,
the validity and the type's `always` fields. Every other top-level field is a disclosure of its own, and so is every
holder. Absent optional fields are decoy digests (RFC 9901 §4.2.5), so that their absence does not show.

A message is verified in this order; nothing is looked at before what protects it has been checked:

1. size and form: at most 128 KB, ends in `~`, at most 256 disclosures
2. the JWS: strict header, `typ`, a registered key, its registered algorithm, the signature over the exact bytes
3. the claims: exactly the names of the operation, each of its kind
4. the stream: issuer and adapter are the key's, the adapter may publish this type, the key covers this position
5. what `doc` shows: sorted digests, none twice, and no member in the open that has to be a disclosure
6. the disclosures: each digest listed in `doc` and used once (RFC 9901 §7.1), each of the right form with a salt of
   128 bits, each name one of the type's, once; no reserved name at any depth
After rule 4 the sender is known: a fault then carries the verified claims, because even an invalid state
supersedes the record's former one.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import orjson

from contracts import jws
from contracts.algorithms import SigningKey, Suite
from contracts.disclosures import (
    HOLDERS,
    MAX_DISCLOSURES,
    SALT_SIZE,
    Disclosure,
    Salts,
    assemble,
    conceal,
    listed_digests,
    read_again,
    read_disclosures,
)
from contracts.encoding import Json, b64url_decode, canonical, parse_object
from contracts.errors import Fault
from contracts.evidence_types import EvidenceType
from contracts.registry.snapshot import Signer, Snapshot
from contracts.streams import Position, Stream

TYP: Final = "dc+sd-jwt"
MAX_MESSAGE: Final = 128 * 1024
# Opaque, and free of what other texts are made of: the lines of bucket digests, log keys, URLs.
_RECORD_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

PUT, WITHDRAW, ERASE = "put", "withdraw", "erase"
OPERATIONS = (PUT, WITHDRAW, ERASE)

# An erasure stands in the log twice: under the record's id, so that cleaning takes what was published under it, and
# under this prefix, where nothing ever comes after it. No record id contains it.
ERASED_PREFIX: Final = "@erased/"

_COMMON = ("_sd_alg", "adp", "epoch", "iat", "iss", "op", "rec", "sd_all", "seq", "src", "vct")
_NAMES: Mapping[str, frozenset[str]] = {
    PUT: frozenset((*_COMMON, "doc")),
    WITHDRAW: frozenset(_COMMON),
    ERASE: frozenset(_COMMON),
}
_KINDS: Mapping[str, type] = dict.fromkeys(_COMMON, str) | {"epoch": int, "seq": int, "iat": int, "src": int}


@dataclass(frozen=True, slots=True)
class Change:
    """What a department says of one record. `document` is None for `withdraw` and `erase`. Times in Unix s."""

    stream: Stream
    record: str
    operation: str
    position: Position
    source_time: int
    document: Mapping[str, Json] | None = None


class Claims(NamedTuple):  # like Evidence made once for each message: a frozen dataclass takes twice as long
    """The verified, always visible part of a message. `identity` is the digest (`alg:hex`) of the JWS signing input."""

    stream: Stream
    type: EvidenceType
    record: str
    operation: str
    position: Position
    issued_at: int
    source_time: int
    identity: str
    published_digest: str
    visible: Mapping[str, Json]
    suite: Suite


class Evidence(NamedTuple):
    """A verified message. `whole`: every disclosure that was published is here."""

    claims: Claims
    disclosures: tuple[Disclosure, ...]
    whole: bool
    message: bytes

    def document(self) -> dict[str, Json]:
        """The document of what is disclosed: visible members, fields and holders."""
        return assemble(self.claims.visible, self.disclosures)


@dataclass(frozen=True, slots=True)
class MessageFault:
    """A refused message. `claims` where the sender is verified: then the record's former state is superseded."""

    code: str
    pointer: str = ""
    claims: Claims | None = None


# --- sealing ---------------------------------------------------------------------------------------------------


def seal(change: Change, evidence_type: EvidenceType, key: SigningKey, salts: Salts, issued_at: int) -> bytes:
    """The message bytes of `change`, signed by `key`. `salts` yields 16 random bytes each; `issued_at` in Unix s.

    The document is one that its type has checked. Raises `Fault` where a message would be refused for its form:
    `claims_invalid` (record id), `name_unknown`, `name_reserved`, `disclosures_too_many`, `message_too_large`.
    """
    _check_change(change, evidence_type)
    disclosures: list[bytes] = []
    payload: dict[str, Json] = {
        "_sd_alg": key.suite.hash_name,
        "iss": change.stream.organisation,
        "adp": change.stream.adapter,
        "vct": evidence_type.vct,
        "rec": change.record,
        "op": change.operation,
        "epoch": change.position.epoch,
        "seq": change.position.seq,
        "iat": issued_at,
        "src": change.source_time,
    }
    if change.document is not None:
        payload["doc"], disclosures = conceal(change.document, evidence_type, key.suite, salts)
    tail = b"".join(text + b"~" for text in disclosures)
    payload["sd_all"] = key.suite.digest_text(tail)
    message = jws.sign(TYP, canonical(payload), key) + b"~" + tail
    if len(message) > MAX_MESSAGE:
        raise Fault("message_too_large")
    return message


def _check_change(change: Change, evidence_type: EvidenceType) -> None:
    if change.stream.evidence_type != evidence_type.id or (change.operation == PUT) != (change.document is not None):
        raise ValueError("a change belongs to its type, and a put alone has a document")
    if _RECORD_ID.fullmatch(change.record) is None:
        raise Fault("claims_invalid", "/rec")


def log_keys(record: str, operation: str) -> tuple[bytes, ...]:
    """The keys of the log under which a message of `record` is written, in order."""
    name = record.encode()
    return (name, ERASED_PREFIX.encode() + name) if operation == ERASE else (name,)


def record_of(log_key: str) -> str:
    """The record that a key of the log names."""
    return log_key.removeprefix(ERASED_PREFIX)


# --- opening ---------------------------------------------------------------------------------------------------


def open_message(message: bytes, registry: Snapshot) -> Evidence | MessageFault:
    """Verify `message` against `registry`, in the order of the module's rules."""
    claims: Claims | None = None
    try:
        token, texts = _split(message)
        signer, compact = _find_key(token, registry)
        payload = parse_object(compact.verified_payload(signer.key))
        claims = _read_claims(payload, signer, compact, registry)
        disclosures = _read_content(payload, claims, texts)
    except Fault as fault:
        return MessageFault(fault.code, fault.pointer, claims)
    tail = message[len(token) + 1 :]
    return Evidence(claims, disclosures, claims.suite.digest_text(tail) == claims.published_digest, message)


def _split(message: bytes) -> tuple[bytes, list[bytes]]:
    """Rule 1."""
    if len(message) > MAX_MESSAGE:
        raise Fault("message_too_large")
    token, *texts = message.split(b"~")
    if not texts or texts.pop() != b"":
        raise Fault("message_malformed")  # truncated, or with a key binding JWT
    if len(texts) > MAX_DISCLOSURES:
        raise Fault("disclosures_too_many")
    return token, texts


def _find_key(token: bytes, registry: Snapshot) -> tuple[Signer, jws.Compact]:
    """Rule 2, but the signature."""
    compact = jws.parse(token, TYP)
    signer = registry.signers.get(compact.kid)
    if signer is None:
        raise Fault("key_unknown")
    return signer, compact


def _check_claims(payload: Mapping[str, Json], suite: Suite) -> None:
    """Rule 3."""
    operation = payload.get("op")
    names = _NAMES.get(operation) if isinstance(operation, str) else None
    if names is None:
        raise Fault("operation_unknown", "/op")
    if payload.keys() != names:
        raise Fault("claims_invalid")
    for name, kind in _KINDS.items():
        if type(payload[name]) is not kind:
            raise Fault("claims_invalid", f"/{name}")
    if _RECORD_ID.fullmatch(payload["rec"]) is None:
        raise Fault("claims_invalid", "/rec")
    if payload["seq"] < 1 or payload["epoch"] < 1:
        raise Fault("claims_invalid", "/seq")
    if payload["_sd_alg"] != suite.hash_name:
        raise Fault("sd_alg_mismatch", "/_sd_alg")


def _read_claims(payload: Mapping[str, Json], signer: Signer, compact: jws.Compact, registry: Snapshot) -> Claims:
    """Rules 3 and 4."""
    _check_claims(payload, signer.key.suite)
    adapter = signer.adapter
    if payload["iss"] != adapter.organisation or payload["adp"] != adapter.id:
        raise Fault("issuer_mismatch", "/iss")
    evidence_type = registry.types.get(payload["vct"])
    if evidence_type is None:
        raise Fault("type_unknown", "/vct")
    stream = signer.streams.get(evidence_type.id)
    if stream is None:
        raise Fault("key_not_for_stream", "/vct")
    position = Position(payload["epoch"], payload["seq"])
    if position.epoch < adapter.lowest_epoch.get(evidence_type.id, 0):
        raise Fault("epoch_revoked", "/epoch")
    if not signer.entry.covers(evidence_type.id, position):
        raise Fault("key_out_of_range", "/seq")
    doc = payload.get("doc")
    return Claims(
        stream,
        evidence_type,
        payload["rec"],
        payload["op"],
        position,
        payload["iat"],
        payload["src"],
        signer.key.suite.digest_text(compact.signing_input),
        payload["sd_all"],
        doc if type(doc) is dict else {},  # rule 5 comes next
        signer.key.suite,
    )


def _read_content(payload: Mapping[str, Json], claims: Claims, texts: list[bytes]) -> tuple[Disclosure, ...]:
    """Rules 5 and 6; nothing is listed where there is no document."""
    listed = listed_digests(payload["doc"], claims.type) if claims.operation == PUT else {}
    return read_disclosures(texts, listed, claims.type, claims.suite)


# --- what is done with an opened message -----------------------------------------------------------------------


def read_verified(message: bytes) -> tuple[dict[str, Json], tuple[Disclosure, ...]]:
    """The payload and the disclosures of a message that was verified before it was stored; checks nothing again."""
    token, *texts = message.split(b"~")
    payload: dict[str, Json] = orjson.loads(b64url_decode(token.split(b".")[1]))
    return payload, tuple(map(read_again, texts[:-1]))


def filtered(message: bytes, kept: Iterable[Disclosure]) -> bytes:
    """The same message with only the disclosures in `kept`; the department's signature still verifies."""
    token = message[: message.index(b"~")]
    return b"~".join((token, *(disclosure.text for disclosure in kept), b""))


__all__ = [
    "ERASE",
    "ERASED_PREFIX",
    "HOLDERS",
    "MAX_MESSAGE",
    "OPERATIONS",
    "PUT",
    "SALT_SIZE",
    "TYP",
    "WITHDRAW",
    "Change",
    "Claims",
    "Disclosure",
    "Evidence",
    "MessageFault",
    "Salts",
    "assemble",
    "filtered",
    "log_keys",
    "open_message",
    "read_verified",
    "record_of",
    "seal",
]
