"""The live feed over changes of shards, and what may go wrong with one sink alone."""

import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from audit import notices
from audit.notices import parse
from contracts.streams import Stream
from gateway.ingest.state import FeedState
from gateway.supervision.places import Places
from gateway.supervision.settings import TOPIC_SINK
from gateway.supervision.sinks import WebhookSink
from tests.integration.serve_world import ORIGIN, SLOT, VEHICLE, build_city
from tests.integration.supervision_world import EAGER, World, build_world, go_on, receiving
from tests.integration.test_supervision import LATE, OFF, RECOVERED, all_there, ids, kinds, say, types
from tests.waiting import until

NEXT = "gov.example/next-1"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    city = build_city(tmp_path / "city")
    city.store.told(VEHICLE)
    yield build_world(city, tmp_path / "supervision")
    if city.log.alive:
        city.log.close()


# --- changes of shards -----------------------------------------------------------------------------------------------


def test_a_sink_that_was_off_gets_nothing_more_of_a_closed_log(world: World) -> None:
    with receiving(world.receiver):
        with world.feeding():
            until(lambda: all_there(world))
        with world.feeding(topic=False):
            say(world, b'{"n":1}')
            until(lambda: all_there(world))
            until(lambda: types(world.on_topic())[-1] == OFF)
        go_on(world)
        with world.feeding(topic=False):
            until(lambda: f"{NEXT}#0" in ids(world))
            until(lambda: f"{ORIGIN}#3" in ids(world), what="the closed log to its end")
    assert [event["data"]["index"] for event in world.on_topic()] == [0, 1], "off is off"


def test_a_sink_that_has_not_heard_that_it_is_off_hears_that_and_no_more(world: World) -> None:
    with receiving(world.receiver), world.feeding(topic=False):
        until(lambda: all_there(world))
    with world.feeding(topic=False, webhook=False):  # nobody receives now
        say(world, b'{"n":1}')
    go_on(world)
    with receiving(world.receiver), world.feeding(topic=False, webhook=False) as feed:
        until(lambda: types(world.receiver.events())[-1] == OFF)
        until(lambda: not feed.standing())
    assert ids(world) == [f"{ORIGIN}#0", f"{ORIGIN}#1"]


def test_on_again_after_a_change_of_logs_closes_the_gap(world: World) -> None:
    with receiving(world.receiver):
        with world.feeding(topic=False):
            until(lambda: all_there(world))
        with world.feeding(topic=False, webhook=False):
            until(lambda: OFF in types(world.receiver.events()))
        say(world, b'{"n":1}')
        go_on(world)
        with world.feeding(topic=False, webhook=False):
            say(world, b'{"n":2}')
        with world.feeding(topic=False):
            until(lambda: len(ids(world)) == 4 + world.city.log.size)
    expected = [f"{ORIGIN}#{index}" for index in range(4)]
    assert sorted(ids(world)) == sorted([*expected, *(f"{NEXT}#{index}" for index in range(world.city.log.size))])


def test_a_log_that_never_had_a_feed_does_not_hide_the_one_before_it(world: World) -> None:
    with receiving(world.receiver):
        with world.feeding():
            until(lambda: all_there(world))
        go_on(world)  # and whatever came then, no feed was begun
        go_on(world)
        with world.feeding(topic=False, webhook=False):
            until(lambda: OFF in types(world.receiver.events()) and OFF in types(world.on_topic()))
    assert kinds(world)[1:] == [(notices.SUPERVISION_OFF, [TOPIC_SINK, world.webhook.name])]


def test_what_was_late_in_the_log_before_recovers_in_this_one(world: World) -> None:
    with world.feeding(webhook=False):
        world.city.store.told(VEHICLE, next_in=-60)
        until(lambda: LATE in types(world.on_topic()))
    go_on(world)
    world.city.store.told(VEHICLE)
    with world.feeding(webhook=False):
        until(lambda: RECOVERED in types(world.on_topic()))


# --- a start ---------------------------------------------------------------------------------------------------------


def test_what_was_seen_of_a_log_that_was_put_back_is_not_believed_after_a_kill(world: World) -> None:
    """The places say how a longer log went; the process is killed; the log grows beyond that."""
    places = Places(world.city.directory / "supervision" / SLOT, world.city.log.origin)
    with world.feeding(webhook=False):
        until(lambda: len(world.on_topic()) == 1)
    longer = replace(places.seen(), size=5, sinks={})
    places.save_seen(longer)
    killed = world.city.directory / "killed"
    with world.feeding(webhook=False):
        shutil.copytree(world.city.directory / "supervision", killed)
    shutil.rmtree(world.city.directory / "supervision")
    shutil.move(killed, world.city.directory / "supervision")
    for number in range(9):
        say(world, b'{"n":%d}' % number)
    with world.feeding(topic=False, webhook=False):
        until(lambda: types(world.on_topic())[-1] == OFF)
    assert [kind for kind, _ in kinds(world)] == [notices.SUPERVISION_ON, notices.SUPERVISION_OFF]


# --- sinks and streams -----------------------------------------------------------------------------------------------


def test_a_connection_that_the_receiver_closed_meanwhile_is_no_trouble(world: World) -> None:
    sink = WebhookSink(world.webhook, world.clock)
    for _ in range(2):
        with receiving(world.receiver):
            sink.send(b"[]")
    sink.close()
    assert len(world.receiver.taken) == 2


def test_an_exchange_without_end_is_told(world: World) -> None:
    world.receiver.silence = threading.Event()
    with receiving(world.receiver), world.feeding(topic=False, pace=replace(EAGER, late_s=0.05)) as feed:
        until(lambda: feed.standing()[0].late)
        assert feed.standing()[0].trouble == "no end of an exchange"
        world.receiver.silence.set()
        until(lambda: all_there(world))
        until(lambda: not feed.standing()[0].late)


def test_a_flapping_stream_is_told_once_in_a_while(world: World) -> None:
    flapping = iter(range(1_000_000))
    looks: list[int] = []

    def states(now: int) -> list[tuple[Stream, FeedState]]:
        looks.append(next(flapping))
        return [(Stream("a", "b", "c"), FeedState("stale" if looks[-1] % 2 else "complete", now, 0))]

    world.states = states
    with world.feeding(webhook=False, pace=replace(EAGER, calm_s=3600.0)):
        until(lambda: len(looks) > 20)
    told = [one.kind for one in map(parse, world.entries()) if one is not None]
    assert told == [notices.SUPERVISION_ON, notices.FEED_LATE]


def test_a_watch_that_failed_is_told(world: World) -> None:
    def states(now: int) -> list[tuple[Stream, FeedState]]:
        raise ZeroDivisionError

    world.states = states
    with world.feeding(webhook=False, pace=replace(EAGER, late_s=0.01)) as feed:
        until(lambda: [one.trouble for one in feed.standing() if one.name == "streams"] == ["ZeroDivisionError"])
        until(lambda: any(one.late for one in feed.standing()))
