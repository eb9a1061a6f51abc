"""Ingest per core: open, verify, validate with identifier formats, seal, store; the real log and store on disk.

One thread on one core takes new business licences (12 fields, 2 holders each; `tests.bench.corpus`) into an empty
store. All rates are per second of processor time, whatever thread spends it; the rate by the clock, which waits for
the disk too, stands beside it.

`ingest_ratio`: from the embedded log. The yardstick, bare ES256 verifications, is measured on the same core in turns
with it, so that a busy machine slows both. `kafka_ratio`: the same messages from a real broker, in turns with the
embedded log; the broker has the rest of the machine.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from contracts.edge.config import parse_toml
from contracts.edge.transport import Transport, open_transport
from contracts.registry.snapshot import Snapshot
from gateway.ingest.run import Ingest, IngestParts
from gateway.topics import create_missing
from tests.bench.corpus import corpus, corpus_values
from tests.bench.result import Result
from tests.e2e.kafka.broker import running
from tests.unit.gateway.ingest import world

MESSAGES = 20_000
TURNS = 10
PROMISED = 0.35
KAFKA_TURNS = 5
PROMISED_KAFKA = 0.9


def ingest_ratio(messages: int = MESSAGES) -> Result:
    """Messages into the store, and bare verifications, per second of one core in the same run."""
    log = corpus(messages)
    with one_core(), tempfile.TemporaryDirectory(prefix="oncegate-bench-") as directory:
        ingest = Ingest(parts_of(log, Path(directory) / "store.db"))
        ingest.follow_registry()
        spent, waited, verified, verifying, taken = 0.0, 0.0, 0, 0.0, 0
        for turn in range(1, TURNS + 1):
            start, began = time.process_time(), time.perf_counter()
            while taken < messages * turn // TURNS:
                taken += ingest.step(0.0)
            spent, waited = spent + time.process_time() - start, waited + time.perf_counter() - began
            count, seconds = _yardstick(0.2)
            verified, verifying = verified + count, verifying + seconds
        ingest.close()
    _require(ingest, messages)
    facts = {"messages": float(messages), "by_the_clock_per_s": messages / waited}
    return Result(
        "ingest", messages / spent, verified / verifying, PROMISED, "messages per second of a core", facts=facts
    )


def kafka_ratio(messages: int = MESSAGES, turns: int = KAFKA_TURNS) -> Result:
    """Messages into the store per second of one core: from Kafka, and from the embedded log."""
    embedded = corpus(messages)
    with (
        tempfile.TemporaryDirectory(prefix="oncegate-bench-") as directory,
        running(Path(directory) / "kafka", properties=()) as one,
    ):
        kafka = open_transport(parse_toml(one.section("bench."), Path("bench.toml")))
        _copy(messages, kafka)
        with one_core():
            whole_pass(embedded, messages)  # the first one warms up what both use
            pairs = [(whole_pass(kafka, messages), whole_pass(embedded, messages)) for _ in range(turns)]
    (ours, ours_clock), (limit, limit_clock) = (
        [messages / median(passed[kind] for passed in passes) for kind in (0, 1)] for passes in zip(*pairs, strict=True)
    )
    facts: dict[str, float | str] = {
        "messages": float(messages),
        "by_the_clock_per_s": ours_clock,
        "embedded_by_the_clock_per_s": limit_clock,
        "ratio_by_the_clock": ours_clock / limit_clock,
    }
    return Result("ingest_kafka", ours, limit, PROMISED_KAFKA, "messages per second of a core", facts=facts)


def whole_pass(log: Transport, messages: int) -> tuple[float, float]:
    """All of the corpus into a new store: seconds of processor time, and by the clock."""
    with tempfile.TemporaryDirectory(prefix="oncegate-bench-") as directory:
        parts = parts_of(log, Path(directory) / "store.db")
        start, began = time.process_time(), time.perf_counter()
        ingest = Ingest(parts)
        taken = 0
        while taken <= messages:  # the statement is one more
            taken += ingest.step(1.0)
        ingest.close()
        spent = time.process_time() - start, time.perf_counter() - began
    _require(ingest, messages)
    return spent


def _copy(messages: int, log: Transport) -> None:
    create_missing(log, world.registry())
    with log.writer() as writer:
        for entries in corpus_values(messages):
            writer.write_many(world.STREAM.topic, entries)


def _require(ingest: Ingest, messages: int) -> None:
    if ingest.counts.accepted != messages:
        raise RuntimeError(f"{messages - ingest.counts.accepted} messages were not accepted: no figure")


@contextmanager
def one_core() -> Iterator[None]:
    """This thread, and those that it begins, on one core only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _yardstick(seconds: float) -> tuple[int, float]:
    data = b"x" * 500
    key = world.ADAPTER_KEY
    signature = key.sign(data)
    count, start = 0, time.process_time()
    while (passed := time.process_time() - start) < seconds:
        for _ in range(100):
            key.public.verify(signature, data)
        count += 100
    return count, passed


def parts_of(log: Transport, store: Path, registry: Snapshot | None = None) -> IngestParts:
    """An ingest of the corpus' city, or of another registry of that zone."""
    listed = registry or world.registry()
    return IngestParts(
        transport=log,
        store=store,
        store_kek=KEK,
        zone=world.ZONE,
        zone_keys=(world.ZONE_KEY,),
        node_id="node-1",
        node_key=world.NODE_KEY,
        registry=lambda: listed,
        clock=lambda: time.time_ns() // 1_000_000,
    )


KEK = bytes(32)
