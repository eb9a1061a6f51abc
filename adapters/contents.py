"""Names and digests that tell nothing: record ids and content digests, keyed with secrets of the outbox. Pure.

1. A record id is HMAC-SHA-256 over the stream and the key values, cut to 192 bits: the same for life, and nobody
   without the secret can try identity numbers against it.
2. An erased record's id is never used again. Where its row is readmitted, the id is that of the erased record, keyed
   once more, and so on.
3. A content digest is HMAC-SHA-256 over the type's `vct` and the canonical document, so that a new version of the
   type publishes everything again.
Each part is preceded by its length: no two different inputs look alike.
"""

import hmac
from collections.abc import Callable, Collection, Sequence
from hashlib import sha256

from contracts.encoding import b64url_encode
from contracts.streams import Stream

_RECORD_SIZE = 24


def record_names(
    secret: bytes, stream: Stream, readmitted: Collection[str] = frozenset()
) -> Callable[[tuple[str, ...]], str]:
    """The function from key values to record id (32 characters of base64url). `readmitted`: the ids of rule 2."""
    prefix = _framed((b"record", str(stream).encode()))

    def keyed(data: bytes) -> str:
        return b64url_encode(hmac.digest(secret, data, sha256)[:_RECORD_SIZE]).decode()

    def name(values: tuple[str, ...]) -> str:
        record = keyed(prefix + _framed([value.encode() for value in values]))
        while record in readmitted:
            record = keyed(_framed((b"again", record.encode())))
        return record

    return name


def digest(secret: bytes, vct: str, document: bytes) -> bytes:
    """The keyed digest of a document's canonical bytes (32 bytes)."""
    return hmac.digest(secret, _framed((b"content", vct.encode(), document)), sha256)


def _framed(parts: Sequence[bytes]) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
