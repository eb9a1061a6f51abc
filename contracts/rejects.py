"""Rejects: what a node tells a department of a message that it refused, on the topic `rejects.<adapter>`. Pure.

1. A reject is a JWS (`typ` `reject+jwt`) of the node over: node, topic, offset, code, JSON pointer, identity (null if
   the message was not verified), log key and value as received (base64url; value null if it is over 256 KB, was
   erased, or there was none) and the value's size. Never opened content: the adapter can open the value, it has the
   feed key.
2. Its log key is `topic@offset`. A crash may send a reject twice, and every node that reads the topic sends its own;
   by this key and the code they are known as the same.
3. Who reads one pins the keys of the nodes: its `kid` must be among them, and the key must be that of the node that
   the reject names. What others wrote into the topic is counted and not shown.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from contracts import jws
from contracts.algorithms import SigningKey, VerifyKey
from contracts.encoding import Json, b64url_decode, b64url_encode, canonical, parse_object
from contracts.envelope import MAX_ENVELOPE
from contracts.errors import Fault

TYP: Final = "reject+jwt"
_MAX_KEY = 1024  # ours are shorter; what a stranger wrote is recognised by its beginning
_KINDS: Mapping[str, tuple[type, ...]] = {
    "node": (str,),
    "topic": (str,),
    "offset": (int,),
    "code": (str,),
    "pointer": (str,),
    "identity": (str, type(None)),
    "key": (str,),
    "value": (str, type(None)),
    "size": (int,),
}


class Refused(NamedTuple):
    """A record of the log that was refused: where it stood, why, its bytes. `identity` if it was verified."""

    topic: str
    offset: int
    code: str
    pointer: str
    identity: str | None
    key: bytes
    value: bytes | None


def rejects_topic(adapter: str) -> str:
    """Where what an adapter's department must mend goes."""
    return f"rejects.{adapter}"


def reject_key(refused: Refused) -> bytes:
    """Rule 2."""
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


class NodeKeys:
    """The keys of nodes that a reader believes: by key id, the node's name and its key (rule 3)."""

    def __init__(self, keys: Iterable[tuple[str, VerifyKey]]) -> None:
        self._keys = {key.kid: (node, key) for node, key in keys}

    def open(self, data: bytes) -> tuple[str, Refused]:
        """The node that says so, and what it refused; raises `Fault`."""
        compact = jws.parse(data, TYP)
        known = self._keys.get(compact.kid)
        if known is None:
            raise Fault("key_unknown")
        payload = parse_object(compact.verified_payload(known[1]))
        if payload.keys() != _KINDS.keys() or any(type(payload[name]) not in kinds for name, kinds in _KINDS.items()):
            raise Fault("claims_invalid")
        if payload["node"] != known[0]:
            raise Fault("issuer_mismatch", "/node")
        return known[0], _read(payload)


def _read(payload: Mapping[str, Json]) -> Refused:
    value = payload["value"]
    return Refused(
        payload["topic"],
        payload["offset"],
        payload["code"],
        payload["pointer"],
        payload["identity"],
        b64url_decode(payload["key"].encode()),
        None if value is None else b64url_decode(value.encode()),
    )
