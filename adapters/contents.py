"""Names and digests that tell nothing: record ids and content digests, keyed with secrets of the outbox. Pure.

1. A record id is HMAC-SHA-256 over the stream and the key values, cut to 192 bits: the same for life, and nobody
   without the secret can try identity numbers against it.
2. A content digest is HMAC-SHA-256 over the type's `vct` and the canonical document, so that a new version of the
   type publishes everything again.
Each part is preceded by its length: no two different inputs look alike.
"""

import hmac
from collections.abc import Callable, Sequence
from hashlib import sha256

from contracts.encoding import b64url_encode
from contracts.streams import Stream

_RECORD_SIZE = 24


def record_names(secret: bytes, stream: Stream) -> Callable[[tuple[str, ...]], str]:
    """The function from key values to record id (32 characters of base64url)."""
    prefix = _framed((b"record", str(stream).encode()))

    def name(values: tuple[str, ...]) -> str:
        data = prefix + _framed([value.encode() for value in values])
        return b64url_encode(hmac.digest(secret, data, sha256)[:_RECORD_SIZE]).decode()

    return name


def digest(secret: bytes, vct: str, document: bytes) -> bytes:
    """The keyed digest of a document's canonical bytes (32 bytes)."""
    return hmac.digest(secret, _framed((b"content", vct.encode(), document)), sha256)


def _framed(parts: Sequence[bytes]) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
