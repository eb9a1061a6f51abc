"""The index follows the copies of logs, in a thread of the API: it is the index's one writer.

1. Every `every_s` seconds each log below the configured directories is followed, one after the other; a log that is new
   there is a log to follow.
2. A log that differs from what was indexed, or does not verify, is an alarm and its state; the others go on, and it is
   tried again: nothing is indexed of it until it is the same log again. So is a directory without any log. A log whose
   copy is not there any more (`oncegate-audit retention` removes them) is not followed, and has no state.
3. What the disk or a lock does is said and tried again, too. Whatever else fails ends the process (`on_fatal`).
"""

import threading
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

import apsw
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.lines import alarm, info
from audit.search.database import writing
from audit.search.follow import Differs, Follower
from audit.search.sources import logs_in, source_of
from audit.search.tokens import TokenKeys
from audit.threads import guarded
from contracts.errors import Corrupt, Fault, UserError

FOLLOWED, DIFFERS, FAILED = "followed", "differs", "failed"


@dataclass(frozen=True, slots=True)
class What:
    """What is followed, into which index, with which keys (both or neither)."""

    index: Path
    directories: tuple[Path, ...]
    vkeys: tuple[str, ...]
    every_s: float
    auditor: X25519PrivateKey | None = field(repr=False)
    keys: TokenKeys | None = field(repr=False)


class _Stopped(Exception):
    """Between two batches somebody said `close`."""


class Following:
    """A thread that follows. `states` is for any thread: origin, or directory, → how it goes."""

    def __init__(self, what: What, on_fatal: Callable[[BaseException], None]) -> None:
        self._what = what
        self._stop = threading.Event()
        self._states: dict[str, str] = {}
        self._origins: dict[Path, str] = {}  # of the copies that were read once
        self._empty: set[Path] = set()  # where no log is, and that was said
        self._thread = guarded("audit-index", self._run, on_fatal)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """After the batch that is being written; the next start goes on from there."""
        self._stop.set()
        self._thread.join()

    def states(self) -> Mapping[str, str]:
        return dict(self._states)

    def _run(self) -> None:
        said = ""
        while not self._stop.is_set():
            try:
                with writing(self._what.index) as db:
                    self._follow(db)
            except _Stopped:
                return
            except (UserError, OSError) as error:
                why = _words(error)
                if why != said:  # once, not every few seconds
                    alarm("index_not_followed", error=type(error).__name__, why=why)
                said = why
            self._stop.wait(self._what.every_s)

    def _follow(self, db: apsw.Connection) -> None:
        """Until `close` (rule 1); raises when the index itself cannot be written."""
        follower = Follower(db, self._what.auditor, self._what.keys)
        while not self._stop.is_set():
            seen = {self._one(follower, directory) for directory in self._copies()}
            if not self._stop.is_set():
                self._forget(seen)
            self._stop.wait(self._what.every_s)

    def _copies(self) -> Iterator[Path]:
        """The directory of each log, until `close`."""
        for directory in self._what.directories:
            try:
                found = logs_in((directory,))
            except UserError as error:
                if directory not in self._empty:
                    alarm("index_failed", log=str(directory), what=_words(error))
                self._empty.add(directory)
                continue
            self._empty.discard(directory)
            yield from takewhile(lambda _: not self._stop.is_set(), found)

    def _forget(self, seen: Container[str]) -> None:
        """Copies that are gone."""
        for name in set(self._origins.values()):
            if name not in seen:
                self._states.pop(name, None)

    def _one(self, follower: Follower, directory: Path) -> str:
        """Rule 2; the name of the log, or of the directory where that is not known."""
        name = self._origins.get(directory, str(directory))
        try:
            source = source_of(directory, self._what.vkeys).source
            name = self._origins[directory] = source.key.name
            done = follower.follow(source, self._go_on)
        except Differs as found:
            self._became(name, DIFFERS, what=found.what.en, where=found.where)
        except (UserError, Fault, Corrupt) as error:
            self._became(name, FAILED, what=_words(error))
        else:
            if done.new:
                info("indexed", log=name, size=done.size, new=done.new)
            self._became(name, FOLLOWED)
        return name

    def _go_on(self, _: int) -> None:
        if self._stop.is_set():
            raise _Stopped

    def _became(self, name: str, state: str, **facts: str) -> None:
        if self._states.get(name) != state and state != FOLLOWED:
            alarm("index_" + state, log=name, **facts)
        self._states[name] = state


def _words(error: Exception) -> str:
    """In one line, for whoever runs this host."""
    return f"{error.what.en}: {error.where}" if isinstance(error, UserError) else str(error)
