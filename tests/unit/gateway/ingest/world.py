"""A department with one stream, a registry that lists it, and what it puts on the log. Deterministic."""

import hashlib
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from contracts import catalogue, envelope, feeds, messages
from contracts.algorithms import SigningKey
from contracts.errors import Fault
from contracts.evidence_types import EvidenceType
from contracts.feeds import LiveRecord, Statement
from contracts.hpke import DEFAULT_KEM, UnwrapKey
from contracts.messages import PUT, Change
from contracts.registry import Adapter, AdapterKey, Snapshot, Zone, ZoneKey
from contracts.registry.snapshot import Contents
from contracts.streams import Position, Stream
from contracts.text import Text

ZONE = "gov"
NAME = Text("名称", "name")
FAR = 4_000_000_000_000


def type_of(type_id: str = "cn.business-licence") -> EvidenceType:
    return next(one for one in catalogue.evidence_types() if one.id == type_id)


TYPE = type_of()
STREAM = Stream("market", "market-1", TYPE.id)


def key_of(number: int) -> SigningKey:
    """The same keys in every process."""
    return SigningKey.of("ES256", ec.derive_private_key(number, ec.SECP256R1()))


ADAPTER_KEY, OTHER_KEY, STRANGER_KEY, NODE_KEY = (key_of(number) for number in (11, 12, 13, 14))
ZONE_KEY = UnwrapKey(DEFAULT_KEM, X25519PrivateKey.from_private_bytes(hashlib.sha256(b"zone").digest()))
FEED_KEY = envelope.feed_key(STREAM, ZONE_KEY.public, hashlib.sha256(b"feed").digest())
SUITE = ADAPTER_KEY.suite


def registry(version: int = 1, zone: str = ZONE, lowest_epoch: int = 0) -> Snapshot:
    wrap = ZONE_KEY.public

    def adapter(name: str, key: SigningKey) -> Adapter:
        entry = AdapterKey(key.suite.alg, key.public.jwk)
        return Adapter(name, "market", zone, (TYPE.id,), (entry,), {TYPE.id: lowest_epoch})

    contents = Contents(
        zones=(Zone(ZONE, NAME, (ZoneKey(wrap.alg, wrap.public),)),),
        adapters=(adapter("market-1", ADAPTER_KEY), adapter("market-2", OTHER_KEY)),
        evidence_types=(TYPE,),
    )
    return Snapshot(version, FAR, FAR, contents)


def document(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A valid business licence; `number` makes it another one's."""
    valid = catalogue.examples(TYPE.id)["valid"][0]
    return {**valid, "name": f"示例{number}有限公司", **changes}


def invalid_document(number: int = 1) -> dict[str, Any]:
    return document(number, established_on="1999-02-31")


def salts(seed: bytes) -> Iterator[bytes]:
    number = 0
    while True:
        yield hashlib.sha256(b"%b/%d" % (seed, number)).digest()[:16]
        number += 1


def message(
    record: str,
    epoch: int,
    seq: int,
    operation: str = PUT,
    content: dict[str, Any] | None = None,
    key: SigningKey = ADAPTER_KEY,
    stream: Stream = STREAM,
) -> bytes:
    """A signed message; a put without `content` has a valid document."""
    if operation == PUT and content is None:
        content = document()
    change = Change(stream, record, operation, Position(epoch, seq), 1_700_000_000, content)
    return messages.seal(change, TYPE, key, salts(f"{record}/{epoch}/{seq}".encode()), 1_700_000_000 + seq)


def statement(
    epoch: int, seq: int, live: list[LiveRecord], full: bool, issued_at: int = 1_700_000_000, stream: Stream = STREAM
) -> Statement:
    buckets = feeds.bucket_digests(live, SUITE) if full else None
    return Statement(stream, Position(epoch, seq), len(live), issued_at, issued_at + 3600, buckets)


def enveloped(data: bytes, offset: int = 0) -> bytes:
    return envelope.close(data, FEED_KEY, hashlib.sha256(data + b"%d" % offset).digest()[:12])


__all__ = ["Contents", "Fault", "Stream", "envelope"]
