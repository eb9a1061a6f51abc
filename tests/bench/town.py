"""Thousands of small departments with a stream each: their keys, their registry, what they publish. Deterministic."""

from functools import cache
from hashlib import sha256
from time import time

from contracts import envelope, feeds
from contracts.algorithms import SigningKey
from contracts.feeds import FULL_KEY, LiveRecord
from contracts.identifiers import credit_check_character
from contracts.registry import Adapter, AdapterKey, Snapshot, Zone, ZoneKey
from contracts.registry.snapshot import Contents
from contracts.streams import Position, Stream
from tests.unit.gateway.ingest import world

TYPE = world.TYPE
KEK = bytes(32)
EPOCH = 1

Entry = tuple[bytes, bytes]


@cache
def registry(streams: int) -> Snapshot:
    """The registry that lists the adapters `0` … `streams - 1`."""
    wrap = world.ZONE_KEY.public
    contents = Contents(
        zones=(Zone(world.ZONE, world.NAME, (ZoneKey(wrap.alg, wrap.public),)),),
        adapters=tuple(map(_adapter, range(streams))),
        evidence_types=(TYPE,),
    )
    return Snapshot(1, world.FAR, world.FAR, contents)


def _adapter(number: int) -> Adapter:
    key = _key(number)
    entry = AdapterKey(key.suite.alg, key.public.jwk)
    return Adapter(stream(number).adapter, "market", world.ZONE, (TYPE.id,), (entry,), {TYPE.id: 0})


def stream(number: int) -> Stream:
    """The one stream of adapter `number`."""
    return Stream("market", f"market-{number}", TYPE.id)


@cache
def _key(number: int) -> SigningKey:
    return world.key_of(1000 + number)


@cache
def _feed_key(number: int) -> envelope.FeedKey:
    return envelope.feed_key(stream(number), world.ZONE_KEY.public, sha256(b"feed %d" % number).digest())


def entry(number: int, seq: int) -> Entry:
    """Record `seq` of a stream: log key and value."""
    message = _message(number, seq)
    return b"rec-%d" % seq, _closed(number, message, b"%d" % seq)


def entries(number: int, records: int) -> list[Entry]:
    """The first `records` of a stream, and the full statement about them, good for an hour from now on."""
    live = [LiveRecord(f"rec-{seq}", Position(EPOCH, seq), _identity(number, seq)) for seq in range(1, records + 1)]
    statement = world.statement(EPOCH, records, live, full=True, issued_at=int(time()), stream=stream(number))
    data = feeds.seal(statement, _key(number))
    return [*(entry(number, seq) for seq in range(1, records + 1)), (FULL_KEY, _closed(number, data, b"full"))]


def code(number: int, seq: int) -> str:
    """The credit code of the organisation that a record is about."""
    first17 = f"91110105M{number:04}{seq:04}"
    return first17 + credit_check_character(first17)


def _message(number: int, seq: int) -> bytes:
    holder = {"scheme": "cn.uscc", "id": code(number, seq)}
    content = world.document(number, unified_social_credit_code=code(number, seq), holders=[holder])
    return world.message(f"rec-{seq}", EPOCH, seq, content=content, key=_key(number), stream=stream(number))


def _identity(number: int, seq: int) -> str:
    return world.SUITE.digest_text(_message(number, seq).partition(b"~")[0].rpartition(b".")[0])


def _closed(number: int, data: bytes, name: bytes) -> bytes:
    return envelope.close(data, _feed_key(number), sha256(b"%d %b" % (number, name)).digest()[:12])
