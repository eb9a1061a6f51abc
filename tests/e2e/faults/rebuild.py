"""Compaction forced on the broker, then a second store from what is left: the same rows, the same digests, complete.

1. The topics' settings are those of a test: no lag, segments of half a second. While the sources change, segments roll
   and the cleaner comes, until no key below the old end stands twice.
2. A full statement can be recomputed as long as what it covers is there; the compaction lag of three days sees to that
   (design: "Compaction"). Without a lag each department has to make a new one: `oncegate-adapter run --full`.
3. The second store belongs to a second node configuration; `oncegate ingest` fills it from the topics' start.
"""

import hashlib
import json
import subprocess
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from gateway.demo.processes import command
from tests.e2e.faults.city import City
from tests.e2e.faults.evidence import Stored, StoreRow, offsets, read_store, read_topics, topic_ends, topic_keys
from tests.e2e.faults.layout import DEPARTMENTS, Department, current_store, node_config
from tests.e2e.faults.supervisor import Supervised

AT_ONCE = {"min.compaction.lag.ms": "0", "min.cleanable.dirty.ratio": "0.0", "segment.ms": "500"}
BUCKETS = 256


class Rebuilt(NamedTuple):
    """Both stores by adapter, the buckets of the newest full statements, what the product says of the second node,
    and how many records the topics had before and after."""

    old: Mapping[str, Stored]
    new: Mapping[str, Stored]
    stated: Mapping[str, tuple[str, ...]]
    status: Mapping[str, str]
    before: int
    after: int


def rebuild(city: City, root: Path) -> Rebuilt:
    """Compact, state in full, and build a second store in `root`. The adapters are held afterwards."""
    before = _length(city)
    compact(city)
    state_in_full(city)
    config = root / "second.toml"
    config.write_text(node_config(city.layout, city.layout.slots[0], root / "data", city.layout.keys), "utf-8")
    _ingest(city, config, root)
    key = city.layout.keys / "store.key"
    topics, _ = read_topics(city.broker.bootstrap, city.layout)
    stated = {name: [one.buckets for one in topic.statements if one.buckets][-1] for name, topic in topics.items()}
    old, new = read_store(city.layout.store, key), read_store(current_store(root / "data"), key)
    return Rebuilt(old, new, stated, _status(config), before, _length(city))


def compact(city: City) -> None:
    """Rule 1."""
    admin = KafkaAdminClient(bootstrap_servers=city.broker.bootstrap)
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, one.topic, configs=AT_ONCE) for one in DEPARTMENTS])
    admin.close()
    ends = topic_ends(city.broker.bootstrap)
    city.go_on()
    for one in DEPARTMENTS:
        clean = partial(_is_clean, city.broker.bootstrap, one, ends[one.adapter])
        city.wait_for(f"{one.topic} to be cleaned", clean)
    city.settle()


def _is_clean(bootstrap: str, one: Department, end: int) -> bool:
    keys = [key for offset, key in topic_keys(bootstrap, one) if offset < end]
    return len(set(keys)) == len(keys)


def state_in_full(city: City) -> None:
    """Rule 2."""
    for one in DEPARTMENTS:
        city.hold(one.adapter)
        line = [command("oncegate-adapter"), "run", str(city.layout.adapter_config(one)), "--full", "--json"]
        report = json.loads(subprocess.run(line, check=True, capture_output=True).stdout)
        assert report["streams"][0]["statement"] == "full", report
    city.wait_for("the first store to read the statements", city.all_read)


def _ingest(city: City, config: Path, root: Path) -> None:
    """Rule 3."""
    line = (command("oncegate"), "ingest", "--config", str(config))
    second = Supervised("second ingest", line, root / "second.log")
    second.start()
    try:
        ends = topic_ends(city.broker.bootstrap)
        city.wait_for("the second store", lambda: offsets(current_store(root / "data")) == ends)
    finally:
        second.stop()


def _status(config: Path) -> Mapping[str, str]:
    """The state of each adapter's stream, as `oncegate status` has it."""
    line = [command("oncegate"), "status", "--config", str(config), "--json"]
    told = json.loads(subprocess.run(line, check=True, capture_output=True).stdout)
    return {one["stream"]["adapter"]: one["state"] for one in told["streams"]}


def _length(city: City) -> int:
    return sum(len(topic_keys(city.broker.bootstrap, one)) for one in DEPARTMENTS)


def buckets(rows: Mapping[str, StoreRow], epoch: int) -> tuple[str, ...]:
    """The 256 digests over what is live in `epoch` (design: "Feed statement")."""
    lines: list[list[bytes]] = [[] for _ in range(BUCKETS)]
    name = next(iter(rows.values())).identity.partition(":")[0]
    for record, row in rows.items():
        if row.epoch == epoch and row.condition in ("live", "rejected"):
            text = f"{record} {row.epoch} {row.seq} {row.identity}\n".encode()
            lines[_digest(name, record.encode())[0]].append(text)
    return tuple(f"{name}:{_digest(name, b''.join(sorted(bucket))).hex()}" for bucket in lines)


def _digest(name: str, data: bytes) -> bytes:
    return hashlib.new(name.replace("-", ""), data).digest()
