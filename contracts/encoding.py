"""Bytes to text and to JSON and back, in exactly one way each.

Rules:

1. base64url (RFC 7515 §2, RFC 4648 §5): no padding, no other alphabet, unused bits zero. One text for each value.
2. Strict JSON on the way in: UTF-8, no duplicate names, no NaN or Infinity, no lone surrogates, integers within
   ±(2^53 - 1) (RFC 7493), depth at most 32 (an object or array inside nothing has depth 1).
3. Canonical JSON on the way out: names sorted by code point, no white space, UTF-8. Equal values, equal bytes
   (RFC 8785 for the values used here: strings, integers, booleans, null, lists, objects, names in the basic plane;
   floats never).

Fast path of rule 2: text that orjson writes back unchanged has no duplicate name and no spelling of its own, so
only integers and depth remain to be checked. All else goes to the strict parser, which decides. orjson reads first
in any case: it refuses what is not UTF-8, lone surrogates, and numbers beyond a double.
"""

import binascii
import json
from collections.abc import Iterable
from typing import Any, NoReturn

import orjson

from contracts.errors import Fault

MAX_DEPTH = 32
MAX_INTEGER = 2**53 - 1

Json = Any  # a value of the JSON data model: dict[str, Json] | list[Json] | str | int | float | bool | None

# Refused characters, "=" among them, are mapped to "!", which binascii's strict mode refuses.
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/!!!")
_TO_URL = bytes.maketrans(b"+/", b"-_")
# By length modulo 4: the padding that binascii wants, and the last characters that carry no bits beyond a byte.
_PADDING = (b"", b"", b"==", b"=")
_LAST = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")

# Strict JSON's two quick looks read a folded copy: any digit is "0", any opening bracket "[". Integers beyond 2^53 - 1
# have 16 digits or more, and depth costs a bracket each. A regular expression takes four times as long.
_FOLDED = bytes.maketrans(b"123456789{", b"000000000[")
_LONG_NUMBER = b"0" * 16
_STRING = frozenset((str,))


def b64url_encode(data: bytes) -> bytes:
    """base64url without padding (RFC 7515 §2)."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL, b"=")


def b64url_decode(text: bytes) -> bytes:
    """Strict inverse of `b64url_encode`; raises `Fault` `base64_invalid`."""
    remainder = len(text) & 3
    if remainder and text[-1] not in _LAST[remainder]:
        raise Fault("base64_invalid")
    try:
        return binascii.a2b_base64(text.translate(_FROM_URL) + _PADDING[remainder], strict_mode=True)
    except binascii.Error:
        raise Fault("base64_invalid") from None


def canonical(value: Json) -> bytes:
    """Canonical JSON bytes of `value` (rule 3)."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def parse_strict(data: bytes) -> Json:
    """The JSON value of `data` under rule 2; raises `Fault` `json_invalid` or `json_duplicate_name`."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise Fault("json_invalid") from None
    if type(value) is list and _STRING.issuperset(map(type, value)):
        return value  # strings alone, as in most disclosures, can break none of the rules that follow
    folded = data.translate(_FOLDED)
    if folded.count(b"[") > MAX_DEPTH:
        _check_depth(value)  # before anything recurses into it
    if orjson.dumps(value) != data:
        value = _parse_slowly(data)
    if _LONG_NUMBER in folded:
        _check_integers(value)
    return value


def parse_object(data: bytes) -> dict[str, Json]:
    """As `parse_strict`, for a text that must be an object."""
    value = parse_strict(data)
    if type(value) is not dict:
        raise Fault("json_invalid", detail="an object is expected")
    return value


def _parse_slowly(data: bytes) -> Json:
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Fault("json_invalid") from None


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Fault("json_duplicate_name")
    return members


def _no_constant(name: str) -> NoReturn:
    raise Fault("json_invalid", detail=f"{name} is not JSON")


def _check_depth(value: Json) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for item in level for inner in _inside(item) if type(inner) in (dict, list)]
        if not level:
            return
    raise Fault("json_invalid", detail=f"deeper than {MAX_DEPTH} levels")


def _check_integers(value: Json) -> None:
    if type(value) is int and not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise Fault("json_invalid", detail="an integer beyond 2^53 - 1")
    for item in _inside(value):
        _check_integers(item)


def _inside(value: Json) -> Iterable[Json]:
    if type(value) is dict:
        return value.values()
    return value if type(value) is list else ()
