"""Sealed openings: only their auditor, only at their place."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from audit.openings import key_id_of, new_day_key, parse_key, seal, unseal, unwrap
from contracts.errors import Fault

AUDITOR = X25519PrivateKey.from_private_bytes(b"\5" * 32)
KEY = new_day_key("example.test/log", "2026-11-22", AUDITOR.public_key())
ROWS = seal(KEY, 700, [b"first", b"second"])


def test_the_auditor_opens_what_the_writer_sealed() -> None:
    key = unwrap(parse_key(KEY.encoded), AUDITOR)
    assert [unseal(key, 700 + offset, row) for offset, row in enumerate(ROWS)] == [b"first", b"second"]
    assert {key_id_of(row) for row in ROWS} == {key.stored.key_id}
    assert key_id_of(b"") is None


def test_nobody_else_unwraps_the_day_key() -> None:
    stranger = X25519PrivateKey.from_private_bytes(b"\6" * 32)
    with pytest.raises(Fault, match="opening_unreadable"):
        unwrap(parse_key(KEY.encoded), stranger)


@pytest.mark.parametrize(("name", "other"), [("origin", "example.test/other"), ("day", "2026-11-23")])
def test_a_day_key_belongs_to_its_log_and_day(name: str, other: str) -> None:
    moved = parse_key(KEY.encoded.replace(getattr(KEY.stored, name).encode(), other.encode()))
    with pytest.raises(Fault, match="opening_unreadable"):
        unwrap(moved, AUDITOR)


def test_a_row_opens_only_at_its_own_place() -> None:
    with pytest.raises(Fault, match="opening_unreadable"):
        unseal(KEY, 701, ROWS[0])


def test_another_days_key_is_not_tried() -> None:
    with pytest.raises(Fault, match="opening_unreadable"):
        unseal(new_day_key("example.test/log", "2026-11-23", AUDITOR.public_key()), 700, ROWS[0])


@given(st.integers(0, len(ROWS[0]) - 1), st.integers(1, 255))
def test_no_changed_byte_opens(at: int, change: int) -> None:
    row = bytearray(ROWS[0])
    row[at] ^= change
    with pytest.raises(Fault, match="opening_unreadable"):
        unseal(KEY, 700, bytes(row))


@given(st.integers(0, len(ROWS[0]) - 1))
def test_no_shortened_row_opens(length: int) -> None:
    with pytest.raises(Fault, match="opening_unreadable"):
        unseal(KEY, 700, ROWS[0][:length])


def test_the_same_opening_never_looks_the_same() -> None:
    assert seal(KEY, 5, [b"x"]) != seal(KEY, 5, [b"x"])


@pytest.mark.parametrize("data", [b"", b"{}", b'{"alg":"none"}', KEY.encoded.replace(b"hpke", b"hpkf")])
def test_what_is_no_day_key(data: bytes) -> None:
    with pytest.raises(Fault):
        parse_key(data)
