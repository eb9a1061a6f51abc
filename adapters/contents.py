"""Names and digests that tell nothing: record ids and content digests, keyed with secrets of the outbox. Pure.

1. A record id is HMAC-SHA-256 over the stream and the key values, cut to 192 bits: the same for life, and nobody
   without the secret can try identity numbers against it.
2. A content digest is HMAC-SHA-256 over the type's `vct` and the canonical document, so that a new version of the
   type publishes everything again.
Each part is preceded by its length: no two different inputs look alike.
"""

import hmac
from collections.abc import Callable, Mapping
from hashlib import sha256

from contracts.encoding import Json, b64url_encode, canonical
from contracts.streams import Stream

_RECORD_SIZE = 24


def record_names(secret: bytes, stream: Stream) -> Callable[[tuple[str, ...]], str]:
    """The function from key values to record id (32 characters of base64url)."""
    prefix = _framed((b"record", str(stream).encode()))

    def name(values: tuple[str, ...]) -> str:
        data = prefix + _framed([value.encode() for value in values])
        return b64url_encode(hmac.digest(secret, data, sha256)[:_RECORD_SIZE]).decode()

    return name


def digest(secret: bytes, vct: str, document: Mapping[str, Json]) -> bytes:
    """The keyed digest of a document's content (32 bytes)."""
    return hmac.digest(secret, _framed((b"content", vct.encode(), canonical(document))), sha256)


def _framed(parts: "tuple[bytes, ...] | list[bytes]") -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
