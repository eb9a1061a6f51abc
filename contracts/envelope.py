"""The encrypted form on the log: a compact JWE (RFC 7516), `dir` with A256GCM, around message or statement.

The protected header carries the zone key's `kid` and `fk`: the stream's feed key, wrapped by HPKE to that zone key
with `info` = the stream. So every record opens by itself, whatever compaction removed, and no second key message
is needed. A feed key lives a month at most; its header is the same bytes each time, so readers cache by it.

1. Size and form: at most 256 KB, five parts, the second empty, a header of at most 1 KB.
2. The header: exactly `alg` `dir`, `enc` `A256GCM`, `fk`, `kid` of a zone key that the node holds, `wrap` its KEM.
3. The feed key: unwrapped with `info` = the stream that the topic belongs to, so a key of one stream opens no other.
4. The tag over header and content. What comes out is authentic only in that somebody knew the feed key (anybody can
   wrap one to the zone); who says it is the business of the signature inside.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.encoding import b64url_decode, b64url_encode, canonical, parse_object
from contracts.errors import Fault
from contracts.hpke import UnwrapKey, WrapKey
from contracts.streams import Stream

MAX_ENVELOPE = 256 * 1024
KEY_SIZE = 32
MAX_HEADER = 1024
IV_SIZE = 12
TAG_SIZE = 16
_CACHE_SIZE = 8192


@dataclass(frozen=True, slots=True)
class FeedKey:
    """A stream's content key with its ready-made protected header (base64url)."""

    secret: bytes = field(repr=False)
    header: bytes


def feed_key(stream: Stream, zone_key: WrapKey, secret: bytes) -> FeedKey:
    """`secret` (32 random bytes) as the feed key of `stream`, readable by the zone."""
    header = {
        "alg": "dir",
        "enc": "A256GCM",
        "fk": b64url_encode(zone_key.wrap(secret, _info(stream))).decode(),
        "kid": zone_key.kid,
        "wrap": zone_key.alg,
    }
    return FeedKey(secret, b64url_encode(canonical(header)))


def close(message: bytes, key: FeedKey, iv: bytes) -> bytes:
    """The JWE of `message`. `iv`: 12 random bytes, never used twice with the key."""
    sealed = AESGCM(key.secret).encrypt(iv, message, key.header)
    parts = (key.header, b"", b64url_encode(iv), b64url_encode(sealed[:-TAG_SIZE]), b64url_encode(sealed[-TAG_SIZE:]))
    return b".".join(parts)


class Keyring:
    """The zone private keys that a node holds, and the feed keys that it has met. Not shared between threads."""

    def __init__(self, keys: Iterable[UnwrapKey]) -> None:
        self._keys = {key.public.kid: key for key in keys}
        self._feeds: dict[bytes, tuple[Stream, AESGCM]] = {}

    def open(self, value: bytes, stream: Stream) -> bytes:
        """The message inside `value`; raises `Fault` `envelope_…` or `unwrap_failed`."""
        if len(value) > MAX_ENVELOPE:
            raise Fault("message_too_large")
        parts = value.split(b".")
        if len(parts) != 5 or parts[1]:
            raise Fault("envelope_malformed")
        header, _, iv, ciphertext, tag = parts
        cipher = self._cipher(header, stream)
        nonce, mark = b64url_decode(iv), b64url_decode(tag)
        if len(nonce) != IV_SIZE or len(mark) != TAG_SIZE:
            raise Fault("envelope_malformed")
        try:
            return cipher.decrypt(nonce, b64url_decode(ciphertext) + mark, header)
        except InvalidTag:
            raise Fault("envelope_altered") from None

    def _cipher(self, header: bytes, stream: Stream) -> AESGCM:
        met = self._feeds.get(header)
        if met is not None and met[0] == stream:
            return met[1]
        if len(header) > MAX_HEADER:
            raise Fault("envelope_malformed")
        cipher = AESGCM(self._unwrap(header, stream))
        if len(self._feeds) >= _CACHE_SIZE:  # a flood of new headers may cost time, never memory
            self._feeds.clear()
        self._feeds[header] = stream, cipher
        return cipher

    def _unwrap(self, header: bytes, stream: Stream) -> bytes:
        members = parse_object(b64url_decode(header))
        if members.keys() != {"alg", "enc", "fk", "kid", "wrap"} or members["alg"] != "dir":
            raise Fault("envelope_malformed")
        key = self._keys.get(members["kid"]) if isinstance(members["kid"], str) else None
        if members["enc"] != "A256GCM" or (key is not None and members["wrap"] != key.alg):
            raise Fault("alg_unknown")
        if key is None:
            raise Fault("zone_key_unknown")
        if not isinstance(members["fk"], str):
            raise Fault("envelope_malformed")
        secret = key.unwrap(b64url_decode(members["fk"].encode()), _info(stream))
        if len(secret) != KEY_SIZE:
            raise Fault("envelope_malformed")
        return secret


def _info(stream: Stream) -> bytes:
    return f"oncegate feed key|{stream}".encode()
