"""What is asked of a cluster, and what is said about one that does not grant it."""

import pytest

from contracts.edge.transport import COMPACTED, Expiring
from contracts.edge.transport.kafka_topics import LiveTopic, topic_settings
from gateway.topics import topics_of
from gateway.topics_check import LOSES, TOPICS_A_LINE, WEAK, Principals, Right, commands, compare, rights
from tests.unit.gateway.ingest.world import registry

REGISTRY = registry()
FINE = LiveTopic(1, 3, topic_settings(COMPACTED, 3))


def _found(live: LiveTopic) -> list[tuple[str, str]]:
    return [(one.kind, one.what.en) for one in compare({"t": COMPACTED}, {"t": live})]


def test_a_topic_as_planned_has_no_findings() -> None:
    assert not compare({"t": COMPACTED}, {"t": FINE})
    assert not compare({"t": Expiring()}, {"t": LiveTopic(1, 3, topic_settings(Expiring(), 3))})


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("cleanup.policy", "delete"),
        ("cleanup.policy", "compact,delete"),
        ("min.compaction.lag.ms", "0"),
        ("max.compaction.lag.ms", "9223372036854775807"),
        ("max.message.bytes", "1000"),
        ("min.insync.replicas", "1"),
        ("unclean.leader.election.enable", "true"),
        ("message.timestamp.type", "CreateTime"),
        ("compression.type", "zstd"),
    ],
)
def test_each_setting_that_loses_is_named_with_its_remedy(setting: str, value: str) -> None:
    live = LiveTopic(1, 3, {**FINE.settings, setting: value})
    [finding] = compare({"t": COMPACTED}, {"t": live})
    assert (finding.kind, finding.topic) == (LOSES, "t")
    assert f"{setting}={value}" in finding.what.en
    assert f"{setting}={FINE.settings[setting]}" in finding.remedy.en


@pytest.mark.parametrize(
    ("setting", "value"), [("min.compaction.lag.ms", "999999999"), ("compression.type", "gzip"), ("segment.ms", "1")]
)
def test_a_setting_that_is_stricter_is_fine(setting: str, value: str) -> None:
    assert not _found(LiveTopic(1, 3, {**FINE.settings, setting: value}))


@pytest.mark.parametrize(
    ("setting", "value"), [("retention.ms", "1"), ("retention.bytes", "1"), ("segment.ms", "9" * 12)]
)
def test_expiring_topics_are_kept_exactly_as_long_as_they_should(setting: str, value: str) -> None:
    live = LiveTopic(1, 3, {**topic_settings(Expiring(), 3), setting: value})
    [finding] = compare({"t": Expiring()}, {"t": live})
    assert finding.kind == LOSES


def test_shape_counts_too() -> None:
    assert _found(LiveTopic(2, 3, FINE.settings)) == [(LOSES, "has 2 partitions: no order")]
    [(kind, what)] = _found(LiveTopic(1, 1, {**FINE.settings, "min.insync.replicas": "1"}))
    assert (kind, what.startswith("has 1 replica")) == (WEAK, True)
    [missing] = compare({"t": COMPACTED}, {})
    assert (missing.kind, missing.what.en) == (LOSES, "is not there")


def test_every_topic_has_its_command_and_nobody_may_more_than_they_need() -> None:
    asked = rights(REGISTRY, Principals())
    lines = commands(topics_of(REGISTRY), asked, "kafka:9093", "city.")
    for topic in topics_of(REGISTRY):
        [line] = [one for one in lines if "--create" in one and f" city.{topic} " in one]
        assert "--partitions 1 --replication-factor 3" in line
        assert "--config min.insync.replicas=2" in line
    writers = {right.topic: right.principal for right in asked if "Write" in right.operations}
    for stream in REGISTRY.streams:
        assert writers[stream.topic] == f"User:{stream.adapter}"
    assert {operation for right in asked for operation in right.operations} == {
        "Read",
        "Write",
        "Describe",
        "DescribeConfigs",
    }


def test_rights_alike_share_a_line_and_none_is_lost() -> None:
    asked = tuple(Right("User:n", ("Read",), f"t{number}") for number in range(2 * TOPICS_A_LINE + 1))
    lines = commands({}, (*asked, Right("User:n", ("Write",), "t0"), Right("User:m", ("Read",), "t1")), "k:1", "p.")
    assert [line.count("--topic ") for line in lines] == [1, TOPICS_A_LINE, TOPICS_A_LINE, 1]
    assert "--operation Read --operation Write --topic p.t0" in lines[0]
    named = {name for line in lines for name in line.split() if name.startswith("p.t")}
    assert named == {f"p.{right.topic}" for right in asked}


def test_a_setting_that_the_broker_does_not_know_counts_as_not_kept() -> None:
    settings = {name: value for name, value in FINE.settings.items() if name != "max.compaction.lag.ms"}
    [(kind, what)] = _found(LiveTopic(1, 3, settings))
    assert (kind, what.partition(" ")[0]) == (LOSES, "max.compaction.lag.ms=")


def test_more_acknowledgements_than_replicas_refuse_every_write() -> None:
    found = _found(LiveTopic(1, 3, {**FINE.settings, "min.insync.replicas": "4"}))
    assert found == [(LOSES, "min.insync.replicas=4 with 3 replica(s) refuses every write")]


def test_a_principal_is_quoted_for_the_shell() -> None:
    [line] = commands({}, (Right("User:CN=a b,O=$(x)", ("Read",), "t"),), "k:1", "p.")
    assert "'User:CN=a b,O=$(x)'" in line
