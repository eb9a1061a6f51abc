"""The live feed over a real log, topic and HTTPS receiver: complete, in order, signed, with nobody's data in it."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature

from audit import notices
from audit.checkpoints import open_note
from audit.notices import parse
from contracts.errors import UserError
from gateway.supervision.delivery import Pace
from gateway.supervision.lateness import Patience
from gateway.supervision.places import Places
from gateway.supervision.settings import TOPIC_SINK, SupervisionConfig
from tests.integration.serve_world import (
    NOBODY,
    ORIGIN,
    PERSON,
    SLOT,
    VEHICLE,
    build_city,
    running,
)
from tests.integration.supervision_world import (
    EAGER,
    Event,
    World,
    build_world,
    go_on,
    receiving,
    shared_secret,
    verified,
)
from tests.integration.test_serve import CASE, CLERK, PATH, closing, person, question
from tests.integration.token_server import make_identity
from tests.waiting import until

ON, OFF = "oncegate.supervision.on.v1", "oncegate.supervision.off.v1"
GRANTED, REFUSED = "oncegate.access.granted.v1", "oncegate.access.refused.v1"
LATE, RECOVERED = "oncegate.feed.late.v1", "oncegate.feed.recovered.v1"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A city whose vehicles are already told to be on time: nothing but what a test does is told."""
    city = build_city(tmp_path / "city")
    city.store.told(VEHICLE)
    yield build_world(city, tmp_path / "supervision")
    if city.log.alive:
        city.log.close()


def types(events: list[Event]) -> list[str]:
    return [event["type"] for event in events]


def say(world: World, text: bytes) -> None:
    """An entry of no kind that this program knows."""
    world.city.log.append_blocking(text, notices.NO_OPENING)


def all_there(world: World) -> bool:
    return world.receiver.indexes() == list(range(world.city.log.size))


# --- what is told ----------------------------------------------------------------------------------------------------


def test_every_access_is_told_once_in_order_signed_and_without_a_person(world: World) -> None:
    secret = shared_secret(world.city.directory / "hook.whsec")
    world.webhook = replace(world.webhook, secret=world.city.directory / "hook.whsec")
    with receiving(world.receiver), world.feeding() as feed:
        world.city.supervision = feed
        with running(world.city), closing(world.city.client()) as window:
            assert window.post(PATH, question())[0] == 200
            assert window.post(PATH, question(by=person(NOBODY)))[0] == 200
            assert window.post(PATH, question(service_item="cn.nothing"))[0] == 403
            until(lambda: all_there(world), what="every entry at the receiver")
            until(lambda: len(world.on_topic()) == world.city.log.size, what="every entry on the topic")
            assert window.get("/readyz")[2]["warnings"].keys() & {"supervision_late"} == set()
        events = [event for taken in world.receiver.taken for event in verified(*taken, world.public, secret)]
        assert events == world.on_topic()
    assert types(events) == [ON, GRANTED, GRANTED, REFUSED]
    origin = world.city.log.origin
    for index, (event, entry) in enumerate(zip(events, world.entries(), strict=True)):
        assert event["id"] == f"{origin}#{index}"
        assert event["source"] == f"urn:oncegate:log:{origin}"
        assert (event["specversion"], event["datacontenttype"]) == ("1.0", "application/json")
        data = event["data"]
        rebuilt = json.dumps(data["entry"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        assert rebuilt == entry
        assert data["leaf_hash"] == "sha-256:" + sha256(b"\0" + rebuilt).hexdigest()
        assert (data["index"], data["log"]) == (index, origin)
    assert events[3]["data"]["entry"]["reason"] == "item_not_granted"
    sent = b"".join(body for _, body in world.receiver.taken)
    for personal in (PERSON, NOBODY, CASE, CLERK, "card-1", "cn.nothing"):
        assert personal.encode() not in sent
    assert {headers["content-type"] for headers, _ in world.receiver.taken} == {"application/cloudevents-batch+json"}


def test_a_message_that_was_changed_does_not_verify(world: World) -> None:
    with receiving(world.receiver), world.feeding():
        until(lambda: world.receiver.taken)
    headers, body = world.receiver.taken[0]
    verified(headers, body, world.public)
    for changed in (
        (headers, body.replace(b"on.v1", b"no.v1")),
        ({**headers, "webhook-id": "msg_1"}, body),
        ({**headers, "webhook-timestamp": "1"}, body),
    ):
        with pytest.raises(InvalidSignature):
            verified(*changed, world.public)


def test_an_entry_that_nobody_knows_is_an_event_that_shows_its_hash_alone(world: World) -> None:
    with receiving(world.receiver), world.feeding():
        say(world, b'{"v":9}')
        say(world, b"\xff no JSON")
        until(lambda: all_there(world))
    assert types(world.receiver.events())[1:] == ["oncegate.log.entry.v1"] * 2
    assert [event["data"]["entry"] for event in world.receiver.events()][1:] == [None, None]


def test_silence_is_broken_by_heartbeats_that_carry_the_signed_head(world: World) -> None:
    with receiving(world.receiver), world.feeding(pace=replace(EAGER, heartbeat_s=0.05)):
        until(lambda: len(world.receiver.events()) >= 4)
        until(lambda: len(world.on_topic()) >= 4)
    beats = world.receiver.events()[1:]
    assert set(types(beats)) == {"oncegate.supervision.heartbeat.v1"}
    assert len({event["id"] for event in beats}) == len(beats)
    head = open_note(beats[-1]["data"]["checkpoint"].encode(), world.city.log.verifier)[0]
    assert head.size == beats[-1]["data"]["size"] == world.city.log.size


def test_a_late_feed_is_told_once_and_its_recovery(world: World) -> None:
    with receiving(world.receiver):
        with world.feeding():
            world.city.store.told(VEHICLE, next_in=-60)
            until(lambda: LATE in types(world.receiver.events()))
        with world.feeding():  # a restart has nothing new to say of it
            world.city.store.told(VEHICLE)
            until(lambda: RECOVERED in types(world.receiver.events()))
        with world.feeding():
            say(world, b'"the end"')
            until(lambda: all_there(world))
    assert types(world.receiver.events()) == [ON, LATE, RECOVERED, "oncegate.log.entry.v1"]
    told = world.receiver.events()[1]["data"]["entry"]["facts"]
    assert (told["adapter"], told["evidence_type"], told["state"]) == ("traffic-1", VEHICLE, "stale")


def test_a_feed_that_never_comes_is_late_when_it_lasts(world: World) -> None:
    with world.feeding(webhook=False, pace=replace(EAGER, patience=Patience(whole_s=0.2))):
        until(lambda: types(world.on_topic())[1:])
        late = [event["data"]["entry"]["facts"] for event in world.on_topic()[1:]]
        world.city.store.told(late[0]["evidence_type"])
        until(lambda: RECOVERED in types(world.on_topic()))
    assert {(one["state"], one["as_of"]) for one in late} == {("catching_up", None)}
    assert VEHICLE not in {one["evidence_type"] for one in late}


# --- sinks that fail -------------------------------------------------------------------------------------------------


def test_a_dead_receiver_holds_up_nobody_and_gets_everything_when_it_is_back(world: World) -> None:
    with world.feeding(pace=replace(EAGER, late_s=0.05)) as feed:
        world.city.supervision = feed
        with running(world.city), closing(world.city.client()) as window:
            for _ in range(3):
                assert window.post(PATH, question())[0] == 200
            until(lambda: len(world.on_topic()) == 4, what="the topic goes on")
            until(lambda: "supervision_late" in window.get("/readyz")[2]["warnings"])
            assert window.get("/readyz")[0] == 200, "a warning: questions are answered"
            dead = next(one for one in feed.standing() if one.name == world.webhook.name)
            assert (dead.behind, dead.trouble is not None) == (4, True)
            world.receiver.status = 500
            with receiving(world.receiver):
                until(lambda: len(world.receiver.refused) >= 3)
                world.receiver.status = 202
                until(lambda: all_there(world))
                until(lambda: "supervision_late" not in window.get("/readyz")[2]["warnings"])
    ids = {headers["webhook-id"] for headers, _ in world.receiver.refused}
    assert ids == {world.receiver.taken[0][0]["webhook-id"]}, "what is tried again is the same message"


def test_after_a_kill_events_come_again_under_the_same_ids_and_none_is_lost(world: World) -> None:
    places = world.city.directory / "supervision"
    with receiving(world.receiver):
        with world.feeding():
            until(lambda: all_there(world))
        shutil.copytree(places, world.city.directory / "killed")
        with world.feeding():
            say(world, b'{"n":1}')
            until(lambda: all_there(world))
        shutil.rmtree(places)
        shutil.move(world.city.directory / "killed", places)  # a kill before the place was written
        with world.feeding():
            say(world, b'{"n":2}')
            until(lambda: 2 in world.receiver.indexes())
        assert world.receiver.indexes() == [0, 1, 1, 2]
        shutil.rmtree(places)  # all is lost but the log
        with world.feeding():
            until(lambda: world.receiver.indexes() == [0, 1, 1, 2, 0, 1, 2])
    by_id: dict[str, Event] = {}
    for event in world.receiver.events():
        assert by_id.setdefault(event["id"], event) == event
    assert len(by_id) == world.city.log.size


def test_many_entries_come_in_batches(world: World) -> None:
    with world.feeding(webhook=False):
        for number in range(450):
            say(world, b'{"n":%d}' % number)
        until(lambda: len(world.on_topic()) == 451)
    with receiving(world.receiver), world.feeding(topic=False):
        until(lambda: world.receiver.indexes() == [452], what="a new sink begins with the notice of it")
    with receiving(world.receiver), world.feeding():
        until(lambda: [event["data"]["index"] for event in world.on_topic()] == list(range(454)))


@pytest.mark.parametrize("status", [301, 302, 307, 410, 429, 404])
def test_no_answer_but_2xx_counts_and_no_redirect_is_followed(world: World, status: int) -> None:
    receiver = world.receiver
    receiver.status, receiver.extra = status, {"Location": "/oncegate", "Retry-After": "0"}
    with receiving(receiver), world.feeding(topic=False) as feed:
        until(lambda: len(receiver.refused) >= 2)
        until(lambda: feed.standing()[0].trouble == f"status {status}")
        receiver.status = 200
        until(lambda: all_there(world))


def test_a_long_answer_is_not_read(world: World) -> None:
    world.receiver.status, world.receiver.body = 200, b"x" * 5_000_000
    with receiving(world.receiver), world.feeding(topic=False):
        say(world, b"{}")
        until(lambda: all_there(world))


def test_a_receiver_of_another_certificate_gets_nothing(world: World) -> None:
    other = make_identity(world.city.directory, "other")
    world.webhook = replace(world.webhook, ca=other.certificate)
    with receiving(world.receiver), world.feeding(topic=False) as feed:
        until(lambda: feed.standing()[0].trouble)
        assert "CERTIFICATE" in (feed.standing()[0].trouble or "")
    assert not world.receiver.taken


def test_a_topic_that_is_not_there_is_trouble_and_no_more(world: World) -> None:
    with world.transport.admin() as admin:
        admin.delete_topic("supervision")
    with receiving(world.receiver), world.feeding() as feed:
        until(lambda: all_there(world))
        until(lambda: "no topic" in (feed.standing()[0].trouble or ""))


# --- on and off ------------------------------------------------------------------------------------------------------


def kinds(world: World) -> list[tuple[str, object]]:
    found = (parse(entry) for entry in world.entries())
    return [(one.kind, one.facts.get("sinks")) for one in found if one is not None]


def test_switching_off_is_a_record_and_the_last_event_and_on_again_closes_the_gap(world: World) -> None:
    name = world.webhook.name
    with receiving(world.receiver):
        with world.feeding():
            until(lambda: all_there(world))
        with world.feeding(webhook=False) as feed:  # gone from the configuration
            until(lambda: OFF in types(world.receiver.events()))
            until(lambda: [one.name for one in feed.standing()] == [TOPIC_SINK])
            say(world, b'{"n":1}')
            until(lambda: len(world.on_topic()) == 3)
        place = Places(world.city.directory / "supervision" / SLOT, world.city.log.origin).load()[name]
        assert (place.webhook, place.next) == (None, 2), "its address is forgotten"
        assert world.receiver.indexes() == [0, 1]
        with world.feeding(webhook=False) as feed:  # another start says nothing again
            say(world, b'{"n":2}')
            until(lambda: len(world.on_topic()) == 4)
        with world.feeding():
            until(lambda: all_there(world))
    assert kinds(world) == [
        (notices.SUPERVISION_ON, [TOPIC_SINK, name]),
        (notices.SUPERVISION_OFF, [name]),
        (notices.SUPERVISION_ON, [name]),
    ]


def test_switching_everything_off_is_told_on_the_topic_even_when_the_places_are_lost(world: World) -> None:
    with world.feeding(webhook=False):
        until(lambda: len(world.on_topic()) == 1)
    shutil.rmtree(world.city.directory / "supervision")
    with world.feeding(topic=False, webhook=False):
        until(lambda: types(world.on_topic()) == [ON, OFF])


def test_the_last_event_waits_for_a_receiver_that_is_away_and_is_given_up_in_the_end(world: World) -> None:
    with receiving(world.receiver), world.feeding(topic=False):
        until(lambda: all_there(world))
    with world.feeding(topic=False, webhook=False) as feed:
        until(lambda: feed.standing()[0].trouble)
        assert feed.standing()[0].leaving
    assert kinds(world)[-1][0] == notices.SUPERVISION_OFF, "the record stands, delivered or not"
    with receiving(world.receiver), world.feeding(topic=False, webhook=False):
        until(lambda: all_there(world))
    with receiving(world.receiver), world.feeding(topic=False):
        until(lambda: all_there(world))
    later = world.city.now() + 73 * 3_600_000
    with world.feeding(topic=False, webhook=False) as feed:
        until(lambda: feed.standing()[0].trouble)
        world.city.now = lambda: later
        until(lambda: not feed.standing(), what="given up after three days")


def test_another_path_of_the_same_host_is_another_receiver(world: World) -> None:
    with receiving(world.receiver), world.feeding(topic=False):
        until(lambda: all_there(world))
    former = world.webhook.name
    world.webhook = replace(world.webhook, url=world.webhook.url.replace("/oncegate", "/elsewhere"))
    with world.feeding(topic=False):
        until(lambda: len(world.entries()) == 3)
    assert kinds(world)[1:] == [
        (notices.SUPERVISION_OFF, [former]),
        (notices.SUPERVISION_ON, [world.webhook.name]),
    ]


def ids(world: World) -> list[str]:
    return [event["id"] for event in world.receiver.events()]


@pytest.mark.parametrize("delivered", [True, False])
def test_a_change_of_logs_loses_nothing(world: World, delivered: bool) -> None:
    with receiving(world.receiver), world.feeding():
        until(lambda: all_there(world))
    with world.feeding():
        say(world, b'{"n":1}')  # nobody receives now
        until(lambda: len(world.on_topic()) == 2)
    if delivered:
        with receiving(world.receiver), world.feeding():
            until(lambda: all_there(world))
    go_on(world)
    with receiving(world.receiver):
        with world.feeding() as feed:
            until(lambda: len(ids(world)) == 5 and len(world.on_topic()) == 5)
            assert {one.name for one in feed.standing()} == {TOPIC_SINK, world.webhook.name}
        with world.feeding():  # a restart says nothing again
            say(world, b'{"n":2}')
            until(lambda: len(ids(world)) == 6 and len(world.on_topic()) == 6)
    expected = [*(f"{ORIGIN}#{index}" for index in range(3)), *(f"gov.example/next-1#{index}" for index in range(3))]
    assert sorted(ids(world)) == sorted(expected) == sorted(event["id"] for event in world.on_topic())
    assert kinds(world)[1:] == [(notices.SUPERVISION_ON, [TOPIC_SINK, world.webhook.name])]


def test_a_change_of_logs_switches_nothing_off_in_silence(world: World) -> None:
    with receiving(world.receiver):
        with world.feeding():
            until(lambda: all_there(world))
        go_on(world)
        with world.feeding(topic=False, webhook=False):
            until(lambda: OFF in types(world.receiver.events()) and len(ids(world)) == 4)
            until(lambda: OFF in types(world.on_topic()) and len(world.on_topic()) == 4)
    assert kinds(world)[1:] == [(notices.SUPERVISION_OFF, [TOPIC_SINK, world.webhook.name])]


def test_mistakes_are_told_before_anything_is_switched(world: World) -> None:
    for webhook in (
        replace(world.webhook, key=Path("nowhere.pem")),
        replace(world.webhook, ca=Path("nowhere.pem")),
        replace(world.webhook, secret=world.webhook.key),
    ):
        with pytest.raises(UserError):
            world.feed(SupervisionConfig(True, (webhook,)), Pace())
    assert world.city.log.size == 0
