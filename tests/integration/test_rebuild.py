"""A second store from the log: equal, without rejects sent twice; what differs is told, and what may not take over."""

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from contracts.edge import keys
from contracts.errors import UserError
from contracts.rejects import rejects_topic
from gateway.ingest.run import Ingest, ingest_once
from gateway.rebuild import Built, Work, build
from gateway.store.compare import GAINED, LOST, SAME
from gateway.store.stores import Stores
from gateway.store.writer import Writer
from gateway.topics import UNVERIFIED_TOPIC
from tests.integration.test_ingest import City
from tests.unit.gateway.ingest import world

REJECTS = rejects_topic("market-1")


class Node:
    """A city's node with its stores."""

    def __init__(self, city: City, stores: Stores) -> None:
        self.city, self.stores = city, stores

    def ingest(self) -> None:
        ingest_once(replace(self.city.parts(), store=self.stores.first(), store_kek=self.stores.keys()))

    def build(self, switch: bool = False) -> Built:
        return build(self.work(self.stores.new()), switch)

    def work(self, number: int) -> Work:
        parts = replace(self.city.parts(), store=self.stores.path(number), store_kek=self.stores.keys())
        return Work(self.stores, parts, number, threading.Event(), lambda _: None, 0.0)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    city = City(tmp_path)
    keys.create_secret(tmp_path / "store.key")
    yield Node(city, Stores(tmp_path / "stores", tmp_path / "store.key"))
    city.writer.close()


def published(city: City) -> None:
    for record in ("r1", "r2", "r3"):
        city.publish(record)
    city.publish("bad", content=world.invalid_document())
    city.publish("r1", content=world.document(2))
    city.state_of_feed()


def test_it_is_the_same_and_takes_over_and_sends_no_reject_twice(node: Node) -> None:
    published(node.city)
    node.ingest()
    assert len(node.city.rejects(REJECTS)) == 1
    built = node.build(switch=True)
    (difference,) = built.differences
    assert (difference.counts, built.ready, built.first, node.stores.current()) == ({SAME: 4}, True, 1, 2)
    node.ingest()
    assert len(node.city.rejects(REJECTS)) == 1


def test_rejects_that_nobody_has_sent_yet_come_with_it(node: Node) -> None:
    published(node.city)
    node.city.writer.write(world.STREAM.topic, b"r9", b"garbage")
    with node.city.log.admin() as admin:
        admin.delete_topic(UNVERIFIED_TOPIC)
    node.ingest()
    node.city.publish("late", content=world.invalid_document())  # the first store has not read this one
    node.build(switch=True)
    with node.stores.open_current() as reader:
        assert reader.rejects_pending() == 2
    with node.city.log.admin() as admin:
        admin.create_topic(UNVERIFIED_TOPIC)
    node.ingest()
    assert [one["code"] for one in node.city.rejects(UNVERIFIED_TOPIC)] == ["envelope_malformed"]
    assert len(node.city.rejects(REJECTS)) == 2


def test_what_the_log_lost_keeps_it_from_taking_over(node: Node) -> None:
    published(node.city)
    node.ingest()
    with closing(apsw.Connection(str(node.city.log.path_of(world.STREAM.topic)))) as db:
        db.execute("DELETE FROM records WHERE offset = 1")
    built = node.build(switch=True)
    (difference,) = built.differences
    assert (difference.counts[LOST], difference.examples, difference.objection) == (1, ["r2"], True)
    assert [late.stream for late in built.behind] == [world.STREAM]
    assert (built.ready, node.stores.current()) == (False, 1)


def test_a_topic_made_anew_is_a_reason_and_no_objection(node: Node) -> None:
    published(node.city)
    node.ingest()
    with node.city.log.admin() as admin:
        admin.delete_topic(world.STREAM.topic)
        admin.create_topic(world.STREAM.topic)
    node.city.publish("r7")
    built = node.build(switch=True)
    (difference,) = built.differences
    assert (difference.reason, difference.counts) == ("topic_replaced", {LOST: 4, GAINED: 1})
    assert (built.ready, node.stores.current()) == (True, 2)


def test_it_reads_on_until_it_is_as_far_as_the_first(node: Node) -> None:
    """The first is far ahead when the second one is compared: nothing is called lost."""
    published(node.city)
    node.ingest()
    for number in range(50):
        node.city.publish(f"n{number}")
    first = Ingest(replace(node.city.parts(), store=node.stores.path(1), store_kek=node.stores.keys()))
    first.step(0.0)
    first.close()
    built = node.build()
    assert [set(one.counts) for one in built.differences] == [{SAME}]
    assert built.ready


@pytest.mark.parametrize("spoil", ["old", "damaged", "none"])
def test_a_current_store_that_cannot_be_read_sets_no_mark(node: Node, spoil: str) -> None:
    published(node.city)
    if spoil != "none":
        node.ingest()
        _SPOILERS[spoil](node.stores.path(1))
    built = node.build(switch=True)
    assert (built.first, built.ready, node.stores.current()) == (None, True, built.number)
    assert built.why
    with node.stores.open_current() as reader:
        assert [row.record for row in reader.logical_rows()] == ["bad", "r1", "r2", "r3"]


def test_a_store_that_somebody_writes_is_not_built_into(node: Node) -> None:
    node.ingest()
    with closing(Writer(node.stores.path(2), node.stores.keys())):
        work = node.work(2)
        with pytest.raises(UserError, match="Another ingest"):
            build(work, switch=True)
    assert node.stores.current() == 1


def _make_old(path: Path) -> None:
    with closing(apsw.Connection(str(path))) as db:
        db.pragma("user_version", 1)


def _damage(path: Path) -> None:
    path.write_bytes(b"garbage" * 10_000)


_SPOILERS = {"old": _make_old, "damaged": _damage}
