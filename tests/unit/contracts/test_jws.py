"""Compact JWS: one form, and what is signed is what was received. The hostile forms are in the table of messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import jws
from contracts.algorithms import SigningKey
from contracts.encoding import b64url_encode, canonical
from contracts.errors import Fault
from tests.vectors.world import ALGS, fixed_key


@pytest.mark.parametrize("alg", ALGS)
@given(payload=st.binary(max_size=100))
def test_what_is_signed_is_read_back(alg: str, payload: bytes) -> None:
    key = fixed_key(alg)
    compact = jws.parse(jws.sign("t", payload, key), "t")
    assert (compact.alg, compact.kid) == (alg, key.kid)
    assert compact.verified_payload(key.public) == payload


@pytest.mark.parametrize("alg", ALGS)
def test_no_changed_byte_verifies(alg: str) -> None:
    key = fixed_key(alg)
    token = jws.sign("t", b"payload", key)
    for place in range(len(token)):
        for change in (1, 2, 0x20, 0x80):
            altered = token[:place] + bytes((token[place] ^ change,)) + token[place + 1 :]
            with pytest.raises(Fault):
                jws.parse(altered, "t").verified_payload(key.public)


@given(st.binary(max_size=80))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(Fault):
        jws.parse(data, "t")


def test_each_key_verifies_its_own_alone() -> None:
    token = jws.sign("t", b"{}", fixed_key("ES256"))
    with pytest.raises(Fault, match="signature_invalid"):
        jws.parse(token, "t").verified_payload(fixed_key("ES256", "other").public)
    with pytest.raises(Fault, match="alg_mismatch"):
        jws.parse(token, "t").verified_payload(fixed_key("EdDSA").public)


def test_a_header_that_was_met_is_still_checked_for_its_type() -> None:
    token = jws.sign("t", b"{}", fixed_key("ES256"))
    jws.parse(token, "t")
    with pytest.raises(Fault, match="typ_wrong"):
        jws.parse(token, "u")


def test_a_header_at_the_limit() -> None:
    key = SigningKey.generate("ES256")
    for size, refused in ((300, False), (jws.MAX_HEADER, True)):
        header = b64url_encode(canonical({"alg": "ES256", "kid": "k" * size, "typ": "t"}))
        token = header + b".e30." + b64url_encode(key.sign(header + b".e30"))
        if refused:
            with pytest.raises(Fault, match="jws_header_invalid"):
                jws.parse(token, "t")
        else:
            assert jws.parse(token, "t").verified_payload(key.public) == b"{}"
