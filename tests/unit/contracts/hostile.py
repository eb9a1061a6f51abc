"""The table of hostile messages: how a valid one is bent, and the code that refuses it.

`SENDER` rows keep all rules about sender and stream and break one about content: they have to carry the claims, since
even an invalid state supersedes the record's former one. All other rows must carry none.
What takes a stream's history to refuse (an older number replayed, equivocation, another's log key) stands with the
ingest decision: tests/unit/gateway/ingest/test_decide.py.
"""

import hmac
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from contracts import feeds
from contracts.disclosures import MAX_DISCLOSURES
from contracts.encoding import MAX_DEPTH, b64url_encode, canonical
from contracts.messages import MAX_MESSAGE
from contracts.registry import AdapterKey, Snapshot, Span
from contracts.streams import Position
from tests.unit.contracts.forge import SALT, Draft, deep, text_of
from tests.vectors.world import (
    EPOCH,
    OTHER_TYPE,
    PERMIT,
    WHOLE,
    adapter_of,
    fixed_key,
    registry_of,
    sealed,
    stream_of,
)

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

RETIRED, BREACHED, LOST, LATE = (fixed_key("ES256", label) for label in ("retired", "breached", "lost", "late"))
STRANGER = fixed_key("ES256", "stranger")


def _registry() -> Snapshot:
    first, last = (EPOCH, 10), (EPOCH, 20)
    adapter = adapter_of(
        "ES256",
        AdapterKey("ES256", RETIRED.public.jwk, "retired", {PERMIT.id: Span(last=last)}),
        AdapterKey("ES256", BREACHED.public.jwk, "compromised", {PERMIT.id: Span(last=last)}),
        AdapterKey("ES256", LOST.public.jwk, "compromised"),
        AdapterKey("ES256", LATE.public.jwk, "active", {PERMIT.id: Span(first=first)}),
    )
    return registry_of(
        replace(adapter, lowest_epoch={PERMIT.id: EPOCH - 100}), adapter_of("EdDSA"), adapter_of("ES384")
    )


REGISTRY = _registry()


def _der(draft: Draft) -> bytes:
    mark = draft.key.sign(draft.signing_input())
    return encode_dss_signature(int.from_bytes(mark[:32], "big"), int.from_bytes(mark[32:], "big"))


def malleated(draft: Draft) -> bytes:
    mark = draft.key.sign(draft.signing_input())
    return mark[:32] + (P256_ORDER - int.from_bytes(mark[32:], "big")).to_bytes(32, "big")


def _beyond_order(draft: Draft) -> bytes:
    """The same s, but r + n: equal modulo n, and out of range."""
    r, s = decode_dss_signature(_der(draft))
    return ((r + P256_ORDER) % 2**256).to_bytes(32, "big") + s.to_bytes(32, "big")


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


def _altered_payload(draft: Draft) -> bytes:
    """Another payload under the signature of the first."""
    mark = draft.key.sign(draft.signing_input())
    return draft.claim(seq=2).message(mark)


def _reordered_header(draft: Draft) -> bytes:
    mark = draft.key.sign(draft.signing_input())
    turned = dict(reversed(draft.header.items()))
    text = b"{" + b",".join(canonical(name) + b":" + canonical(value) for name, value in turned.items()) + b"}"
    return draft.head_text(b64url_encode(text)).message(mark)


def _keyed_with_public_key(draft: Draft) -> bytes:
    """HS256 with the public key as the secret (RFC 8725 §2.1)."""
    draft.head(alg="HS256")
    secret = canonical(dict(draft.key.public.jwk))
    return draft.message(hmac.digest(secret, draft.signing_input(), "sha256"))


def statement(draft: Draft) -> bytes:
    statement = feeds.Statement(stream_of("ES256"), Position(EPOCH, 1), 1, 1, 2)
    return feeds.seal(statement, draft.key) + b"~"


def _with_key_binding(draft: Draft) -> bytes:
    token = Draft().head(typ="kb+jwt").message().split(b"~")[0]
    return draft.message() + token


def _swapped(draft: Draft) -> bytes:
    """A disclosure of the neighbour's message."""
    other = sealed("ES256", seq=2).split(b"~")
    return draft.message().replace(draft.texts[0], other[1])


def _part(draft: Draft, number: int, change: Callable[[bytes], bytes]) -> bytes:
    """One part of the JWS changed after signing."""
    token, tail = draft.message().split(b"~", 1)
    parts = token.split(b".")
    parts[number] = change(parts[number])
    return b".".join(parts) + b"~" + tail


def _twice(draft: Draft) -> bytes:
    draft.texts.append(draft.texts[0])
    return draft.message()


def _spoilt(draft: Draft) -> bytes:
    draft.texts[1] = _flipped(draft.texts[1], 30)
    return draft.message()


def _as_field(draft: Draft) -> Draft:
    """A holder's disclosure listed among the fields."""
    return draft.hide(canonical([SALT, {"scheme": "cn.ric", "id": "1"}]))


def _listed_twice(draft: Draft) -> Draft:
    return draft.show(_sd=sorted([*draft.doc["_sd"], draft.doc["_sd"][0]]))


def _listed_in_both(draft: Draft) -> Draft:
    return draft.show(holders=[*draft.doc["holders"], {"...": draft.doc["_sd"][0]}])


def _number_listed(draft: Draft) -> Draft:
    return draft.show(_sd=[*draft.doc["_sd"], 7])


def _json(draft: Draft, found: str, put: str) -> Draft:
    """The payload with a piece of its text replaced."""
    text = text_of(draft.payload)
    assert found in text
    return draft.json(text.replace(found, put, 1).encode())


class Row(NamedTuple):
    name: str
    code: str
    bend: Callable[[Draft], Draft | bytes]


NOBODY: tuple[Row, ...] = (
    # --- rule 1: size and form
    Row("nothing", "message_malformed", lambda _: b""),
    Row("bare JWS", "message_malformed", lambda d: d.message().split(b"~")[0]),
    Row("last byte cut off", "message_malformed", lambda d: d.message()[:-1]),
    Row("cut off inside a disclosure", "message_malformed", lambda d: d.message()[:-20]),
    Row("key binding JWT appended", "message_malformed", _with_key_binding),
    Row("line feed at the end", "message_malformed", lambda d: d.message() + b"\n"),
    Row("over the size limit", "message_too_large", lambda d: d.message() + b"A" * MAX_MESSAGE + b"~"),
    Row("too many disclosures", "disclosures_too_many", lambda d: d.message() + b"QQ~" * MAX_DISCLOSURES),
    # --- rule 2: the JWS
    Row("two parts", "jws_malformed", lambda d: d.signing_input() + d.tail()),
    Row("four parts", "jws_malformed", lambda d: d.signing_input() + b"." + d.message()),
    Row("JSON serialisation", "jws_malformed", lambda _: b'{"payload":"e30"}~'),
    Row("header padded", "base64_invalid", lambda d: _part(d, 0, lambda text: text + b"=" * (-len(text) % 4 or 4))),
    Row("header of whole groups padded", "base64_invalid", lambda d: d.head_text(b"e30=")),
    Row("header in the standard alphabet", "base64_invalid", lambda d: d.head_text(b"eyI+Pz4iOjF9")),
    Row("header with unused bits", "base64_invalid", lambda d: d.head_text(b"e31")),
    Row("header with white space", "base64_invalid", lambda d: d.head_text(b"e3\n0")),
    Row("header empty", "json_invalid", lambda d: d.head_text(b"")),
    Row("header not JSON", "json_invalid", lambda d: d.head_text(b64url_encode(b"{alg:1}"))),
    Row("header an array", "json_invalid", lambda d: d.head_text(b64url_encode(b"[]"))),
    Row("header too deep", "json_invalid", lambda d: d.head_text(b64url_encode(deep(150)))),
    Row(
        "header name twice",
        "json_duplicate_name",
        lambda d: d.head_text(b64url_encode(text_of(d.header).replace("{", '{"alg":"none",').encode())),
    ),
    Row("header too long", "jws_header_invalid", lambda d: d.head(kid="k" * 600)),
    Row("header with crit", "jws_header_invalid", lambda d: d.head(crit=["exp"])),
    Row("header brings its key", "jws_header_invalid", lambda d: d.head(jwk=dict(d.key.public.jwk))),
    Row("header brings a key address", "jws_header_invalid", lambda d: d.head(jku="https://keys.invalid/")),
    Row("header without kid", "jws_header_invalid", lambda d: d.beheaded("kid")),
    Row("header with a number for kid", "jws_header_invalid", lambda d: d.head(kid=1)),
    Row("typ of another token", "typ_wrong", lambda d: d.head(typ="at+jwt")),
    Row("typ in upper case", "typ_wrong", lambda d: d.head(typ="DC+SD-JWT")),
    Row("typ a list", "typ_wrong", lambda d: d.head(typ=["dc+sd-jwt"])),
    Row("feed statement as message", "typ_wrong", statement),
    Row("alg none, not signed", "alg_unknown", lambda d: d.head(alg="none").message(b"")),
    Row("alg none, signed", "alg_unknown", lambda d: d.head(alg="None")),
    Row("alg HS256 with the public key", "alg_unknown", _keyed_with_public_key),
    Row("alg a list", "alg_unknown", lambda d: d.head(alg=["ES256"])),
    Row("alg of another suite", "alg_mismatch", lambda d: d.head(alg="EdDSA")),
    Row("alg of a longer curve", "alg_mismatch", lambda d: d.head(alg="ES384")),
    Row("key not registered", "key_unknown", lambda d: d.signed_by(STRANGER)),
    Row("wrong key", "signature_invalid", lambda d: d.signed_by(STRANGER, d.key.kid)),
    Row("signature empty", "signature_invalid", lambda d: d.message(b"")),
    Row("signature all zero", "signature_invalid", lambda d: d.message(bytes(64))),
    Row("signature all ones", "signature_invalid", lambda d: d.message(b"\xff" * 64)),
    Row("signature in DER", "signature_invalid", lambda d: d.message(_der(d))),
    Row("signature with r + n", "signature_invalid", lambda d: d.message(_beyond_order(d))),
    Row("signature one byte longer", "signature_invalid", lambda d: d.message(d.key.sign(d.signing_input()) + b"\0")),
    Row("signature padded", "base64_invalid", lambda d: _part(d, 2, lambda text: text + b"==")),
    Row("signature cut", "base64_invalid", lambda d: _part(d, 2, lambda text: text[:-1])),
    Row("payload altered", "signature_invalid", _altered_payload),
    Row("header spelt otherwise", "signature_invalid", _reordered_header),
    # --- rule 2: the payload's form, under a true signature
    Row("payload padded", "base64_invalid", lambda d: d.body(b64url_encode(text_of(d.payload).encode()) + b"=")),
    Row("payload an array", "json_invalid", lambda d: d.json(b"[]")),
    Row("payload not UTF-8", "json_invalid", lambda d: d.json(b'{"op":"\xff"}')),
    Row("payload with a byte order mark", "json_invalid", lambda d: d.json(b"\xef\xbb\xbf{}")),
    Row("payload with NaN", "json_invalid", lambda d: _json(d, f'"iat":{d.payload["iat"]}', '"iat":NaN')),
    Row("payload with a lone surrogate", "json_invalid", lambda d: _json(d, '"rec":"r', '"rec":"\\ud800')),
    Row("payload too deep", "json_invalid", lambda d: d.json(b'{"a":' + deep(MAX_DEPTH) + b"}")),
    Row("payload very deep", "json_invalid", lambda d: d.json(b'{"a":' + deep(300) + b"}")),
    Row("payload with an integer too large", "json_invalid", lambda d: d.claim(seq=2**53)),
    Row("payload with a huge integer", "json_invalid", lambda d: _json(d, '"seq":1', '"seq":1' + "0" * 30)),
    Row("payload name twice", "json_duplicate_name", lambda d: _json(d, '"op":"put"', '"op":"put","op":"erase"')),
    Row("payload name twice, escaped", "json_duplicate_name", lambda d: _json(d, '"op":', '"\\u006fp":"erase","op":')),
    # --- rule 3: the claims
    Row("operation unknown", "operation_unknown", lambda d: d.claim(op="delete")),
    Row("operation a list", "operation_unknown", lambda d: d.claim(op=["put"])),
    Row("no operation", "operation_unknown", lambda d: d.without("op")),
    Row("claim missing", "claims_invalid", lambda d: d.without("iat")),
    Row("claim too many", "claims_invalid", lambda d: d.claim(exp=2)),
    Row("put without document", "claims_invalid", lambda d: d.without("doc")),
    Row("withdraw with document", "claims_invalid", lambda d: d.claim(op="withdraw")),
    Row("erase with document", "claims_invalid", lambda d: d.claim(op="erase")),
    Row("seq true", "claims_invalid", lambda d: d.claim(seq=True)),
    Row("seq a string", "claims_invalid", lambda d: d.claim(seq="1")),
    Row("seq a float", "claims_invalid", lambda d: _json(d, '"seq":1', '"seq":1.0')),
    Row("seq nought", "claims_invalid", lambda d: d.claim(seq=0)),
    Row("epoch negative", "claims_invalid", lambda d: d.claim(epoch=-1)),
    Row("record id empty", "claims_invalid", lambda d: d.claim(rec="")),
    Row("record id too long", "claims_invalid", lambda d: d.claim(rec="r" * 129)),
    Row("record id with a line", "claims_invalid", lambda d: d.claim(rec="r-1 1 1 x\nr-2")),
    Row("record id with a line feed at its end", "claims_invalid", lambda d: d.claim(rec="r-1\n")),
    Row("record id of a statement", "claims_invalid", lambda d: d.claim(rec="@feed")),
    Row("digest of another suite", "sd_alg_mismatch", lambda d: d.claim(_sd_alg="sha-384")),
    Row("digest unknown", "sd_alg_mismatch", lambda d: d.claim(_sd_alg="md5")),
    # --- rule 4: the stream
    Row("another organisation", "issuer_mismatch", lambda d: d.claim(iss="city-housing")),
    Row("another adapter's name", "issuer_mismatch", lambda d: d.claim(adp="permits-eddsa")),
    Row("another adapter's key", "issuer_mismatch", lambda d: d.signed_by(fixed_key("EdDSA"))),
    Row("type unknown", "type_unknown", lambda d: d.claim(vct="urn:oncegate:cn.nothing:1")),
    Row("type version unknown", "type_unknown", lambda d: d.claim(vct=f"urn:oncegate:{PERMIT.id}:2")),
    Row("type of another adapter", "key_not_for_stream", lambda d: d.claim(vct=OTHER_TYPE.vct)),
    Row("epoch no longer counts", "epoch_revoked", lambda d: d.claim(epoch=EPOCH - 101)),
    Row("retired key after its last number", "key_out_of_range", lambda d: d.signed_by(RETIRED).claim(seq=21)),
    Row("retired key in a later epoch", "key_out_of_range", lambda d: d.signed_by(RETIRED).claim(epoch=EPOCH + 1)),
    Row("compromised key after its last", "key_out_of_range", lambda d: d.signed_by(BREACHED).claim(seq=21)),
    Row("compromised key without a range", "key_out_of_range", lambda d: d.signed_by(LOST)),
    Row("new key before its first number", "key_out_of_range", lambda d: d.signed_by(LATE).claim(seq=9)),
)

SENDER: tuple[Row, ...] = (
    # --- rule 5: what the document shows
    Row("document a list", "claims_invalid", lambda d: d.claim(doc=[])),
    Row("document without digests", "claims_invalid", lambda d: d.claim(doc={"holders": []})),
    Row("document without holders", "claims_invalid", lambda d: d.claim(doc={"_sd": []})),
    Row("digests not sorted", "claims_invalid", lambda d: d.show(_sd=d.doc["_sd"][::-1])),
    Row("digest a number", "claims_invalid", _number_listed),
    Row("holder in the open", "claims_invalid", lambda d: d.show(holders=WHOLE["holders"])),
    Row("holder digest beside a name", "claims_invalid", lambda d: d.show(holders=[{"...": "x", "id": "1"}])),
    Row("holder digest a list", "claims_invalid", lambda d: d.show(holders=[{"...": ["x"]}])),
    Row("digest listed twice", "digest_duplicate", _listed_twice),
    Row("digest listed as field and holder", "digest_duplicate", _listed_in_both),
    Row("field in the open", "field_exposed", lambda d: d.drop("premises").show(premises="x")),
    Row("unknown member in the open", "name_unknown", lambda d: d.show(owner="x")),
    Row("_sd_alg in the document", "name_reserved", lambda d: d.show(_sd_alg="sha-256")),
    Row("... in the document", "name_reserved", lambda d: d.show(**{"...": "x"})),
    Row("_sd inside a visible member", "name_reserved", lambda d: d.show(validity={"_sd": []})),
    # --- rule 6: the disclosures
    Row("disclosure altered", "disclosure_unlisted", _spoilt),
    Row("disclosure not listed", "disclosure_unlisted", lambda d: d.message() + b64url_encode(b'["x","y",1]') + b"~"),
    Row("disclosure of another message", "disclosure_unlisted", _swapped),
    Row("disclosure empty", "disclosure_unlisted", lambda d: d.message() + b"~"),
    Row("disclosure padded", "disclosure_unlisted", lambda d: d.message()[:-1] + b"=~"),
    Row("disclosure with a withdrawal", "disclosure_unlisted", lambda d: d.bare("withdraw").message() + b"QQ~"),
    Row("disclosure with an erasure", "disclosure_unlisted", lambda d: d.bare("erase").message() + b"QQ~"),
    Row("disclosure twice", "disclosure_duplicate", _twice),
    Row("listed, but padded", "base64_invalid", lambda d: d.hide_text(b"WyJhIl0=")),
    Row("listed, but no base64url", "base64_invalid", lambda d: d.hide_text(b"\xe8\xaf\x81")),
    Row("listed, but no JSON", "json_invalid", lambda d: d.hide(b"seats")),
    Row("listed, with NaN", "json_invalid", lambda d: d.drop("seats").hide(f'["{SALT}","seats",NaN]'.encode())),
    Row("listed, too deep", "json_invalid", lambda d: d.hide(f'["{SALT}","seats",'.encode() + deep(40) + b"]")),
    Row("listed, an object", "disclosure_malformed", lambda d: d.hide(b'{"name":"seats"}')),
    Row("listed, four elements", "disclosure_malformed", lambda d: d.hide(canonical([SALT, "seats", 1, 1]))),
    Row("listed, holder as field", "disclosure_malformed", _as_field),
    Row("listed, field as holder", "disclosure_malformed", lambda d: d.hide_holder(canonical([SALT, "seats", 1]))),
    Row("listed, name a number", "disclosure_malformed", lambda d: d.field(1, "x")),
    Row("listed, salt a number", "disclosure_malformed", lambda d: d.instead("seats", 1).field("seats", 1, 5)),
    Row("listed, short salt", "salt_too_short", lambda d: d.drop("seats").field("seats", 1, SALT[1:])),
    Row(
        "listed, JSON name twice",
        "json_duplicate_name",
        lambda d: d.drop("conditions").hide(f'["{SALT}","conditions",[{{"code":"C1","code":"C2"}}]]'.encode()),
    ),
    Row("name _sd", "name_reserved", lambda d: d.field("_sd", ["x"])),
    Row("name ...", "name_reserved", lambda d: d.field("...", "x")),
    Row("name _sd_alg", "name_reserved", lambda d: d.field("_sd_alg", "sha-256")),
    Row("_sd inside a field", "name_reserved", lambda d: d.instead("conditions", [{"_sd": ["x"]}])),
    Row("... inside a field", "name_reserved", lambda d: d.instead("conditions", [{"...": "x"}])),
    Row("_sd inside a holder", "name_reserved", lambda d: d.hide_holder(canonical([SALT, {"_sd": []}]))),
    Row("field twice", "name_duplicate", lambda d: d.field("premises", "elsewhere")),
    Row("status as disclosure", "name_duplicate", lambda d: d.field("status", "valid")),
    Row("holders as disclosure", "name_duplicate", lambda d: d.field("holders", [])),
    Row("always field as disclosure", "name_duplicate", lambda d: d.field("suspended", False)),
    Row("field unknown", "name_unknown", lambda d: d.field("owner", "x")),
)
