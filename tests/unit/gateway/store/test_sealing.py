"""Sealed contents and blind tokens: nothing opens elsewhere, nothing is guessed."""

import pytest

from contracts.errors import Corrupt, UserError
from gateway.store.rows import TOKEN_SIZE
from gateway.store.sealing import KEY_SIZE, Sealer, new_wrapped_key, place, unwrap_key

KEK = bytes(range(KEY_SIZE))
SEALER = Sealer(bytes(KEY_SIZE))
HERE = place("market/market-1/cn.business-licence", "r1", 1, 2)


def test_what_was_sealed_opens_at_its_place() -> None:
    assert SEALER.open(SEALER.seal(b"content", HERE), HERE) == b"content"


@pytest.mark.parametrize(
    "elsewhere",
    [
        place("market/market-2/cn.business-licence", "r1", 1, 2),
        place("market/market-1/cn.business-licence", "r2", 1, 2),
        place("market/market-1/cn.business-licence", "r1", 2, 2),
        place("market/market-1/cn.business-licence", "r1", 1, 3),
    ],
)
def test_it_opens_nowhere_else(elsewhere: bytes) -> None:
    with pytest.raises(Corrupt):
        SEALER.open(SEALER.seal(b"content", HERE), elsewhere)


def test_a_changed_byte_shows() -> None:
    sealed = bytearray(SEALER.seal(b"content", HERE))
    sealed[-1] ^= 1
    with pytest.raises(Corrupt):
        SEALER.open(bytes(sealed), HERE)


def test_equal_contents_are_sealed_differently() -> None:
    assert SEALER.seal(b"content", HERE) != SEALER.seal(b"content", HERE)


def test_tokens_are_keyed_and_belong_to_type_and_field() -> None:
    tokens = {
        SEALER.token("cn.a", "holder:cn.ric", "1"),
        SEALER.token("cn.b", "holder:cn.ric", "1"),
        SEALER.token("cn.a", "holder:cn.uscc", "1"),
        SEALER.token("cn.a", "holder:cn.ric", "2"),
        Sealer(bytes([1]) * KEY_SIZE).token("cn.a", "holder:cn.ric", "1"),
    }
    assert len(tokens) == 5
    assert {len(token) for token in tokens} == {TOKEN_SIZE}
    assert SEALER.token("cn.a", "holder:cn.ric", "1") in tokens


def test_the_data_key_is_wrapped_and_random() -> None:
    first, second = (unwrap_key(new_wrapped_key(KEK), KEK, "here") for _ in range(2))
    assert len(first) == KEY_SIZE
    assert first != second


@pytest.mark.parametrize("kek", [bytes(KEY_SIZE), b"short"])
def test_another_key_encryption_key_is_a_users_mistake(kek: bytes) -> None:
    wrapped = new_wrapped_key(KEK)
    with pytest.raises(UserError):
        unwrap_key(wrapped, kek, "here")
