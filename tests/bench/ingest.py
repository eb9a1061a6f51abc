"""Ingest per core: open, verify, validate with identifier formats, seal, store; the real log and store on disk.

One thread on one core takes `MESSAGES` new business licences (12 fields, 2 holders each) from the embedded log. The
yardstick, bare ES256 verifications, is measured on the same core in turns with it, so that a busy machine slows both.
Both are rates per second of processor time; the rate by the clock, which waits for the disk too, stands beside it.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.edge.transport.embedded import EmbeddedTransport, embedded
from contracts.identifiers import credit_check_character, resident_check_digit
from gateway.ingest.run import Ingest, IngestParts
from gateway.topics import create_missing
from tests.bench.result import Result
from tests.unit.gateway.ingest import world

MESSAGES = 20_000
TURNS = 10
PROMISED = 0.35


def ingest_ratio(messages: int = MESSAGES) -> Result:
    """Messages into the store, and bare verifications, per second of one core in the same run."""
    with one_core(), tempfile.TemporaryDirectory(prefix="oncegate-bench-") as directory:
        parts = _parts(Path(directory))
        _publish(parts.transport, messages)
        ingest = Ingest(parts)
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
    if ingest.counts.accepted != messages:
        raise RuntimeError(f"{messages - ingest.counts.accepted} messages were not accepted: no figure")
    facts = {"messages": float(messages), "by_the_clock_per_s": messages / waited}
    return Result(
        "ingest", messages / spent, verified / verifying, PROMISED, "messages per second of a core", facts=facts
    )


@contextmanager
def one_core() -> Iterator[None]:
    """This thread on one core only."""
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


def _parts(directory: Path) -> IngestParts:
    registry = world.registry()
    log = embedded(directory / "log")
    create_missing(log, registry)
    return IngestParts(
        transport=log,
        store=directory / "store.db",
        store_kek=os.urandom(32),
        zone=world.ZONE,
        zone_keys=(world.ZONE_KEY,),
        node_id="node-1",
        node_key=world.NODE_KEY,
        registry=lambda: registry,
        clock=lambda: time.time_ns() // 1_000_000,
    )


def _publish(log: object, messages: int) -> None:
    if not isinstance(log, EmbeddedTransport):
        raise TypeError("this benchmark is about the embedded log")
    with log.writer() as writer:
        for first in range(1, messages + 1, 1000):
            numbers = range(first, min(first + 1000, messages + 1))
            writer.write_many(world.STREAM.topic, [_entry(number) for number in numbers])


def _entry(number: int) -> tuple[bytes, bytes]:
    record = f"rec-{number * 7919 % 1_000_003:07}"  # as random ids would come: in no order
    data = world.message(record, 1, number, content=licence(number))
    return record.encode(), world.enveloped(data, number)


def licence(number: int) -> dict[str, object]:
    """A whole business licence of its own holders."""
    first17 = f"91110105MA{number:07}"
    code = first17 + credit_check_character(first17)
    person17 = f"1101051980{1 + number % 12:02}{1 + number % 28:02}{number % 1000:03}"
    person = person17 + resident_check_digit(person17)
    holders = [{"scheme": "cn.uscc", "id": code}, {"scheme": "cn.ric", "id": person}]
    numbers = {"unified_social_credit_code": code, "legal_representative_id": person}
    return world.document(number, holders=holders, registered_capital_yuan=number, **numbers)


if __name__ == "__main__":
    result = ingest_ratio()
    print(f"{result.name}: {result.ours:.0f} / {result.limit:.0f} {result.unit} = {result.ratio:.2f}")
