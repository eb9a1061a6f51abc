"""What the node's doctor says of facts."""

from dataclasses import replace

import pytest

from contracts.edge.doctor.finding import FAILED, OK, WARNING
from contracts.registry import Zone, ZoneKey
from contracts.streams import Position, Stream
from contracts.text import Text
from gateway.doctor import audit, keys, log, registry, serving, store
from gateway.doctor.audit import Head, Log
from gateway.doctor.keys import Listing
from gateway.doctor.registry import DAY_MS, Times
from gateway.doctor.registry_read import Found
from gateway.doctor.serving import FREE, OTHER, OURS, SILENT, Port
from gateway.ingest.state import StreamState, Told
from gateway.store.database import FORMAT
from gateway.supervision import SUPERVISION_TOPIC
from gateway.topics import topics_of
from gateway.topics_check import LOSES, WEAK, Finding
from tests.unit.gateway.ingest.world import registry as snapshot

TIMES = Times(3, 10 * DAY_MS, 20 * DAY_MS)


@pytest.mark.parametrize(
    ("now", "level"),
    [(0, OK), (7 * DAY_MS - 1, OK), (7 * DAY_MS, WARNING), (10 * DAY_MS, WARNING), (20 * DAY_MS, FAILED)],
)
def test_the_age_of_the_registry(now: int, level: str) -> None:
    assert registry.judge_times(TIMES, now).level == level


@pytest.mark.parametrize("code", ["registry_absent", "registry_rollback", "registry_altered", "part_missing"])
def test_a_registry_that_a_node_refuses(code: str) -> None:
    found = registry.judge(Found(None, code, 9, 3, None, None), 0)
    assert (found.level, found.where) == (FAILED, code)


def test_contents_that_trouble_somebody() -> None:
    fine = snapshot()
    assert {one.level for one in registry.judge_contents(fine, 0)} == {OK}
    [adapter, *others] = fine.contents.adapters
    silent = replace(adapter, keys=tuple(replace(key, status="retired") for key in adapter.keys))
    stolen = replace(adapter, keys=tuple(replace(key, status="compromised") for key in adapter.keys), lowest_epoch={})
    for changed, count in ((silent, 1), (stolen, 2)):
        contents = replace(fine.contents, adapters=(changed, *others))
        found = list(registry.judge_contents(replace(fine, contents=contents), 0))
        assert [one.level for one in found] == [WARNING] * count


OWN = Listing("node-1", "gov")


@pytest.mark.parametrize(("listed", "level"), [(OWN, OK), (None, FAILED), (Listing("node-2", "gov"), FAILED)])
def test_the_node_key(listed: Listing | None, level: str) -> None:
    assert keys.judge_node("kid", OWN, listed, "").level == level


NEW, OLD = ZoneKey("HPKE-X25519", "AA"), ZoneKey("HPKE-X25519", "BB", "retired")
BOTH = (NEW.wrap_key.kid, OLD.wrap_key.kid)


@pytest.mark.parametrize(
    ("own", "zone_keys", "levels"),
    [
        (BOTH, (NEW, OLD), [OK]),
        (BOTH[:1], (NEW, OLD), [FAILED]),
        (BOTH, (NEW,), [WARNING]),
        (BOTH, (NEW, replace(OLD, status="compromised")), [WARNING]),
        ((), (NEW, OLD), [FAILED, FAILED]),
    ],
)
def test_the_zone_keys(own: tuple[str, ...], zone_keys: tuple[ZoneKey, ...], levels: list[str]) -> None:
    zone = Zone("gov", Text("", ""), zone_keys)
    assert [one.level for one in keys.judge_zone(own, "gov", zone, "")] == levels


def test_a_zone_that_is_not_there() -> None:
    assert [one.level for one in keys.judge_zone((), "gov", None, "")] == [FAILED]


@pytest.mark.parametrize(("listed", "level"), [("a", OK), ("b", FAILED), (None, FAILED)])
def test_the_key_of_the_audit_log(listed: str | None, level: str) -> None:
    assert keys.judge_log_key("a", "slot", listed, "").level == level


LOG = Log(size=100, published=100, age=10_000, running=True, where="")


@pytest.mark.parametrize(
    ("found", "level"),
    [
        (LOG, OK),  # nobody asked anything for hours
        (replace(LOG, size=101, age=60), OK),
        (replace(LOG, size=101, age=61), FAILED),
        (replace(LOG, size=101, running=False), WARNING),
    ],
)
def test_the_audit_log(found: Log, level: str) -> None:
    assert audit.judge_log(found).level == level


HEAD = Head(configured=True, mounted=True, size=100, same_device=False, where="")


@pytest.mark.parametrize(
    ("found", "published", "level"),
    [
        (HEAD, 100, OK),
        (replace(HEAD, size=None), 0, OK),
        (replace(HEAD, size=None), 100, FAILED),
        (replace(HEAD, same_device=True), 100, WARNING),
        (replace(HEAD, mounted=False), 100, FAILED),
        (replace(HEAD, configured=False), 100, WARNING),
    ],
)
def test_the_head_elsewhere(found: Head, published: int, level: str) -> None:
    assert audit.judge_head(found, published).level == level


def test_without_a_head_the_words_are_those_of_the_design() -> None:
    assert "rollback" in audit.judge_head(replace(HEAD, configured=False), 0).what.en


@pytest.mark.parametrize(
    ("state", "locked", "level"),
    [
        (FREE, False, WARNING),
        (FREE, True, FAILED),
        (OURS, True, OK),
        (OURS, False, FAILED),
        (OTHER, False, FAILED),
        (OTHER, True, FAILED),
        (SILENT, False, FAILED),
        (SILENT, True, FAILED),
    ],
)
def test_the_port(state: str, locked: bool, level: str) -> None:
    assert serving.judge(Port(state, locked, "h:1")).level == level


def test_a_port_that_cannot_be_listened_on() -> None:
    assert serving.judge(Port(FREE, False, "h:80", Text("没有权限", "Permission denied"))).level == FAILED


@pytest.mark.parametrize(
    ("answer", "levels"),
    [
        ({"checks": {"registry": "ok", "store": "ok"}, "warnings": {}}, [OK]),
        ({"checks": {"registry": "registry_expired", "store": "ok"}}, [FAILED]),
        ({"checks": {"store": "a code of a later version"}}, [FAILED]),
        ({}, [FAILED]),
        ({"checks": []}, [FAILED]),
    ],
)
def test_what_readyz_says(answer: dict[str, object], levels: list[str]) -> None:
    assert [one.level for one in serving.judge_ready(answer)] == levels


STREAM = Stream("police", "police-1", "cn.identity-card")
COMPLETE = StreamState(Position(1, 5), 5, covered=1, told=Told(Position(1, 5), 100, 200, True), as_of=100)


@pytest.mark.parametrize(
    ("state", "now", "level"),
    [
        (COMPLETE, 200, OK),
        (COMPLETE, 201, WARNING),
        (COMPLETE._replace(gaps=((2, 2),)), 200, WARNING),
        (COMPLETE._replace(covered=0), 200, WARNING),
        (COMPLETE._replace(stopped="equivocation"), 200, FAILED),
    ],
)
def test_streams(state: StreamState, now: int, level: str) -> None:
    assert [one.level for one in store.judge_streams([STREAM], {STREAM: state}, now)] == [level]


def test_a_stream_that_ingest_has_not_met() -> None:
    assert [one.level for one in store.judge_streams([STREAM], {}, 0)] == [WARNING]


def test_formats_and_burdens() -> None:
    assert [[one.level for one in store.judge_format(number, "")] for number in (FORMAT - 1, FORMAT, FORMAT + 1)] == [
        [FAILED],
        [],
        [FAILED],
    ]
    assert list(store.judge_burden(store.WAL_BYTES, 1000, "")) == []
    assert [one.level for one in store.judge_burden(store.WAL_BYTES + 1, 1001, "")] == [WARNING, WARNING]
    assert [one.remedy.en.split(": ")[1] for one in store.judge_beside((0, 2, 3), 3, "") if one.remedy] == [
        "`oncegate store remove 0`.",
        "`oncegate store remove 2`.",
    ]


def test_topics_that_differ_alike_are_one_line() -> None:
    what, remedy = Text("", "what"), Text("", "remedy")
    found = [Finding(topic, WEAK, what, remedy) for topic in "abcd"] + [Finding("a", LOSES, what, remedy)]
    assert [(one.level, one.where) for one in log.judge_topics(found)] == [(WARNING, "a, b, c (+1)"), (FAILED, "a")]


def test_a_node_needs_to_read_every_topic_and_to_write_only_what_it_tells_others() -> None:
    needed = log.needed(snapshot())
    assert set(needed) == set(topics_of(snapshot()))
    assert all("Read" in operations for operations in needed.values())
    written = (topic for topic, operations in needed.items() if "Write" in operations)
    assert all(topic.startswith(("rejects.", "requests.", SUPERVISION_TOPIC)) for topic in written)
