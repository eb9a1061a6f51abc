"""Delivery to one sink: a thread that reads published entries after its place and hands them on, in order.

1. At least once and in order: the place moves on, durably, only when the sink has the batch. A sink that fails is tried
   again with a pause that doubles from `first_pause_s` to `max_pause_s`, as long as it takes; it may ask for more time.
2. Only what is published is told: a checkpoint covers it, and nobody can take it back.
3. When nothing happened for `heartbeat_s`, a heartbeat goes out. One that fails is not kept: the next one says as much.
4. A sink that was switched off gets the entries up to and including the notice of that, then its thread ends and its
   address is forgotten. If it cannot be reached for `give_up_s` after the notice, it is given up; the notice stands in
   the log. Of a log that is closed a sink gets everything, however long that takes.
5. Threads of different sinks share nothing. Whatever fails here holds up neither answers nor another sink.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import structlog

from audit.checkpoints import open_note
from audit.reader import LogReader
from audit.threads import guarded
from audit.tiles import WIDTH
from contracts.cloud_events import batch
from contracts.errors import Corrupt, Fault, Unavailable, UserError
from gateway.supervision.events import event_of, heartbeat_of
from gateway.supervision.lateness import PATIENCE, Patience
from gateway.supervision.places import Place, Places
from gateway.supervision.sinks import Busy, Sink

MAX_EVENTS: Final = 200
MAX_BYTES: Final = 256 * 1024

_chance = random.SystemRandom()
_log = structlog.get_logger("oncegate.supervision")


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds."""

    look_s: float = 0.5
    watch_s: float = 5.0  # between two looks at the streams
    heartbeat_s: float = 60.0
    first_pause_s: float = 1.0
    max_pause_s: float = 300.0
    calm_s: float = 300.0  # between two notices about one stream
    patience: Patience = PATIENCE
    late_s: float = 120.0  # a sink that fails for so long is warned of
    give_up_s: float = 72 * 3600.0
    end_s: float = 20.0  # how long the end waits for an exchange under way


PACE: Final = Pace()


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with a sink. `behind`: published entries that it has not; `trouble`: why it fails, for
    `failing_s` now; `late`: long enough to be warned of; `leaving`: it was switched off."""

    name: str
    behind: int
    trouble: str | None
    failing_s: float
    late: bool
    leaving: bool


@dataclass(frozen=True, slots=True)
class Source:
    """A log to be told of. `size` gives how many entries are published; `clock` Unix ms."""

    origin: str
    reader: LogReader
    size: Callable[[], int]
    clock: Callable[[], int]

    def events(self, first: int, end: int) -> list[bytes]:
        """Some of the events from index `first`, before `end`: one at least, if there is one."""
        found: list[bytes] = []
        room = MAX_BYTES
        while first < end and len(found) < MAX_EVENTS and room > 0:
            number = first // WIDTH
            for entry in self.reader.entries(number, end)[first % WIDTH :][: MAX_EVENTS - len(found)]:
                event = event_of(self.origin, first, entry)
                room -= len(event)
                if found and room < 0:
                    break
                found.append(event)
                first += 1
        return found

    def heartbeat(self) -> bytes:
        """A heartbeat of now."""
        note = self.reader.note_for_others()
        size = open_note(note, self.reader.key)[0].size
        return heartbeat_of(self.origin, size, note, self.clock())


class Delivery:
    """The thread of one sink. `last`: the index of the last entry that it gets (rule 4); `off_at`: when it was switched
    off (Unix ms), None: it was not, the log is closed."""

    def __init__(
        self,
        source: Source,
        place: Place,
        open_sink: Callable[[], Sink],
        places: Places,
        pace: Pace,
        last: int | None = None,
        off_at: int | None = None,
    ) -> None:
        self.place = place
        self._name = place.name if last is None or off_at is not None else f"{place.name}@{source.origin}"
        self._source, self._open, self._places, self._pace = source, open_sink, places, pace
        self._last, self._off_at = last, off_at
        self._sink: Sink | None = None
        self._stop = threading.Event()
        self._waiting: list[bytes] = []  # what is tried again is the same message
        self._trouble: str | None = None
        self._failing_since = 0.0
        self._pause = 0.0
        self._sending_since: float | None = None
        self._spoke = time.monotonic()
        self._thread = guarded(f"supervision {place.name}", self._run, self._failed)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end."""
        self._stop.set()

    def join(self) -> None:
        """Wait for its end, for an exchange that is under way at most `end_s`."""
        self._thread.join(self._pace.end_s)

    def standing(self) -> Standing:
        """For any thread."""
        trouble, since, sending = self._trouble, self._failing_since, self._sending_since
        if trouble is None and sending is not None and time.monotonic() - sending > self._pace.late_s:
            trouble, since = "no end of an exchange", sending
        failing = 0.0 if trouble is None else time.monotonic() - since
        late = failing > self._pace.late_s
        return Standing(self._name, self._behind(), trouble, failing, late, self._last is not None)

    def _behind(self) -> int:
        end = self._source.size() if self._last is None else self._last + 1
        return max(0, end - self.place.next)

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._pause):
                try:
                    if self._ended():
                        return
                    self._pause = self._step()
                except (Unavailable, Corrupt, Fault, OSError, UserError) as error:
                    self._pause = self._after(error)
        finally:
            if self._sink is not None:
                self._sink.close()

    def _step(self) -> float:
        """Send what is due; how long to wait before the next look."""
        end = self._source.size() if self._last is None else min(self._source.size(), self._last + 1)
        if not self._waiting:
            self._waiting = self._source.events(self.place.next, end)
        if self._waiting:
            self._send(batch(self._waiting))
            self.place = replace(self.place, next=self.place.next + len(self._waiting), at=self._source.clock())
            self._waiting = []
            self._places.save(self.place)
            self._well()
            return 0.0
        if self._last is None and time.monotonic() - self._spoke >= self._pace.heartbeat_s:
            self._send(batch([self._source.heartbeat()]))
            self._well()
        return self._pace.look_s

    def _send(self, body: bytes) -> None:
        self._sending_since = time.monotonic()
        try:
            if self._sink is None:
                self._sink = self._open()
            self._sink.send(body)
        finally:
            self._sending_since = None
        self._spoke = time.monotonic()

    def _ended(self) -> bool:
        """Rule 4."""
        if self._last is None:
            return False
        done = self.place.next > self._last
        if not done and (self._off_at is None or self._source.clock() - self._off_at <= self._pace.give_up_s * 1000):
            return False
        self.place = replace(self.place, next=self._last + 1, webhook=None)
        self._places.save(self.place)
        tell = _log.info if done else _log.error
        tell("supervision_end_delivered" if done else "supervision_end_undelivered", sink=self._name)
        self._trouble = None
        return True

    def _after(self, error: Exception) -> float:
        """Note the failure; how long to wait (rule 1). A quarter of it is by chance: sinks that failed together do not
        come back together."""
        why = error.what.en if isinstance(error, UserError) else error.code if isinstance(error, Fault) else str(error)
        if self._trouble is None:
            self._failing_since = time.monotonic()
        if self._trouble != why:
            _log.warning("supervision_trouble", sink=self._name, reason=why)
        self._trouble = why
        doubled = min(max(2 * self._pause, self._pace.first_pause_s), self._pace.max_pause_s)
        asked = error.after_s if isinstance(error, Busy) else 0.0
        return max(asked, doubled * _chance.uniform(0.75, 1.0))

    def _well(self) -> None:
        if self._trouble is not None:
            _log.info("supervision_well", sink=self._name)
        self._trouble = None

    def _failed(self, error: BaseException) -> None:
        self._trouble, self._failing_since = type(error).__name__, time.monotonic()
        _log.error("supervision_failed", sink=self._name, error=type(error).__name__)
