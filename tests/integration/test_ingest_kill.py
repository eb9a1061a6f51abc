"""kill -9 of a real ingest process at random instants: nothing lost, nothing twice, every reject there.

As a program (`python -m tests.integration.test_ingest_kill DIRECTORY`) this file is that process.
"""

import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from contracts import feeds
from contracts.edge.transport.embedded import embedded
from contracts.feeds import LiveRecord
from contracts.rejects import rejects_topic
from contracts.streams import Position
from gateway.ingest import run
from gateway.ingest.run import IngestParts, ingest_once, run_ingest
from gateway.ingest.state import COMPLETE, feed_state
from gateway.store.database import StoreAbsent
from gateway.store.reader import Reader
from gateway.topics import UNVERIFIED_TOPIC, create_missing
from tests.unit.gateway.ingest import world

KEK = bytes(32)
MESSAGES = 900
KILLS = 5
ROOT = Path(__file__).parents[2]


def parts(directory: Path, store: str) -> IngestParts:
    registry = world.registry()
    return IngestParts(
        transport=embedded(directory / "log"),
        store=directory / store,
        store_kek=KEK,
        zone=world.ZONE,
        zone_keys=(world.ZONE_KEY,),
        node_id="node-1",
        node_key=world.NODE_KEY,
        registry=lambda: registry,
        clock=lambda: 0,
    )


def entries() -> Iterator[tuple[bytes, bytes, bool]]:
    """(log key, value, whether it is refused): states of 300 records, one in 10 invalid, one in 15 garbage."""
    live: dict[str, LiveRecord] = {}
    seq = 0
    for number in range(MESSAGES):
        if number % 15 == 7:
            yield b"garbage-%d" % number, b"nothing that opens %d" % number, True
            continue
        seq += 1
        record, bad = f"r{number % 300}", number % 10 == 3
        content = world.invalid_document(number) if bad else world.document(number)
        data = world.message(record, 1, seq, content=content)
        identity = world.SUITE.digest_text(data.split(b"~")[0].rpartition(b".")[0])
        live[record] = LiveRecord(record, Position(1, seq), identity)
        yield record.encode(), world.enveloped(data), bad
    statement = world.statement(1, seq, list(live.values()), full=True)
    yield statement.log_key, world.enveloped(feeds.seal(statement, world.ADAPTER_KEY)), False


def progress(store: Path) -> int:
    """The highest number in the store."""
    try:
        with Reader(store, KEK) as reader:
            return max((state.head.seq for _, state in reader.all_streams()), default=0)
    except StoreAbsent:
        return 0


def start(directory: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.integration.test_ingest_kill", str(directory)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)


def kill_when(process: "subprocess.Popen[bytes]", store: Path, target: int, later_s: float) -> None:
    """kill -9 once the store has come to `target`, and a moment more."""
    while progress(store) < target:
        assert process.poll() is None, "ingest ended by itself"
    try:
        process.wait(later_s)
    except subprocess.TimeoutExpired:
        process.kill()
    assert process.wait(10) == -9


def rejects(directory: Path) -> list[bytes]:
    keys: list[bytes] = []
    for topic in (UNVERIFIED_TOPIC, rejects_topic("market-1")):
        with embedded(directory / "log").reader() as reader:
            reader.assign({topic: 0})
            keys += [record.key for record in reader.read(10_000, 0)]
    return keys


def test_kill_9_at_random_instants(tmp_path: Path) -> None:
    chance = random.Random()
    log = embedded(tmp_path / "log")
    create_missing(log, world.registry())
    planted = list(entries())
    with log.writer() as writer:
        writer.write_many(world.STREAM.topic, [(key, value) for key, value, _ in planted])
    store = tmp_path / "store.db"
    targets = sorted(chance.randrange(1, MESSAGES * 3 // 4) for _ in range(KILLS))
    for target in targets:
        kill_when(start(tmp_path), store, target, chance.uniform(0, 0.05))
    ingest_once(parts(tmp_path, "store.db"))
    expected = {f"{world.STREAM.topic}@{offset}".encode() for offset, (_, _, bad) in enumerate(planted) if bad}
    assert set(rejects(tmp_path)) == expected
    ingest_once(parts(tmp_path, "undisturbed.db"))
    with Reader(store, KEK) as killed, Reader(tmp_path / "undisturbed.db", KEK) as undisturbed:
        assert list(killed.logical_rows()) == list(undisturbed.logical_rows())
        assert killed.all_streams() == undisturbed.all_streams()
        assert killed.refusals() == undisturbed.refusals()
        assert killed.rejects_pending() == 0
        state = dict(killed.all_streams())[world.STREAM]
    assert feed_state(state, 0).state == COMPLETE


if __name__ == "__main__":
    run.MAX_BATCH = 20  # many transactions, so that a kill hits between, in and after them
    run_ingest(parts(Path(sys.argv[1]), "store.db"), threading.Event())
