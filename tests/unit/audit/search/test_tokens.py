"""Keyed tokens: what is found, by whom, and what two indexes have in common (nothing)."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.search.tokens import (
    SIZE,
    Tokens,
    case_token,
    checks,
    clerk_token,
    holder_token,
    key_id,
    token_keys,
    tokens_of,
)

ONE = X25519PrivateKey.from_private_bytes(b"\1" * 32)
TWO = X25519PrivateKey.from_private_bytes(b"\2" * 32)
SALT = b"s" * 32
BOTH = token_keys(SALT, ONE, TWO)


def test_the_same_question_gives_the_same_token() -> None:
    assert clerk_token(BOTH, " c-1 ") == clerk_token(token_keys(SALT, ONE), "c-1")
    assert holder_token(BOTH, "cn.ric", "11010119900307001x") == holder_token(BOTH, "cn.ric", "11010119900307001X")
    assert len(case_token(BOTH, "A")) == SIZE


def test_kinds_salts_and_keys_separate_tokens() -> None:
    made = {
        clerk_token(BOTH, "x"),
        case_token(BOTH, "x"),
        holder_token(BOTH, "", "X"),
        clerk_token(token_keys(b"t" * 32, ONE, TWO), "x"),
        clerk_token(token_keys(SALT, TWO, ONE), "x"),
        holder_token(token_keys(SALT, TWO, ONE), "", "X"),
    }
    assert len(made) == 6


def test_one_auditor_cannot_ask_for_a_holder() -> None:
    alone = token_keys(SALT, ONE)
    assert holder_token(alone, "cn.ric", "1") is None
    assert checks(alone).keys() == {"clerk", "case"}
    with pytest.raises(ValueError, match="two auditors"):
        token_keys(SALT, ONE, ONE)


def test_checks_tell_keys_apart() -> None:
    assert checks(BOTH)["clerk"] == checks(token_keys(SALT, ONE))["clerk"]
    assert checks(BOTH)["holder"] != checks(token_keys(SALT, ONE, X25519PrivateKey.generate()))["holder"]


def test_openings_by_holder_and_by_key_field() -> None:
    found = tokens_of(BOTH, {"clerk": "c", "case": None, "holder": {"scheme": "cn.uscc", "id": "9x"}})
    assert found == Tokens(clerk_token(BOTH, "c"), None, holder_token(BOTH, "cn.uscc", "9X"))
    by_key = tokens_of(BOTH, {"holder": {"field": "uscc", "value": "9X"}})
    assert by_key == Tokens(None, None, holder_token(BOTH, "uscc", "9X"))
    assert tokens_of(BOTH, {"holder": {"scheme": 1}}) == Tokens()


def test_no_key_is_shown() -> None:
    assert "b'" not in repr(BOTH)
    assert len(key_id(ONE)) == 16
