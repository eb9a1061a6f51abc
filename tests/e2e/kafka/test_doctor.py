"""`oncegate doctor` on a real secured cluster: rights lacking and in excess, settings that lose, a wrong login."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from contracts.edge.doctor.cluster import TESTED
from gateway.demo.layout import Layout
from gateway.demo.message_log import MessageLog
from gateway.doctor.run import doctor
from tests.e2e.kafka.broker import Broker, kafka_sh
from tests.integration.doctor_world import found_by, lay_out

PREFIX = "doctor."
TOPIC = "evidence.cn.business-licence.market-regulation-1"
OPERATIONS = ("Read", "Describe", "DescribeConfigs")
Findings = dict[str, list[tuple[str, str, str]]]


@pytest.fixture(scope="module")
def city(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """A node's installation on the cluster, laid out by the administrator."""
    table = {
        "kind": "kafka",
        "bootstrap": broker.bootstrap,
        "prefix": PREFIX,
        "security": "sasl_tls",
        "ca_file": str(broker.directory / "tls" / "ca.crt"),
        "sasl_mechanism": "SCRAM-SHA-512",
        "username": "admin",
        "password_file": str(broker.directory / "secrets" / "admin.password"),
    }
    yield lay_out(tmp_path_factory.mktemp("doctor"), MessageLog(table=table))
    kafka_sh("tool", "--dir", str(broker.directory), "topics", "--delete", "--topic", PREFIX.replace(".", r"\.") + ".*")


def examined(layout: Layout, **changes: str) -> Findings:
    """What the doctor says with some values of the configuration changed."""
    text = layout.node_config.read_text("utf-8")
    for old, new in changes.items():
        text = text.replace(old, new)
    path = layout.node_config.with_name("examined.toml")
    path.write_text(text, "utf-8")
    return found_by(doctor(path))


def as_user(broker: Broker, layout: Layout, user: str) -> Findings:
    return examined(layout, **{'"admin"': f'"{user}"', "admin.password": f"{user}.password"})


def test_an_administrator_is_permitted_too_much(city: Layout) -> None:
    found = examined(city)
    assert {one[0] for one in found["log"]} == {"ok"}
    assert f"Kafka {TESTED[0]}" in {one[1] for one in found["log"]}
    assert [one[0] for one in found["topics"]] == ["warning"]  # one replica, said once for all topics
    assert {one[0] for one in found["rights"]} == {"warning"}
    assert any("Alter/AlterConfigs/Delete/Write" in one[1] for one in found["rights"])


def test_a_node_without_rights_and_with_its_own(broker: Broker, city: Layout) -> None:
    def grant(resource: str, operations: tuple[str, ...], kind: str = "prefixed") -> None:
        words = [word for one in operations for word in ("--operation", one)]
        where = ("--topic", resource, "--resource-pattern-type", kind)
        kafka_sh(
            "tool",
            "--dir",
            str(broker.directory),
            "acls",
            "--add",
            "--allow-principal",
            "User:oncegate",
            *words,
            *where,
        )

    found = as_user(broker, city, "oncegate")
    assert found["registry"][0][0] == "failed"
    grant(PREFIX, OPERATIONS)
    found = as_user(broker, city, "oncegate")
    assert found["registry"][0][0] == "ok"
    [(level, what, remedy)] = found["rights"]
    assert level == "failed"
    assert what.startswith("Not permitted to Write: rejects.")
    assert "topics plan" in remedy
    grant(PREFIX + "rejects.", ("Write",))
    grant(PREFIX + "requests.", ("Write",))
    [(level, what, _)] = as_user(broker, city, "oncegate")["rights"]
    assert (level, what) == ("failed", "Not permitted to Write: supervision")
    grant(PREFIX + "supervision", ("Write",), "literal")
    assert [one[0] for one in as_user(broker, city, "oncegate")["rights"]] == ["ok"]
    grant(PREFIX + TOPIC, ("Write",), "literal")
    [(level, what, _)] = as_user(broker, city, "oncegate")["rights"]
    assert (level, what) == ("warning", f"Permitted more than is needed, Write: {TOPIC}")


def test_a_setting_that_loses_is_named(broker: Broker, city: Layout) -> None:
    with KafkaAdminClient(
        bootstrap_servers=broker.bootstrap,
        security_protocol="SASL_SSL",
        ssl_cafile=str(broker.directory / "tls" / "ca.crt"),
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username="admin",
        sasl_plain_password=(broker.directory / "secrets" / "admin.password").read_text().strip(),
    ) as admin:
        settings = {"cleanup.policy": "delete"}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, PREFIX + TOPIC, configs=settings)])
    failed = [one for one in examined(city)["topics"] if one[0] == "failed"]
    assert (
        "failed",
        "cleanup.policy=delete would drop records that must stay",
        "Set cleanup.policy=compact.",
    ) in failed


def test_a_wrong_password_and_a_wrong_authority(broker: Broker, city: Layout, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.password"
    wrong.write_text("not this one")
    wrong.chmod(0o600)
    found = examined(city, **{str(broker.directory / "secrets" / "admin.password"): str(wrong)})
    assert any(level == "failed" and "refuses the login" in what for level, what, _ in found["log"]), found["log"]
    assert found["topics"][0][1] == "Not examined: there is no usable registry"
    other = str(city.certificate("tls"))
    found = examined(city, **{str(broker.directory / "tls" / "ca.crt"): other})
    assert any(level == "failed" and "is not trusted" in what for level, what, _ in found["log"])


def test_a_cluster_that_is_away(broker: Broker, city: Layout) -> None:
    """Port 9 of loopback: nobody answers there."""
    found = examined(city, **{broker.bootstrap: "127.0.0.1:9"})
    assert found["log"][0][0] == "failed"
    assert "does not answer" in found["log"][0][1]
    found = examined(city, **{broker.bootstrap: f"{broker.bootstrap},127.0.0.1:9"})
    assert [one[0] for one in found["log"]] == ["ok", "warning", "ok"]
