"""Wrapped keys: for one receiver, for one purpose."""

import pytest

from contracts.encoding import b64url_encode
from contracts.errors import Fault
from contracts.hpke import DEFAULT_KEM, KEMS, UnwrapKey, WrapKey
from tests.vectors.world import fixed_zone_key

SECRET = bytes(range(32))


@pytest.mark.parametrize("alg", KEMS)
def test_the_receiver_alone_reads_it_and_for_its_purpose_alone(alg: str) -> None:
    key, other = UnwrapKey.generate(alg), UnwrapKey.generate(alg)
    wrapped = key.public.wrap(SECRET, b"purpose")
    assert key.unwrap(wrapped, b"purpose") == SECRET
    for receiver, info in ((other, b"purpose"), (key, b"other purpose")):
        with pytest.raises(Fault, match="unwrap_failed"):
            receiver.unwrap(wrapped, info)


def test_no_changed_or_missing_byte_opens() -> None:
    key = fixed_zone_key()
    wrapped = key.public.wrap(SECRET, b"i")
    for place in range(len(wrapped)):
        altered = wrapped[:place] + bytes((wrapped[place] ^ 1,)) + wrapped[place + 1 :]
        for form in (altered, wrapped[:place]):
            with pytest.raises(Fault, match="unwrap_failed"):
                key.unwrap(form, b"i")


def test_the_same_secret_wraps_differently_each_time() -> None:
    public = fixed_zone_key().public
    assert public.wrap(SECRET, b"i") != public.wrap(SECRET, b"i")


@pytest.mark.parametrize("raw", [b"", bytes(31), bytes(33), bytes(32), (1).to_bytes(32, "little")])
def test_keys_of_wrong_length_or_small_order_are_refused(raw: bytes) -> None:
    with pytest.raises(Fault, match="key_invalid"):
        WrapKey(DEFAULT_KEM, b64url_encode(raw).decode()).wrap(SECRET, b"i")


def test_a_key_that_is_no_base64url_is_refused() -> None:
    with pytest.raises(Fault, match="key_invalid"):
        WrapKey(DEFAULT_KEM, fixed_zone_key().public.public + "=").wrap(SECRET, b"i")


def test_unknown_suites_are_refused() -> None:
    with pytest.raises(Fault, match="alg_unknown"):
        WrapKey("SM2", "AA").wrap(SECRET, b"i")
    with pytest.raises(Fault, match="alg_unknown"):
        UnwrapKey.generate("none")


def test_the_key_id_follows_from_key_and_suite() -> None:
    public = fixed_zone_key().public
    assert public.kid == WrapKey(public.alg, public.public).kid != WrapKey("other", public.public).kid


def test_private_keys_do_not_show() -> None:
    key = fixed_zone_key()
    assert repr(key.key) not in repr(key)
