"""The hidden part of an evidence message: `doc` with its digests, and the disclosures that they stand for (RFC 9901).

1. `doc` shows what is never droppable (`life_cycle.VISIBLE`) and the type's `always` fields. Every other top-level
   field is a digest in `doc._sd`, every element of `holders` a `{"...": digest}`. Absent optional fields are decoy
   digests (§4.2.5), so that their absence does not show; the digests are sorted, so that their order says nothing
   (§4.2.4.1).
2. A disclosure is base64url of `[salt, name, value]`, of a holder `[salt, value]`; its digest is over that text
   (§4.2.3). A salt has 128 bits or more: else whoever holds the digest could guess the value (§9.3).
3. On reading: no digest twice (§7.1 step 4), no member in the open that has to be a disclosure, every disclosure
   listed (step 5) and used once, every name one of the type's, once (step 3).
4. `_sd`, `...` and `_sd_alg` are names of the format: no value holds them at any depth, so nothing can hide a second
   level.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple, NoReturn

import orjson

from contracts.algorithms import Suite
from contracts.encoding import Json, b64url_decode, b64url_encode, canonical, parse_strict_all
from contracts.errors import Fault
from contracts.evidence_types import EvidenceType
from contracts.life_cycle import VISIBLE

MAX_DISCLOSURES: Final = 256
HOLDERS: Final = "holders"
SALT_SIZE: Final = 16
_SALT_TEXT = 22  # characters of base64url
_RESERVED = frozenset(("_sd", "...", "_sd_alg"))

Salts = Iterator[bytes]  # SALT_SIZE random bytes each


class Disclosure(NamedTuple):  # a frozen dataclass takes twice as long to make, fourteen times for each message
    """One disclosed field (`name`), or one holder (`name` None). `text` is the base64url form, without `~`."""

    text: bytes
    name: str | None
    value: Json


@lru_cache(maxsize=256)
def _visible_names(evidence_type: EvidenceType) -> frozenset[str]:
    """The members that `doc` may show."""
    return frozenset(("_sd", HOLDERS, *VISIBLE, *evidence_type.always))


def conceal(
    document: Mapping[str, Json], evidence_type: EvidenceType, suite: Suite, salts: Salts
) -> tuple[dict[str, Json], list[bytes]]:
    """The `doc` claim of a document and its disclosures, fields first and then holders; raises `Fault`."""
    _check_document(document, evidence_type)
    hidden = evidence_type.disclosable
    fields = [_disclosure(next(salts), name, document[name]) for name in hidden if name in document]
    holders = [_disclosure(next(salts), holder) for holder in document[HOLDERS]]
    decoys = [next(salts) for name in hidden if name not in document]
    doc = {name: value for name, value in document.items() if name not in hidden}
    doc["_sd"] = sorted(_digest(suite, item) for item in (*fields, *decoys))
    doc[HOLDERS] = [{"...": _digest(suite, item)} for item in holders]
    return doc, [*fields, *holders]


def _check_document(document: Mapping[str, Json], evidence_type: EvidenceType) -> None:
    if len(evidence_type.disclosable) + len(document[HOLDERS]) > MAX_DISCLOSURES:
        raise Fault("disclosures_too_many")
    for name, value in document.items():
        if name not in evidence_type.disclosable and name not in _visible_names(evidence_type):
            raise Fault("name_unknown")  # it would stand in the open
        _check_reserved(value, f"/{name}")


def _disclosure(salt: bytes, *content: Json) -> bytes:
    return b64url_encode(canonical([b64url_encode(salt).decode(), *content]))


def _digest(suite: Suite, disclosure: bytes) -> str:
    return b64url_encode(suite.digest(disclosure)).decode()


def listed_digests(doc: Json, evidence_type: EvidenceType) -> dict[str, bool]:
    """The digests that `doc` lists, each with whether it stands for a holder; raises `Fault`."""
    if type(doc) is not dict or type(doc.get("_sd")) is not list or type(doc.get(HOLDERS)) is not list:
        raise Fault("claims_invalid", "/doc")
    fields: list[str] = doc["_sd"]
    holders: list[str] = [item["..."] for item in doc[HOLDERS] if type(item) is dict and item.keys() == {"..."}]
    if len(holders) != len(doc[HOLDERS]):
        raise Fault("claims_invalid", "/doc/holders")
    if not {str}.issuperset(map(type, (*fields, *holders))) or fields != sorted(fields):
        raise Fault("claims_invalid", "/doc/_sd")
    listed = dict.fromkeys(fields, False) | dict.fromkeys(holders, True)
    if len(listed) != len(fields) + len(holders):
        raise Fault("digest_duplicate", "/doc/_sd")
    _check_visible(doc, evidence_type)
    return listed


def _check_visible(doc: Mapping[str, Json], evidence_type: EvidenceType) -> None:
    names = _visible_names(evidence_type)
    for name, value in doc.items():
        if name not in names:
            _refuse_name(name, evidence_type, "field_exposed")
        if name not in ("_sd", HOLDERS):
            _check_reserved(value, f"/{name}")


def read_disclosures(
    texts: list[bytes], listed: dict[str, bool], evidence_type: EvidenceType, suite: Suite
) -> tuple[Disclosure, ...]:
    """The disclosures in `texts`; takes what it uses out of `listed`; raises `Fault`.

    A listed digest that is left over is a decoy or withheld: which of them, nobody can tell.
    """
    kinds = [listed.pop(b64url_encode(digest).decode(), None) for digest in suite.digest_all(texts)]
    if None in kinds:
        text = texts[kinds.index(None)]
        raise Fault("disclosure_duplicate" if texts.count(text) > 1 else "disclosure_unlisted")
    free = set(evidence_type.disclosable)
    found: list[Disclosure] = []
    contents = parse_strict_all([b64url_decode(text) for text in texts])
    for text, is_holder, content in zip(texts, kinds, contents, strict=True):
        name, value = _holder_of(content) if is_holder else _field_of(content)
        if name in free:
            free.remove(name)
        elif name is not None:
            _refuse_name(name, evidence_type, "name_duplicate")
        if type(value) is not str:
            _check_reserved(value, f"/{name or HOLDERS}")
        found.append(Disclosure(text, name, value))
    return tuple(found)


def _field_of(content: Json) -> tuple[str, Json]:
    if type(content) is not list or len(content) != 3:
        raise Fault("disclosure_malformed")
    salt, name, value = content
    if type(salt) is not str or type(name) is not str:
        raise Fault("disclosure_malformed")
    if len(salt) < _SALT_TEXT:
        raise Fault("salt_too_short")
    return name, value


def _holder_of(content: Json) -> tuple[None, Json]:
    if type(content) is not list or len(content) != 2:
        raise Fault("disclosure_malformed")
    return None, _field_of([content[0], HOLDERS, content[1]])[1]


def _refuse_name(name: str, evidence_type: EvidenceType, known: str) -> NoReturn:
    """`known`: the code for a name that the type has. A name that it lacks is not repeated: it may be anything."""
    if name in _RESERVED:
        raise Fault("name_reserved")
    if name in evidence_type.disclosable or name in _visible_names(evidence_type):
        raise Fault(known, f"/{name}")
    raise Fault("name_unknown")


def _check_reserved(value: Json, at: str) -> None:
    if type(value) is dict:
        if not _RESERVED.isdisjoint(value):
            raise Fault("name_reserved", at)
        for item in value.values():
            _check_reserved(item, at)
    elif type(value) is list:
        for item in value:
            _check_reserved(item, at)


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


def read_again(text: bytes) -> Disclosure:
    """A disclosure that was checked before it was stored; checks nothing again."""
    _, *content = orjson.loads(b64url_decode(text))
    return Disclosure(text, *content) if len(content) == 2 else Disclosure(text, None, *content)
