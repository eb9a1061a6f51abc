"""Correction requests over real TLS: recorded, then carried, answered or late in the log; never a person's data."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from audit import notices
from audit.notices import parse
from audit.reader import LogReader
from audit.record import opening_text
from contracts.algorithms import SigningKey
from contracts.corrections import (
    KEPT,
    Correction,
    Reply,
    open_request,
    replies_topic,
    requests_topic,
    seal_reply,
)
from contracts.edge.transport import Expiring, Transport
from contracts.edge.transport.embedded import embedded
from gateway.corrections import spool as spools
from gateway.corrections.judge import AGAIN_MS, Open
from gateway.corrections.run import ORPHAN_MS, Around, Carrier
from gateway.corrections.spool import STUCK_S, Desk, Spool
from gateway.store.reader import Reader
from gateway.web.evidence import Evidence
from tests.integration.serve_world import (
    ADAPTER_KEYS,
    EPOCH,
    IDENTITY,
    KEK,
    LICENCE,
    NODE_KEY,
    PERSON,
    VEHICLE,
    City,
    build_city,
    example,
    running,
)
from tests.integration.test_serve import CASE, CLERK, check, closing
from tests.waiting import until

PATH = "/v1/corrections"
DAYS = 10
NODES = {NODE_KEY.kid: ("node-1", NODE_KEY.public)}


def replace_id(one: Open, identifier: str) -> Open:
    return one._replace(correction=one.correction._replace(id=identifier))


@dataclass
class World:
    """A gateway that takes correction requests, and its message log."""

    city: City
    transport: Transport
    spool: Spool

    @contextmanager
    def carrying(self) -> Iterator[Carrier]:
        """Requests are carried for the length of a `with`."""
        evidence = Evidence(lambda: Reader(self.city.store.path, KEK))
        city = self.city
        around = Around(
            city.log, self.spool, self.transport, "node-1", NODE_KEY, lambda: city.registry, evidence.row,
            evidence.close, lambda: int(city.now()),
        )  # fmt: skip
        carrier = Carrier(around, 0.01)
        carrier.start()
        try:
            yield carrier
        finally:
            carrier.close()

    def asked(self, adapter: str = "police-1") -> list[Correction]:
        """What the department reads."""
        with self.transport.reader() as reader:
            topic = requests_topic(adapter)
            reader.assign({topic: reader.earliest(topic)})
            return [open_request(record.value or b"", NODES) for record in reader.read(1000, 0.0)]

    def notices(self) -> list[tuple[str, Any]]:
        found = (parse(self.city.log.entry(index)) for index in range(self.city.log.size))
        return [(one.kind, one.facts.get("answer")) for one in found if one is not None]

    def reply(self, request: str, key: SigningKey, adapter: str = "police-1", organisation: str = "police") -> None:
        with self.transport.writer() as writer:
            said = Reply(request, organisation, adapter, KEPT, int(self.city.now()))
            writer.write(replies_topic("node-1"), request.encode(), seal_reply(said, key))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    city = build_city(tmp_path / "city")
    transport, spool = embedded(tmp_path / "log"), Spool(tmp_path / "spool")
    with transport.admin() as admin:
        topics = (replies_topic("node-1"), requests_topic("police-1"), requests_topic("market-1"))
        admin.create_topics({topic: Expiring() for topic in topics})
    city.corrections = Desk(spool, "node-1", DAYS)
    with running(city):
        yield World(city, transport, spool)


def body(**changes: Any) -> dict[str, Any]:
    form = {
        "service_item": "cn.open-restaurant",
        "case": CASE,
        "clerk": CLERK,
        "evidence_type": IDENTITY,
        "record": "card-1",
        "fields": ["name"],
        "reason": "wrong_value",
        **changes,
    }
    return {name: value for name, value in form.items() if value is not None}


def ask(world: World, **changes: Any) -> tuple[int, Any]:
    with closing(world.city.client()) as window:
        status, _, answer = window.post(PATH, body(**changes))
    return status, answer


# --- the call --------------------------------------------------------------------------------------------------------


def test_a_request_is_recorded_and_goes_to_the_department(world: World) -> None:
    status, answer = ask(world)
    assert status == 200
    leaf = json.loads(world.city.log.entry(answer["receipt"]["index"]))
    assert (leaf["action"], leaf["decision"], leaf["reason"]) == ("correction", "granted", "wrong_value")
    assert (leaf["fields"], leaf["evidence_types"], leaf["counts"]) == ({IDENTITY: ["name"]}, [IDENTITY], {})
    with world.carrying():
        until(world.asked)
    (request,) = world.asked()
    assert request.id == answer["correction"] == answer["transaction"] == leaf["transaction"]
    assert (request.record, request.fields, request.reason) == ("card-1", ("name",), "wrong_value")
    assert request.due_at - request.asked_at == DAYS * 86_400_000
    sent = json.dumps(request._asdict()) + json.dumps(leaf)
    assert not any(personal in sent for personal in (PERSON, CASE, CLERK))
    assert "card-1" not in json.dumps(leaf), "the record's id is in the opening alone"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"record": "nobody-1"}, 422, "correction_record_unknown"),
        ({"record": "licence-1"}, 422, "correction_record_unknown"),  # of another type
        ({"evidence_type": VEHICLE}, 403, "type_not_listed"),
        ({"fields": ["nation"]}, 403, "field_not_listed"),
        ({"service_item": "cn.transfer-house"}, 403, "item_not_granted"),
        ({"reason": "I do not like it"}, 400, "request_invalid"),
        ({"note": "call Mr. Wang"}, 400, "request_invalid"),
        ({"case": None}, 400, "request_invalid"),
    ],
)
def test_a_request_that_may_not_be_made_is_refused_and_recorded(
    world: World, changes: dict[str, Any], status: int, code: str
) -> None:
    found, answer = ask(world, **changes)
    assert (found, answer["code"]) == (status, code)
    leaf = json.loads(world.city.log.entry(answer["receipt"]["index"]))
    assert (leaf["decision"], leaf["reason"]) == ("refused", code)
    assert not list(world.spool.all())


def test_the_whole_record_may_be_meant(world: World) -> None:
    status, _ = ask(world, fields=None, reason="not_this_holder", evidence_type=LICENCE, record="licence-1")
    assert status == 200
    with world.carrying():
        until(lambda: world.asked("market-1"))
    assert world.asked("market-1")[0].fields == ()


def test_without_a_disk_no_request_is_taken(world: World, tmp_path: Path) -> None:
    (tmp_path / "spool").write_bytes(b"a file where the directory should be")
    status, answer = ask(world)
    assert (status, answer["code"]) == (503, "correction_unavailable")


def test_no_more_are_taken_than_can_be_carried(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spools, "MAX_OPEN", 2)
    assert [ask(world)[0] for _ in range(3)] == [200, 200, 503]


def test_who_tries_record_ids_is_seen_by_the_auditor(world: World) -> None:
    status, answer = ask(world, record="guess-1")
    assert status == 422
    opening = opening_text(None, CLERK, None, CASE, ("guess-1",))
    check(world.city, answer, [], opening, action="correction", reason="correction_record_unknown")
    assert b"guess-1" not in world.city.log.entry(answer["receipt"]["index"])


# --- what becomes of it ----------------------------------------------------------------------------------------------


def test_nothing_goes_out_unrecorded(world: World) -> None:
    _, answer = ask(world)
    (one,) = world.spool.all()
    never = replace_id(one, "0" * 8)
    world.spool.keep(never)
    with world.carrying():
        until(world.asked)
        later = world.city.now() + ORPHAN_MS + 60_000
        world.city.now = lambda: later
        until(lambda: len(list(world.spool.all())) == 1, what="what was never recorded is dropped")
    assert [request.id for request in world.asked()] == [answer["correction"]]


def test_a_newer_message_of_the_record_is_an_answer(world: World) -> None:
    ask(world)
    with world.carrying():
        until(world.asked)
        assert world.notices() == []
        world.city.store.put(IDENTITY, "card-1", example(IDENTITY, name="王小明"))
        until(lambda: world.notices() == [(notices.CORRECTION_ANSWERED, "corrected")])
        until(lambda: not list(world.spool.all()))


def test_an_older_message_is_no_answer(world: World, tmp_path: Path) -> None:
    store = world.city.store
    db = apsw.Connection(str(store.path))
    db.execute("VACUUM INTO ?", (str(tmp_path / "older"),))
    db.close()
    store.put(IDENTITY, "card-1", example(IDENTITY, name="王小明"))  # what the clerk sees
    ask(world)
    store.path = tmp_path / "older"  # built again from the log, and not at its end yet
    with world.carrying():
        until(world.asked)
        ask(world, fields=None, evidence_type=LICENCE, record="licence-1")
        until(lambda: world.asked("market-1"), what="one look after the first request went out")
        assert world.notices() == []
        store.put(IDENTITY, "card-1", example(IDENTITY, name="王晓明"))
        until(lambda: world.notices() == [(notices.CORRECTION_ANSWERED, "corrected")])


def test_the_department_may_say_that_it_is_right_and_nobody_else(world: World) -> None:
    _, answer = ask(world)
    with world.carrying():
        until(world.asked)
        world.reply(answer["correction"], ADAPTER_KEYS["market-1"])
        world.reply(answer["correction"], ADAPTER_KEYS["market-1"], "market-1")
        world.reply(answer["correction"], SigningKey.generate("ES256"))
        world.reply("another", ADAPTER_KEYS["police-1"])
        assert [one.sent_at > 0 for one in world.spool.all()] == [True]
        world.reply(answer["correction"], ADAPTER_KEYS["police-1"])
        until(lambda: not list(world.spool.all()))
    assert world.notices() == [(notices.CORRECTION_ANSWERED, KEPT)]


def test_late_is_told_once_and_an_answer_after_that_counts(world: World) -> None:
    _, answer = ask(world)
    start = world.city.now()
    with world.carrying():
        until(world.asked)
        world.city.now = lambda: start + (DAYS * 86_400 + 60) * 1000
        until(lambda: world.notices() == [(notices.CORRECTION_LATE, None)])
    with world.carrying():
        world.reply(answer["correction"], ADAPTER_KEYS["police-1"])
        until(lambda: not list(world.spool.all()))
    assert world.notices() == [(notices.CORRECTION_LATE, None), (notices.CORRECTION_ANSWERED, KEPT)]


def test_a_death_between_notice_and_file_tells_nothing_twice(world: World, tmp_path: Path) -> None:
    ask(world)
    start = world.city.now()
    with world.carrying():
        until(lambda: [one.sent_at > 0 for one in world.spool.all()] == [True])
    (one,) = world.spool.all()
    world.spool.keep(one._replace(telling=world.city.log.size))
    shutil.copytree(tmp_path / "spool", tmp_path / "before")
    world.city.now = lambda: start + (DAYS * 86_400 + 60) * 1000
    with world.carrying():
        until(lambda: [one.late for one in world.spool.all()] == [True])
    shutil.rmtree(tmp_path / "spool")
    shutil.move(tmp_path / "before", tmp_path / "spool")  # the notice is in the log, the file does not say so
    with world.carrying():
        until(lambda: [one.late for one in world.spool.all()] == [True])
    assert world.notices() == [(notices.CORRECTION_LATE, None)]


def test_what_could_not_be_sent_is_late_all_the_same_and_may_be_answered(world: World) -> None:
    with world.transport.admin() as admin:
        admin.delete_topic(requests_topic("police-1"))
    start, _ = world.city.now(), ask(world)
    world.city.now = lambda: start + (DAYS * 86_400 + 60) * 1000
    with world.carrying():
        until(lambda: world.notices() == [(notices.CORRECTION_LATE, None)])
        until(lambda: [(one.late, one.sent_at) for one in world.spool.all()] == [(True, 0)])
        world.city.store.put(IDENTITY, "card-1", example(IDENTITY, name="王小明"))
        until(lambda: not list(world.spool.all()))
    assert world.notices() == [(notices.CORRECTION_LATE, None), (notices.CORRECTION_ANSWERED, "corrected")]


def test_what_stays_open_is_sent_again_before_its_topic_forgets_it(world: World) -> None:
    ask(world)
    start = world.city.now()
    with world.carrying():
        until(lambda: [one.sent_at > 0 for one in world.spool.all()] == [True])
        later = start + AGAIN_MS + 60_000
        world.city.now = lambda: later
        until(lambda: [one.sent_at for one in world.spool.all()] == [later])
    first, second = world.asked()
    assert first == second


def test_what_is_stuck_shows_in_readyz(world: World) -> None:
    assert world.city.corrections is not None
    carrying = world.city.corrections.carrying

    def warned() -> bool:
        with closing(world.city.client()) as window:
            return "corrections_stuck" in window.get("/readyz")[2]["warnings"]

    carrying.tell("no topic")
    assert not warned(), "only when it lasts"
    carrying.since -= STUCK_S
    carrying.tell("still no topic")
    assert warned()
    carrying.tell(None)
    assert not warned()


def test_a_message_log_that_is_away_is_tried_again(world: World) -> None:
    with world.transport.admin() as admin:
        admin.delete_topic(requests_topic("police-1"))
    ask(world)
    with world.carrying() as carrier:
        until(lambda: "no topic" in (carrier.carrying.trouble or ""))
        with world.transport.admin() as admin:
            admin.create_topic(requests_topic("police-1"), Expiring())
        until(world.asked)
        until(lambda: carrier.carrying.trouble is None)


def test_a_department_without_a_topic_holds_up_no_other(world: World, tmp_path: Path) -> None:
    with world.transport.admin() as admin:
        admin.delete_topic(requests_topic("police-1"))
    ask(world)  # the oldest, and stuck
    (tmp_path / "spool" / "0badc0de.json").write_bytes(b"{")
    ask(world, fields=None, evidence_type=LICENCE, record="licence-1")
    with world.carrying() as carrier:
        until(lambda: world.asked("market-1"))
        until(lambda: "0badc0de" in (carrier.carrying.trouble or ""), what="what cannot be read is told")
        world.reply(world.asked("market-1")[0].id, ADAPTER_KEYS["market-1"], "market-1", "market")
        until(lambda: world.notices() == [(notices.CORRECTION_ANSWERED, KEPT)])


def test_an_answer_to_a_request_whose_sending_was_not_noted_counts(world: World) -> None:
    _, answer = ask(world)
    (before,) = world.spool.all()
    ask(world)  # another one, for whose answer the topic is read from its start
    with world.carrying():
        until(lambda: [one.sent_at > 0 for one in world.spool.all()] == [True, True])
    world.spool.keep(before)  # a death between the sending and the file
    world.reply(answer["correction"], ADAPTER_KEYS["police-1"])
    with world.carrying():
        until(lambda: world.notices() == [(notices.CORRECTION_ANSWERED, KEPT)])


def test_a_new_epoch_is_no_answer_and_the_request_is_asked_again(world: World) -> None:
    ask(world)
    with world.carrying():
        until(world.asked)
        restated = world.city.store.put(IDENTITY, "card-1", example(IDENTITY), epoch=EPOCH + 1)
        until(lambda: len(world.asked()) == 2, what="asked again, about the restated message")
        first, second = world.asked()
        assert (second.id, second.due_at, second.identity) == (first.id, first.due_at, restated.claims.identity)
        assert world.notices() == []
        world.city.store.put(IDENTITY, "card-1", example(IDENTITY, name="王小明"), epoch=EPOCH + 1)
        until(lambda: world.notices() == [(notices.CORRECTION_ANSWERED, "corrected")])


def test_requests_of_a_closed_log_go_on_in_the_next(world: World, tmp_path: Path) -> None:
    ask(world)
    (one,) = world.spool.all()
    world.spool.keep(replace_id(one, "0" * 8))  # never recorded
    until(lambda: world.city.log.published.size == world.city.log.size)
    former, world.spool = world.spool, Spool(tmp_path / "next")
    reader = LogReader(world.city.log_dir, world.city.log.verifier)
    with world.carrying() as carrier:
        carrier.close()
        adopted = Carrier(replace(carrier.around, former=((reader, world.city.log.size, former),)), 0.01)
        adopted.start()
        until(world.asked)
        adopted.close()
    assert [request.id for request in world.asked()] == [one.correction.id]
    assert not list(former.all())
