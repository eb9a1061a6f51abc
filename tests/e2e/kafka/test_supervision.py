"""The feed to supervision on a real cluster: supervision reads it, verifies it, and cannot write it."""

from dataclasses import replace
from pathlib import Path

import pytest

from contracts.cloud_events import open_batch
from contracts.errors import UserError
from gateway.supervision import SUPERVISION_TOPIC
from gateway.supervision.settings import TOPIC_SINK
from gateway.topics import topics_of
from gateway.topics_check import Principals, commands, rights
from tests.e2e.kafka.broker import Broker
from tests.e2e.kafka.test_topics import _opened, _run
from tests.integration.serve_world import NODE_KEY, VEHICLE, build_city
from tests.integration.supervision_world import build_world
from tests.waiting import until

PREFIX = "supervised."
MIXED = 2000  # entries: several batches


def test_supervision_reads_what_the_log_holds_and_nothing_else(broker: Broker, tmp_path: Path) -> None:
    city = build_city(tmp_path / "city")
    city.store.told(VEHICLE)
    asked = [
        one
        for one in rights(city.registry, Principals(supervision="User:oncegate"))
        if one.principal == "User:oncegate"
    ]
    own = tuple(one for one in asked if one.topic == SUPERVISION_TOPIC and "Write" not in one.operations)
    topics = {SUPERVISION_TOPIC: topics_of(city.registry)[SUPERVISION_TOPIC]}
    for line in commands(topics, own, broker.bootstrap, PREFIX, replicas=1):
        _run(broker, line)
    world = replace(build_world(city, tmp_path / "feed"), transport=_opened(broker, PREFIX, tmp_path))
    with world.feeding(webhook=False) as feed:
        for number in range(MIXED):
            city.log.append_blocking(b'{"n":%d}' % number, b"{}")
        until(lambda: city.log.published.size == city.log.size and not feed.standing()[0].behind, timeout_s=120)
        assert feed.standing()[0].name == TOPIC_SINK
    supervision = _opened(broker, PREFIX, tmp_path, "oncegate")
    seen: list[int] = []
    with supervision.reader() as reader:
        reader.assign({SUPERVISION_TOPIC: reader.earliest(SUPERVISION_TOPIC)})
        while records := reader.read(500, 10.0):
            for record in records:
                events = open_batch(record.value or b"", {NODE_KEY.kid: NODE_KEY.public})
                seen += [event["data"]["index"] for event in events]
    assert seen == list(range(MIXED + 1))
    with supervision.writer() as writer, pytest.raises(UserError):
        writer.write(SUPERVISION_TOPIC, b"k", b"v")
    city.log.close()
