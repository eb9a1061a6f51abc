"""Bytes to text and to JSON and back, in exactly one way each.

Rules:

1. base64url (RFC 7515 §2, RFC 4648 §5): no padding, no other alphabet, unused bits zero.
2. Strict JSON on the way in: UTF-8, no duplicate names, no NaN or Infinity, no lone surrogates, integers within
   ±(2^53 - 1) (RFC 7493), depth at most 32.
3. Canonical JSON on the way out: names sorted by code point, no white space, UTF-8. Equal values, equal bytes
   (RFC 8785 for the values used here: strings, integers, booleans, null, lists, objects; floats never).

Fast path of rule 2: text that orjson writes back unchanged has no duplicate name and no spelling of its own, so
only integers and depth remain to be checked. All else goes to the strict parser, which decides.
"""

import binascii
import json
import re
from typing import Any, NoReturn

import orjson

from contracts.errors import Fault

MAX_DEPTH = 32
MAX_INTEGER = 2**53 - 1

Json = Any  # a value of the JSON data model: dict[str, Json] | list[Json] | str | int | float | bool | None

# Refused characters are mapped to "!", which binascii's strict mode refuses.
_FROM_URL = bytes.maketrans(b"-_+/", b"+/!!")
_TO_URL = bytes.maketrans(b"+/", b"-_")
_PADDING = (b"", None, b"==", b"=")
# The last character may only carry bits that belong to a byte: by length modulo 4.
_LAST_OF_2 = frozenset(b"AQgw")
_LAST_OF_3 = frozenset(b"AEIMQUYcgkosw048")

_LONG_NUMBER = re.compile(rb"[:,\[]-?[0-9]{16}")


def b64url_encode(data: bytes) -> bytes:
    """base64url without padding (RFC 7515 §2)."""
    return binascii.b2a_base64(data, newline=False).rstrip(b"=").translate(_TO_URL)


def b64url_decode(text: bytes) -> bytes:
    """Strict inverse of `b64url_encode`; raises `Fault` `base64_invalid`."""
    remainder = len(text) & 3
    padding = _PADDING[remainder]
    if (
        padding is None
        or (remainder == 2 and text[-1] not in _LAST_OF_2)
        or (remainder == 3 and text[-1] not in _LAST_OF_3)
    ):
        raise Fault("base64_invalid")
    try:
        return binascii.a2b_base64(text.translate(_FROM_URL) + padding, strict_mode=True)
    except binascii.Error:
        raise Fault("base64_invalid") from None


def canonical(value: Json) -> bytes:
    """Canonical JSON bytes of `value` (rule 3)."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def parse_strict(data: bytes) -> Json:
    """The JSON value of `data` under rule 2; raises `Fault` `json_invalid`."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise Fault("json_invalid") from None
    if orjson.dumps(value) != data:
        value = _parse_slowly(data)
    elif _LONG_NUMBER.search(data) is None and data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return value  # no number can be too long, nothing can be too deep
    _check_values(value)
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


def _check_values(value: Json) -> None:
    level: list[Json] = [value]
    for _ in range(MAX_DEPTH + 1):
        following: list[Json] = []
        for item in level:
            if type(item) is dict:
                _check_text(item)
                following.extend(item.values())
            elif type(item) is list:
                following.extend(item)
            elif type(item) is str:
                _check_text((item,))
            elif type(item) is int and not -MAX_INTEGER <= item <= MAX_INTEGER:
                raise Fault("json_invalid", detail="an integer beyond 2^53 - 1")
            elif type(item) is float and not -1e308 < item < 1e308:
                raise Fault("json_invalid", detail="a number out of range")
        if not following:
            return
        level = following
    raise Fault("json_invalid", detail=f"deeper than {MAX_DEPTH} levels")


def _check_text(texts: "dict[str, Json] | tuple[str]") -> None:
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Fault("json_invalid", detail="a lone surrogate") from None
