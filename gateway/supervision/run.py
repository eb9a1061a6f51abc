"""The feed of one serving process: what is switched on and off, who is told, which streams are late.

1. At the start, before the first question is taken, what the log says to be on is compared with the configuration.
   Each difference is a notice in the log first. Sinks that are switched off still hear of it (`delivery`, rule 4).
2. A sink has a thread of its own. One more looks at the streams, and writes a notice when one is late or recovers: so
   lateness is in the log that auditors have, has an index like every access, and is told once, restarts or not. One
   stream is told of once in `calm_s` at most: what flaps does not fill the log.
3. A sink that is switched on gets what follows; one that was on before goes on where it was, so that nothing is
   missing from what it was told, however long it was off.
4. Where the log goes on from a closed one, what was on there is compared with the configuration: a change of logs
   switches nothing off in silence. Who was on gets the closed log to its end, and the new one from its beginning; who
   was off there gets it up to the notice of that, and the rest when it is on again. A log without a word about sinks
   (no feed was ever begun in it) does not hide the one before it.
5. What was seen is kept at the start, too: a kill leaves nothing of a longer log that was there before.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from audit import notices
from audit.log import AuditLog
from audit.notices import Notice
from audit.reader import LogReader
from audit.threads import guarded
from audit.tiles import WIDTH
from contracts.errors import Fault
from contracts.streams import Stream
from gateway.ingest.state import CATCHING_UP, FeedState
from gateway.supervision.delivery import PACE, Delivery, Pace, Source, Standing
from gateway.supervision.lateness import transitions
from gateway.supervision.places import Place, Places
from gateway.supervision.seen import Seen, Span, changes, folded
from gateway.supervision.settings import TOPIC_SINK, SupervisionConfig, Webhook
from gateway.supervision.sinks import Sink, WebhookSink

MANY: Final = 100_000  # entries, read in a second or so

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
        self._kept = 0  # the size of what was kept
        self._calm_until: dict[Stream, float] = {}
        self._catching_up: dict[Stream, float] = {}  # since when
        self._unwatched: tuple[str, float] | None = None
        self._watch = guarded("supervision-watch", self._watching, self._watch_failed)
        for webhook in config.webhooks:
            WebhookSink(webhook, around.clock).close()  # a mistake there is told now

    def start(self) -> None:
        """Rule 1, then the threads. Raises `Corrupt`, OSError, and `Fault` `audit_unavailable`."""
        self._seen = self._read_log()
        before = self._before()
        off, on = changes(before or self._seen, self._config.sinks)
        if before:
            self._seen = replace(self._seen, late=before.late)
            on = self._config.sinks
            for name in before.on:  # from its beginning
                self._places.save(Place(name, 0, webhook=self._former_address(name)))
        for kind, names in ((notices.SUPERVISION_OFF, off), (notices.SUPERVISION_ON, on)):
            if names:
                self._append(Notice(kind, self._around.clock(), {"sinks": list(names)}))
                _log.warning(kind, sinks=names)
        self._keep_seen()
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
        if self._around.log.alive:
            self._keep_seen()

    def standing(self) -> tuple[Standing, ...]:
        """Every sink that is on, and those that are leaving; `streams` where nobody looks at them any more."""
        found = [one.standing() for one in self._deliveries]
        if self._unwatched is not None:
            why, since = self._unwatched
            failing = time.monotonic() - since
            found.append(Standing("streams", 0, why, failing, failing > self._pace.late_s, False))
        return tuple(one for one in found if not (one.leaving and not one.behind))

    # --- what the log says ---------------------------------------------------------------------------------------

    def _read_log(self) -> Seen:
        """Raises `Corrupt`, OSError."""
        log, seen = self._around.log, self._places.seen()
        published, durable = log.published.size, log.size
        if seen.size > durable:
            seen = Seen()
        seen = _read_on(seen, self._reader, published)
        return folded(seen, map(log.entry, range(seen.size, durable)))

    def _before(self) -> Seen | None:
        """What the newest log before this one that speaks of sinks says, as long as this one does not (rule 4)."""
        if self._seen.sinks:
            return None
        found = map(self._former_seen, self._around.former)
        return next((seen for seen in found if seen.sinks), None)

    def _former_seen(self, former: FormerLog) -> Seen:
        places = self._former_places(former)
        kept = places.seen()
        seen = _read_on(kept if kept.size <= former.size else Seen(), former.reader, former.size)
        if seen.size > kept.size + WIDTH:  # much was read for it: not at every start
            places.save_seen(seen)
        return seen

    def _keep_seen(self) -> None:
        """`Seen` as of what is published: this process alone writes the notices that it is made of."""
        seen = replace(self._seen, size=max(self._seen.size, self._around.log.published.size))
        if seen.sinks or seen.size > MANY:
            self._places.save_seen(seen)
            self._kept = seen.size

    def _append(self, notice: Notice) -> None:
        entry = notice.encode()
        index = self._around.log.append_blocking(entry, notices.NO_OPENING)
        self._seen = folded(replace(self._seen, size=index), (entry,))

    # --- sinks ---------------------------------------------------------------------------------------------------

    def _delivery(self, name: str, span: Span, known: Place | None) -> Delivery | None:
        if span.off is None:
            place = known or Place(name, 0 if name in self._known_before() else span.since)
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
        known = (self._former_places(former).load().get(name) for former in self._around.former)
        return next((place.webhook for place in known if place is not None and place.webhook is not None), None)

    def _known_before(self) -> set[str]:
        return {name for former in self._around.former for name in self._former_places(former).load()}

    def _endings(self) -> Iterator[Delivery]:
        """What sinks have not got yet of closed logs (rule 4)."""
        around, on = self._around, self._seen.on
        addresses = {one.name: one for one in self._config.webhooks}
        for former in around.former:
            places = self._former_places(former)
            source = Source(former.reader.key.name, former.reader, partial(int, former.size), around.clock)
            waiting = [place for place in places.load().values() if place.next < former.size]
            spans = self._former_seen(former).sinks if waiting else {}
            for place in waiting:
                span, known = spans.get(place.name), addresses.get(place.name, place.webhook)
                off = None if span is None or place.name in on else span.off
                last = former.size - 1 if off is None else off
                if place.next <= last and (known is not None or place.name == TOPIC_SINK):
                    there = replace(place, webhook=known)
                    opening = self._opening(there, source)
                    ended = None if span is None or off is None else span.off_at
                    yield Delivery(source, there, opening, places, self._pace, last, ended)

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
            for stream, notice in tuple(
                transitions(self._seen.late, states, self._waits(states), self._pace.patience, now)
            ):
                if time.monotonic() >= self._calm_until.get(stream, 0.0):
                    self._append(notice)
                    self._calm_until[stream] = time.monotonic() + self._pace.calm_s
            if self._around.log.published.size > self._kept + MANY:
                self._keep_seen()
        except Fault as fault:  # no registry, no store, or the log is dead: each is said elsewhere
            _log.info("streams_not_seen", code=fault.code)
        except OSError as error:
            _log.warning("supervision_not_kept", reason=type(error).__name__)

    def _waits(self, states: Sequence[tuple[Stream, FeedState]]) -> dict[Stream, float]:
        """For how long streams are seen to be catching up (s)."""
        at, since = time.monotonic(), self._catching_up
        self._catching_up = {one: since.get(one, at) for one, feed in states if feed.state == CATCHING_UP}
        return {one: at - began for one, began in self._catching_up.items()}

    def _watch_failed(self, error: BaseException) -> None:
        self._unwatched = type(error).__name__, time.monotonic()
        _log.error("supervision_failed", sink="streams", error=type(error).__name__)


def _read_on(seen: Seen, reader: LogReader, size: int) -> Seen:
    """`seen` and the published entries that follow it, up to `size`."""
    while seen.size < size:
        entries = reader.entries(seen.size // WIDTH, size)
        seen = folded(seen, entries[seen.size % WIDTH :])
    return seen
