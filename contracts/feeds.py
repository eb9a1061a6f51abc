"""Feed statements: a department's signed "published through number N at time T, this many records".

A statement (JWS, `typ` `feed+jwt`) stands in the stream after what it covers and takes no number of its own.
A full one adds 256 bucket digests: bucket b is the digest over the sorted lines `rec SP epoch SP seq SP identity LF`
of the live records whose digest of `rec` starts with byte b; an empty bucket is the digest of no bytes. Records that
a node refused are live (the department supplies them); withdrawn and erased ones are not.

A statement is verified as a message is: size, JWS with its own `typ`, claims, and then the stream: it is the one
whose topic it came from, it is the key's adapter's, and the key covers the position.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contracts import jws
from contracts.algorithms import SigningKey, Suite
from contracts.encoding import Json, canonical, parse_object
from contracts.errors import Fault
from contracts.registry.snapshot import Snapshot
from contracts.streams import Position, Stream

TYP = "feed+jwt"
KEY, FULL_KEY = b"@feed", b"@feed/full"
BUCKETS = 256
MAX_STATEMENT = 64 * 1024

_HEX = re.compile("[0-9a-f]+")
_KINDS: Mapping[str, type] = {
    "adp": str,
    "count": int,
    "epoch": int,
    "hash": str,
    "iat": int,
    "iss": str,
    "next": int,
    "seq": int,
    "type": str,
}


@dataclass(frozen=True, slots=True)
class Statement:
    """`position`: the last number covered (seq 0: nothing published in this epoch yet). Times in Unix s."""

    stream: Stream
    position: Position
    count: int
    issued_at: int
    next_at: int
    buckets: tuple[str, ...] | None = None

    @property
    def log_key(self) -> bytes:
        return KEY if self.buckets is None else FULL_KEY


@dataclass(frozen=True, slots=True)
class LiveRecord:
    """A live record as the bucket digests see it. `identity` is the digest of its message's signing input."""

    record: str
    position: Position
    identity: str


def bucket_digests(records: Iterable[LiveRecord], suite: Suite) -> tuple[str, ...]:
    """The 256 bucket digests, written `alg:hex`."""
    return bucket_digests_in_order(sorted(records, key=_name), suite)


def bucket_digests_in_order(records: Iterable[LiveRecord], suite: Suite) -> tuple[str, ...]:
    """The same of records that come in the order of their ids' bytes: none of them is held, so a million take no more
    memory than one. Lines then come sorted: a record id has no character below the space that follows it."""
    buckets = [suite.hash(b"") for _ in range(BUCKETS)]
    digest = suite.digest
    for item in records:
        name = item.record.encode()
        buckets[digest(name)[0]].update(b"%b %d %d %b\n" % (name, *item.position, item.identity.encode()))
    return tuple(f"{suite.hash_name}:{bucket.hexdigest()}" for bucket in buckets)


def _name(item: LiveRecord) -> str:
    return item.record


def seal(statement: Statement, key: SigningKey) -> bytes:
    """The signed statement."""
    payload: dict[str, Json] = {
        "iss": statement.stream.organisation,
        "adp": statement.stream.adapter,
        "type": statement.stream.evidence_type,
        "epoch": statement.position.epoch,
        "seq": statement.position.seq,
        "count": statement.count,
        "iat": statement.issued_at,
        "next": statement.next_at,
        "hash": key.suite.hash_name,
    }
    if statement.buckets is not None:
        payload["buckets"] = list(statement.buckets)
    return jws.sign(TYP, canonical(payload), key)


def open_statement(data: bytes, stream: Stream, registry: Snapshot) -> tuple[Statement, Suite]:
    """The verified statement about `stream`, and the suite its digests are made with; raises `Fault`."""
    if len(data) > MAX_STATEMENT:
        raise Fault("message_too_large")
    compact = jws.parse(data, TYP)
    signer = registry.signers.get(compact.kid)
    if signer is None:
        raise Fault("key_unknown")
    payload = parse_object(compact.verified_payload(signer.key))
    statement = _read(payload, signer.key.suite)
    if statement.stream != stream or stream not in signer.adapter.streams():
        raise Fault("key_not_for_stream")
    if statement.position.epoch < signer.adapter.lowest_epoch.get(stream.evidence_type, 0):
        raise Fault("epoch_revoked", "/epoch")
    if not signer.entry.covers(stream.evidence_type, statement.position):
        raise Fault("key_out_of_range", "/seq")
    return statement, signer.key.suite


def _read(payload: Mapping[str, Json], suite: Suite) -> Statement:
    if payload.keys() - {"buckets"} != _KINDS.keys():
        raise Fault("claims_invalid")
    for name, kind in _KINDS.items():
        if type(payload[name]) is not kind or (kind is int and payload[name] < 0):
            raise Fault("claims_invalid", f"/{name}")
    if payload["epoch"] < 1:
        raise Fault("claims_invalid", "/epoch")
    if payload["hash"] != suite.hash_name:
        raise Fault("sd_alg_mismatch", "/hash")
    return Statement(
        Stream(payload["iss"], payload["adp"], payload["type"]),
        Position(payload["epoch"], payload["seq"]),
        payload["count"],
        payload["iat"],
        payload["next"],
        _read_buckets(payload["buckets"], suite) if "buckets" in payload else None,
    )


def _read_buckets(value: Json, suite: Suite) -> tuple[str, ...]:
    if type(value) is not list or len(value) != BUCKETS or not all(_is_digest(item, suite) for item in value):
        raise Fault("claims_invalid", "/buckets")
    return tuple(value)


def _is_digest(value: Json, suite: Suite) -> bool:
    pattern = suite.digest_text(b"")
    if type(value) is not str or len(value) != len(pattern):
        return False
    prefix = len(suite.hash_name) + 1
    return value[:prefix] == pattern[:prefix] and _HEX.fullmatch(value, prefix) is not None
