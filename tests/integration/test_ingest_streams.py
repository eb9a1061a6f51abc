"""Many small departments on one node: each has a stream, a few records and a full statement among all the others'."""

import time
from pathlib import Path

from contracts.edge.transport.embedded import embedded
from gateway.ingest.run import Ingest, IngestParts, ingest_once
from gateway.ingest.state import COMPLETE, feed_state
from gateway.store.reader import Reader
from gateway.topics import create_missing
from tests.bench import town
from tests.bench.ingest import parts_of

STREAMS, RECORDS = 60, 3


def test_statements_in_the_midst_of_others_batches_leave_every_stream_complete(tmp_path: Path) -> None:
    parts = _town(tmp_path)
    counts = ingest_once(parts)
    assert (counts.accepted, counts.statements, counts.refused) == (STREAMS * RECORDS, STREAMS, {})
    # Each batch holds many streams; one that a statement ends is written, and the rest is not looked up anew.
    assert counts.batches <= STREAMS + 2
    with Reader(parts.store, town.KEK) as reader:
        now = int(time.time())
        assert {feed_state(state, now).state for _, state in reader.all_streams()} == {COMPLETE}
        assert len(list(reader.logical_rows())) == STREAMS * RECORDS


def test_a_second_node_has_the_same_rows(tmp_path: Path) -> None:
    parts = _town(tmp_path)
    one, two = parts.store, tmp_path / "two.db"
    ingest_once(parts)
    second = Ingest(_into(parts, two))
    second.follow_registry()
    while second.step(0.0):
        pass
    second.close()
    with Reader(one, town.KEK) as left, Reader(two, town.KEK) as right:
        assert list(left.logical_rows()) == list(right.logical_rows())
        assert left.all_streams() == right.all_streams()


def _town(directory: Path) -> IngestParts:
    log, registry = embedded(directory / "log"), town.registry(STREAMS)
    assert len(create_missing(log, registry)) == 3 * STREAMS + 3
    with log.writer() as writer:
        for number in range(STREAMS):
            writer.write_many(town.stream(number).topic, town.entries(number, RECORDS))
    return parts_of(log, directory / "one.db", registry)


def _into(parts: IngestParts, store: Path) -> IngestParts:
    return parts_of(parts.transport, store, parts.registry())
