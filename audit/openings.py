"""Sealed openings: readable with the auditor's private key only, erasable one by one, or by whole days.

1. A data key belongs to one log and one UTC day; a restart begins another one for the same day, because the writer
   cannot unwrap the first. It is wrapped to the auditor by HPKE base mode (RFC 9180: DHKEM(X25519, HKDF-SHA256),
   HKDF-SHA256, AES-256-GCM); `info` binds log, day and key id.
2. A row is key id 8 | IV 12 | AES-256-GCM ciphertext. The IV is random; the associated data is log, index and day,
   so that a row opens only at its own place. A key seals at most 2^31 rows.
3. An erased row is empty. The leaf's `commit` stays; nothing else about the person does.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.encoding import b64url_decode, b64url_encode, canonical, parse_object
from contracts.errors import Fault

KEY_ID_SIZE = 8
IV_SIZE = 12
MAX_ROWS = 2**31

_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_SUITE_NAME = "hpke-x25519-sha256-aes256gcm"


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A day key as it is stored. `day` is `YYYY-MM-DD` in UTC."""

    origin: str
    day: str
    key_id: bytes
    wrapped: bytes

    def encode(self) -> bytes:
        """Its file: canonical JSON."""
        return canonical(
            {
                "alg": _SUITE_NAME,
                "day": self.day,
                "key": self.key_id.hex(),
                "origin": self.origin,
                "wrapped": b64url_encode(self.wrapped).decode(),
            }
        )


@dataclass(frozen=True, slots=True)
class DayKey:
    """A day key in use by the writer."""

    stored: WrappedKey
    encoded: bytes
    cipher: AESGCM = field(repr=False)


def new_day_key(origin: str, day: str, auditor: X25519PublicKey) -> DayKey:
    """A fresh key (rule 1)."""
    secret, key_id = AESGCM.generate_key(256), os.urandom(KEY_ID_SIZE)
    wrapped = _SUITE.encrypt(secret, auditor, _info(origin, day, key_id))
    stored = WrappedKey(origin, day, key_id, wrapped)
    return DayKey(stored, stored.encode(), AESGCM(secret))


def parse_key(data: bytes) -> WrappedKey:
    """Inverse of `WrappedKey.encode`; raises `Fault` `opening_unreadable`."""
    try:
        members = parse_object(data)
        if members["alg"] != _SUITE_NAME:
            raise Fault("opening_unreadable", detail="unknown algorithm")
        wrapped = b64url_decode(members["wrapped"].encode())
        return WrappedKey(members["origin"], members["day"], bytes.fromhex(members["key"]), wrapped)
    except (KeyError, AttributeError, TypeError, ValueError):
        raise Fault("opening_unreadable", detail="not a day key") from None


def seal(key: DayKey, first: int, openings: Sequence[bytes]) -> list[bytes]:
    """Rows of consecutive entries from index `first` (rule 2)."""
    encrypt, key_id = key.cipher.encrypt, key.stored.key_id
    before, after = _place(key.stored)
    random = os.urandom(IV_SIZE * len(openings))
    rows = []
    for offset, opening in enumerate(openings):
        iv = random[IV_SIZE * offset : IV_SIZE * (offset + 1)]
        rows.append(key_id + iv + encrypt(iv, opening, before + (first + offset).to_bytes(8, "big") + after))
    return rows


def unwrap(stored: WrappedKey, auditor: X25519PrivateKey) -> DayKey:
    """The day key, for its auditor; raises `Fault` `opening_unreadable`."""
    try:
        secret = _SUITE.decrypt(stored.wrapped, auditor, _info(stored.origin, stored.day, stored.key_id))
    except (InvalidTag, ValueError):
        raise Fault("opening_unreadable", detail="the day key is wrapped to another auditor") from None
    return DayKey(stored, stored.encode(), AESGCM(secret))


def unseal(key: DayKey, index: int, row: bytes) -> bytes:
    """The opening of entry `index`, from a row that is not erased; raises `Fault` `opening_unreadable`."""
    if key_id_of(row) != key.stored.key_id:
        raise Fault("opening_unreadable", detail="sealed under another day key")
    before, after = _place(key.stored)
    iv, sealed = row[KEY_ID_SIZE : KEY_ID_SIZE + IV_SIZE], row[KEY_ID_SIZE + IV_SIZE :]
    try:
        return key.cipher.decrypt(iv, sealed, before + index.to_bytes(8, "big") + after)
    except (InvalidTag, ValueError):
        raise Fault("opening_unreadable", detail="altered, or of another place") from None


def key_id_of(row: bytes) -> bytes | None:
    """Which day key seals this row; None for an erased row."""
    return row[:KEY_ID_SIZE] or None


def key_path(key_id: bytes) -> str:
    """Where a wrapped day key is stored, below the log's directory."""
    return f"openings/keys/{key_id.hex()}"


def _place(key: WrappedKey) -> tuple[bytes, bytes]:
    """Associated data before and after the index."""
    return key.origin.encode() + b"\n", b"\n" + key.day.encode()


def _info(origin: str, day: str, key_id: bytes) -> bytes:
    return b"\n".join((b"oncegate audit day key v1", origin.encode(), day.encode(), key_id))
