"""Evidence messages: SD-JWTs (RFC 9901) in compact form, `<JWS>~<disclosure>~…~`, without key binding.

What is visible in every message: issuer, adapter, type, record, operation, position, times, and in `doc` the status,
the validity and the type's `always` fields. Every other top-level field is a disclosure of its own, and so is every
holder. Absent optional fields are decoy digests (RFC 9901 §4.2.5), so that their absence does not show.

A message is verified in this order; nothing is looked at before what protects it has been checked:

1. size and form: at most 128 KB, ends in `~`, at most 256 disclosures
2. the JWS: strict header, `typ`, a registered key, its registered algorithm, the signature over the exact bytes
3. the claims: exactly the names of the operation, each of its kind
4. the stream: issuer and adapter are the key's, the adapter may publish this type, the key covers this position
5. the disclosures: each digest listed in the payload and used once (RFC 9901 §7.1), each of the right form,
   each name one of the type's, once, none of them reserved
From step 4 on the sender is known: a fault then carries the verified claims, because even an invalid state
supersedes the record's former one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from contracts import jws
from contracts.algorithms import SigningKey, Suite
from contracts.encoding import MAX_INTEGER, Json, b64url_decode, b64url_encode, canonical, parse_object, parse_strict
from contracts.errors import Fault
from contracts.evidence_types import EvidenceType
from contracts.registry.snapshot import Signer, Snapshot
from contracts.streams import Position, Stream

TYP: Final = "dc+sd-jwt"
MAX_MESSAGE: Final = 128 * 1024
MAX_DISCLOSURES: Final = 256
MAX_RECORD_ID: Final = 128
SALT_SIZE: Final = 16

PUT, WITHDRAW, ERASE = "put", "withdraw", "erase"
OPERATIONS = (PUT, WITHDRAW, ERASE)

_COMMON = ("_sd_alg", "adp", "epoch", "iat", "iss", "op", "rec", "sd_all", "seq", "src", "vct")
_NAMES: Mapping[str, frozenset[str]] = {
    PUT: frozenset((*_COMMON, "doc")),
    WITHDRAW: frozenset(_COMMON),
    ERASE: frozenset(_COMMON),
}
_KINDS: Mapping[str, type] = dict.fromkeys(_COMMON, str) | {"epoch": int, "seq": int, "iat": int, "src": int}
_RESERVED = frozenset(("_sd", "...", "_sd_alg"))
# Members of `doc` that every type has; they are never disclosures of the ordinary kind.
HOLDERS: Final = "holders"

Salts = Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Change:
    """What a department says of one record. `document` is None for `withdraw` and `erase`. Times in Unix s."""

    stream: Stream
    record: str
    operation: str
    position: Position
    source_time: int
    document: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Claims:
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


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One disclosed field (`name`), or one holder (`name` None). `text` is the base64url form, without `~`."""

    text: bytes
    name: str | None
    value: Json


@dataclass(frozen=True, slots=True)
class Evidence:
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
    """The message bytes of `change`, signed by `key`. `salts` yields 16 random bytes each; `issued_at` in Unix s."""
    digest = _digester(key.suite)
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
        payload["doc"] = _conceal(change.document, evidence_type, digest, salts, disclosures)
    tail = b"".join(text + b"~" for text in disclosures)
    payload["sd_all"] = key.suite.digest_text(tail)
    return jws.sign(TYP, canonical(payload), key) + b"~" + tail


def _conceal(
    document: Mapping[str, Json],
    evidence_type: EvidenceType,
    digest: Callable[[bytes], str],
    salts: Salts,
    disclosures: list[bytes],
) -> dict[str, Json]:
    """The `doc` claim; appends the disclosures, fields first and then holders."""
    hidden = set(evidence_type.disclosable)
    visible = {name: value for name, value in document.items() if name not in hidden and name != HOLDERS}
    digests: list[str] = []
    for name in evidence_type.disclosable:
        if name in document:
            disclosures.append(_disclosure(next(salts), name, document[name]))
            digests.append(digest(disclosures[-1]))
        else:
            digests.append(digest(next(salts)))  # a decoy
    holders: list[Json] = []
    for holder in document[HOLDERS]:
        disclosures.append(_disclosure(next(salts), holder))
        holders.append({"...": digest(disclosures[-1])})
    return {**visible, "_sd": sorted(digests), HOLDERS: holders}


def _disclosure(salt: bytes, *content: Json) -> bytes:
    return b64url_encode(canonical([b64url_encode(salt).decode(), *content]))


def _digester(suite: Suite) -> Callable[[bytes], str]:
    digest = suite.digest
    return lambda data: b64url_encode(digest(data)).decode()


# --- opening ---------------------------------------------------------------------------------------------------


def open_message(message: bytes, registry: Snapshot) -> Evidence | MessageFault:
    """Verify `message` against `registry`, in the order of the module's rules."""
    claims: Claims | None = None
    try:
        token, texts = _split(message)
        signer, compact = _find_key(token, registry)
        payload = parse_object(compact.verified_payload(signer.key))
        claims = _read_claims(payload, signer, compact, registry)
        disclosures = _disclose(claims, texts)
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
    if not 0 < len(payload["rec"]) <= MAX_RECORD_ID or not payload["rec"].isascii():
        raise Fault("claims_invalid", "/rec")
    if not (0 < payload["seq"] <= MAX_INTEGER and 0 < payload["epoch"] <= MAX_INTEGER):
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
    if evidence_type.id not in adapter.evidence_types:
        raise Fault("key_not_for_stream", "/vct")
    position = Position(payload["epoch"], payload["seq"])
    if position.epoch < adapter.lowest_epoch.get(evidence_type.id, 0):
        raise Fault("epoch_revoked", "/epoch")
    if not signer.entry.covers(evidence_type.id, position):
        raise Fault("key_out_of_range", "/seq")
    return _claims(payload, evidence_type, compact, signer.key.suite)


def _claims(payload: Mapping[str, Json], evidence_type: EvidenceType, compact: jws.Compact, suite: Suite) -> Claims:
    return Claims(
        Stream(payload["iss"], payload["adp"], evidence_type.id),
        evidence_type,
        payload["rec"],
        payload["op"],
        Position(payload["epoch"], payload["seq"]),
        payload["iat"],
        payload["src"],
        suite.digest_text(compact.signing_input),
        payload["sd_all"],
        payload.get("doc", {}),
        suite,
    )


def _disclose(claims: Claims, texts: list[bytes]) -> tuple[Disclosure, ...]:
    """Rule 5. A listed digest that no disclosure has is a decoy or withheld: which of them, nobody can tell."""
    if claims.operation != PUT:
        if texts:
            raise Fault("disclosure_unlisted")
        return ()
    fields, holders = _listed(claims.visible)
    open_fields, open_holders = set(fields), set(holders)
    digest = _digester(claims.suite)
    names = set(claims.visible)
    found: list[Disclosure] = []
    for text in texts:
        place = digest(text)
        if place in open_fields:
            open_fields.remove(place)
            found.append(_read_field(text, claims.type, names))
        elif place in open_holders:
            open_holders.remove(place)
            found.append(_read_holder(text))
        else:
            again = place in fields or place in holders
            raise Fault("disclosure_duplicate" if again else "disclosure_unlisted")
    return tuple(found)


def _listed(doc: Json) -> tuple[list[str], list[str]]:
    """The digests that `doc` lists: fields and holders."""
    if type(doc) is not dict or type(doc.get("_sd")) is not list or type(doc.get(HOLDERS)) is not list:
        raise Fault("claims_invalid", "/doc")
    fields: list[str] = doc["_sd"]
    holders: list[str] = [item["..."] for item in doc[HOLDERS] if type(item) is dict and item.keys() == {"..."}]
    digests = fields + holders
    if len(holders) != len(doc[HOLDERS]) or not all(type(item) is str for item in digests):
        raise Fault("claims_invalid", "/doc/holders")
    if len(set(digests)) != len(digests):
        raise Fault("digest_duplicate", "/doc/_sd")
    if fields != sorted(fields):
        raise Fault("claims_invalid", "/doc/_sd")
    _check_reserved({name: value for name, value in doc.items() if name not in ("_sd", HOLDERS)})
    return fields, holders


def _read_field(text: bytes, evidence_type: EvidenceType, names: set[str]) -> Disclosure:
    content = parse_strict(b64url_decode(text))
    if type(content) is not list or len(content) != 3 or type(content[0]) is not str:
        raise Fault("disclosure_malformed")
    name, value = content[1], content[2]
    if type(name) is not str:
        raise Fault("disclosure_malformed")
    if name in _RESERVED:
        raise Fault("name_reserved")
    if name in names:
        raise Fault("name_duplicate", f"/{name}")
    if name not in evidence_type.disclosable:
        raise Fault("name_unknown")
    names.add(name)
    _check_reserved(value)
    return Disclosure(text, name, value)


def _read_holder(text: bytes) -> Disclosure:
    content = parse_strict(b64url_decode(text))
    if type(content) is not list or len(content) != 2 or type(content[0]) is not str:
        raise Fault("disclosure_malformed")
    _check_reserved(content[1])
    return Disclosure(text, None, content[1])


def _check_reserved(value: Json) -> None:
    """No `_sd` and no `...` inside a disclosed value: nothing may hide a second level."""
    if type(value) is dict:
        if not _RESERVED.isdisjoint(value):
            raise Fault("name_reserved")
        for item in value.values():
            _check_reserved(item)
    elif type(value) is list:
        for item in value:
            _check_reserved(item)


# --- what is done with an opened message -----------------------------------------------------------------------


def assemble(visible: Mapping[str, Json], disclosures: Iterable[Disclosure]) -> dict[str, Json]:
    """The plain document: visible members of `doc`, disclosed fields, and `holders` as far as disclosed."""
    document = {name: value for name, value in visible.items() if name not in ("_sd", HOLDERS)}
    holders: list[Json] = []
    for disclosure in disclosures:
        if disclosure.name is None:
            holders.append(disclosure.value)
        else:
            document[disclosure.name] = disclosure.value
    document[HOLDERS] = holders
    return document


def read_verified(message: bytes) -> tuple[dict[str, Json], tuple[Disclosure, ...]]:
    """The payload and the disclosures of a message that was verified before it was stored; checks nothing again."""
    token, *texts = message.split(b"~")
    payload = parse_object(b64url_decode(token.split(b".")[1]))
    return payload, tuple(map(_read_again, texts[:-1]))


def _read_again(text: bytes) -> Disclosure:
    content = parse_strict(b64url_decode(text))
    return Disclosure(text, content[1], content[2]) if len(content) == 3 else Disclosure(text, None, content[1])


def filtered(message: bytes, kept: Iterable[Disclosure]) -> bytes:
    """The same message with only the disclosures in `kept`; the department's signature still verifies."""
    token = message[: message.index(b"~")]
    return b"~".join((token, *(disclosure.text for disclosure in kept), b""))
