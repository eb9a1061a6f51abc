"""Whole answers: order, number, what the access record is told."""

from dataclasses import replace

import orjson
import pytest

from contracts.errors import Fault
from gateway.access.question import ByHolder
from gateway.lookup.answer import MAX_FRAMES, Frames, compose
from tests.unit.gateway.lookup.world import BY_VCT, IDENTITY, NOW, TYPES, example, feed, granted, stored

PERSON = example(IDENTITY)["holders"][0]
ONE = granted(IDENTITY, frozenset(("name", "sex")), ByHolder(PERSON["scheme"], PERSON["id"]))


def test_nothing_found_is_an_answer() -> None:
    answer = compose(ONE, [], feed(IDENTITY, "stale"), Frames(BY_VCT), NOW)
    form = orjson.loads(b"{%b}" % answer.members)
    assert (form["evidence"], form["feed"]["state"], form["as_of"]) == ([], "stale", "2023-11-14T22:13:20Z")
    assert (answer.released, answer.records, answer.counts) == ((), (), {IDENTITY: 0})
    assert (answer.fields, answer.feed) == ({IDENTITY: ("name", "sex")}, {IDENTITY: "stale"})


def test_records_and_released_are_in_the_order_of_record_ids() -> None:
    rows = [stored(IDENTITY, example(IDENTITY), record) for record in ("c", "a", "b")]
    answer = compose(ONE, rows, feed(IDENTITY), Frames(BY_VCT), NOW)
    evidence = orjson.loads(b"{%b}" % answer.members)["evidence"]
    assert [one["record"] for one in evidence] == list(answer.records) == ["a", "b", "c"]
    assert [one["sd_jwt"].encode() for one in evidence] == list(answer.released)
    assert answer.counts == {IDENTITY: 3}


def test_more_than_a_hundred_records_are_not_cut_off() -> None:
    row = stored(IDENTITY, example(IDENTITY))
    compose(ONE, [row] * 100, feed(IDENTITY), Frames(BY_VCT), NOW)
    with pytest.raises(Fault, match="answer_too_large"):
        compose(ONE, [row] * 101, feed(IDENTITY), Frames(BY_VCT), NOW)


def test_frames_are_made_once_and_not_without_end() -> None:
    frames = Frames(BY_VCT)
    vct = ONE.type.vct
    assert frames.of(ONE, vct) is frames.of(ONE, vct)
    for number in range(MAX_FRAMES + 1):
        frames.of(granted(IDENTITY, frozenset((f"field{number}",)), ONE.by), vct)
    assert len(frames._frames) <= MAX_FRAMES


CHAIN: dict[str, dict[str, list[str]]] = {"a": {}, "b": {"supersedes": ["a"]}, "c": {"supersedes": ["b"]}}


def test_what_another_record_supersedes_is_left_out_and_counted() -> None:
    chained = replace(TYPES[IDENTITY], supersession=True)
    one = granted(IDENTITY, frozenset(("name",)), ByHolder("cn.ric", "11010519491231002X"), chained)
    rows = [stored(IDENTITY, example(IDENTITY, **more), name) for name, more in CHAIN.items()]
    for history, records, superseded in ((False, ("c",), 2), (True, ("a", "b", "c"), 0)):
        answer = compose(one._replace(history=history), rows, feed(IDENTITY), Frames(BY_VCT), NOW)
        assert answer.records == records
        assert orjson.loads(b"{%b}" % answer.members)["superseded"] == superseded
        assert len(answer.released) == len(records)


def test_records_that_supersede_each_other_in_a_circle_all_stay() -> None:
    chained = replace(TYPES[IDENTITY], supersession=True)
    one = granted(IDENTITY, frozenset(("name",)), ByHolder("cn.ric", "11010519491231002X"), chained)
    circle = {"a": ["b"], "b": ["a"], "c": ["c"], "d": ["e"], "e": []}
    rows = [
        stored(IDENTITY, example(IDENTITY, **({"supersedes": to} if to else {})), name) for name, to in circle.items()
    ]
    answer = compose(one, rows, feed(IDENTITY), Frames(BY_VCT), NOW)
    assert answer.records == ("a", "b", "c", "d")
    assert orjson.loads(b"{%b}" % answer.members)["superseded"] == 1
