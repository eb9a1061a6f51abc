"""Suites and keys: one table, no assumed length, no weak key."""

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from contracts.algorithms import SUITES, SigningKey, VerifyKey, suite_of
from contracts.encoding import b64url_decode, b64url_encode
from contracts.errors import Fault
from tests.vectors.world import ALGS, fixed_key

SIZES = {"ES256": 64, "EdDSA": 64, "ES384": 96}
P = 2**255 - 19


def _x(number: int, sign: int = 0) -> str:
    return b64url_encode((number | sign << 255).to_bytes(32, "little")).decode()


def test_the_table_is_what_is_tested() -> None:
    assert set(ALGS) == SUITES.keys() == SIZES.keys()


@pytest.mark.parametrize("alg", ALGS)
def test_sign_and_verify(alg: str) -> None:
    key = SigningKey.generate(alg)
    mark = key.sign(b"data")
    assert len(mark) == SIZES[alg]
    assert key.public.verify(mark, b"data")
    assert not key.public.verify(mark, b"Data")
    assert not SigningKey.generate(alg).public.verify(mark, b"data")


@pytest.mark.parametrize("alg", ALGS)
def test_signatures_are_deterministic(alg: str) -> None:
    assert fixed_key(alg).sign(b"data") == fixed_key(alg).sign(b"data")


@pytest.mark.parametrize("alg", ALGS)
@given(size=st.integers(0, 200))
def test_a_signature_of_another_form_is_no_signature(alg: str, size: int) -> None:
    for filler in (b"\0", b"\xff", b"\x30"):
        assert not fixed_key(alg).public.verify(filler * size, b"data")


def test_rfc6979_vector() -> None:
    """RFC 6979 A.2.5, P-256 with SHA-256, message "sample"."""
    private = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
    key = SigningKey.of("ES256", ec.derive_private_key(private, ec.SECP256R1()))
    assert key.sign(b"sample").hex() == (
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
    )


def test_rfc8037_thumbprint() -> None:
    """RFC 8037 A.3."""
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert VerifyKey.from_jwk("EdDSA", jwk).kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize(("alg", "name"), [("ES256", "sha256"), ("EdDSA", "sha256"), ("ES384", "sha384")])
def test_digest_of_each_suite(alg: str, name: str) -> None:
    suite = suite_of(alg)
    assert suite.digest(b"x") == hashlib.new(name, b"x").digest()
    assert suite.digest_text(b"x") == f"{name[:3]}-{name[3:]}:{hashlib.new(name, b'x').hexdigest()}"


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "RS256", "ES512", "es256", "", None, 1, ["ES256"], {}])
def test_unknown_algorithms_are_refused(alg: object) -> None:
    with pytest.raises(Fault, match="alg_unknown"):
        suite_of(alg)


@pytest.mark.parametrize("alg", ALGS)
def test_the_public_jwk_reads_back_and_extra_members_do_not_matter(alg: str) -> None:
    key = fixed_key(alg).public
    again = VerifyKey.from_jwk(alg, {**key.jwk, "use": "sig", "kid": "x", "alg": alg})
    assert again == key
    assert again.jwk == key.jwk


@pytest.mark.parametrize("alg", ALGS)
@pytest.mark.parametrize("other", ALGS)
def test_a_key_of_another_suite_is_refused(alg: str, other: str) -> None:
    if alg != other:
        with pytest.raises(Fault, match="key_invalid"):
            VerifyKey.from_jwk(alg, fixed_key(other).public.jwk)


@pytest.mark.parametrize("alg", ALGS)
def test_a_private_key_is_refused_where_a_public_one_belongs(alg: str) -> None:
    with pytest.raises(Fault, match="key_invalid"):
        VerifyKey.from_jwk(alg, {**fixed_key(alg).public.jwk, "d": "AAAA"})


@pytest.mark.parametrize("alg", ALGS)
@pytest.mark.parametrize("member", ["kty", "crv", "x", "y"])
def test_a_jwk_with_a_bad_member_is_refused(alg: str, member: str) -> None:
    jwk: dict[str, Any] = dict(fixed_key(alg).public.jwk)
    if member not in jwk:
        return
    bad = ["", "A", jwk[member] + "=", jwk[member] + "A", jwk[member][:-1], 1, None, "é"]
    for value in bad:
        with pytest.raises(Fault, match="key_invalid"):
            VerifyKey.from_jwk(alg, {**jwk, member: value})
    del jwk[member]
    with pytest.raises(Fault, match="key_invalid"):
        VerifyKey.from_jwk(alg, jwk)


@pytest.mark.parametrize("alg", ["ES256", "ES384"])
def test_a_point_off_the_curve_is_refused(alg: str) -> None:
    jwk = dict(fixed_key(alg).public.jwk)
    y = bytearray(b64url_decode(jwk["y"].encode()))
    y[-1] ^= 1
    for point in (bytes(y), bytes(len(y)), b"\xff" * len(y)):
        with pytest.raises(Fault, match="key_invalid"):
            VerifyKey.from_jwk(alg, {**jwk, "y": b64url_encode(point).decode()})


Y8 = int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little")
WEAK = [_x(y, sign) for y in (0, 1, P - 1, P, P + 1, Y8, P - Y8) for sign in (0, 1)]


@pytest.mark.parametrize("x", WEAK)
def test_ed25519_points_of_small_order_are_refused(x: str) -> None:
    with pytest.raises(Fault, match="key_invalid"):
        VerifyKey.from_jwk("EdDSA", {"kty": "OKP", "crv": "Ed25519", "x": x})


def test_ed25519_bytes_that_are_no_point_are_refused() -> None:
    with pytest.raises(Fault, match="key_invalid"):
        VerifyKey.from_jwk("EdDSA", {"kty": "OKP", "crv": "Ed25519", "x": _x(2)})


@given(st.binary(min_size=32, max_size=32))
def test_every_real_ed25519_key_is_accepted(seed: bytes) -> None:
    key = SigningKey.of("EdDSA", Ed25519PrivateKey.from_private_bytes(seed))
    assert VerifyKey.from_jwk("EdDSA", key.public.jwk).verify(key.sign(b"x"), b"x")


def test_private_keys_do_not_show() -> None:
    key = fixed_key("ES256")
    assert repr(key.key) not in repr(key)
