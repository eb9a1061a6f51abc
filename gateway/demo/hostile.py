"""Hostile messages, planted in the log under keys of their own, so that they evict no victim.

Each plays somebody who can write to the log but holds no department's key: a forged message, one under a key that
nobody registered, one by a department about another's certificates, a replay of a true message, and plain noise.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from contracts import messages
from contracts.algorithms import SigningKey
from contracts.edge.transport import Record, Transport
from contracts.encoding import b64url_decode, b64url_encode, canonical, parse_object
from contracts.envelope import IV_SIZE, KEY_SIZE, Keyring, close, feed_key
from contracts.hpke import WrapKey
from contracts.messages import Change
from contracts.registry import Snapshot
from contracts.streams import Position, Stream


@dataclass(frozen=True, slots=True)
class Attack:
    """One planted message: what it plays, the stream's topic, its log key, the bytes on the log."""

    name: str
    topic: str
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Scene:
    """What the attacks are made of: a true record of `stream`, and the document inside."""

    stream: Stream
    registry: Snapshot
    zone_key: WrapKey
    record: Record
    message: bytes


def plant(transport: Transport, stream: Stream, registry: Snapshot, keyring: Keyring, insider: SigningKey) -> int:
    """Write one of each attack into `stream`; how many. `insider`: a registered key of another department."""
    record = _first_message(transport, stream)
    zone_key = registry.zones[registry.adapters[stream.adapter].zone].active_key
    if zone_key is None or record.value is None:
        raise ValueError("the stream has no message or the zone no key")
    scene = Scene(stream, registry, zone_key, record, keyring.open(record.value, stream))
    attacks = list(_attacks(scene, insider))
    with transport.writer() as writer:
        for attack in attacks:
            writer.write(attack.topic, attack.key, attack.value)
    return len(attacks)


def _attacks(scene: Scene, insider: SigningKey) -> Iterator[Attack]:
    outsider = SigningKey.generate("ES256")
    made: Mapping[str, Callable[[], bytes]] = {
        "forged-claims": lambda: _sealed(scene, _forged(scene.message)),
        "forged-disclosure": lambda: _sealed(scene, _altered_disclosure(scene.message)),
        "wrong-key": lambda: _sealed(scene, _signed_by(scene, outsider)),
        "other-department": lambda: _sealed(scene, _signed_by(scene, insider)),
        "replayed": lambda: scene.record.value or b"",
        "truncated": lambda: _sealed(scene, scene.message[:-40]),
        "noise": lambda: secrets.token_bytes(600),
    }
    for name, make in made.items():
        yield Attack(name, scene.stream.topic, f"attack/{name}".encode(), make())


def _first_message(transport: Transport, stream: Stream) -> Record:
    with transport.reader() as reader:
        reader.assign({stream.topic: reader.earliest(stream.topic)})
        return next(record for record in reader.read(50, 1.0) if not record.key.startswith(b"@"))


def _sealed(scene: Scene, message: bytes) -> bytes:
    """Encrypted to the zone, as anybody can who knows its public key."""
    key = feed_key(scene.stream, scene.zone_key, secrets.token_bytes(KEY_SIZE))
    return close(message, key, secrets.token_bytes(IV_SIZE))


def _forged(message: bytes) -> bytes:
    """The true message with another status, under the old signature."""
    token, tail = message.split(b"~", 1)
    header, payload, signature = token.split(b".")
    claims = parse_object(b64url_decode(payload))
    claims["doc"]["status"] = "revoked" if claims["doc"]["status"] == "valid" else "valid"
    return b".".join((header, b64url_encode(canonical(claims)), signature)) + b"~" + tail


def _altered_disclosure(message: bytes) -> bytes:
    """The true message with another value in its first disclosure."""
    token, first, tail = message.split(b"~", 2)
    return b"~".join((token, b64url_encode(b64url_decode(first)[:-2] + b'x"]'), tail))


def _signed_by(scene: Scene, key: SigningKey) -> bytes:
    """A well-formed withdrawal of the true record, signed by somebody else."""
    evidence_type = scene.registry.versions[scene.stream.evidence_type][0]
    position = Position(2**52, 1)
    change = Change(scene.stream, scene.record.key.decode(), messages.WITHDRAW, position, position.epoch // 1000)
    return messages.seal(change, evidence_type, key, iter(()), position.epoch // 1000)
