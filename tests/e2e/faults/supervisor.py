"""Processes that are started again when they end, as an init system does it.

1. What ends is started again at once, unless it was stopped or is held. What ended is kept, with whether we killed it.
2. An end that nobody ordered is followed by a pause before the next start, as systemd's `RestartSec`.
3. Output of all lives of a process goes to one log file.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RESTART_S = 0.5


@dataclass(frozen=True, slots=True)
class End:
    """One end of a process: exit code (negative: a signal), and whether we ordered it."""

    code: int
    ordered: bool


class Supervised:
    """One process and its supervisor, a thread. `environment` is asked at each start."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path, environment: Callable[[], Mapping[str, str]] = dict
    ) -> None:
        self.name = name
        self.ends: list[End] = []
        self.starts = 0
        self._command, self._log, self._environment = tuple(command), log, environment
        self._changed = threading.Condition()
        self._wanted = self._held = False
        self._ordered = False
        self._process: subprocess.Popen[bytes] | None = None
        self._pause = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name=f"supervise {name}", daemon=True)

    def start(self) -> None:
        """Begin to supervise."""
        self._wanted = True
        self._thread.start()
        self.wait_started(1)

    def stop(self, grace_s: float = 20.0) -> None:
        """SIGTERM, then SIGKILL; nothing is started again."""
        with self._changed:
            self._wanted, self._held = False, False
            self._pause.set()
            self._order(signal.SIGTERM)
            self._changed.notify_all()
        self._thread.join(grace_s)
        if self._thread.is_alive():
            self.send(signal.SIGKILL)
            self._thread.join()

    def kill(self) -> bool:
        """kill -9, and wait for the next life to begin; False if it had ended by itself."""
        with self._changed:
            starts, ends = self.starts, len(self.ends)
            self._order(signal.SIGKILL)
        self.wait_started(starts + 1)
        return self.ends[ends].code == -signal.SIGKILL

    def send(self, number: int) -> None:
        """Send a signal to the life at hand, if there is one."""
        with self._changed:
            self._order(number)

    def hold(self, number: int = signal.SIGTERM) -> None:
        """End it by this signal and start it no more until `release`."""
        with self._changed:
            self._held = True
            ends = len(self.ends)
            if self._order(number):
                self._changed.wait_for(lambda: len(self.ends) > ends)

    def release(self) -> None:
        """Start it again."""
        with self._changed:
            self._held = False
            starts = self.starts
            self._changed.notify_all()
        self.wait_started(starts + 1)

    def wait_started(self, starts: int) -> None:
        """Until it was started so often."""
        with self._changed:
            begun = self._changed.wait_for(lambda: self.starts >= starts or not self._wanted, 60)
            assert begun, f"{self.name} was not started again"

    @property
    def pid(self) -> int | None:
        """The process id of the life at hand."""
        process = self._process
        return None if process is None else process.pid

    def unexpected(self) -> list[End]:
        """Ends that nobody ordered."""
        return [end for end in self.ends if not end.ordered]

    # --- the supervisor's thread -----------------------------------------------------------------------------

    def _supervise(self) -> None:
        while self._begin():
            assert self._process is not None
            code = self._process.wait()
            with self._changed:
                ordered, self._ordered, self._process = self._ordered, False, None
                self.ends.append(End(code, ordered))
                self._changed.notify_all()
            if not ordered:
                self._pause.wait(RESTART_S)

    def _begin(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: not self._held)
            if not self._wanted:
                return False
            with self._log.open("ab") as log:
                environment = {**os.environ, "ONCEGATE_LANG": "en", **self._environment()}
                self._process = subprocess.Popen(
                    self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
                )
            self.starts += 1
            self._changed.notify_all()
        return True

    def _order(self, number: int) -> bool:
        """With the lock held."""
        process = self._process
        if process is None or process.poll() is not None:
            return False
        if number in (signal.SIGKILL, signal.SIGTERM):
            self._ordered = True
        process.send_signal(number)
        return True
