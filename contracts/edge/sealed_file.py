"""A file sealed for one recipient, written and read as a stream: any cut, changed or exchanged byte shows.

1. First a line of JSON, the header: what the file is, its algorithms, the recipient's key id, and the file's own key,
   32 random bytes, wrapped to the recipient by HPKE (RFC 9180, base mode). Without a recipient that key stands in the
   header itself: then changes show, and nothing is secret.
2. Then chunks of 64 KB, each sealed with AES-256-GCM under the file's key. The nonce is the chunk's number and whether
   it is the last one, so that none can be left out, doubled, moved or cut off (the STREAM construction of Hoang,
   Reyhanitabar, Rogaway, Vizár, 2015); the header is the associated data. The key is never used for another file.
3. What cannot be opened is a `UserError` that says which of it: no such file, another recipient, cut, or changed.

A recipient's public key is no secret: whoever has it can make such a file. Who has made it, this does not prove.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.edge import system_errors
from contracts.edge.files import sync_directory
from contracts.encoding import b64url_decode, b64url_encode, canonical, parse_object
from contracts.errors import Fault, UserError
from contracts.hpke import UnwrapKey, WrapKey
from contracts.text import Text

FORM: Final = "oncegate-sealed-1"
CIPHER: Final = "A256GCM-chunks"
CHUNK: Final = 64 * 1024
_TAG = 16
_KEY = 32
_MAX_HEADER = 4096
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC  # nobody else's, and no link
_INFO = b"oncegate sealed file 1"

_NOT_SEALED = Text("不是本系统的备份文件", "Not a backup of ours")
_CHOOSE_FILE = Text("请核对文件。", "Check which file it is.")
_NEWER = Text("备份格式或算法未知:{form}", "The form or algorithm of the backup is unknown: {form}")
_UPGRADE = Text("请使用写出它的版本或更新的程序。", "Use the version of the program that wrote it, or a later one.")
_NEEDS_KEY = Text("备份已加密,需要恢复私钥 {kid}", "The backup is encrypted: it needs the recovery key {kid}")
_GIVE_KEY = Text("请用 --recovery-key 给出。", "Give it with --recovery-key.")
_ANOTHER_KEY = Text("恢复私钥不符,需要 {kid}", "It is encrypted to another recovery key, {kid}")
_CUT = Text("备份不完整(被截断)", "The backup is cut short")
_CHANGED = Text("备份被改动、截断或损坏", "The backup was changed, cut short or damaged")
_ANOTHER_COPY = Text("请使用另一份备份。", "Use another copy.")
_UNREADABLE = Text("无法读取备份:{why}", "The backup cannot be read: {why}")
_UNWRITABLE = Text("无法写入备份:{why}", "The backup cannot be written: {why}")


class SealedWriter:
    """A writable stream (rule 2). Only `finish` makes the file whole."""

    def __init__(self, out: IO[bytes], recipient: WrapKey | None) -> None:
        key = os.urandom(_KEY)
        wrapped = key if recipient is None else recipient.wrap(key, _INFO)
        header = {
            "form": FORM,
            "enc": CIPHER,
            "alg": None if recipient is None else recipient.alg,
            "recipient": None if recipient is None else recipient.kid,
            "key": b64url_encode(wrapped).decode(),
        }
        self._out, self._header = out, canonical(header) + b"\n"
        self._cipher, self._number, self._waiting = AESGCM(key), 0, bytearray()
        out.write(self._header)

    def write(self, data: bytes) -> int:
        """Seal what is complete."""
        self._waiting += data
        while len(self._waiting) > CHUNK:  # the last chunk, however long, is `finish`'s
            self._seal(bytes(self._waiting[:CHUNK]), last=False)
            del self._waiting[:CHUNK]
        return len(data)

    def finish(self) -> None:
        """Seal the last chunk."""
        self._seal(bytes(self._waiting), last=True)

    def _seal(self, data: bytes, last: bool) -> None:
        self._out.write(self._cipher.encrypt(_nonce(self._number, last), data, self._header))
        self._number += 1


class SealedReader:
    """A readable stream of what was sealed. Raises `UserError` as soon as a chunk does not open."""

    def __init__(self, source: IO[bytes], key: UnwrapKey | None, where: str) -> None:
        self._source, self._where = source, where
        self._header = source.readline(_MAX_HEADER)
        self._cipher = AESGCM(_file_key(self._header, key, where))
        self._number, self._ready, self._over = 0, b"", False
        self._next = source.read(CHUNK + _TAG)

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; fewer only at the end."""
        parts, left = [], size
        while left and (self._ready or self._open()):
            part = self._ready if left < 0 else self._ready[:left]
            self._ready = self._ready[len(part) :]
            left -= len(part) if left > 0 else 0
            parts.append(part)
        return b"".join(parts)

    def _open(self) -> bool:
        """Open the next chunk; False after the last."""
        if self._over:
            return False
        data, self._next = self._next, self._source.read(CHUNK + _TAG)
        last = not self._next
        try:
            self._ready = self._cipher.decrypt(_nonce(self._number, last), data, self._header)
        except InvalidTag:
            what = _CUT if last and self._opens_before_others(data) else _CHANGED
            raise UserError(what, self._where, _ANOTHER_COPY) from None
        self._number, self._over = self._number + 1, last
        return bool(self._ready)

    def _opens_before_others(self, data: bytes) -> bool:
        try:
            self._cipher.decrypt(_nonce(self._number, last=False), data, self._header)
        except InvalidTag:
            return False
        return True


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes((last,))


def _file_key(header: bytes, key: UnwrapKey | None, where: str) -> bytes:
    """Rule 1, from the other side; raises `UserError`."""
    try:
        form = parse_object(header[:-1])
        wrapped = b64url_decode(form["key"].encode())
        kinds = (form["form"], form["enc"], form["alg"], form["recipient"])
    except (Fault, KeyError, AttributeError, TypeError):
        raise UserError(_NOT_SEALED, where, _CHOOSE_FILE) from None
    if kinds[:2] != (FORM, CIPHER):
        raise UserError(_NEWER.fill(form=f"{kinds[0]} {kinds[1]}"), where, _UPGRADE)
    if kinds[3] is None:
        return _sized(wrapped, where)
    if key is None:
        raise UserError(_NEEDS_KEY.fill(kid=kinds[3]), where, _GIVE_KEY)
    if (key.public.alg, key.public.kid) != kinds[2:]:
        raise UserError(_ANOTHER_KEY.fill(kid=kinds[3]), where, _GIVE_KEY)
    try:
        return _sized(key.unwrap(wrapped, _INFO), where)
    except Fault:
        raise UserError(_CHANGED, where, _ANOTHER_COPY) from None


def _sized(key: bytes, where: str) -> bytes:
    if len(key) != _KEY:
        raise UserError(_CHANGED, where, _ANOTHER_COPY)
    return key


@contextmanager
def sealed_file(path: Path, recipient: WrapKey | None) -> Iterator[SealedWriter]:
    """A new sealed file at `path` (0600), there once the `with` has ended well, and durable; raises `UserError`."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        descriptor = os.open(temporary, _NEW_FILE, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            writer = SealedWriter(out, recipient)
            yield writer
            writer.finish()
            out.flush()
            os.fsync(out.fileno())
        temporary.rename(path)
        sync_directory(path.parent)
    except OSError as error:
        raise UserError(
            _UNWRITABLE.fill(why=system_errors.why(error)), str(path), system_errors.remedy(error)
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def opened_file(path: Path, key: UnwrapKey | None) -> Iterator[Any]:
    """The stream in a sealed file; raises `UserError`."""
    try:
        source = path.open("rb")
    except OSError as error:
        raise UserError(
            _UNREADABLE.fill(why=system_errors.why(error)), str(path), system_errors.remedy(error)
        ) from None
    with source:
        yield SealedReader(source, key, str(path))
