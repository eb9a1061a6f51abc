"""base64url and JSON, held against independent oracles."""

import base64
import json
import math
import string
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.encoding import (
    MAX_DEPTH,
    MAX_INTEGER,
    b64url_decode,
    b64url_encode,
    canonical,
    parse_object,
    parse_strict,
)
from contracts.errors import Fault

# --- base64url ------------------------------------------------------------------------------------------------------

URL_ALPHABET = (string.ascii_letters + string.digits + "-_").encode()


@given(st.binary(max_size=200))
def test_base64url_is_the_librarys_without_padding(data: bytes) -> None:
    text = b64url_encode(data)
    assert text == base64.urlsafe_b64encode(data).rstrip(b"=")
    assert b64url_decode(text) == data


@given(st.binary(max_size=24) | st.text(URL_ALPHABET.decode() + "=+/\n !", max_size=24).map(str.encode))
@example(b"QQ==")
@example(b"QUI=")
@example(b"QR")
@example(b"QUJ")
@example(b"AA\n")
@example(b"=")
def test_what_decodes_is_the_one_text_of_its_value(text: bytes) -> None:
    if _is_strict_base64url(text):
        assert b64url_encode(b64url_decode(text)) == text
    else:
        with pytest.raises(Fault, match="base64_invalid"):
            b64url_decode(text)


def _is_strict_base64url(text: bytes) -> bool:
    if not set(text) <= set(URL_ALPHABET) or len(text) % 4 == 1:
        return False
    data = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    return base64.urlsafe_b64encode(data).rstrip(b"=") == text


# --- strict JSON ----------------------------------------------------------------------------------------------------


class _Refused(Exception):
    pass


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _Refused
    return dict(pairs)


def _constant(_: str) -> Any:
    raise _Refused


def _depth(value: Any) -> int:
    if isinstance(value, dict | list):
        return 1 + max(map(_depth, value.values() if isinstance(value, dict) else value), default=0)
    return 0


def _scalars(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value, *(item for inner in value.values() for item in _scalars(inner))]
    if isinstance(value, list):
        return [item for inner in value for item in _scalars(inner)]
    return [value]


def _good(value: Any) -> bool:
    if isinstance(value, str):
        return not any(0xD800 <= ord(character) < 0xE000 for character in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or abs(value) <= MAX_INTEGER


def oracle(data: bytes) -> Any:
    """The rules of strict JSON with the standard library alone; raises `_Refused`."""
    try:
        value = json.loads(data.decode(), object_pairs_hook=_pairs, parse_constant=_constant)
    except ValueError:
        raise _Refused from None
    if _depth(value) > MAX_DEPTH or not all(map(_good, _scalars(value))):
        raise _Refused
    return value


def _agree(data: bytes) -> None:
    try:
        expected = oracle(data)
    except _Refused:
        with pytest.raises(Fault):
            parse_strict(data)
    else:
        found = parse_strict(data)
        assert json.dumps(found) == json.dumps(expected)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
PIECES = st.lists(
    st.sampled_from(
        [
            *("{", "}", "[", "]", ",", ":", " ", '"a"', '"a"', '"b"', '"\\u0061"', '"\\ud800"', '"\\ud83d\\ude00"'),
            *("0", "-0", "1.0", "1e400", "9007199254740991", "9007199254740992", "-9007199254740993", "1e-9", "01"),
            *("true", "null", "NaN", "Infinity", "'a'", "\t", "\x00", "1" + "0" * 25, "é", "\ufeff"),
        ]
    ),
    max_size=12,
).map("".join)


@given(VALUES)
def test_values_as_the_standard_library_writes_them(value: Any) -> None:
    _agree(json.dumps(value).encode("utf-8", "surrogatepass"))


@given(VALUES)
def test_values_written_compactly(value: Any) -> None:
    _agree(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass"))


@given(PIECES)
def test_pieces_of_json(text: str) -> None:
    _agree(text.encode())


@given(st.binary(max_size=12))
def test_any_bytes(data: bytes) -> None:
    _agree(data)


@pytest.mark.parametrize("number", [MAX_INTEGER, -MAX_INTEGER, MAX_INTEGER + 1, -MAX_INTEGER - 1, 2**64, 10**30])
@pytest.mark.parametrize("form", ["%d", "[%d]", '{"a":%d}', '{"a":{"b": %d}}', '["x",%d]'])
def test_integers_at_the_edge(number: int, form: str) -> None:
    _agree((form % number).encode())


@pytest.mark.parametrize("levels", [1, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 254, 255, 256, 2000, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")])
def test_depth(levels: int, opening: bytes, closing: bytes) -> None:
    data = opening * levels + b"null" + closing * levels
    if levels * (opening.count(b"[") + opening.count(b"{")) > MAX_DEPTH:
        with pytest.raises(Fault, match="json_invalid"):
            parse_strict(data)
    else:
        assert parse_strict(data) == json.loads(data)


def test_empty_containers_count_as_a_level() -> None:
    assert parse_strict(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    with pytest.raises(Fault, match="json_invalid"):
        parse_strict(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


def test_wide_is_not_deep() -> None:
    assert len(parse_strict(b"[" + b",".join([b"[{}]"] * 500) + b"]")) == 500


def test_a_name_twice_has_its_own_code() -> None:
    for data in (b'{"a":1,"a":1}', b'{"a":1,"\\u0061":2}', b'[{"b":{"a":1, "a":1}}]'):
        with pytest.raises(Fault, match="json_duplicate_name"):
            parse_strict(data)


def test_an_object_is_asked_for() -> None:
    assert parse_object(b'{"a":1}') == {"a": 1}
    for data in (b"[]", b"1", b'"a"', b"null"):
        with pytest.raises(Fault, match="json_invalid"):
            parse_object(data)


# --- canonical JSON -------------------------------------------------------------------------------------------------

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_canonical_is_sorted_compact_and_read_back(value: Any) -> None:
    data = canonical(value)
    assert data == canonical(json.loads(json.dumps(value)))
    assert parse_strict(data) == value
    compact = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert json.loads(data) == json.loads(compact)
    assert list(_names(json.loads(data))) == list(_names(json.loads(compact)))


def _names(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [name for key, inner in value.items() for name in (key, *_names(inner))]
    return [name for inner in value for name in _names(inner)] if isinstance(value, list) else []
