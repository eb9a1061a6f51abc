"""A city: departments, node and approval systems as real processes on a real Kafka, with handles for faults.

    with City(directory, broker, seed) as city:      # everything runs and is complete
        city.kill("ingest")                          # kill -9; started again at once, as by an init system
        city.hold("serve-1"); city.release("serve-1")
        city.kill_at_random("ingest")                # … at a random instant of its life, drawn from the seed
        city.kill_broker(); city.start_brokers()
        city.freeze_broker(20)
        city.settle()                                # until all that the departments have was published, ingested,
                                                     # answered and published by the audit logs; feeds are complete
        city.evidence()                              # what is where now, for the checker

Processes by name: `ingest`, `serve-1`, `serve-2`, and each adapter's id (`ADAPTERS`). `city.layout` has every path;
`city.environment[name]` are variables for the next start of a process; `city.sources[adapter]` the exports, which
change all the time unless `city.still` is set.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from random import Random
from typing import Self

import apsw

from gateway.demo.processes import command
from tests.e2e.faults.evidence import (
    Found,
    Stored,
    Stream,
    Topic,
    offsets,
    opened_file,
    read_logs,
    read_outbox,
    read_store,
    read_topics,
    signatory,
    topic_ends,
)
from tests.e2e.faults.layout import APPS, DEPARTMENTS, LOOK_EVERY_S, PREFIX, Department, Slot, prepare
from tests.e2e.faults.ledger import published_size
from tests.e2e.faults.load import TYPES, Answer, Asker, Load, Question
from tests.e2e.faults.sources import PERSONS, Source, version_of
from tests.e2e.faults.supervisor import Supervised
from tests.e2e.kafka.broker import QUICK, Broker

PATIENCE_S = 240.0
# A broker that was killed may register again once its former session has ended: nine seconds by default.
PROPERTIES = (*QUICK, "broker.session.timeout.ms=3000", "broker.heartbeat.interval.ms=1000")
LOOK_S = 0.05
CHURN_S = 0.25
CHURN_ROWS = 4
ADAPTERS = tuple(one.adapter for one in DEPARTMENTS)
SERVES = ("serve-1", "serve-2")


class City:
    """See the module. `broker` runs already and is not stopped here."""

    def __init__(self, directory: Path, broker: Broker, seed: int) -> None:
        self.broker, self.chance = broker, Random(seed)
        self.layout = prepare(directory, broker.section(PREFIX))
        self.sources = {one.adapter: Source(self.layout.export(one), one.table) for one in DEPARTMENTS}
        self.environment: dict[str, Mapping[str, str]] = {}
        self.processes = {name: self._supervised(name, line) for name, line in self._commands().items()}
        self.load = Load(self.layout, seed)
        self.still = threading.Event()
        self._ended = threading.Event()
        self._churn = threading.Thread(target=self._churn_sources, args=(Random(seed + 1),), daemon=True)
        self._askers = [Asker(self.layout, slot, APPS[0], "settle") for slot in self.layout.slots]

    def __enter__(self) -> Self:
        for source in self.sources.values():
            source.fill()
        for process in self.processes.values():
            process.start()
        self.load.start()
        self._churn.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._churn.join()
        self.load.stop()
        for asker in self._askers:
            asker.close()
        for process in reversed(self.processes.values()):
            process.stop()

    # --- processes -------------------------------------------------------------------------------------------

    def kill(self, name: str) -> bool:
        """kill -9, then wait for the next life to begin; whether it was alive."""
        return self.processes[name].kill()

    def kill_at_random(self, name: str) -> None:
        """kill -9 at a random instant: some while it starts, most in the middle of its work."""
        while True:
            if self.chance.random() < 0.75:
                self.wait_for(f"{name} to work", self.works(name))
            self.wait(self.chance.uniform(0, 0.6))
            if self.kill(name):
                return

    def hold(self, name: str) -> None:
        """End it and leave it ended until `release`."""
        self.processes[name].hold()

    def release(self, name: str) -> None:
        self.processes[name].release()

    def unexpected_ends(self) -> Mapping[str, int]:
        """How often processes ended that nobody ended."""
        counts = {name: len(process.unexpected()) for name, process in self.processes.items()}
        return {name: count for name, count in counts.items() if count}

    # --- brokers ---------------------------------------------------------------------------------------------

    def broker_pid(self, node: int = 0) -> int:
        return int((self.broker.directory / f"node-{node}" / "pid").read_text())

    def signal_broker(self, number: int, node: int = 0) -> None:
        """A signal to one broker, kafka.sh's own process."""
        os.kill(self.broker_pid(node), number)

    def kill_broker(self, node: int = 0) -> None:
        """kill -9, and wait until it is gone."""
        pid = self.broker_pid(node)
        os.kill(pid, signal.SIGKILL)
        self.wait_for("the broker to end", lambda: not _runs(pid))

    def start_brokers(self) -> None:
        """Start those that do not run; returns when they are ready."""
        self.broker.start(PROPERTIES)

    def freeze_broker(self, seconds: float, node: int = 0) -> None:
        """SIGSTOP for so long."""
        self.signal_broker(signal.SIGSTOP, node)
        try:
            self.wait(seconds)
        finally:
            self.signal_broker(signal.SIGCONT, node)

    # --- waiting ---------------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Let time pass: a part of a fault, never instead of a condition."""
        self._ended.wait(seconds)

    def wait_for(self, what: str, condition: Callable[[], object], seconds: float = PATIENCE_S) -> None:
        """Until `condition`; an error that names `what` after `seconds`."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
            self._ended.wait(LOOK_S)

    def settle(self, seconds: float = PATIENCE_S) -> None:
        """Until everything is where it belongs (see the module). The sources stand still from here on."""
        self.still.set()
        marks = {one.adapter: self.sources[one.adapter].mark() for one in DEPARTMENTS}
        for asker in self._askers:
            self.wait_for("the last change to be shown", partial(self._shows, asker, marks), seconds)
        for one in DEPARTMENTS:
            self.wait_for(f"{one.adapter} to empty its outbox", partial(self._all_sent, one), seconds)
        self.wait_for("ingest to read all", self.all_read, seconds)
        self.load.ask([Question(kind, number) for kind in TYPES for number in range(PERSONS)], seconds)

    def go_on(self) -> None:
        """The sources change again."""
        self.still.clear()

    def evidence(self) -> Found:
        """What is where, once the logs have published what clients were told; to be called after `settle`."""
        answers = self.load.take()
        needed = {slot.name: -1 for slot in self.layout.slots}
        for answer in answers:
            if "receipt" in answer.body:
                needed[answer.slot] = max(needed[answer.slot], answer.body["receipt"]["index"])
        for slot in self.layout.slots:
            there = partial(self._published, slot, needed[slot.name])
            self.wait_for(f"{slot.name} to publish its log", there)
        return self._found(answers)

    def _found(self, answers: tuple[Answer, ...]) -> Found:
        topics, rejects = read_topics(self.broker.bootstrap, self.layout)
        stored = read_store(self.layout.store, self.layout.keys / "store.key")
        streams = tuple(self._stream(one, topics[one.adapter], stored[one.adapter]) for one in DEPARTMENTS)
        return Found(streams, read_logs(self.layout), answers, rejects)

    def _stream(self, one: Department, topic: Topic, stored: Stored) -> Stream:
        source = self.sources[one.adapter]
        removed = {number: tuple(versions) for number, versions in source.removed.items()}
        outbox, key = read_outbox(self.layout.outbox(one)), signatory(self.layout, one)
        return Stream(one, key, source.now(), removed, outbox, topic, stored)

    # --- conditions ------------------------------------------------------------------------------------------

    def works(self, name: str) -> Callable[[], bool]:
        """A condition: this process has done some work from now on."""
        if name in SERVES:
            now = time.monotonic()
            return lambda: self.load.answered(name, now)
        measure = self._ingested if name == "ingest" else partial(self._given, DEPARTMENTS[ADAPTERS.index(name)])
        before = measure()
        return lambda: measure() > before

    def _ingested(self) -> int:
        return sum(offsets(self.layout.store).values())

    def _given(self, one: Department) -> int:
        return _number(self.layout.outbox(one), "SELECT coalesce(sum(next_seq), 0) FROM streams")

    def _all_sent(self, one: Department) -> bool:
        return _number(self.layout.outbox(one), "SELECT count(*) FROM pending") == 0

    def all_read(self) -> bool:
        """Whether ingest has read every topic to its end."""
        return offsets(self.layout.store) == topic_ends(self.broker.bootstrap)

    def _shows(self, asker: Asker, marks: Mapping[str, int]) -> bool:
        """Whether everybody's row of person 0 is shown as last changed, in complete feeds."""
        return all(self._shows_type(asker, kind, marks) for kind in TYPES)

    def _shows_type(self, asker: Asker, kind: str, marks: Mapping[str, int]) -> bool:
        answer = asker.ask(Question(kind, 0))
        if answer is None or answer.status != 200:
            return False
        versions = sorted(version_of(one["document"]["name"]) for one in answer.body["evidence"] if one["document"])
        wanted = sorted(marks[one.adapter] for one in DEPARTMENTS if one.table.evidence_type == kind)
        return versions == wanted and answer.body["feed"]["state"] == "complete"

    def _published(self, slot: Slot, index: int) -> bool:
        return published_size(self.layout.audit(slot)) > index

    # --- what runs -------------------------------------------------------------------------------------------

    def _commands(self) -> Mapping[str, Sequence[str]]:
        layout, oncegate = self.layout, command("oncegate")
        serves = {slot.name: (oncegate, "serve", "--config", str(layout.node_config(slot))) for slot in layout.slots}
        look = ("--watch", str(LOOK_EVERY_S), "--json")
        adapters = {
            one.adapter: (command("oncegate-adapter"), "run", str(layout.adapter_config(one)), *look)
            for one in DEPARTMENTS
        }
        return {
            "ingest": (oncegate, "ingest", "--config", str(layout.node_config(layout.slots[0]))),
            **serves,
            **adapters,
        }

    def _supervised(self, name: str, line: Sequence[str]) -> Supervised:
        return Supervised(name, line, self.layout.logs / f"{name}.log", lambda: self.environment.get(name, {}))

    def _churn_sources(self, chance: Random) -> None:
        while not self._ended.wait(CHURN_S):
            if not self.still.is_set():
                self.sources[chance.choice(ADAPTERS)].churn(chance, CHURN_ROWS)


def _number(path: Path, query: str) -> int:
    """What an outbox says; -1 while there is none."""
    try:
        with closing(opened_file(path)) as db:
            return int(db.execute(query).get)
    except apsw.Error:
        return -1


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
