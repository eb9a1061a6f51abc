"""The clock, compared with what can honestly be compared without asking a time service.

1. The kernel knows whether somebody keeps its clock right (adjtimex(2)).
2. Nothing that happened can have happened later than now: files of ours, what the log's servers and other machines
   stamped. A mark in the future means that this clock is behind, or theirs ahead. The past says nothing.
3. While the doctor looked, wall clock and monotonic clock must have gone on alike.
"""

import ctypes
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.edge.clock import now_ms
from contracts.edge.doctor.finding import Finding, failed, ok, warning
from contracts.text import Text

MILD_MS: Final = 5_000
GRAVE_MS: Final = 60_000
STEP_MS: Final = 500

_SET = Text(
    "请启用时间同步(如 chrony),并核对系统时间。", "Keep the clock right (chrony for instance); look at the time now."
)
_UNSYNCHRONISED = Text("系统时钟未与任何时间源同步", "Nothing keeps the system clock synchronised")
_UNKNOWN = Text("无法得知系统时钟是否同步", "Whether the system clock is synchronised cannot be found out")
_ASK_HOST = Text("请在宿主机上查看 timedatectl。", "Look at timedatectl on the host.")
_AHEAD = Text("{whose}的时间比本机时钟晚 {ahead}", "{whose} is {ahead} later than this clock")
_STEPPED = Text("检查期间系统时间跳变了 {step} 毫秒", "The time jumped by {step} ms while the doctor looked")


@dataclass(frozen=True, slots=True)
class Mark:
    """Somebody's record of a moment in the past, in Unix ms. `whose` as it stands in a sentence."""

    whose: Text
    at: int
    where: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """Both clocks at one moment, in ms."""

    wall: int
    monotonic: int


@dataclass(frozen=True, slots=True)
class Clock:
    """What is known of the clock. `synchronised` None: unknown."""

    synchronised: bool | None
    before: Sample
    now: Sample
    marks: Sequence[Mark]


def judge(clock: Clock) -> Iterator[Finding]:
    """Everything to say about the clock; one `ok` if there is nothing."""
    found = [*_synchronisation(clock), *_marks(clock), *_step(clock)]
    yield from found
    if not found:
        yield ok(
            f"时钟已同步,{len(clock.marks)} 处时间记录相符", f"Synchronised; {len(clock.marks)} records of time agree"
        )


def _synchronisation(clock: Clock) -> Iterator[Finding]:
    if clock.synchronised is None:
        yield warning(_UNKNOWN, _ASK_HOST)
    elif not clock.synchronised:
        yield warning(_UNSYNCHRONISED, _SET)


def _marks(clock: Clock) -> Iterator[Finding]:
    for mark in clock.marks:
        ahead = mark.at - clock.now.wall
        if ahead > MILD_MS:
            level = failed if ahead > GRAVE_MS else warning
            yield level(_AHEAD.fill(whose=mark.whose, ahead=_span(ahead)), _SET, mark.where)


def _step(clock: Clock) -> Iterator[Finding]:
    step = (clock.now.wall - clock.before.wall) - (clock.now.monotonic - clock.before.monotonic)
    if abs(step) > STEP_MS:
        yield warning(_STEPPED.fill(step=step), _SET)


def _span(ms: int) -> Text:
    seconds = ms // 1000
    if seconds < 7200:
        return Text(f"{seconds} 秒", f"{seconds} s")
    return Text(f"{seconds // 3600} 小时", f"{seconds // 3600} h")


# --- gathering ---------------------------------------------------------------------------------------------------

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_TIMEX_BYTES = 256  # more than a struct timex has; all zero means: only look


def sample() -> Sample:
    """Both clocks now."""
    return Sample(now_ms(), time.monotonic_ns() // 1_000_000)


def synchronised() -> bool | None:
    """Rule 1; None where the system does not say."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR


def file_marks(paths: Sequence[Path]) -> Iterator[Mark]:
    """When these files were last written, those that are there."""
    for path in paths:
        if path.exists():
            yield Mark(Text("文件", "This file"), path.stat().st_mtime_ns // 1_000_000, str(path))
