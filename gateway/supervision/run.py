"""The feed of one serving process: what is switched on and off, who is told, which streams are late.

1. At the start, before the first question is taken, what the log says to be on is compared with the configuration.
   Each difference is a notice in the log first. Sinks that are switched off still hear of it (`delivery`, rule 4).
2. A sink has a thread of its own. One more looks at the streams, and writes a notice when one is late or recovers: so
   lateness is in the log that auditors have, has an index like every access, and is told once, restarts or not.
3. A sink that is switched on gets what follows; one that was on before goes on where it was, so that nothing is
   missing from what it was told, however long it was off.
4. Where the log goes on from a closed one, what was on there is compared with the configuration: a change of logs
   switches nothing off in silence. Who was on gets the closed log to its end, and the new one from its beginning.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import structlog

from audit import notices
from audit.log import AuditLog
from audit.notices import Notice
from audit.reader import LogReader
from audit.threads import guarded
from audit.tiles import WIDTH
from contracts.errors import Fault
from contracts.streams import Stream
from gateway.ingest.state import FeedState
from gateway.supervision.delivery import PACE, Delivery, Pace, Source, Standing
from gateway.supervision.lateness import transitions
from gateway.supervision.places import Place, Places
from gateway.supervision.seen import Seen, Span, changes, folded
from gateway.supervision.settings import TOPIC_SINK, SupervisionConfig, Webhook
from gateway.supervision.sinks import Sink, WebhookSink

_log = structlog.get_logger("oncegate.supervision")


@dataclass(frozen=True, slots=True)
class FormerLog:
    """A closed log of `size` entries."""

    slot: str
    reader: LogReader
    size: int


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a feed needs of its process. `state_dir` holds a directory for each slot. `former`: the closed logs before
    this one, newest first. `topic` opens the sink of the topic for a log of this origin; `states` gives streams at a
    time (Unix ms), always asked in one and the same thread; `done` is called there at its end; `clock`: Unix ms."""

    log: AuditLog
    log_dir: Path
    state_dir: Path
    slot: str
    topic: Callable[[str], Sink]
    states: Callable[[int], Sequence[tuple[Stream, FeedState]]]
    done: Callable[[], None]
    clock: Callable[[], int]
    former: Sequence[FormerLog] = ()


class Supervision:
    """The threads of one log's feed. `standing` is for any thread."""

    def __init__(self, config: SupervisionConfig, around: Surroundings, pace: Pace = PACE) -> None:
        """Raises `UserError` for a webhook whose files cannot be used."""
        self._config, self._around, self._pace = config, around, pace
        self._reader = LogReader(around.log_dir, around.log.verifier)
        self._source = Source(around.log.origin, self._reader, lambda: around.log.published.size, around.clock)
        self._places = Places(around.state_dir / around.slot, around.log.origin)
        self._seen = Seen()
        self._deliveries: tuple[Delivery, ...] = ()
        self._stop = threading.Event()
        self._watch = guarded("supervision-watch", self._watching, self._watch_failed)
        for webhook in config.webhooks:
            WebhookSink(webhook, around.clock).close()  # a mistake there is told now

    def start(self) -> None:
        """Rule 1, then the threads. Raises `Corrupt`, OSError, and `Fault` `audit_unavailable`."""
        self._seen = self._read_log()
        before = self._before()
        off, on = changes(before or self._seen, self._config.sinks)
        if before:
            on = self._config.sinks
            for name in before.on:  # from its beginning
                self._places.save(Place(name, 0, webhook=self._former_address(name)))
        for kind, names in ((notices.SUPERVISION_OFF, off), (notices.SUPERVISION_ON, on)):
            if names:
                self._append(Notice(kind, self._around.clock(), {"sinks": list(names)}))
                _log.warning(kind, sinks=names)
        known = self._places.load()
        deliveries = (self._delivery(name, span, known.get(name)) for name, span in self._seen.sinks.items())
        self._deliveries = (*(one for one in deliveries if one is not None), *self._endings())
        for delivery in self._deliveries:
            delivery.start()
        if self._config.sinks:
            self._watch.start()

    def close(self) -> None:
        """End, and keep what was seen."""
        self._stop.set()
        for delivery in self._deliveries:
            delivery.stop()
        for delivery in self._deliveries:
            delivery.join()
        if self._watch.ident is not None:
            self._watch.join(self._pace.end_s)
        if self._seen.sinks and self._around.log.alive:  # this process alone writes the notices that `Seen` is made of
            self._places.save_seen(replace(self._seen, size=max(self._seen.size, self._around.log.published.size)))

    def standing(self) -> tuple[Standing, ...]:
        """Every sink that is on, and those that are leaving."""
        found = (one.standing() for one in self._deliveries)
        return tuple(one for one in found if not (one.leaving and not one.behind))

    # --- what the log says ---------------------------------------------------------------------------------------

    def _read_log(self) -> Seen:
        log, seen = self._around.log, self._places.seen()
        published, durable = log.published.size, log.size
        if seen.size > durable:
            seen = Seen()
        seen = _read_on(seen, self._reader, published)
        return folded(seen, map(log.entry, range(seen.size, durable)))

    def _before(self) -> Seen | None:
        """What the log before this one says, as long as this one says nothing (rule 4)."""
        former = next(iter(self._around.former), None)
        if former is None or self._seen.sinks:
            return None
        seen = self._former_places(former).seen()
        return _read_on(seen if seen.size <= former.size else Seen(), former.reader, former.size)

    def _append(self, notice: Notice) -> None:
        entry = notice.encode()
        index = self._around.log.append_blocking(entry, notices.NO_OPENING)
        self._seen = folded(replace(self._seen, size=index), (entry,))

    # --- sinks ---------------------------------------------------------------------------------------------------

    def _delivery(self, name: str, span: Span, known: Place | None) -> Delivery | None:
        if span.off is None:
            place = known or Place(name, span.since)
            place = replace(place, webhook=next((one for one in self._config.webhooks if one.name == name), None))
        elif known is not None:
            place = known
        elif name == TOPIC_SINK:
            place = Place(name, span.off)  # how far it was is lost: it gets the last event at least
        else:
            _log.error("supervision_end_undelivered", sink=name)  # nobody knows the address any more
            return None
        if span.off is not None and place.next > span.off:
            return None
        size = self._seen.size
        place = place if place.next <= size else replace(place, next=span.since)  # of a log that was put back
        self._places.save(place)
        opening = self._opening(place, self._source)
        return Delivery(self._source, place, opening, self._places, self._pace, span.off, span.off_at)

    def _former_places(self, former: FormerLog) -> Places:
        return Places(self._around.state_dir / former.slot, former.reader.key.name)

    def _former_address(self, name: str) -> Webhook | None:
        known = self._former_places(self._around.former[0]).load().get(name)
        return None if known is None else known.webhook

    def _endings(self) -> Iterator[Delivery]:
        """What sinks have not got yet of closed logs (rule 4)."""
        around = self._around
        for former in around.former:
            places = self._former_places(former)
            source = Source(former.reader.key.name, former.reader, partial(int, former.size), around.clock)
            for name, place in places.load().items():
                if place.next < former.size and (place.webhook is not None or name == TOPIC_SINK):
                    opening = self._opening(place, source)
                    yield Delivery(source, place, opening, places, self._pace, former.size - 1)

    def _opening(self, place: Place, source: Source) -> Callable[[], Sink]:
        webhook = place.webhook
        if webhook is None or place.name == TOPIC_SINK:
            return lambda: self._around.topic(source.origin)
        return lambda: WebhookSink(webhook, self._around.clock)

    # --- streams -------------------------------------------------------------------------------------------------

    def _watching(self) -> None:
        """Rule 2, until the end."""
        try:
            while not self._stop.wait(self._pace.watch_s) and self._around.log.alive:
                self._look()
        finally:
            self._around.done()

    def _look(self) -> None:
        now = self._around.clock()
        try:
            states = self._around.states(now)
            for _, notice in tuple(transitions(self._seen.late, states, now)):
                self._append(notice)
        except Fault as fault:  # no registry, no store, or the log is dead: each is said elsewhere
            _log.info("streams_not_seen", code=fault.code)

    def _watch_failed(self, error: BaseException) -> None:
        _log.error("supervision_failed", sink="watch", error=type(error).__name__)


def _read_on(seen: Seen, reader: LogReader, size: int) -> Seen:
    """`seen` and the published entries that follow it, up to `size`."""
    while seen.size < size:
        entries = reader.entries(seen.size // WIDTH, size)
        seen = folded(seen, entries[seen.size % WIDTH :])
    return seen
