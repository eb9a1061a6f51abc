"""The Kafka transport keeps the contract, on a real broker with SCRAM over TLS."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from contracts.edge.config import read_toml
from contracts.edge.transport import Record, Transport, open_transport
from tests.e2e.kafka.broker import Broker
from tests.integration.transport.contract import PATIENCE_S, TransportContract, read_all

_prefixes = count()


@dataclass(frozen=True, slots=True)
class KafkaHarness:
    transport: Transport
    config: Path
    prefix: str
    broker: Broker
    wake_s: float = 0.05

    def clean(self, topic: str) -> None:
        """Kafka rolls a segment when a record comes, and cleans those before it."""
        self._let_clean(topic)
        with self.transport.writer() as writer:
            end = writer.write(topic, b"of the next segment", b"")
        deadline = time.monotonic() + PATIENCE_S
        while not _is_clean(read_all(self.transport, topic, 0), end):
            assert time.monotonic() < deadline, "never cleaned"

    def _let_clean(self, topic: str) -> None:
        settings = {"min.compaction.lag.ms": "0", "max.compaction.lag.ms": "1", "min.cleanable.dirty.ratio": "0.0"}
        directory = self.broker.directory
        with KafkaAdminClient(
            bootstrap_servers=self.broker.bootstrap,
            security_protocol="SASL_SSL",
            ssl_cafile=str(directory / "tls" / "ca.crt"),
            sasl_mechanism="SCRAM-SHA-512",
            sasl_plain_username="admin",
            sasl_plain_password=(directory / "secrets" / "admin.password").read_text().strip(),
        ) as admin:
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, self.prefix + topic, configs=settings)])


def _is_clean(records: list[Record], end: int) -> bool:
    keys = [record.key for record in records if record.offset < end]
    return len(set(keys)) == len(keys)


@pytest.fixture
def harness(broker: Broker, tmp_path: Path) -> Iterator[KafkaHarness]:
    prefix = f"contract-{next(_prefixes)}."
    config = tmp_path / "node.toml"
    config.write_text("[log]\n" + broker.section(prefix))
    transport = open_transport(read_toml(config).section("log"))
    yield KafkaHarness(transport, config, prefix, broker)
    with transport.admin() as admin:
        for topic in admin.topics():
            admin.delete_topic(topic)


class TestKafka(TransportContract):
    """The contract."""
