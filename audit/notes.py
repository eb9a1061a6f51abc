"""Signed notes (https://c2sp.org/signed-note): text, a blank line, signature lines.

1. A note is UTF-8 without control characters but newline; at most 256 KiB and 64 signature lines. (The specification
   demands room for 16 lines; those of post-quantum keys have up to 6.7 KB.)
2. A key is its name, a type byte and the public key. Its id is SHA-256(name ‖ LF ‖ type ‖ key)[:4], and its written
   form (vkey) is `name+hex id+base64(type ‖ key)`. Types are rows of one table; unknown means refused.
3. Type 0x01 signs the text. Type 0x04 is a witness cosignature (https://c2sp.org/tlog-cosignature): a timestamp, and
   a signature over `cosignature/v1`, the time (seconds since 1970, below 2^63), and the text.
4. Signatures of unknown keys are ignored. A known key's bad signature refuses the note; so does having none.
"""

import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from contracts.errors import Fault

ED25519 = 0x01
COSIGNATURE = 0x04

MAX_NOTE = 256 * 1024
MAX_SIGNATURES = 64
MAX_TIME = 2**63 - 1

_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")
_NAME = re.compile(r"[^\s+]+")
_VKEY = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)")
_DASH = "\u2014"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line. `value` is what follows the key id."""

    name: str
    key_id: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed, not yet verified note. `text` ends in a newline."""

    text: bytes
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A public key that may sign notes; `kind` is the signature type byte."""

    name: str
    kind: int
    raw: bytes
    key: Ed25519PublicKey = field(repr=False, compare=False)

    @property
    def key_id(self) -> bytes:
        """The four bytes that name this key on a signature line."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.raw).digest()[:4]

    @property
    def vkey(self) -> str:
        """The written form."""
        return f"{self.name}+{self.key_id.hex()}+{base64_text(bytes([self.kind]) + self.raw)}"

    def verifies(self, text: bytes, signature: bytes) -> bool:
        """Whether `signature` (without key id) is this key's over `text`."""
        try:
            message, bare = _SIGNED[self.kind](text, signature)
            self.key.verify(bare, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """A private key that signs notes under a name (type 0x01)."""

    public: NoteKey
    key: Ed25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def of(cls, name: str, key: Ed25519PrivateKey) -> "NoteSigner":
        """Raises `Fault` `vkey_invalid` for a name with spaces or `+`."""
        return cls(note_key(name, ED25519, key.public_key().public_bytes_raw()), key)

    def sign(self, text: bytes) -> bytes:
        """The note of `text` with this one signature; raises ValueError when the text does not end in newline."""
        if not text.endswith(b"\n"):
            raise ValueError("the text of a note ends in a newline")
        return text + b"\n" + signature_line(self.public, self.key.sign(text))


def signature_line(key: NoteKey, value: bytes) -> bytes:
    """One line, ready to be appended to a note."""
    return f"{_DASH} {key.name} {base64_text(key.key_id + value)}\n".encode()


def note_key(name: str, kind: int, raw: bytes) -> NoteKey:
    """A key of its parts; raises `Fault` `vkey_invalid`."""
    if _NAME.fullmatch(name) is None or kind not in _SIGNED or len(raw) != 32:
        raise Fault("vkey_invalid")
    return NoteKey(name, kind, raw, Ed25519PublicKey.from_public_bytes(raw))


def parse_vkey(text: str) -> NoteKey:
    """The key of its written form; raises `Fault` `vkey_invalid`, also when the id is not the key's."""
    match = _VKEY.fullmatch(text)
    if match is None:
        raise Fault("vkey_invalid")
    name, key_id, encoded = match.groups()
    material = unbase64(encoded, "vkey_invalid")
    key = note_key(name, material[0] if material else 0, material[1:])
    if key.key_id.hex() != key_id:
        raise Fault("vkey_invalid")
    return key


def parse(note: bytes) -> Note:
    """Split a note (rule 1); raises `Fault` `note_malformed`."""
    if len(note) > MAX_NOTE:
        raise Fault("note_malformed", detail="too long")
    try:
        content = note.decode()
    except UnicodeDecodeError:
        raise Fault("note_malformed", detail="not UTF-8") from None
    text, blank, lines = content.rpartition("\n\n")
    if not blank or not lines.endswith("\n") or _CONTROL.search(content):
        raise Fault("note_malformed")
    rows = lines[:-1].split("\n")
    if len(rows) > MAX_SIGNATURES:
        raise Fault("note_malformed", detail="too many signatures")
    return Note((text + "\n").encode(), tuple(_signature(row) for row in rows))


def verified_keys(note: Note, known: Iterable[NoteKey]) -> list[NoteKey]:
    """The known keys that signed (rule 4); raises `Fault` `note_signature_invalid`."""
    keys = {(key.name, key.key_id): key for key in known}
    signed = [(key, line.value) for line in note.signatures if (key := keys.get((line.name, line.key_id))) is not None]
    if not signed or not all(key.verifies(note.text, value) for key, value in signed):
        raise Fault("note_signature_invalid")
    return [key for key, _ in signed]


def unbase64(text: str, code: str) -> bytes:
    """Strict standard base64 with padding (RFC 4648 §4); raises `Fault` with `code`."""
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise Fault(code) from None
    if base64_text(data) != text:
        raise Fault(code)
    return data


def base64_text(data: bytes) -> str:
    """Standard base64 with padding (RFC 4648 §4)."""
    return binascii.b2a_base64(data, newline=False).decode()


def _signature(row: str) -> Signature:
    dash, _, rest = row.partition(" ")
    name, _, encoded = rest.partition(" ")
    if dash != _DASH or _NAME.fullmatch(name) is None:
        raise Fault("note_malformed")
    value = unbase64(encoded, "note_malformed")
    if len(value) < 5:
        raise Fault("note_malformed")
    return Signature(name, value[:4], value[4:])


def _plain(text: bytes, signature: bytes) -> tuple[bytes, bytes]:
    return text, signature


def _cosigned(text: bytes, signature: bytes) -> tuple[bytes, bytes]:
    seconds = int.from_bytes(signature[:8], "big")
    if seconds > MAX_TIME:
        raise InvalidSignature
    return b"cosignature/v1\ntime %d\n" % seconds + text, signature[8:]


_SIGNED: Mapping[int, Callable[[bytes, bytes], tuple[bytes, bytes]]] = {ED25519: _plain, COSIGNATURE: _cosigned}
