"""`oncegate up`: the roles of a node together on one machine, each a process of its own, kept running.

1. A role that ended by itself is started again, after a pause that doubles from 1 s to 30 s: it crashed or was killed,
   could not write the audit log (70; recovery decides what is durable), or gave up on a log that is away (4).
   One that ran for a minute begins anew at 1 s. The other roles go on meanwhile.
2. What a person must mend ends all roles at once: a mistake (2), damaged data (3). So does a role that does not stay:
   `MAX_STARTS` in a row. The exit code is that role's own, 128 + n if signal n ended it.
3. SIGTERM and SIGINT: all roles are asked to end, killed after a grace; the exit code is 0. Roles do not outlive an
   `up` that was killed: another one could not start beside them.
"""

import ctypes
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
import typer

from contracts.edge.output import EXIT_CORRUPT, EXIT_MISTAKE, complain
from contracts.errors import UserError
from contracts.text import Text
from gateway.config import load
from gateway.roles import configure_logging, stop_signals

ROLES = ("ingest", "serve")
FOR_A_PERSON = frozenset({EXIT_MISTAKE, EXIT_CORRUPT})
STAYED_S = 60.0
MAX_STARTS = 8  # in a row: about two minutes with their pauses
_FIRST_PAUSE_S, _MAX_PAUSE_S = 1.0, 30.0
_LOOK_S = 0.2
_GRACE_S = 15.0
_PR_SET_PDEATHSIG = 1
_ENDED = Text("进程 {role} 以代码 {code} 退出,已停止全部进程", "{role} ended with exit code {code}; all were stopped")
_LOOK = Text("原因见上方日志。", "The log above says why.")

_log = structlog.get_logger("oncegate.up")


def pause_after(code: int, lasted_s: float, starts: int) -> float | None:
    """Seconds until a role that ended is started again; None if all shall end. `starts`: in a row, this one too."""
    if code in FOR_A_PERSON:
        return None
    if lasted_s >= STAYED_S:
        return _FIRST_PAUSE_S
    if starts >= MAX_STARTS:
        return None
    return float(min(_FIRST_PAUSE_S * 2 ** (starts - 1), _MAX_PAUSE_S))


@dataclass(slots=True)
class _Role:
    """One role: its process while it runs, else when it is started again. Times of the monotonic clock."""

    name: str
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    at: float = 0.0  # when it was started, or is to be


def up(config_path: Path, names: Sequence[str] = ROLES) -> None:
    """Keep all roles running until a stop signal. Raises `UserError`, and `typer.Exit` with a role's code (rule 2)."""
    load(config_path)  # a mistake in it is told once, not by every process
    configure_logging()
    roles = [_Role(name) for name in names]
    with stop_signals() as stop:
        try:
            ended = _watch(roles, config_path, stop)
        finally:
            _end(roles)
    if ended is not None:
        name, code = ended
        complain(UserError(_ENDED.fill(role=name, code=code), str(config_path), _LOOK))
        raise typer.Exit(code)


def _watch(roles: Sequence[_Role], config_path: Path, stop: threading.Event) -> tuple[str, int] | None:
    """Until `stop`: None. The role that ended for good, and its exit code."""
    while not stop.is_set():
        for role in roles:
            code = _step(role, config_path)
            if code is not None:
                return role.name, code
        stop.wait(_LOOK_S)
    return None


def _step(role: _Role, config_path: Path) -> int | None:
    """Start the role if it is time, note its end; the exit code if it shall not be started again."""
    now = time.monotonic()
    if role.process is None:
        if now >= role.at:
            role.process, role.at, role.starts = _start(role.name, config_path), now, role.starts + 1
            _log.info("role_started", role=role.name, pid=role.process.pid)
        return None
    returned = role.process.poll()
    if returned is None:
        return None
    code = returned if returned >= 0 else 128 - returned
    pause = pause_after(code, now - role.at, role.starts)
    _log.error("role_ended", role=role.name, code=code, again_in_s=pause)
    if pause is None:
        return code
    role.starts = 0 if now - role.at >= STAYED_S else role.starts
    role.process, role.at = None, now + pause
    return None


def _start(role: str, config_path: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "gateway.up", role, "--config", str(config_path)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)


def _end(roles: Sequence[_Role]) -> None:
    running = [role.process for role in roles if role.process is not None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + _GRACE_S
    for process in running:
        try:
            process.wait(max(deadline - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> None:
    """A role as `up` starts it: the command of its name; the kernel (Linux) sends it a SIGTERM when `up` is gone."""
    from gateway.cli import main as command_line

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    command_line()


if __name__ == "__main__":
    main()
