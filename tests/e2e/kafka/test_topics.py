"""`oncegate topics` on a real cluster: the printed commands give exactly the rights that are needed."""

import os
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType

from contracts.edge.config import parse_toml
from contracts.edge.keys import load_public_key
from contracts.edge.transport import TopicUnknown
from contracts.edge.transport.kafka import KafkaTransport, open_kafka
from contracts.errors import UserError
from gateway.control.build import REGISTRY_TOPIC, publish
from gateway.demo.layout import prepare
from gateway.demo.message_log import KAFKA, MessageLog, Wanted
from gateway.ingest.run import ingest_once
from gateway.node import opened
from gateway.roles import ingest_parts
from gateway.topics import topics_of
from gateway.topics_check import LOSES, WEAK, Principals, commands, compare, rights
from tests.e2e.kafka.broker import Broker, kafka_sh
from tests.integration.adapter_city import STREAM as STREAM_AT_HOME
from tests.integration.adapter_city import configuration, department, row
from tests.unit.gateway.ingest.world import registry

REGISTRY = registry()
[STREAM, *_] = REGISTRY.streams
ADAPTER = Path(sys.executable).parent / "oncegate-adapter"
ENGLISH = {**os.environ, "ONCEGATE_LANG": "en"}


def _opened(broker: Broker, prefix: str, directory: Path, user: str = "admin") -> KafkaTransport:
    password = str(broker.directory / "secrets" / f"{user}.password")
    text = broker.section(prefix, username=user, password_file=password, kind="")
    return open_kafka(parse_toml(text, directory / "node.toml"))


def _admin_options(broker: Broker) -> dict[str, Any]:
    """For kafka-python's own clients."""
    return {
        "bootstrap_servers": broker.bootstrap,
        "security_protocol": "SASL_SSL",
        "ssl_cafile": str(broker.directory / "tls" / "ca.crt"),
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "admin",
        "sasl_plain_password": (broker.directory / "secrets" / "admin.password").read_text().strip(),
    }


def _run(broker: Broker, line: str) -> None:
    script, _, _, _, _, *arguments = shlex.split(line)  # the server and how to log in are the tool's own business
    tool = script.removeprefix("kafka-").removesuffix(".sh")
    kafka_sh("tool", "--dir", str(broker.directory), tool, *arguments)


def test_the_commands_give_what_is_needed_and_no_more(broker: Broker, tmp_path: Path) -> None:
    prefix = "plan."
    principals = Principals(node="User:node", control="User:control", adapter="User:oncegate")
    for line in commands(topics_of(REGISTRY), rights(REGISTRY, principals), broker.bootstrap, prefix, replicas=1):
        if f"--topic {prefix}{STREAM.topic} " in line + " " and "User:node" not in line:
            _run(broker, line)
    adapter = _opened(broker, prefix, tmp_path, "oncegate")
    with adapter.writer() as writer:
        assert writer.write(STREAM.topic, b"k", b"v") == 0
        with pytest.raises(UserError):
            writer.write("registry", b"k", b"v")
    with adapter.reader() as reader:
        reader.assign({STREAM.topic: 0})
        with pytest.raises(UserError):
            reader.read(1, 5.0)
    findings = compare(topics_of(REGISTRY), _opened(broker, prefix, tmp_path).admin().describe())
    assert [(one.kind, one.what.en) for one in findings if one.topic == STREAM.topic] == [
        (WEAK, "has 1 replica(s): one disk's loss is the log's")
    ]
    others = {one.topic for one in findings if one.what.en == "is not there"}
    assert others == set(topics_of(REGISTRY)) - {STREAM.topic}


def test_nothing_of_ours_creates_a_topic_by_accident(broker: Broker, tmp_path: Path) -> None:
    """On a cluster that would: Kafka's own producer gets its topic by looking for it."""
    log = _opened(broker, "accident.", tmp_path)
    with KafkaProducer(**_admin_options(broker)) as theirs:
        assert theirs.partitions_for("accident.theirs")
    with log.reader() as reader, log.writer() as writer, log.admin() as admin:
        attempts: tuple[Callable[[], object], ...] = (
            lambda: writer.write("ours.written", b"k", b"v"),
            lambda: writer.write_many("ours.written", [(b"k", b"v")]),
            lambda: reader.assign({"ours.read": 0}),
            lambda: reader.add("ours.read", 0),
            lambda: reader.earliest("ours.read"),
            lambda: reader.end("ours.read"),
            lambda: admin.delete_topic("ours.deleted"),
        )
        for attempt in attempts:
            with pytest.raises(TopicUnknown):
                attempt()
        assert set(admin.topics()) == {"theirs"}


def test_an_installation_without_its_topics_waits_and_creates_none(broker: Broker, tmp_path: Path) -> None:
    """Ingest with a registry whose streams have no topics yet, a department whose topic nobody made."""
    prefix = "waiting."
    log = MessageLog(Wanted(KAFKA), tomllib.loads(broker.section(prefix)))
    layout = prepare(tmp_path / "city", log)
    transport = _opened(broker, prefix, tmp_path)
    publish(layout.registry, load_public_key(layout.public("registry-root"), "EdDSA"), transport)
    with opened(layout.node_config) as node:
        assert ingest_once(ingest_parts(node)).batches == 0
    home = department(tmp_path)
    home.write([row(1)])
    home.config.write_text(log.configured(configuration()), "utf-8")
    sent = subprocess.run([ADAPTER, "run", home.config], check=False, capture_output=True, text=True, env=ENGLISH)
    assert sent.returncode == 2
    assert f"There is no topic {STREAM_AT_HOME.topic}" in sent.stdout + sent.stderr
    assert set(transport.admin().topics()) == {REGISTRY_TOPIC}


def test_a_setting_that_loses_data_is_found(broker: Broker, tmp_path: Path) -> None:
    log = _opened(broker, "check.", tmp_path)
    log.admin().create_topic(STREAM.topic)
    settings = {"cleanup.policy": "compact,delete", "min.compaction.lag.ms": "1000"}
    with KafkaAdminClient(**_admin_options(broker)) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, f"check.{STREAM.topic}", configs=settings)])
    findings = compare({STREAM.topic: topics_of(REGISTRY)[STREAM.topic]}, log.admin().describe())
    assert {one.what.en.partition("=")[0] for one in findings if one.kind == LOSES} == set(settings)
