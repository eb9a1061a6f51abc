"""The demo on a shared Kafka cluster: the same story, and nothing of it stays behind."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.edge.config import parse_toml, read_toml
from contracts.edge.transport import open_transport
from contracts.edge.transport.kafka import KafkaTransport
from contracts.errors import UserError
from contracts.registry.snapshot import Contents, Snapshot
from contracts.text import Text
from gateway.demo.message_log import KAFKA, Wanted, choose, create_topics, ready
from gateway.supervision import SUPERVISION_TOPIC
from gateway.topics import UNVERIFIED_TOPIC
from tests.e2e.demo_contract import BIN, Demo, DemoContract, serving
from tests.e2e.kafka.broker import Broker

PREFIX = "shared-demo."
TOPICS = 16  # what the gateway needs for itself, and of each stream and adapter


def configured(broker: Broker, directory: Path, user: str = "admin") -> Path:
    """A file with a table [log] for `user`, the prefix being what the cluster gives to our installation."""
    password = str(broker.directory / "secrets" / f"{user}.password")
    path = directory / f"{user}.toml"
    path.write_text("[log]\n" + broker.section(PREFIX, username=user, password_file=password), "utf-8")
    return path


def whole_cluster(config: Path) -> KafkaTransport:
    """All that is below the installation's prefix."""
    transport = open_transport(read_toml(config).section("log"))
    assert isinstance(transport, KafkaTransport)
    return transport


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> Iterator[Demo]:
    directory = tmp_path_factory.mktemp("demo")
    config = configured(broker, directory)
    with serving(
        directory / "city",
        broker.directory / "node-0" / "data",
        ["--transport", "kafka", "--kafka-config", str(config)],
    ) as running:
        yield running
    assert not whole_cluster(config).admin().topics(), "the demo left topics behind"


class TestDemoOnKafka(DemoContract):
    """The suite on Kafka."""


def test_it_ran_on_topics_of_its_own(demo: Demo, broker: Broker, tmp_path: Path) -> None:
    assert demo.printed["message_log"] == "kafka"
    own = demo.handover["message_log"]["prefix"]
    assert own.startswith(f"{PREFIX}oncegate-demo-")
    topics = whole_cluster(configured(broker, tmp_path)).admin().topics()
    assert len(topics) == TOPICS
    assert all((PREFIX + topic).startswith(own) for topic in topics)
    assert not (demo.directory / "log").exists()


def test_its_topics_are_as_an_installation_needs_them(demo: Demo) -> None:
    command = [str(BIN / "oncegate"), "topics", "check", "--config", demo.handover["node_config"]]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, "ONCEGATE_LANG": "en"}
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"All {TOPICS} topics are as they should be" in done.stdout


def test_where_nobody_may_create_topics_the_plan_is_printed(broker: Broker, tmp_path: Path) -> None:
    config = configured(broker, tmp_path, "oncegate")
    options = ["--transport", "kafka", "--kafka-config", str(config), "--data-dir", str(tmp_path / "city")]
    done = subprocess.run(
        [str(BIN / "oncegate"), "demo", "--once", *options],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "ONCEGATE_LANG": "en"},
    )
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "The cluster lets us create no topics" in line
    prefix = line.rpartition("--topic-prefix ")[2]
    plan = [one for one in done.stdout.splitlines() if one.startswith("kafka-")]
    assert sum(f"--create --if-not-exists --topic {prefix}" in one for one in plan) == TOPICS
    assert all("--allow-principal User:oncegate " in one for one in plan if one.startswith("kafka-acls"))
    assert "--replication-factor 1 " in plan[0]  # as many as this cluster can hold


def test_topics_made_for_it_beforehand_stay_and_must_be_empty(broker: Broker, tmp_path: Path) -> None:
    log = choose(Wanted(KAFKA, config=configured(broker, tmp_path), prefix=f"{PREFIX}made."))
    cluster = open_transport(read_toml(configured(broker, tmp_path)).section("log"))
    told: list[Text] = []
    with cluster.admin() as admin, cluster.writer() as writer:
        admin.create_topic("made.registry")
        with ready(log, told.append):
            below = open_transport(parse_toml(log.configured("[log]\n"), tmp_path / "node.toml").section("log"))
            create_topics(log, below, Snapshot(1, 1, 1, Contents()), told.append)
            assert log.created == {UNVERIFIED_TOPIC, SUPERVISION_TOPIC}
            admin.create_topic("made.of-somebody")
        left = sorted(topic for topic in admin.topics() if topic.startswith("made."))
        writer.write("made.registry", b"k", b"v")
        with pytest.raises(UserError, match="hold records already"), ready(log, told.append):
            raise AssertionError("the counts of a second demo would be wrong")
        for topic in left:
            admin.delete_topic(topic)
    assert left == ["made.of-somebody", "made.registry"]
    deletion = r"--delete --topic 'shared\-demo\.made\..*'"
    assert [one.en.endswith(deletion) for one in told] == [False, True]
