"""The demo's processes: started with this installation's own commands, their output in `logs/`, ended together."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contracts.errors import UserError
from contracts.text import Text

_POLL_SECONDS = 0.05
_WATCH_SECONDS = 0.2
_GRACE_SECONDS = 10.0
_WAITED = Text("等待超时:{what}", "Waited too long for: {what}")
_ENDED = Text("进程 {name} 已意外退出:{why}", "The process {name} ended unexpectedly: {why}")
_SEE_LOGS = Text("请查看日志。", "See the log.")


def command(name: str) -> str:
    """The path of one of this installation's console scripts; raises `UserError`."""
    path = Path(sys.executable).parent / name
    if not path.exists():
        remedy = Text("请安装全部组件,如 make setup。", "Install all parts, as `make setup` does.")
        raise UserError(Text(f"缺少命令 {name}", f"The command {name} is missing"), str(path), remedy)
    return str(path)


@dataclass(frozen=True, slots=True)
class Processes:
    """The running ones by name. Use as a context manager: all are ended on the way out.

    `held`: a descriptor that all inherit.
    """

    logs: Path
    held: int
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> "Processes":
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str, arguments: Sequence[str]) -> None:
        """Start in a session of its own, so that Ctrl-C reaches the demo first."""
        with (self.logs / f"{name}.out").open("wb") as out, (self.logs / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                start_new_session=True,
                pass_fds=(self.held,),
            )

    def result(self, name: str) -> Any:
        """Wait for the end of `name` and read the JSON that it printed; raises `UserError` when it failed."""
        code = self.running[name].wait()  # still listed, so that an interrupt ends it, too
        del self.running[name]
        if code != 0:
            raise self._failed(name, code)
        return json.loads((self.logs / f"{name}.out").read_bytes())

    def wait_until(self, what: Text, condition: Callable[[], bool], seconds: float) -> None:
        """Wait for `condition`; raises `UserError` when a process ended or the time is over."""
        deadline = time.monotonic() + seconds
        while not condition():
            self._refuse_ended()
            if time.monotonic() > deadline:
                raise UserError(_WAITED.fill(what=what), str(self.logs), _SEE_LOGS)
            time.sleep(_POLL_SECONDS)

    def watch(self, stop: threading.Event) -> None:
        """Until `stop` is set; raises `UserError` when a process ended by itself."""
        while not stop.wait(_WATCH_SECONDS):
            self._refuse_ended()

    def _refuse_ended(self) -> None:
        for name, process in self.running.items():
            if (code := process.poll()) is not None:
                raise self._failed(name, code)

    def stop(self) -> None:
        """End all, the last started first; kill what does not end."""
        for process in reversed(self.running.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            try:
                process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()

    def _failed(self, name: str, code: int) -> UserError:
        log = self.logs / f"{name}.log"
        return UserError(_ENDED.fill(name=name, why=_why(log, code)), str(log), _SEE_LOGS)


def _why(log: Path, code: int) -> str:
    """The signal that ended it, or its own last words; JSON log lines are for the log."""
    if code < 0:
        return signal.Signals(-code).name
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines and not lines[-1].startswith("{") else f"exit code {code}"
