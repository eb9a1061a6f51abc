"""What the Kafka transport promises beyond the contract, on a real broker."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from contracts.edge.config import parse_toml
from contracts.edge.transport import (
    Expiring,
    LogUnavailable,
    Reader,
    TopicReplaced,
    Transport,
    Writer,
    open_transport,
)
from contracts.edge.transport.kafka_fetch import TOPIC_AHEAD_BYTES
from contracts.edge.transport.kafka_topics import topic_settings
from contracts.errors import UserError
from tests.e2e.kafka.broker import Broker
from tests.integration.transport.contract import PATIENCE_S, read_all, read_count

_prefixes = count()


@pytest.fixture
def prefix() -> str:
    return f"more-{next(_prefixes)}."


@pytest.fixture
def log(broker: Broker, prefix: str, tmp_path: Path) -> Transport:
    return opened(broker.section(prefix), tmp_path)


def opened(text: str, directory: Path) -> Transport:
    return open_transport(parse_toml(text, directory / "node.toml"))


def _client(broker: Broker) -> dict[str, Any]:
    """kafka-python's own client, as somebody else's program on the same cluster."""
    return {
        "bootstrap_servers": broker.bootstrap,
        "security_protocol": "SASL_SSL",
        "ssl_cafile": str(broker.directory / "tls" / "ca.crt"),
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "admin",
        "sasl_plain_password": (broker.directory / "secrets" / "admin.password").read_text().strip(),
    }


@pytest.fixture
def producer(broker: Broker) -> Iterator[Callable[..., KafkaProducer]]:
    made: list[KafkaProducer] = []

    def make(**settings: Any) -> KafkaProducer:
        made.append(KafkaProducer(**_client(broker), **settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


# --- who may in ----------------------------------------------------------------------------------------------


def _private(path: Path, text: str) -> None:
    path.touch(0o600)
    path.write_text(text)


def test_a_wrong_password_is_told_at_once(broker: Broker, tmp_path: Path) -> None:
    _private(tmp_path / "wrong", "wrong")
    started = time.monotonic()
    with pytest.raises(UserError) as refused:
        opened(broker.section("p.", password_file=str(tmp_path / "wrong")), tmp_path).admin().topics()
    assert "Kafka refuses the login" in refused.value.what.en
    assert time.monotonic() - started < 10


def test_a_certificate_of_another_authority_is_told_at_once(broker: Broker, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        opened(broker.section("p.", ca_file=""), tmp_path).admin().topics()
    assert "not trusted" in refused.value.what.en


def test_a_user_without_rights_is_told_so(broker: Broker, log: Transport, prefix: str, tmp_path: Path) -> None:
    log.admin().create_topic("t")
    password = str(broker.directory / "secrets" / "oncegate.password")
    other = opened(broker.section(prefix, username="oncegate", password_file=password), tmp_path)
    assert not other.admin().topics()
    with other.writer() as writer, pytest.raises(UserError) as refused:
        writer.write("t", b"k", b"v")
    assert "does not permit it" in refused.value.what.en
    with other.reader() as reader, pytest.raises(UserError):
        reader.assign({"t": 0})
    with pytest.raises(UserError):
        other.admin().create_topic("u")


def _token(ago_s: int = 0) -> str:
    """An unsigned token, which the test broker takes."""
    now = int(time.time()) + ago_s
    parts = ({"alg": "none"}, {"sub": "admin", "iat": now, "exp": now + 300})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, ""])


def _other_logins(broker: Broker, tmp_path: Path) -> Iterator[tuple[str, str]]:
    _private(tmp_path / "plain", "plain text\n")
    _private(tmp_path / "token", _token() + "\n")
    yield "PLAIN", broker.section("p.", sasl_mechanism="PLAIN", password_file=str(tmp_path / "plain"))
    oauth = broker.section("p.", sasl_mechanism="OAUTHBEARER", username="", password_file="")
    yield "OAUTHBEARER, file", oauth + f'token_file = "{tmp_path / "token"}"\n'
    yield "OAUTHBEARER, command", oauth + f'token_command = ["cat", "{tmp_path / "token"}"]\n'
    tls = broker.directory / "tls"
    mutual = f'certificate = "{tls / "broker.crt"}"\nprivate_key = "{tls / "broker.key"}"\n'
    inner = f"127.0.0.1:{broker.port + 10}"
    nobody = {"sasl_mechanism": "", "username": "", "password_file": ""}
    yield "client certificate", broker.section("p.", security="tls", bootstrap=inner, **nobody) + mutual


def test_other_ways_to_log_in(broker: Broker, tmp_path: Path) -> None:
    done = []
    for name, text in _other_logins(broker, tmp_path):
        with opened(text, tmp_path).admin() as admin:
            admin.create_topic("logins")
            assert "logins" in admin.topics()
            admin.delete_topic("logins")
        done.append(name)
    assert len(done) == 4


def test_a_token_that_is_refused_is_told(broker: Broker, tmp_path: Path) -> None:
    _private(tmp_path / "token", _token(-600))
    text = broker.section("p.", sasl_mechanism="OAUTHBEARER", username="", password_file="")
    with pytest.raises(UserError) as refused:
        opened(text + f'token_file = "{tmp_path / "token"}"\n', tmp_path).admin().topics()
    assert "Kafka refuses the login" in refused.value.what.en


def test_a_token_command_that_fails_is_told(broker: Broker, tmp_path: Path) -> None:
    text = broker.section("p.", sasl_mechanism="OAUTHBEARER", username="", password_file="")
    log = opened(text + 'token_command = ["false"]\n', tmp_path)
    with pytest.raises(UserError) as refused:
        log.admin().topics()
    assert "The command for the token failed" in refused.value.what.en


# --- topics --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cleaning", [Expiring(70_000), None], ids=["expiring", "compacted"])
def test_a_topic_has_the_settings_that_lose_nothing(
    broker: Broker, log: Transport, prefix: str, cleaning: Expiring | None
) -> None:
    with log.admin() as admin:
        assert admin.create_topic("t", cleaning) if cleaning else admin.create_topic("t")
    with KafkaAdminClient(**_client(broker)) as admin:
        [topic] = admin.describe_topics([prefix + "t"])
        described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, prefix + "t")])
    assert len(topic["partitions"]) == 1
    live = described["topic"][prefix + "t"]
    if cleaning:
        expected = {"cleanup.policy": "delete", "retention.ms": "70000", "segment.ms": "10000"}
    else:
        days = {"min.compaction.lag.ms": str(3 * 86_400_000), "max.compaction.lag.ms": str(7 * 86_400_000)}
        expected = {"cleanup.policy": "compact"} | days
    expected |= {"unclean.leader.election.enable": "false", "message.timestamp.type": "LogAppendTime"}
    assert {name: live[name]["value"] for name in expected} == expected


def test_replicas_follow_the_brokers() -> None:
    assert topic_settings(Expiring(), 3)["min.insync.replicas"] == "2"
    assert topic_settings(Expiring(), 1)["min.insync.replicas"] == "1"


def test_a_topic_of_several_partitions_is_refused(broker: Broker, log: Transport, prefix: str) -> None:
    with KafkaAdminClient(**_client(broker)) as admin:
        admin.create_topics({prefix + "wide": {"num_partitions": 2, "replication_factor": 1}}, wait_for_metadata=True)
    with log.writer() as writer, pytest.raises(UserError) as refused:
        writer.write("wide", b"k", b"v")
    assert "has 2 partitions" in refused.value.what.en


def test_a_topic_made_anew_is_lost_for_its_reader_however_long_it_is(log: Transport) -> None:
    with log.admin() as admin, log.writer() as writer, log.reader() as reader:
        admin.create_topic("t")
        writer.write_many("t", [(b"k", b"old")] * 3)
        reader.assign({"t": 0})
        assert len(read_count(reader, 3)) == 3
        admin.delete_topic("t")
        admin.create_topic("t")
        writer.write_many("t", [(b"k", b"new")] * 10)
        with pytest.raises(TopicReplaced):
            _read_until_refused(reader)
        reader.add("t", reader.earliest("t"))
        assert [record.value for record in read_count(reader, 10)] == [b"new"] * 10


def _read_until_refused(reader: Reader) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert reader.read(10, 0.5) == []


# --- what others write ---------------------------------------------------------------------------------------


def test_records_of_others_are_read_as_they_are(
    log: Transport, prefix: str, producer: Callable[..., KafkaProducer]
) -> None:
    log.admin().create_topic("t", Expiring())
    plain = producer(compression_type="gzip")
    plain.send(prefix + "t", key=b"gzip", value=b"v" * 5000, headers=[("a", b"1"), ("a", b"2")])
    plain.send(prefix + "t", key=b"null", value=None)
    plain.send(prefix + "t", key=None, value=b"no key")
    plain.flush()
    first, second, third = read_all(log, "t")
    assert (first.key, first.value, first.headers) == (b"gzip", b"v" * 5000, (("a", b"1"), ("a", b"2")))
    assert (second.key, second.value) == (b"null", None)
    assert (third.key, third.value) == (b"", b"no key")


def test_only_what_was_committed_is_read(log: Transport, prefix: str, producer: Callable[..., KafkaProducer]) -> None:
    log.admin().create_topic("t")
    writing = producer(transactional_id=prefix)
    writing.init_transactions()
    for key, commit in ((b"kept", True), (b"dropped", False), (b"kept too", True), (b"dropped too", False)):
        writing.begin_transaction()
        writing.send(prefix + "t", key=key, value=b"v").get(PATIENCE_S)
        _ = writing.commit_transaction() if commit else writing.abort_transaction()
    assert [record.key for record in read_all(log, "t")] == [b"kept", b"kept too"]


def test_others_read_what_we_write(broker: Broker, log: Transport, prefix: str) -> None:
    log.admin().create_topic("t")
    with log.writer() as writer:
        writer.write("t", b"key", b"value", (("content-type", b"application/jose"),))
    consumer = KafkaConsumer(**_client(broker), auto_offset_reset="earliest", group_id=None)
    try:
        consumer.assign([TopicPartition(prefix + "t", 0)])
        record = next(consumer)
    finally:
        consumer.close()
    assert (record.key, record.value) == (b"key", b"value")
    assert record.headers == [("content-type", b"application/jose")]


# --- reading ahead -------------------------------------------------------------------------------------------


def test_a_long_topic_is_read_ahead_within_bounds_and_complete(log: Transport) -> None:
    value = bytes(100_000)
    total = 4 * TOPIC_AHEAD_BYTES // len(value)
    with log.admin() as admin, log.writer() as writer, log.reader() as reader:
        for topic in ("long", "short"):
            admin.create_topic(topic)
        writer.write_many("long", [(b"%d" % number, value) for number in range(total)])
        reader.assign({"long": 0, "short": 0})
        keys = [record.key for record in read_count(reader, 1)]
        while len(keys) < total:
            keys += [record.key for record in reader.read(3, 5.0)]
        assert keys == [b"%d" % number for number in range(total)]
        writer.write("short", b"k", b"v")
        assert [record.topic for record in read_count(reader, 1)] == ["short"]


def test_without_any_time_a_read_still_finds_what_is_there(log: Transport) -> None:
    with log.admin() as admin, log.writer() as writer, log.reader() as reader:
        for topic in ("t", "empty"):
            admin.create_topic(topic)
        writer.write_many("t", [(b"%d" % number, bytes(5000)) for number in range(1000)])
        reader.assign({"t": 0, "empty": 0})
        count = 0
        while records := reader.read(100, 0):
            count += len(records)
        assert count == 1000
        started = time.monotonic()
        assert reader.read(100, 0) == []
        assert time.monotonic() - started < 0.2


def test_many_topics_at_once(log: Transport) -> None:
    names = [f"t{number}" for number in range(40)]
    with log.admin() as admin, log.writer() as writer, log.reader() as reader:
        for name in names:
            admin.create_topic(name)
            writer.write(name, b"k", name.encode())
        reader.assign(dict.fromkeys(names, 0))
        assert {record.value for record in read_count(reader, len(names))} == {name.encode() for name in names}
        writer.write("t7", b"k", b"again")
        assert [record.value for record in read_count(reader, 1)] == [b"again"]


# --- a broker that goes and comes ----------------------------------------------------------------------------


def test_a_broker_that_restarts_costs_nothing_but_time(broker: Broker, prefix: str, tmp_path: Path) -> None:
    log = opened(broker.section(prefix) + "patience = 0.5\n", tmp_path)
    patient = opened(broker.section(prefix), tmp_path)
    patient.admin().create_topic("t")
    with log.writer() as writer, patient.writer() as waiting, log.reader() as reader:
        writer.write("t", b"before", b"v")
        waiting.write("t", b"waited before", b"v")
        reader.assign({"t": 0})
        read_count(reader, 2)
        broker.stop()
        with pytest.raises(LogUnavailable):
            writer.write("t", b"meanwhile", b"v")
        with pytest.raises(LogUnavailable):
            _read_until_refused(reader)
        late = threading.Thread(target=lambda: waiting.write("t", b"waited", b"v"))
        late.start()
        broker.start()
        late.join(PATIENCE_S)
        _write_when_possible(writer, b"after")
        assert {b"waited", b"after"} <= {record.key for record in read_count(reader, 2)}
    keys = [record.key for record in read_all(patient, "t")]
    assert sorted(set(keys) - {b"meanwhile"}) == sorted([b"before", b"waited before", b"waited", b"after"])
    assert len(keys) == len(set(keys))


def _write_when_possible(writer: Writer, key: bytes) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            writer.write("t", key, b"v")
        except LogUnavailable:
            continue
        return
