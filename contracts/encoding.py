"""Bytes to text and to JSON and back, in exactly one way each.

Rules:

1. base64url (RFC 7515 §2, RFC 4648 §5): no padding, no other alphabet, unused bits zero. One text for each value.
2. Strict JSON on the way in: UTF-8, no duplicate names, no NaN or Infinity, no lone surrogates, integers within
   ±(2^53 - 1) (RFC 7493), depth at most 32 (an object or array inside nothing has depth 1).
3. Canonical JSON on the way out: names sorted by code point, no white space, UTF-8. Equal values, equal bytes
   (RFC 8785 for the values used here: strings, integers, booleans, null, lists, objects, names in the basic plane;
   floats never).

Fast path of rule 2: text that orjson writes back unchanged has no duplicate name and no spelling of its own, so
only depth remains to be checked; an integer beyond 2^53 - 1 it refuses to write. All else goes to the strict parser,
which decides. orjson reads first in any case: it refuses what is not UTF-8, lone surrogates, and numbers beyond a
double.
"""

import binascii
import json
from collections.abc import Iterable
from functools import partial
from typing import Any, NoReturn

import orjson
import pybase64

from contracts.errors import Fault

MAX_DEPTH = 32
MAX_INTEGER = 2**53 - 1

Json = Any  # a value of the JSON data model: dict[str, Json] | list[Json] | str | int | float | bool | None

# Refused characters, "=" among them, are mapped to "!", which the decoder refuses.
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/!!!")
_TO_URL = bytes.maketrans(b"+/", b"-_")
# By length modulo 4: the padding that the decoder wants, and the last characters that carry no bits beyond a byte.
_PADDING = (b"", b"", b"==", b"=")
_LAST = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")


# Refuses what strict JSON refuses of integers. Partial objects and methods of C are called without a Python frame.
_write = partial(orjson.dumps, option=orjson.OPT_STRICT_INTEGER)


def b64url_encode(data: bytes) -> bytes:
    """base64url without padding (RFC 7515 §2)."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL, b"=")


def b64url_decode(text: bytes) -> bytes:
    """Strict inverse of `b64url_encode`; raises `Fault` `base64_invalid`."""
    remainder = len(text) & 3
    if remainder and text[-1] not in _LAST[remainder]:
        raise Fault("base64_invalid")
    # libbase64's vector instructions: 0.4 ns a byte, where binascii takes 3, on kilobytes for each message.
    try:
        return pybase64.b64decode(text.translate(_FROM_URL) + _PADDING[remainder], None, True)
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
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH:
        _check_depth(value)  # before anything recurses into it
    try:
        return value if _write(value) == data else _parse_slowly(data)
    except orjson.JSONEncodeError:
        raise Fault("json_invalid", detail="an integer beyond 2^53 - 1") from None


def parse_strict_all(texts: list[bytes]) -> list[Json]:
    """`parse_strict` of each; raises `Fault` as it does.

    One call of the parser for all, where each text is what orjson writes of its value: only then can none of them
    have leaned on its neighbours (`[1` beside `2]`). All else is parsed one by one.
    """
    joined = b"[%b]" % b",".join(texts)
    if joined.count(b"[") + joined.count(b"{") <= MAX_DEPTH:
        try:
            values: list[Json] = orjson.loads(joined)
            if list(map(_write, values)) == texts:
                return values
        except (orjson.JSONDecodeError, orjson.JSONEncodeError):
            pass
    return [parse_strict(text) for text in texts]


def parse_object(data: bytes) -> dict[str, Json]:
    """As `parse_strict`, for a text that must be an object."""
    value = parse_strict(data)
    if type(value) is not dict:
        raise Fault("json_invalid", detail="an object is expected")
    return value


def _parse_slowly(data: bytes) -> Json:
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Fault("json_invalid") from None
    _check_integers(value)
    return value


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
