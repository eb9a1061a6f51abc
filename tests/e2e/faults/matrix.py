"""One run of the matrix: faults injected into a city, the checker asked after each, a line of the table."""

import time
from collections import Counter
from dataclasses import dataclass, field

from tests.e2e.faults.checker import KINDS, Before, Verdict, judge
from tests.e2e.faults.city import City
from tests.e2e.faults.evidence import Found
from tests.e2e.faults.scenarios import NOTHING, Scenario

COLUMNS = ("scenario", "faults", "messages", "answers", "no answer", "resent", *KINDS, "ended", "s")


@dataclass(frozen=True, slots=True)
class Look:
    """What the checker was given, to be given to it again."""

    found: Found
    before: Before


@dataclass(slots=True)
class Run:
    """A city and what the checker knows of it. `ended`: processes that ended by themselves in the last scenario.
    `unsettled`: the scenario that never came to its end; whatever follows would only wait, too."""

    city: City
    table: list[tuple[object, ...]]
    notes: list[str]
    before: Before = field(default_factory=Before)
    last: Look | None = None
    ended: Counter[str] = field(default_factory=Counter)
    unsettled: str = ""
    _totals: tuple[int, int, int] = (0, 0, 0)
    _ends: Counter[str] = field(default_factory=Counter)

    def play(self, scenario: Scenario, times: int) -> Verdict:
        """Inject, settle, compare; one line in the table."""
        assert not self.unsettled, f"the city did not settle in: {self.unsettled}"
        started, self.unsettled = time.monotonic(), scenario.name
        self.city.go_on()
        faults = scenario.fault(self.city, times)
        self.city.settle()
        verdict = self.look()
        self.unsettled = ""
        self._tell(scenario.name, faults, verdict, time.monotonic() - started)
        return verdict

    def looked(self) -> Look:
        """The last look; a first one, at a city without faults, if there was none."""
        if self.last is None:
            verdict = self.play(NOTHING, 0)
            assert not verdict.findings, verdict.told()
        assert self.last is not None
        return self.last

    def look(self) -> Verdict:
        """Compare, once the city has settled."""
        self.last = Look(self.city.evidence(), self.before)
        verdict, self.before = judge(self.last.found, self.before)
        return verdict

    def _tell(self, name: str, faults: int, verdict: Verdict, seconds: float) -> None:
        totals = (verdict.messages, self.city.load.unanswered, verdict.resent)
        messages, unanswered, resent = (now - old for now, old in zip(totals, self._totals, strict=True))
        ends = Counter(self.city.unexpected_ends())
        self.ended, self._ends, self._totals = ends - self._ends, ends, totals
        counts = (messages, verdict.answers, unanswered, resent, *map(verdict.count, KINDS))
        self.table.append((name, faults, *counts, self.ended.total(), round(seconds)))
        print(line(self.table[-1]))


def play(run: Run, scenario: Scenario, times: int) -> None:
    """A row of the matrix as a test."""
    verdict = run.play(scenario, times)
    assert not verdict.findings, verdict.told()
    assert run.ended.keys() <= scenario.may_end, run.ended
    assert verdict.messages, "nothing was published"
    assert verdict.answers, "nobody asked"


def line(cells: tuple[object, ...]) -> str:
    """A line of the table."""
    first, *others = cells
    widths = map(len, COLUMNS[1:])
    return f"{first!s:32}" + "".join(f"  {cell!s:>{max(width, 5)}}" for cell, width in zip(others, widths, strict=True))
