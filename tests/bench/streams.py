"""Many small departments: one ingest node, thousands of streams, each with a topic of its own.

A city of `STREAMS` adapters is made: their topics by `create_missing`, as `oncegate topics apply` does it, and in each
`RECORDS` licences and a full feed statement. Then a process of its own ingests (`tests.bench.stream_node`), and four
things are measured: how soon all streams are complete, what the process costs while nothing happens, how soon a new
record can be looked up, and what the process needs of memory.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from contracts.edge.config import parse_toml
from contracts.edge.transport import Transport, Writer, open_transport
from gateway.ingest.state import COMPLETE, feed_state
from gateway.store.database import StoreAbsent
from gateway.store.reader import Reader
from gateway.topics import create_missing, topics_of
from tests.bench import town
from tests.bench.processes import cpu_seconds, resident_mb
from tests.bench.result import Result
from tests.e2e.kafka.broker import running

STREAMS = 2_000
RECORDS = 5
IDLE_S = 20.0
QUESTIONS = 40
PATIENCE_S = 300.0

Facts = dict[str, float | str]


def kafka(streams: int = STREAMS) -> Iterator[Result]:
    """The promises, on one broker of real Kafka."""
    with (
        tempfile.TemporaryDirectory(prefix="oncegate-bench-") as directory,
        running(Path(directory) / "kafka", properties=()) as one,
    ):
        yield from _measured("streams_kafka", Path(directory), one.section("bench."), streams)


def embedded(streams: int = STREAMS) -> Iterator[Result]:
    """The same on the embedded log."""
    with tempfile.TemporaryDirectory(prefix="oncegate-bench-") as directory:
        yield from _measured("streams_embedded", Path(directory), 'kind = "embedded"\ndirectory = "log"\n', streams)


def _measured(name: str, directory: Path, log: str, streams: int) -> Iterator[Result]:
    config = directory / "log.toml"
    config.write_text(log)
    transport = open_transport(parse_toml(log, config))
    facts: Facts = {"streams": streams}
    with transport.writer() as writer:
        facts |= _filled(transport, writer, streams)
        with _node(directory, config, streams) as node:
            caught_up = node.until_complete(streams)
            facts["caught_up_cpu_s"] = cpu_seconds(node.process.pid)
            idle = node.idle()
            delays = sorted(_delay(node, writer, number, streams) for number in range(QUESTIONS))
            facts |= {"memory_mb": resident_mb(node.process.pid), "median_visible_s": median(delays)}
    yield Result(f"{name}_caught_up", caught_up, 15.0, 1.0, "s", at_most=True, facts=facts)
    yield Result(f"{name}_idle", idle, 0.10, 1.0, "of a core", at_most=True)
    yield Result(f"{name}_visible", delays[-1], 1.0, 1.0, "s at the worst", at_most=True)


def _filled(transport: Transport, writer: Writer, streams: int) -> Facts:
    began = time.perf_counter()
    created = len(create_missing(transport, town.registry(streams)))
    made = time.perf_counter()
    if created < streams or created != len(topics_of(town.registry(streams))):
        raise RuntimeError(f"{created} topics were made: no figure")
    for number in range(streams):
        writer.write_many(town.stream(number).topic, town.entries(number, RECORDS))
    return {"topics_created_s": made - began, "first_writes_s": time.perf_counter() - made}


def _delay(node: "_Node", writer: Writer, question: int, streams: int) -> float:
    """Seconds from the call that writes a record until a lookup finds it."""
    number = question * 7919 % streams
    entry = town.entry(number, RECORDS + 1)
    began = time.perf_counter()
    writer.write(town.stream(number).topic, *entry)
    token = node.reader.token_for_field(town.TYPE, "unified_social_credit_code", town.code(number, RECORDS + 1))
    node.until(lambda: len(node.reader.find(town.TYPE.id, token)) == 1, pause_s=0.002)
    return time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class _Node:
    process: "subprocess.Popen[bytes]"
    store: Path
    reader: Reader
    began: float

    def until_complete(self, streams: int) -> float:
        """Seconds from the start of the process until every stream is complete."""
        self.until(lambda: self._complete() == streams, pause_s=0.1)
        return time.perf_counter() - self.began

    def idle(self) -> float:
        """Processor time by the clock's time, once what came with the start is over."""
        time.sleep(2.0)
        spent, began = cpu_seconds(self.process.pid), time.perf_counter()
        time.sleep(IDLE_S)
        return (cpu_seconds(self.process.pid) - spent) / (time.perf_counter() - began)

    def until(self, condition: Callable[[], bool], pause_s: float) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the node did not get there: no figure")
            time.sleep(pause_s)

    def _complete(self) -> int:
        now = int(time.time())
        return sum(feed_state(state, now).state == COMPLETE for _, state in self.reader.all_streams())


@contextmanager
def _node(directory: Path, config: Path, streams: int) -> Iterator[_Node]:
    store = directory / "store.db"
    began = time.perf_counter()
    command = [sys.executable, "-m", "tests.bench.stream_node", str(config), str(store), str(streams)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        with _opened(store, process) as reader:
            yield _Node(process, store, reader, began)
    finally:
        process.terminate()
        process.wait(30)


def _opened(store: Path, process: "subprocess.Popen[bytes]") -> Reader:
    deadline = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(StoreAbsent):
            return Reader(store, town.KEK)
        time.sleep(0.02)
    raise RuntimeError("the node did not start: no figure")
