"""The running of checks: each for itself, whatever happens to the others.

1. A check is a name, a title and a function that looks and gives findings.
2. What it raises is its finding: a mistake with its own remedy, damaged data, something that does not answer. An
   exception that is none of these is a fault of this program, and a finding too.
3. A check has a time limit (a file system that hangs must not keep the others from being looked at).
4. What several checks need (the configuration, the registry) is made once (`Lazy`). The check that is about it tells
   why it cannot be had; the others say only that they were not done.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from contracts.edge import system_errors
from contracts.edge.doctor.finding import Finding, Told, failed, warning
from contracts.edge.output import Mistake, explained
from contracts.errors import Corrupt, Fault, Unavailable, UserError
from contracts.text import Text

LIMIT_SECONDS: Final = 30.0
KNOWN: Final = (UserError, Fault, Corrupt, Unavailable, OSError)

C = TypeVar("C")
T = TypeVar("T")

_NOT_DONE = Text("未检查:「{what}」不可用", "Not examined: there is no usable {what}")
_FIRST = Text("见「{what}」各行。", "See the lines about: {what}.")
_OWN_FAULT = Text("检查本身出错:{kind}", "The check itself failed: {kind}")
_REPORT = Text("请将此行报告给开发者。", "Report this line to the developers.")
_SLOW = Text("{seconds:.0f} 秒内没有结果", "No result within {seconds:.0f} s")
_HANGING = Text(
    "请检查是否有挂起的网络文件系统或无响应的服务。", "Look for a network file system or a service that hangs."
)


@dataclass(frozen=True, slots=True)
class Check(Generic[C]):
    """Rule 1. `look` takes what is examined."""

    name: str
    title: Text
    look: Callable[[C], Iterable[Finding]]


class Missing(Exception):
    """What a check needs cannot be had; another check says why."""

    def __init__(self, what: Text) -> None:
        super().__init__(what.en)
        self.what = what


class Lazy(Generic[T]):
    """A value made when it is first asked for, or the error that came instead (rule 4)."""

    def __init__(self, title: Text, make: Callable[[], T]) -> None:
        self._title = title
        self._make = make
        self._begun = False
        self._made: list[T] = []
        self._error: Mistake | None = None

    def get(self) -> T:
        """The value; raises what its making raised, each time."""
        if not self._begun:
            self._begun = True
            try:
                self._made.append(self._make())
            except KNOWN as error:
                self._error = error
        if self._error is not None:
            raise self._error
        if not self._made:  # its making hangs in a thread that was given up, or failed by a fault of ours
            raise Missing(self._title)
        return self._made[0]

    def need(self) -> T:
        """The value; raises `Missing`."""
        try:
            return self.get()
        except KNOWN:
            raise Missing(self._title) from None


def examine(checks: Sequence[Check[C]], subject: C, limit_s: float = LIMIT_SECONDS) -> Iterator[Told]:
    """Everything that the checks find, in their order."""
    for check in checks:
        for finding in _within(check, subject, limit_s):
            yield Told(check.name, check.title, finding)


def _within(check: Check[C], subject: C, limit_s: float) -> list[Finding]:
    """Rule 3. A thread that hangs is left behind; it does not keep the process alive."""
    found: list[Finding] = []
    thread = threading.Thread(target=_look, args=(check, subject, found), name=check.name, daemon=True)
    thread.start()
    thread.join(limit_s)
    if thread.is_alive():
        return [*found, failed(_SLOW.fill(seconds=limit_s), _HANGING)]
    return found


def _look(check: Check[C], subject: C, found: list[Finding]) -> None:
    try:
        found.extend(check.look(subject))  # what was found before an error counts
    except Missing as missing:
        found.append(warning(_NOT_DONE.fill(what=missing.what), _FIRST.fill(what=missing.what)))
    except KNOWN as error:
        found.append(of_error(error))
    except Exception as error:  # noqa: BLE001 — a fault of one check must not stop the others
        found.append(failed(_OWN_FAULT.fill(kind=type(error).__name__), _REPORT, check.name))


def of_error(error: Mistake) -> Finding:
    """Rule 2."""
    what, where, remedy = explained(error)
    return failed(what, remedy or system_errors.NO_REMEDY, where)
