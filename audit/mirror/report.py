"""The three ways to call the mirror, for the command line: run, once, status. What people see is here."""

import time
from collections.abc import Callable
from pathlib import Path

from audit.mirror import status
from audit.mirror.config import MirrorConfig
from audit.mirror.run import EXIT_ALARM, opened, run_until_stopped
from contracts.edge.output import emit_json, say
from contracts.encoding import Json
from contracts.text import Text

_LOG = Text(
    "{slot}:{size}/{published} 条,落后 {behind_s} 秒", "{slot}: {size} of {published} entries, {behind_s} s behind"
)
_OLD = Text("状态已过时 {seconds} 秒:镜像未在运行", "The status is {seconds} s old: no mirror is running")
_ALARM = Text("报警 {code}({about}):{detail}", "ALARM {code} ({about}): {detail}")
_WELL = Text("无报警", "No alarms")


def run(config: MirrorConfig) -> None:
    """Until stopped; raises `UserError`, `Corrupt`, OSError."""
    run_until_stopped(opened(config))


def once(config: MirrorConfig, advance: Callable[[int], None]) -> None:
    """One round over all logs; raises as `run`."""
    opened(config).once(advance)


def show(directory: Path, as_json: bool) -> int:
    """Print what the mirror found last; the exit code (0 well, 1 alarms or too old). Raises `UserError`."""
    document = status.read(directory)
    written = document["time"]
    age = time.time() - written if isinstance(written, int | float) else status.STALE_S + 1
    alarms = document["alarms"]
    if as_json:
        emit_json({**document, "age_s": round(age, 1)})
    else:
        _print(document, age)
    return EXIT_ALARM if alarms or abs(age) > status.STALE_S else 0


def _print(document: dict[str, Json], age: float) -> None:
    for one in _rows(document, "logs"):
        say(_LOG.fill(**one))
    for one in _rows(document, "alarms"):
        say(_ALARM.fill(**one))
    if abs(age) > status.STALE_S:
        say(_OLD.fill(seconds=int(age)))
    elif not document["alarms"]:
        say(_WELL)


def _rows(document: dict[str, Json], name: str) -> list[dict[str, Json]]:
    found = document[name]
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
