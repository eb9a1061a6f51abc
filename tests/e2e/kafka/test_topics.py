"""`oncegate topics` on a real cluster: the printed commands give exactly the rights that are needed."""

import shlex
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from contracts.edge.config import parse_toml
from contracts.edge.transport.kafka import KafkaTransport, open_kafka
from contracts.errors import UserError
from gateway.topics import topics_of
from gateway.topics_check import LOSES, WEAK, Principals, commands, compare, rights
from tests.e2e.kafka.broker import Broker, kafka_sh
from tests.unit.gateway.ingest.world import registry

REGISTRY = registry()
[STREAM, *_] = REGISTRY.streams


def _opened(broker: Broker, prefix: str, directory: Path, user: str = "admin") -> KafkaTransport:
    password = str(broker.directory / "secrets" / f"{user}.password")
    text = broker.section(prefix, username=user, password_file=password, kind="")
    return open_kafka(parse_toml(text, directory / "node.toml"))


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


def test_a_setting_that_loses_data_is_found(broker: Broker, tmp_path: Path) -> None:
    log = _opened(broker, "check.", tmp_path)
    log.admin().create_topic(STREAM.topic)
    settings = {"cleanup.policy": "compact,delete", "min.compaction.lag.ms": "1000"}
    with KafkaAdminClient(
        bootstrap_servers=broker.bootstrap,
        security_protocol="SASL_SSL",
        ssl_cafile=str(broker.directory / "tls" / "ca.crt"),
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username="admin",
        sasl_plain_password=(broker.directory / "secrets" / "admin.password").read_text().strip(),
    ) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, f"check.{STREAM.topic}", configs=settings)])
    findings = compare({STREAM.topic: topics_of(REGISTRY)[STREAM.topic]}, log.admin().describe())
    assert {one.what.en.partition("=")[0] for one in findings if one.kind == LOSES} == set(settings)
