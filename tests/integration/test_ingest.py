"""Ingest on the real embedded log and a real store, with signed and enveloped messages."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from contracts import feeds, jws
from contracts.edge.transport.embedded import EmbeddedTransport, embedded
from contracts.encoding import b64url_decode
from contracts.feeds import LiveRecord
from contracts.messages import ERASE, WITHDRAW
from contracts.registry import Snapshot
from contracts.rejects import rejects_topic
from contracts.streams import Position
from gateway.ingest.folding import Counts
from gateway.ingest.run import Ingest, IngestParts, RegistryClosed, ingest_once, run_ingest
from gateway.ingest.state import CATCHING_UP, COMPLETE, GAPPED, STALE, STOPPED, feed_state
from gateway.status import status
from gateway.store.reader import Reader
from gateway.store.rows import ERASED, LIVE, REJECTED, WITHDRAWN
from gateway.store.writer import Writer
from gateway.topics import UNVERIFIED_TOPIC, create_missing
from tests.unit.gateway.ingest import world

KEK = bytes(range(32))
NOW = 1_700_000_100
DAY_MS = 86_400_000


class City:
    """A log, a department that writes to it, and a node."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log: EmbeddedTransport = embedded(directory / "log")
        self.registry = world.registry()
        create_missing(self.log, self.registry)
        self.writer = self.log.writer()
        self.live: dict[str, LiveRecord] = {}
        self.epoch, self.seq = 1, 0

    def parts(self, store: str = "store.db", registry: Callable[[], Snapshot] | None = None) -> IngestParts:
        return IngestParts(
            transport=self.log,
            store=self.directory / store,
            store_kek=KEK,
            zone=world.ZONE,
            zone_keys=(world.ZONE_KEY,),
            node_id="node-1",
            node_key=world.NODE_KEY,
            registry=registry or (lambda: self.registry),
            clock=lambda: NOW * 1000,
        )

    def ingest(self, store: str = "store.db") -> Counts:
        return ingest_once(self.parts(store))

    def write(self, key: bytes, data: bytes) -> int:
        return self.writer.write(world.STREAM.topic, key, world.enveloped(data))

    def publish(self, record: str, operation: str = "put", content: dict[str, Any] | None = None) -> bytes:
        self.seq += 1
        data = world.message(record, self.epoch, self.seq, operation, content)
        self.write(record.encode(), data)
        identity = world.SUITE.digest_text(data.split(b"~")[0].rpartition(b".")[0])
        self.live[record] = LiveRecord(record, Position(self.epoch, self.seq), identity)
        if operation != "put":
            del self.live[record]
        return data

    def state_of_feed(self, full: bool = True, issued_at: int = 1_700_000_000) -> None:
        one = world.statement(self.epoch, self.seq, list(self.live.values()), full, issued_at)
        self.write(one.log_key, feeds.seal(one, world.ADAPTER_KEY))

    def reader(self, store: str = "store.db") -> Reader:
        return Reader(self.directory / store, KEK)

    def conditions(self, store: str = "store.db") -> dict[str, str]:
        with self.reader(store) as reader:
            return {row.record: row.row.condition for row in reader.logical_rows()}

    def feed(self, store: str = "store.db", now: int = NOW) -> tuple[str, int | None, int]:
        with self.reader(store) as reader:
            states = dict(reader.all_streams())
        return feed_state(states[world.STREAM], now)[:3]

    def rejects(self, topic: str) -> list[dict[str, Any]]:
        with self.log.reader() as reader:
            reader.assign({topic: reader.earliest(topic)})
            records = reader.read(10_000, 0)
        parsed = [jws.parse(record.value or b"", "reject+jwt") for record in records]
        return [orjson.loads(one.verified_payload(world.NODE_KEY.public)) for one in parsed]


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    one = City(tmp_path)
    yield one
    one.writer.close()


def test_published_evidence_becomes_an_answerable_fact(city: City) -> None:
    data = city.publish("r1")
    city.publish("r2", content=world.document(2))
    city.state_of_feed()
    counts = city.ingest()
    assert (counts.accepted, counts.statements, counts.records) == (2, 1, 3)
    assert city.feed() == (COMPLETE, 1_700_000_000, 0)
    with city.reader() as reader:
        found = reader.find(world.TYPE.id, reader.token_for_holder(world.TYPE, "cn.uscc", "92110105ma0012345n"))
        assert [one.record for one in found] == ["r1", "r2"]
        assert found[0].message == data
        by_number = reader.token_for_field(world.TYPE, "unified_social_credit_code", "92110105MA0012345N")
        assert len(reader.find(world.TYPE.id, by_number)) == 2


def test_a_second_run_goes_on_where_the_first_ended(city: City) -> None:
    city.publish("r1")
    city.ingest()
    city.publish("r2")
    assert city.ingest().records == 1
    assert city.ingest().records == 0
    assert city.conditions() == {"r1": LIVE, "r2": LIVE}


def test_withdrawn_erased_and_invalid_states(city: City) -> None:
    for record in ("kept", "gone", "wiped", "bad"):
        city.publish(record)
    city.publish("gone", WITHDRAW)
    city.publish("wiped", ERASE)
    city.publish("bad", content=world.invalid_document())
    city.state_of_feed()
    city.ingest()
    assert city.conditions() == {"kept": LIVE, "gone": WITHDRAWN, "wiped": ERASED, "bad": REJECTED}
    assert city.feed() == (COMPLETE, 1_700_000_000, 1)
    with city.reader() as reader:
        found = reader.find(world.TYPE.id, reader.token_for_holder(world.TYPE, "cn.uscc", "92110105MA0012345N"))
        assert {one.record: (one.condition, one.code) for one in found} == {
            "kept": (LIVE, ""),
            "bad": (REJECTED, "document_invalid"),
        }
    (reject,) = city.rejects(rejects_topic("market-1"))
    assert (reject["code"], reject["pointer"], reject["offset"]) == ("document_invalid", "/established_on", 6)
    assert reject["identity"] == city.live["bad"].identity
    assert b"1999-02-31" not in orjson.dumps(reject)


def test_garbage_changes_nothing_and_is_kept_as_received(city: City) -> None:
    city.publish("r1")
    city.writer.write(world.STREAM.topic, b"r2", b"not an envelope")
    city.write(b"r3", world.message("r3", 1, 99, key=world.STRANGER_KEY))
    city.publish("r4")
    city.state_of_feed()
    city.ingest()
    assert city.conditions() == {"r1": LIVE, "r4": LIVE}
    assert city.feed()[0] == COMPLETE
    rejects = city.rejects(UNVERIFIED_TOPIC)
    assert [one["code"] for one in rejects] == ["envelope_malformed", "key_unknown"]
    assert b64url_decode(rejects[0]["value"].encode()) == b"not an envelope"
    assert city.rejects(rejects_topic("market-1")) == []


def test_a_message_under_a_foreign_key_evicts_nobody(city: City) -> None:
    old = city.publish("victim")
    city.publish("victim", content=world.document(2))
    city.write(b"other", old)
    city.state_of_feed()
    city.ingest()
    assert city.conditions() == {"victim": LIVE}
    assert city.feed()[0] == COMPLETE
    assert [one["code"] for one in city.rejects(rejects_topic("market-1"))] == ["log_key_mismatch"]


def test_another_adapters_message_is_refused(city: City) -> None:
    stream = world.Stream("market", "market-2", world.TYPE.id)
    city.write(b"r1", world.message("r1", 1, 1, key=world.OTHER_KEY, stream=stream))
    city.ingest()
    assert city.conditions() == {}
    assert [one["code"] for one in city.rejects(UNVERIFIED_TOPIC)] == ["key_not_for_stream"]


def test_withholding_shows(city: City) -> None:
    city.publish("r1")
    city.state_of_feed()
    city.seq += 1
    city.publish("r2")
    city.ingest()
    assert city.feed()[0] == GAPPED
    assert city.feed()[1] == 1_700_000_000


def test_overdue_statements_show(city: City) -> None:
    city.publish("r1")
    city.state_of_feed()
    city.ingest()
    assert city.feed(now=1_700_003_601)[0] == STALE


def test_equivocation_stops_the_stream_until_the_registry_ends_the_epoch(city: City) -> None:
    city.publish("r1")
    city.write(b"r2", world.message("r2", 1, 1))
    city.publish("r3")
    counts = city.ingest()
    assert counts.alarms == {"equivocation": 1}
    assert city.conditions() == {"r1": LIVE}
    assert city.feed()[0] == STOPPED
    assert city.ingest().records == 0
    city.registry = world.registry(2, lowest_epoch=2)
    city.epoch, city.seq, city.live = 2, 0, {}
    city.publish("r1")
    city.state_of_feed()
    city.ingest()
    assert city.feed()[0] == COMPLETE
    assert city.conditions() == {"r1": LIVE}


def test_a_new_epoch_covers_the_old_one(city: City) -> None:
    city.publish("r1")
    city.publish("r2")
    city.state_of_feed()
    city.epoch, city.seq, city.live = 2, 0, {}
    city.publish("r1")
    city.ingest()
    assert city.conditions() == {"r1": LIVE, "r2": LIVE}
    assert city.feed()[0] == CATCHING_UP
    city.state_of_feed(issued_at=1_700_000_050)
    city.ingest()
    assert city.conditions() == {"r1": LIVE, "r2": WITHDRAWN}
    assert city.feed() == (COMPLETE, 1_700_000_050, 0)


@pytest.mark.parametrize("running", [False, True])
def test_a_topic_made_anew_stops_its_stream_wherever_ingest_had_read_to(city: City, running: bool) -> None:
    city.publish("r1")
    ingest = Ingest(city.parts())
    assert ingest.step(0.0) == 1
    if not running:
        ingest.close()
    with city.log.admin() as admin:
        admin.delete_topic(world.STREAM.topic)
        admin.create_topic(world.STREAM.topic)
    for record in ("x1", "x2", "x3"):
        city.publish(record)
    if not running:
        ingest = Ingest(city.parts())
    assert ingest.step(0.0) == 0
    assert ingest.counts.alarms == {"topic_replaced": 1}
    ingest.close()
    assert city.feed()[0] == STOPPED
    assert city.conditions() == {"r1": LIVE}
    assert city.ingest().records == 0
    with city.reader() as reader:
        found = {row.stream: row.stopped for row in status(reader, city.registry, NOW).streams}
    assert found[world.STREAM] == "topic_replaced"


def test_a_topic_file_removed_by_hand_and_made_anew_is_not_taken_for_the_old_one(city: City) -> None:
    city.publish("r1")
    city.ingest()
    for part in ("", "-wal", "-shm"):
        path = city.log.path_of(world.STREAM.topic)
        path.with_name(path.name + part).unlink(missing_ok=True)
    create_missing(city.log, city.registry)
    city.publish("x1")
    assert city.ingest().alarms == {"topic_replaced": 1}
    assert city.conditions() == {"r1": LIVE}


def test_a_store_built_from_the_compacted_log_is_the_same(tmp_path: Path) -> None:
    city = City(tmp_path)
    for number in range(40):
        city.publish(f"r{number % 17}", content=world.document(number))
    city.publish("r3", WITHDRAW)
    city.publish("r4", ERASE)
    city.publish("r5", content=world.invalid_document())
    city.state_of_feed()
    city.ingest("first.db")
    path = city.log.path_of(world.STREAM.topic)
    with city.log.admin() as admin:
        admin.maintain(2**43)
    assert path.exists()
    with city.log.reader() as reader:
        reader.assign({world.STREAM.topic: 0})
        assert len(reader.read(1000, 0)) == 18
    city.ingest("second.db")
    with city.reader("first.db") as first, city.reader("second.db") as second:
        assert list(first.logical_rows()) == list(second.logical_rows())
        digests = first.bucket_digests(world.STREAM, world.SUITE)
        assert digests == second.bucket_digests(world.STREAM, world.SUITE)
        assert digests == feeds.bucket_digests(city.live.values(), world.SUITE)
    assert city.feed("first.db") == city.feed("second.db") == (COMPLETE, 1_700_000_000, 1)
    city.writer.close()


def test_an_offset_that_the_log_lost_stops_the_stream(city: City) -> None:
    city.publish("r1")
    city.ingest()
    with closing(Writer(city.parts().store, KEK)) as store:
        row = store.stream(world.STREAM)
        store.begin(row.id, 99, row.topic)
    ingest = Ingest(city.parts())
    assert ingest.step(0) == 0
    assert ingest.counts.alarms == {"offset_out_of_range": 1}
    ingest.close()
    assert city.feed()[0] == STOPPED


def test_rejects_wait_for_their_topic(city: City) -> None:
    with city.log.admin() as admin:
        admin.delete_topic(UNVERIFIED_TOPIC)
    city.writer.write(world.STREAM.topic, b"r1", b"garbage")
    city.publish("r2")
    city.ingest()
    assert city.conditions() == {"r2": LIVE}
    with city.reader() as reader:
        assert reader.rejects_pending() == 1
    create_missing(city.log, city.registry)
    city.ingest()
    assert len(city.rejects(UNVERIFIED_TOPIC)) == 1
    with city.reader() as reader:
        assert reader.rejects_pending() == 0


def test_a_closed_registry_decides_nothing(city: City) -> None:
    def closed() -> Snapshot:
        raise world.Fault("registry_expired")

    city.publish("r1")
    with pytest.raises(RegistryClosed):
        ingest_once(city.parts(registry=closed))
    assert city.conditions() == {}


def test_streams_and_topics_that_come_later_are_read(city: City) -> None:
    later = world.registry(2)
    current = [Snapshot(1, world.FAR, world.FAR, world.Contents())]
    ingest = Ingest(city.parts(registry=lambda: current[0]))
    city.publish("r1")
    assert ingest.step(0) == 0
    with city.log.admin() as admin:
        admin.delete_topic("evidence.cn.business-licence.market-2")
    current[0] = later
    assert ingest.step(0) == 1
    create_missing(city.log, later)
    stream = world.Stream("market", "market-2", world.TYPE.id)
    data = world.message("r9", 1, 1, key=world.OTHER_KEY, stream=stream)
    key = world.envelope.feed_key(stream, world.ZONE_KEY.public, bytes(32))
    city.writer.write(stream.topic, b"r9", world.envelope.close(data, key, bytes(12)))
    assert ingest.step(5) == 1
    ingest.close()
    assert city.conditions() == {"r1": LIVE, "r9": LIVE}


def test_a_node_reads_the_types_that_it_is_given_and_others_stay_unread(city: City) -> None:
    city.publish("r1")
    assert ingest_once(replace(city.parts(), evidence_types=frozenset(["cn.vehicle-registration"]))).records == 0
    with Reader(city.directory / "store.db", KEK) as reader:
        assert reader.all_streams() == ()  # who asks hears that the feed is catching up
    assert ingest_once(replace(city.parts(), evidence_types=frozenset([world.TYPE.id]))).accepted == 1
    assert city.conditions() == {"r1": LIVE}


def test_it_runs_until_it_is_stopped(city: City) -> None:
    stop, counts = threading.Event(), Counts()
    thread = threading.Thread(target=run_ingest, args=(city.parts(), stop, counts))
    thread.start()
    city.publish("r1")
    waited = threading.Event()
    while counts.batches < 1 and thread.is_alive():
        waited.wait(0.01)
    stop.set()
    thread.join()
    assert city.conditions() == {"r1": LIVE}


def test_the_status_says_how_each_stream_is(city: City) -> None:
    city.publish("r1")
    city.publish("r2", content=world.invalid_document())
    city.seq += 2
    city.publish("r3")
    city.ingest()
    with city.reader() as reader:
        said = status(reader, city.registry, NOW)
    first, second = said.streams
    assert (first.stream, first.state, first.seq, first.live, first.rejected) == (world.STREAM, CATCHING_UP, 5, 3, 1)
    assert (first.gaps, first.missing, first.refused) == (((3, 4),), 2, {"document_invalid": 1})
    assert (second.stream.adapter, second.state, second.live, second.listed) == ("market-2", CATCHING_UP, 0, True)
    assert said.rejects_pending == 0
