"""What the department hears of a message that was refused. Pure.

1. A reject is a JWS (`typ` `reject+jwt`) of the node over: node, topic, offset, code, JSON pointer, identity (null if
   the message was not verified), log key and value as received (base64url; value null if it is over 256 KB or there
   was none) and the value's size. Never opened content: the adapter can open the value, it has the feed key.
2. It goes to `rejects.<adapter>` if the message is surely that adapter's: its signature was verified. All else goes to
   `rejects.unverified`, so that a stranger cannot fill a department's desk.
3. Its log key is `topic@offset`. A crash may send a reject twice; by this key the second is known as the same.
"""

from typing import Final, NamedTuple

from contracts import jws
from contracts.algorithms import SigningKey
from contracts.encoding import b64url_encode, canonical
from contracts.envelope import MAX_ENVELOPE
from contracts.errors import Fault
from contracts.registry.snapshot import Snapshot
from contracts.streams import Stream

TYP: Final = "reject+jwt"
_MAX_KEY = 1024  # ours are shorter; what a stranger wrote is recognised by its beginning
# Faults that can only be found once the signature was verified.
_AFTER_SIGNATURE = frozenset(
    (
        "claims_invalid",
        "operation_unknown",
        "sd_alg_mismatch",
        "type_unknown",
        "epoch_revoked",
        "key_out_of_range",
        "key_not_for_stream",
        "issuer_mismatch",
    )
)


class Refused(NamedTuple):
    """A record of the log that was refused: where it stood, why, its bytes. `identity` if it was verified."""

    topic: str
    offset: int
    code: str
    pointer: str
    identity: str | None
    key: bytes
    value: bytes | None


def reject_key(refused: Refused) -> bytes:
    """Rule 3."""
    return f"{refused.topic}@{refused.offset}".encode()


def seal_reject(refused: Refused, node: str, key: SigningKey) -> bytes:
    """Rule 1."""
    value = refused.value
    payload = {
        "node": node,
        "topic": refused.topic,
        "offset": refused.offset,
        "code": refused.code,
        "pointer": refused.pointer,
        "identity": refused.identity,
        "key": b64url_encode(refused.key[:_MAX_KEY]).decode(),
        "value": None if value is None or len(value) > MAX_ENVELOPE else b64url_encode(value).decode(),
        "size": 0 if value is None else len(value),
    }
    return jws.sign(TYP, canonical(payload), key)


def is_senders(code: str, message: bytes, typ: str, stream: Stream, registry: Snapshot) -> bool:
    """Rule 2, for a message without verified claims: whether the stream's own adapter has surely signed it."""
    if code not in _AFTER_SIGNATURE:
        return False
    try:
        signer = registry.signers.get(jws.parse(message.split(b"~", 1)[0], typ).kid)
    except Fault:
        return False
    return signer is not None and signer.adapter.id == stream.adapter
