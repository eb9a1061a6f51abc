"""What is where: the topics, the outboxes, the store and the audit logs of a city, read without the product's code.

Topics by kafka-python's own consumer, files by plain SQL, contents opened by `opening`, logs by `ledger`.
"""

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import apsw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from kafka import KafkaConsumer, TopicPartition

from tests.e2e.faults.layout import DEPARTMENTS, REJECTS, Department, Layout
from tests.e2e.faults.ledger import Log, read_log
from tests.e2e.faults.load import Answer
from tests.e2e.faults.opening import Envelopes, Invalid, Signatory
from tests.e2e.faults.sources import HEALTH, PERSONS, person, version_of

PERSON_OF = {person(number): number for number in range(PERSONS)}
READ_MS = 20_000


class Message(NamedTuple):
    """An evidence message on its topic. `person` and `version` None: a withdrawal."""

    offset: int
    record: str
    operation: str
    epoch: int
    seq: int
    identity: str
    person: int | None
    version: int | None
    text: str


class Statement(NamedTuple):
    """A feed statement on its topic."""

    offset: int
    epoch: int
    seq: int
    live: int
    buckets: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Topic:
    """A stream as the broker has it. `wrong`: records that do not open or verify."""

    messages: tuple[Message, ...]
    statements: tuple[Statement, ...]
    wrong: tuple[str, ...]
    end: int


class OutboxRow(NamedTuple):
    seq: int
    identity: str
    live: bool


@dataclass(frozen=True, slots=True)
class Outbox:
    """A department's outbox: the last number given, what waits, the newest number of each record."""

    epoch: int
    last: int
    pending: int
    records: Mapping[str, OutboxRow]


class StoreRow(NamedTuple):
    """A record in the store; `text` is its opened content, None without one."""

    epoch: int
    seq: int
    identity: str
    condition: str
    erased: int
    status: str
    vct: str
    code: str
    tokens: int
    text: str | None


@dataclass(frozen=True, slots=True)
class Stored:
    """One stream in the store. `superseded`: (epoch, seq) → identity of the numbers that no record has any more."""

    next: int
    state: str
    rows: Mapping[str, StoreRow]
    superseded: Mapping[tuple[int, int], str]
    refusals: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Stream:
    """One department from end to end. `rows`: person → version in its table now; `removed`: versions taken out."""

    department: Department
    key: Signatory
    rows: Mapping[int, int]
    removed: Mapping[int, tuple[int, ...]]
    outbox: Outbox
    topic: Topic
    stored: Stored


@dataclass(frozen=True, slots=True)
class Found:
    """A city that stands still. `answers`: since the last look. `rejects`: records on the topics of rejects."""

    streams: tuple[Stream, ...]
    logs: Mapping[str, Log]
    answers: tuple[Answer, ...]
    rejects: int


# --- topics ----------------------------------------------------------------------------------------------------


def read_topics(bootstrap: str, layout: Layout) -> tuple[Mapping[str, Topic], int]:
    """Every stream by adapter, and how many rejects there are."""
    envelopes = Envelopes(load_pem_private_key(layout.private("zone").read_bytes(), None))
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        topics = {}
        for one in DEPARTMENTS:
            records, end = _records(consumer, one.topic)
            topics[one.adapter] = _topic(records, end, one, envelopes, signatory(layout, one))
        return topics, sum(len(_records(consumer, name)[0]) for name in REJECTS)
    finally:
        consumer.close()


def topic_ends(bootstrap: str) -> Mapping[str, int]:
    """Where each adapter's topic ends now."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    try:
        places = {one.adapter: TopicPartition(one.topic, 0) for one in DEPARTMENTS}
        ends = consumer.end_offsets(list(places.values()))
        return {adapter: ends[place] for adapter, place in places.items()}
    finally:
        consumer.close()


def topic_keys(bootstrap: str, one: Department) -> list[tuple[int, bytes]]:
    """Offset and key of every record of a stream."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        return [(record.offset, record.key) for record in _records(consumer, one.topic)[0]]
    finally:
        consumer.close()


def signatory(layout: Layout, one: Department) -> Signatory:
    """Who verifies what this department signed."""
    return Signatory(load_pem_public_key(layout.public(one.adapter).read_bytes()), one.alg)


def _records(consumer: KafkaConsumer, topic: str) -> tuple[list[Any], int]:
    place = TopicPartition(topic, 0)
    consumer.assign([place])
    consumer.seek_to_beginning(place)
    end = consumer.end_offsets([place])[place]
    found: list[Any] = []
    while consumer.position(place) < end:
        got = consumer.poll(READ_MS, max_records=5000)
        assert got or consumer.position(place) >= end, f"{topic} gives nothing below its end"
        found += got.get(place, ())
    return found, end


def _topic(records: Iterable[Any], end: int, one: Department, envelopes: Envelopes, key: Signatory) -> Topic:
    messages: list[Message] = []
    statements: list[Statement] = []
    wrong: list[str] = []
    for record in records:
        try:
            data = envelopes.open(record.value, one.stream).decode()
            if record.key.startswith(b"@feed"):
                statements.append(_statement(record.offset, key.statement(data)))
            else:
                messages.append(_message(record.offset, record.key.decode(), data, one, key))
        except (Invalid, InvalidTag, ValueError, KeyError) as error:
            wrong.append(f"{one.adapter}: offset {record.offset}: {error!r}")
    return Topic(tuple(messages), tuple(statements), tuple(wrong), end)


def _message(offset: int, record: str, data: str, one: Department, key: Signatory) -> Message:
    opened = key.open(data)
    claims = opened.claims
    if not opened.whole or claims["rec"] != record or claims["adp"] != one.adapter:
        raise Invalid("not whole, or of another record")
    who, version = subject(one.table.evidence_type, opened.fields) if claims["op"] == "put" else (None, None)
    numbers = (claims["epoch"], claims["seq"])
    return Message(offset, record, claims["op"], *numbers, opened.identity, who, version, data)


def subject(evidence_type: str, fields: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Whose record this is, and in which version."""
    if evidence_type == HEALTH.evidence_type:
        return int(fields["certificate_number"]), version_of(fields["name"])
    return PERSON_OF[fields["resident_number"]], version_of(fields["name"])


def _statement(offset: int, claims: Mapping[str, Any]) -> Statement:
    buckets = tuple(claims["buckets"]) if "buckets" in claims else None
    return Statement(offset, claims["epoch"], claims["seq"], claims["count"], buckets)


# --- files -----------------------------------------------------------------------------------------------------


def opened_file(path: Path) -> apsw.Connection:
    """A database file, to be read only."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    db.set_busy_timeout(10_000)
    db.pragma("query_only", True)
    return db


def read_outbox(path: Path) -> Outbox:
    db = opened_file(path)
    with db:  # one state of the file
        ((number, epoch, following),) = db.execute("SELECT id, epoch, next_seq FROM streams")
        pending = db.execute("SELECT count(*) FROM pending").get
        rows = db.execute("SELECT rec, seq, identity, digest IS NOT NULL FROM records WHERE stream = ?", (number,))
        records = {rec: OutboxRow(seq, identity, bool(live)) for rec, seq, identity, live in rows}
    db.close()
    return Outbox(epoch, following - 1, pending, records)


def offsets(store: Path) -> Mapping[str, int]:
    """The next offset of each adapter's stream in a store; empty while there is none."""
    try:
        with closing(opened_file(store)) as db:
            return dict(db.execute("SELECT adapter, coalesce(next, 0) FROM streams"))
    except apsw.Error:
        return {}


_ROWS = """
SELECT r.rec, r.epoch, r.seq, r.identity, r.condition, r.erased, r.status, r.vct, r.code, length(r.tokens), c.sealed
FROM records r LEFT JOIN contents c ON c.record = r.id WHERE r.stream = ?
"""


def read_store(path: Path, key_file: Path) -> Mapping[str, Stored]:
    """Every stream of a store, by adapter."""
    db = opened_file(path)
    with db:
        contents = _contents_key(db.execute("SELECT wrapped FROM keys").get, key_file.read_bytes())
        streams = list(db.execute("SELECT id, organisation, adapter, evidence_type, next, state FROM streams"))
        found = {row[2]: _stored(db, row, contents) for row in streams}
    db.close()
    return found


def _stored(db: apsw.Connection, stream: Any, contents: AESGCM) -> Stored:
    number, *names, following, state = stream
    place = "/".join(names)
    rows: dict[str, StoreRow] = {}
    for record, epoch, seq, *facts, sealed in db.execute(_ROWS, (number,)):
        where = f"{place}|{record}|{epoch}|{seq}".encode()
        text = None if sealed is None else contents.decrypt(sealed[:12], sealed[12:], where).decode()
        rows[record] = StoreRow._make((epoch, seq, *facts, text))
    gone = db.execute("SELECT epoch, seq, identity FROM superseded WHERE stream = ?", (number,))
    superseded = {(epoch, seq): identity for epoch, seq, identity in gone}
    refusals = dict(db.execute("SELECT code, count FROM refusals WHERE stream = ?", (number,)))
    return Stored(following or 0, state.decode(), rows, superseded, refusals)


def _contents_key(wrapped: bytes, kek: bytes) -> AESGCM:
    data_key = AESGCM(kek).decrypt(wrapped[:12], wrapped[12:], b"oncegate store data key 1")
    return AESGCM(HKDF(SHA256(), 32, None, b"oncegate store contents").derive(data_key))


def read_logs(layout: Layout) -> Mapping[str, Log]:
    """The audit log of each slot."""
    return {
        slot.name: read_log(layout.audit(slot), (layout.keys / f"{slot.name}.vkey").read_text("ascii").strip())
        for slot in layout.slots
    }
