"""Key files: private ones that only their owner can read, public ones for everybody.

1. A private key is PKCS#8 in PEM (RFC 5958, RFC 7468), a public key SubjectPublicKeyInfo in PEM (RFC 5280 §4.1),
   a secret its raw bytes. Any other tool reads and writes the same.
2. A private file is created with mode 0600 and never over an existing one: a lost key cannot be brought back.
3. A private file that the group or others can touch is refused, not repaired: it may have been copied already.
4. The algorithm comes from the caller (configuration or registry), never from the file;
   a file of another kind is refused.
"""

import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from contracts.algorithms import SUITES, SigningKey, Suite, VerifyKey, suite_of
from contracts.edge.files import sync_directory, write_atomic, write_new
from contracts.edge.system_errors import remedy, why
from contracts.errors import Fault, UserError
from contracts.text import Text

_EXISTS = Text("密钥文件已存在", "The key file exists already")
_KEEP = Text("请另选路径,或先移走旧文件。", "Choose another path, or move the old file away first.")
_EXPOSED = Text("密钥文件可被他人访问", "Others can access the key file")
_TIGHTEN = Text(
    "若确认未泄露,请执行 chmod 600;否则更换密钥。", "If it has not leaked, chmod 600; else replace the key."
)
_UNREADABLE = Text("无法读取密钥文件:{why}", "The key file cannot be read: {why}")
_UNWRITABLE = Text("无法写入密钥文件:{why}", "The key file cannot be written: {why}")
_WRONG_KIND = Text("不是 {expected} 密钥", "Not a key of the kind {expected}")
_USE_PEM = Text("请提供未加密的 PEM 文件,且算法相符。", "Give an unencrypted PEM file of that algorithm.")
_TOO_SHORT = Text("密钥太短(至少 16 字节)", "The secret is too short (at least 16 bytes)")
_NEW_SECRET = Text("请重新生成。", "Create a new one.")
_UNKNOWN_ALG = Text("未知算法 {alg}", "Unknown algorithm {alg}")
_MIN_SECRET = 16

T = TypeVar("T")


def create_signing_key(path: Path, alg: str) -> SigningKey:
    """A new private key of JOSE `alg`, durably at `path`; raises `UserError`."""
    _known(alg, path)
    key = SigningKey.generate(alg)
    _write_private(path, _private_pem(key.key))
    return key


def load_signing_key(path: Path, alg: str) -> SigningKey:
    """The private key of JOSE `alg` at `path`; raises `UserError`."""
    _known(alg, path)
    return _of_kind(path, alg, lambda: _signing_key(alg, load_pem_private_key(_read_private(path), None)))


def load_public_key(path: Path, alg: str) -> VerifyKey:
    """The public key of JOSE `alg` at `path`; raises `UserError`."""
    _known(alg, path)
    return _of_kind(path, alg, lambda: _verify_key(alg, load_pem_public_key(_read(path))))


def write_public_key(path: Path, key: VerifyKey) -> None:
    """`key` in PEM at `path`, replacing what was there; raises `UserError`."""
    _write_public(path, key.key)


def create_secret(path: Path, size: int = 32) -> bytes:
    """`size` new random bytes, durably at `path`; raises `UserError`."""
    secret = secrets.token_bytes(size)
    _write_private(path, secret)
    return secret


def load_secret(path: Path) -> bytes:
    """The bytes at `path`, at least 16; raises `UserError`."""
    secret = _read_private(path)
    if len(secret) < _MIN_SECRET:
        raise UserError(_TOO_SHORT, str(path), _NEW_SECRET)
    return secret


def require_private(path: Path) -> None:
    """Refuse a private file that others can touch, for those that a library reads itself; raises `UserError`."""
    _read_private(path)


def create_hpke_key(path: Path) -> X25519PrivateKey:
    """A new X25519 private key (DHKEM(X25519) of RFC 9180), durably at `path`; raises `UserError`."""
    key = X25519PrivateKey.generate()
    _write_private(path, _private_pem(key))
    return key


def load_hpke_private(path: Path) -> X25519PrivateKey:
    """The X25519 private key at `path`; raises `UserError`."""
    key = _of_kind(path, "X25519", lambda: load_pem_private_key(_read_private(path), None))
    if not isinstance(key, X25519PrivateKey):
        raise _wrong_kind(path, "X25519")
    return key


def load_hpke_public(path: Path) -> X25519PublicKey:
    """The X25519 public key at `path`; raises `UserError`."""
    key = _of_kind(path, "X25519", lambda: load_pem_public_key(_read(path)))
    if not isinstance(key, X25519PublicKey):
        raise _wrong_kind(path, "X25519")
    return key


def write_hpke_public(path: Path, key: X25519PublicKey) -> None:
    """`key` in PEM at `path`, replacing what was there; raises `UserError`."""
    _write_public(path, key)


def _known(alg: str, path: Path) -> Suite:
    try:
        return suite_of(alg)
    except Fault:
        known = Text(f"可选:{', '.join(SUITES)}", f"One of: {', '.join(SUITES)}.")
        raise UserError(_UNKNOWN_ALG.fill(alg=alg), str(path), known) from None


def _signing_key(alg: str, key: Any) -> SigningKey:
    _verify_key(alg, key.public_key())
    return SigningKey.of(alg, key)


def _verify_key(alg: str, key: Any) -> VerifyKey:
    verifying = VerifyKey.from_jwk(alg, suite_of(alg).to_jwk(key))
    # A key of another curve may have bytes that this one takes (X25519 as Ed25519): only the same key is the key.
    if verifying.key != key:
        raise Fault("key_invalid")
    return verifying


def _of_kind(path: Path, kind: str, load: Callable[[], T]) -> T:
    # What `cryptography` and `algorithms` raise for other kinds of key: encrypted, no PEM, another curve.
    try:
        return load()
    except (ValueError, TypeError, AttributeError, OverflowError, Fault, UnsupportedAlgorithm):
        raise _wrong_kind(path, kind) from None


def _wrong_kind(path: Path, kind: str) -> UserError:
    return UserError(_WRONG_KIND.fill(expected=kind), str(path), _USE_PEM)


def _private_pem(key: Any) -> bytes:
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem


def _write_private(path: Path, data: bytes) -> None:
    try:
        write_new(path, data, 0o600)
        sync_directory(path.parent)
    except FileExistsError:
        raise UserError(_EXISTS, str(path), _KEEP) from None
    except OSError as error:
        raise UserError(_UNWRITABLE.fill(why=why(error)), str(path), remedy(error)) from None


def _write_public(path: Path, key: Any) -> None:
    try:
        write_atomic(path, key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    except OSError as error:
        raise UserError(_UNWRITABLE.fill(why=why(error)), str(path), remedy(error)) from None


def _read_private(path: Path) -> bytes:
    # The mode is asked of the opened file, so that nobody can swap it between check and use.
    try:
        with path.open("rb") as file:
            exposed = stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077
            data = b"" if exposed else file.read()
    except OSError as error:
        raise UserError(_UNREADABLE.fill(why=why(error)), str(path), remedy(error)) from None
    if exposed:
        raise UserError(_EXPOSED, str(path), _TIGHTEN)
    return data


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(_UNREADABLE.fill(why=why(error)), str(path), remedy(error)) from None
