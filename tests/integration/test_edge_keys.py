import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x448
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from contracts.algorithms import SUITES
from contracts.edge import keys
from contracts.errors import UserError


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("alg", sorted(SUITES))
def test_signing_keys_come_back_from_their_files(tmp_path: Path, alg: str) -> None:
    key = keys.create_signing_key(tmp_path / "key.pem", alg)
    keys.write_public_key(tmp_path / "pub.pem", key.public)
    loaded = keys.load_signing_key(tmp_path / "key.pem", alg)
    public = keys.load_public_key(tmp_path / "pub.pem", alg)
    assert loaded.kid == key.kid == public.kid
    assert public.verify(loaded.sign(b"data"), b"data")
    assert not public.verify(loaded.sign(b"data"), b"date")
    assert _mode(tmp_path / "key.pem") == 0o600
    assert _mode(tmp_path / "pub.pem") == 0o644
    assert (tmp_path / "key.pem").read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert (tmp_path / "pub.pem").read_bytes().startswith(b"-----BEGIN PUBLIC KEY-----")


def test_hpke_keys_come_back_from_their_files(tmp_path: Path) -> None:
    key = keys.create_hpke_key(tmp_path / "key.pem")
    keys.write_hpke_public(tmp_path / "pub.pem", key.public_key())
    assert keys.load_hpke_private(tmp_path / "key.pem").private_bytes_raw() == key.private_bytes_raw()
    assert keys.load_hpke_public(tmp_path / "pub.pem") == key.public_key()
    assert _mode(tmp_path / "key.pem") == 0o600


def test_secrets_come_back_from_their_files(tmp_path: Path) -> None:
    secret = keys.create_secret(tmp_path / "secret")
    assert len(secret) == 32
    assert keys.load_secret(tmp_path / "secret") == secret
    assert len(keys.create_secret(tmp_path / "long", 64)) == 64
    assert _mode(tmp_path / "secret") == 0o600


CREATE: dict[str, Callable[[Path], object]] = {
    "signing": lambda path: keys.create_signing_key(path, "ES256"),
    "hpke": keys.create_hpke_key,
    "secret": keys.create_secret,
}
LOAD: dict[str, Callable[[Path], object]] = {
    "signing": lambda path: keys.load_signing_key(path, "ES256"),
    "hpke": keys.load_hpke_private,
    "secret": keys.load_secret,
}


@pytest.mark.parametrize("kind", sorted(CREATE))
def test_a_private_file_is_never_written_over(tmp_path: Path, kind: str) -> None:
    CREATE[kind](tmp_path / "f")
    before = (tmp_path / "f").read_bytes()
    with pytest.raises(UserError, match="exists already"):
        CREATE[kind](tmp_path / "f")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(UserError, match="exists already"):
        CREATE[kind](tmp_path / "link")
    assert (tmp_path / "f").read_bytes() == before
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
@pytest.mark.parametrize("kind", sorted(CREATE))
def test_a_private_file_that_others_can_touch_is_refused(tmp_path: Path, kind: str, mode: int) -> None:
    CREATE[kind](tmp_path / "f")
    (tmp_path / "f").chmod(mode)
    with pytest.raises(UserError, match="Others can access"):
        LOAD[kind](tmp_path / "f")


@pytest.mark.parametrize("kind", sorted(CREATE))
def test_paths_that_do_not_work_are_told(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        CREATE[kind](tmp_path / "none" / "f")
    with pytest.raises(UserError, match="cannot be read"):
        LOAD[kind](tmp_path / "f")


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | x448.X448PrivateKey, password: bytes = b"") -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize("kind", ["signing", "hpke"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no PEM",
        _pem(ec.generate_private_key(ec.SECP384R1())),
        _pem(rsa.generate_private_key(65537, 2048)),
        _pem(x448.X448PrivateKey.generate()),
        _pem(ec.generate_private_key(ec.SECP256R1()), b"password"),
        _pem(ec.generate_private_key(ec.SECP256R1()))[:-60],
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, kind: str, content: bytes) -> None:
    path = tmp_path / "f"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(UserError, match="Not a key of the kind"):
        LOAD[kind](path)


def test_a_public_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    other = ec.generate_private_key(ec.SECP384R1()).public_key()
    for content in (b"", other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)):
        (tmp_path / "f").write_bytes(content)
        for load in (lambda path: keys.load_public_key(path, "ES256"), keys.load_hpke_public):
            with pytest.raises(UserError, match="Not a key of the kind"):
                load(tmp_path / "f")


def test_a_short_secret_and_an_unknown_algorithm_are_refused(tmp_path: Path) -> None:
    keys.create_secret(tmp_path / "short", 15)
    with pytest.raises(UserError, match="too short"):
        keys.load_secret(tmp_path / "short")
    with pytest.raises(UserError, match="Unknown algorithm none"):
        keys.create_signing_key(tmp_path / "key", "none")
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize("alg", sorted(SUITES))
def test_a_key_of_each_other_algorithm_is_refused(tmp_path: Path, alg: str) -> None:
    keys.create_hpke_key(tmp_path / "x25519")
    keys.write_hpke_public(tmp_path / "x25519.pub", keys.load_hpke_private(tmp_path / "x25519").public_key())
    for other in SUITES:
        keys.write_public_key(tmp_path / f"{other}.pub", keys.create_signing_key(tmp_path / other, other).public)
    for other in ({*SUITES} - {alg}) | {"x25519"}:
        with pytest.raises(UserError, match="Not a key of the kind"):
            keys.load_signing_key(tmp_path / other, alg)
        with pytest.raises(UserError, match="Not a key of the kind"):
            keys.load_public_key(tmp_path / f"{other}.pub", alg)
