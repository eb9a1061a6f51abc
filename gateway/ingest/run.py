"""The ingest process: the one place that connects log, registry, decisions and store. It decides nothing.

1. Each stream that the registry lists is read from the offset in the store, or each of those evidence types that the
   node is configured to read. A new registry version adds and removes streams; one that is not valid any more pauses
   everything (closed, nothing is decided by it).
2. Records are taken in batches, as many as are there, at most `MAX_BATCH`; each batch is one transaction of records,
   states, offsets and rejects. A crash at any instant leaves the store at a batch's end, and the log gives the rest.
3. Rejects are in that transaction, and are written to the log after it. A crash between sends them at the next start:
   at least once, never lost. A topic that does not take them delays nothing else.
4. An offset that the log no longer has, or one of a topic that was deleted and perhaps made anew, stops the stream
   until the store is rebuilt; nothing is skipped, nothing is read from a place that means something else.
5. A store whose disk is full pauses everything: it is opened anew after a while, and goes on from its own offsets.
6. One thread. The only other times are the clock's, for cleaning a log without servers and for telling people that an
   erasure is held up.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from contracts.algorithms import SigningKey
from contracts.edge.sqlite_errors import as_system_errors
from contracts.edge.system_errors import no_room, remedy, why
from contracts.edge.transport import LogUnavailable, OffsetOutOfRange, Record, TopicUnknown, Transport
from contracts.envelope import Keyring
from contracts.errors import Fault
from contracts.hpke import UnwrapKey
from contracts.registry.snapshot import Snapshot
from contracts.streams import Stream
from gateway.ingest.folding import Counts, Feed, Folding, Node
from gateway.ingest.state import resumed
from gateway.store.writer import Batch, StreamRow, Writer

MAX_BATCH = 500
WAIT_S = 0.5  # for records, before the registry is asked again
PAUSE_S = 1.0  # after the log or the registry was away
MAX_PAUSE_S = 15.0  # while the disk is full
MAINTAIN_MS = 60_000

_log = structlog.get_logger("oncegate.ingest")


@dataclass(frozen=True, slots=True)
class IngestParts:
    """What ingest works with. `registry` gives the snapshot in force or raises `Fault`; `clock` Unix ms."""

    transport: Transport
    store: Path
    store_kek: bytes = field(repr=False)
    zone: str
    zone_keys: tuple[UnwrapKey, ...] = field(repr=False)
    node_id: str
    node_key: SigningKey = field(repr=False)
    registry: Callable[[], Snapshot]
    clock: Callable[[], int]
    sends_rejects: bool = True  # False: another ingest reads the same log and sends them
    evidence_types: frozenset[str] = frozenset()  # those that this node reads; none: all

    def streams(self, registry: Snapshot) -> Sequence[Stream]:
        """The streams of the registry that this node reads."""
        wanted = self.evidence_types
        return [stream for stream in registry.streams if not wanted or stream.evidence_type in wanted]


class RegistryClosed(Exception):
    """No snapshot is in force; the text is the fault's code. Nothing was read."""


def run_ingest(
    parts: IngestParts,
    stop: threading.Event,
    counts: Counts | None = None,
    replaced: Callable[[], bool] = lambda: False,
) -> None:
    """Ingest until `stop`, or until the store is `replaced` by another; the body of a process or a thread. `counts` is
    filled for metrics.

    Raises `UserError` (store locked, of another key or format), `Corrupt`, and OSError (the disk fails).
    """
    counts, pause = Counts() if counts is None else counts, PAUSE_S
    while not stop.is_set() and not replaced():
        before = counts.batches
        try:
            with as_system_errors(parts.store):
                _run(parts, stop, counts, replaced)
        except OSError as error:
            if not no_room(error):
                raise
            pause = PAUSE_S if counts.batches > before else min(2 * pause, MAX_PAUSE_S)
            _log.error("paused", reason=why(error).en, file=error.filename, remedy=remedy(error).en, seconds=pause)
            stop.wait(pause)


def _run(parts: IngestParts, stop: threading.Event, counts: Counts, replaced: Callable[[], bool]) -> None:
    ingest = Ingest(parts, counts)
    try:
        while not stop.is_set() and not replaced():
            try:
                ingest.step(WAIT_S)
            except (RegistryClosed, LogUnavailable) as error:
                _log.warning("paused", reason=str(error))
                stop.wait(PAUSE_S)
    finally:
        ingest.close()


def ingest_once(parts: IngestParts) -> Counts:
    """Ingest all that the log holds now, then end: for rebuilds and tests.

    Raises `RegistryClosed` and `LogUnavailable` too.
    """
    with as_system_errors(parts.store):
        return _read_all(parts)


def _read_all(parts: IngestParts) -> Counts:
    ingest = Ingest(parts)
    try:
        ingest.follow_registry()
        ends = ingest.ends()
        ingest.step(0.0)  # also when all was read before: a topic made anew may end where the old one did
        while not ingest.reached(ends):
            ingest.step(0.0)
        ingest.send_rejects()
        return ingest.counts
    finally:
        ingest.close()


class Ingest:
    """One ingest at work. For one thread."""

    def __init__(self, parts: IngestParts, counts: Counts | None = None) -> None:
        self._parts = parts
        self.counts = Counts() if counts is None else counts
        self._node = Node(parts.node_id, parts.node_key, Keyring(parts.zone_keys), parts.transport.rolls_after_ms)
        self._held_up: set[Stream] = set()
        self._registry: Snapshot | None = None
        self._feeds: dict[str, Feed] = {}  # by topic
        self._missing: frozenset[Stream] = frozenset()
        self._look_again = 0.0
        self._rejects_wait = True  # an earlier process may have left some
        self._maintained = 0
        with ExitStack() as opened:
            self._store = opened.enter_context(closing(Writer(parts.store, parts.store_kek)))
            self._reader = opened.enter_context(closing(parts.transport.reader()))
            self._writer = opened.enter_context(closing(parts.transport.writer()))
            self._opened = opened.pop_all()

    def close(self) -> None:
        """Give back files and connections."""
        self._opened.close()

    def step(self, timeout_s: float) -> int:
        """Take one batch, waiting at most `timeout_s` for it; how many records it had."""
        registry = self.follow_registry()
        try:
            records = self._reader.read(MAX_BATCH, timeout_s)
        except OffsetOutOfRange as error:
            self._out_of_range(error)
            return 0
        if records:
            self._fold(registry, records)
        if len(records) < MAX_BATCH:
            self._look_again = 0.0  # there is time for topics that were missing
        if self._rejects_wait:
            self.send_rejects()
        self._store.tidy()
        self._maintain()
        return len(records)

    # --- which streams (rule 1) ------------------------------------------------------------------------------

    def follow_registry(self) -> Snapshot:
        """The snapshot in force, and every stream that it lists assigned; raises `RegistryClosed`."""
        try:
            registry = self._parts.registry()
        except Fault as fault:
            raise RegistryClosed(fault.code) from None
        if registry is not self._registry or (self._missing and time.monotonic() >= self._look_again):
            if registry is not self._registry:
                _log.info("registry", version=registry.version)
            self._assign(registry)
        return registry

    def _assign(self, registry: Snapshot) -> None:
        listed = {stream.topic: stream for stream in self._parts.streams(registry)}
        for topic in [topic for topic in self._feeds if topic not in listed]:
            self._reader.remove(topic)
            del self._feeds[topic]
        waiting = [stream for topic, stream in listed.items() if topic not in self._feeds or self._feeds[topic].stopped]
        try:
            opened = self._open(registry, waiting)
        except TopicUnknown:  # deleted this very moment: all of them once more, in a while
            opened = set()
        self._missing = frozenset(waiting) - opened
        self._look_again = time.monotonic() + PAUSE_S
        self._registry = registry

    def _open(self, registry: Snapshot, streams: Sequence[Stream]) -> set[Stream]:
        """Those that are read, or stopped for good; the others' topics are not there (yet, or any more)."""
        identities = self._reader.identities(stream.topic for stream in streams)
        rows = self._begun([self._store.stream(stream) for stream in streams], identities)
        opened = [self._feed(registry, row) for row in rows]
        read = {feed.stream.topic: feed.next for feed in opened if not feed.stopped}
        self._reader.extend(read, {row.stream.topic: row.topic for row in rows if row.topic})
        for feed in opened:
            self._feeds[feed.stream.topic] = feed
            _log.info("stream", stream=str(feed.stream), offset=feed.next, stopped=feed.state.stopped)
        return {feed.stream for feed in opened}

    def _begun(self, rows: Sequence[StreamRow], identities: Mapping[str, str]) -> list[StreamRow]:
        """The rows of those that may be opened. A new one begins where its topic does. The identities were asked for
        before, so that no other topic slips in between."""
        there = [row for row in rows if row.state.stopped or row.stream.topic in identities]
        starts = self._reader.starts(row.stream.topic for row in there if row.next is None)
        begun = [row for row in there if row.next is not None]
        for row in there:
            topic = row.stream.topic
            if row.next is None and topic in starts:
                begun.append(row._replace(next=starts[topic], topic=identities.get(topic, "")))
                self._store.begin(row.id, starts[topic], begun[-1].topic)
        return begun

    def _feed(self, registry: Snapshot, row: StreamRow) -> Feed:
        adapter = registry.adapters[row.stream.adapter]
        state = resumed(row.state, adapter.lowest_epoch.get(row.stream.evidence_type, 0))
        home = adapter.zone == self._parts.zone
        return Feed(row.id, row.stream, home, state, row.next or 0, stopped=state.stopped != "")

    def _out_of_range(self, error: OffsetOutOfRange) -> None:
        """Rule 4."""
        feed, row = self._feeds[error.topic], Fault(error.code).row
        self._reader.remove(error.topic)
        feed.state, feed.stopped = feed.state._replace(stopped=error.code), True
        self._store.apply(Batch(states={feed.id: (feed.state, feed.next)}))
        self.counts.alarms[error.code] += 1
        _log.error(
            "stream stopped",
            stream=str(feed.stream),
            code=error.code,
            offset=error.asked,
            cause=row.title.en,
            remedy=row.next_step.en,
        )

    # --- batches (rule 2) ------------------------------------------------------------------------------------

    def _fold(self, registry: Snapshot, records: Sequence[Record]) -> None:
        left: dict[str, deque[Record]] = {}
        for record in records:
            left.setdefault(record.topic, deque()).append(record)
        folding = self._folding(registry)
        for record in records:
            feed, following = self._feeds[record.topic], left[record.topic]
            folding.expect(feed, following)
            if not folding.take(feed, record):
                self._write(folding)
                folding = self._folding(registry)
                folding.expect(feed, following)
                folding.take(feed, record)
            following.popleft()
        self._write(folding)

    def _folding(self, registry: Snapshot) -> Folding:
        return Folding(self._node, registry, self._store, self.counts)

    def _write(self, folding: Folding) -> None:
        batch = folding.batch()
        self._store.apply(batch)
        self.counts.batches += 1
        self._rejects_wait = self._rejects_wait or bool(batch.rejects)
        for (_, code), count in batch.refusals.items():
            _log.warning("refused", code=code, count=count)
        for feed in folding.stopped():
            self._reader.remove(feed.stream.topic)
            _log.error("stream stopped", stream=str(feed.stream), code=feed.state.stopped, offset=feed.next)

    # --- rejects (rule 3) ------------------------------------------------------------------------------------

    def send_rejects(self) -> None:
        """Write the rejects that wait to the log; those that it does not take wait on."""
        waiting = False
        for topic in self._store.reject_topics() if self._parts.sends_rejects else ():
            try:
                while rejects := self._store.pending_rejects(topic):
                    self._writer.write_many(topic, [(key, value) for _, key, value in rejects])
                    self._store.rejects_sent([number for number, _, _ in rejects])
            except (TopicUnknown, LogUnavailable):
                waiting = True
                _log.warning("rejects wait", topic=topic)
        self._rejects_wait = waiting

    def keep_rejects(self, wanted: Callable[[bytes], bool]) -> None:
        """Forget the rejects that wait unless their log key is `wanted`."""
        self._store.keep_rejects(wanted)

    def _maintain(self) -> None:
        now = self._parts.clock()
        if abs(now - self._maintained) >= MAINTAIN_MS:
            self._maintained = now
            with self._parts.transport.admin() as admin:
                admin.maintain(now)
            self._watch_erasures(now)

    def _watch_erasures(self, now: int) -> None:
        """Say it once when erased content cannot leave the log, and once when it can."""
        held_up, row = self._store.erasures_held_up(now), Fault("erasure_held_up").row
        for stream in held_up.keys() - self._held_up:
            self.counts.alarms["erasure_held_up"] += 1
            _log.error("erasure held up", stream=str(stream), cause=row.title.en, remedy=row.next_step.en)
        for stream in self._held_up - held_up.keys():
            _log.info("erasure goes on", stream=str(stream))
        self._held_up = set(held_up)

    # --- the end of a single pass ----------------------------------------------------------------------------

    def ends(self) -> Mapping[str, int]:
        """Where each topic ends now."""
        return self._reader.ends(topic for topic, feed in self._feeds.items() if not feed.stopped)

    def reached(self, ends: Mapping[str, int]) -> bool:
        """Whether every stream that goes on was read up to there."""
        return all(
            self._feeds[topic].stopped or self._reader.position(topic) >= end
            for topic, end in ends.items()
            if topic in self._feeds
        )
