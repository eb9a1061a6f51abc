"""One run of the matrix: faults injected into a city, the checker asked after each, a line of the table."""

import time
from dataclasses import dataclass, field

from tests.e2e.faults.checker import KINDS, Before, Verdict, judge
from tests.e2e.faults.city import City
from tests.e2e.faults.evidence import Found
from tests.e2e.faults.scenarios import Scenario

COLUMNS = ("scenario", "faults", "messages", "answers", "no answer", "resent", *KINDS, "s")


@dataclass(slots=True)
class Run:
    """A city and what the checker knows of it. `found`: the last evidence."""

    city: City
    table: list[tuple[object, ...]]
    before: Before = field(default_factory=Before)
    found: Found | None = None
    unanswered: int = 0
    messages: int = 0

    def play(self, scenario: Scenario, times: int) -> Verdict:
        """Inject, settle, compare; one line in the table."""
        started = time.monotonic()
        self.city.go_on()
        faults = scenario.fault(self.city, times)
        return self.check(scenario.name, faults, started)

    def check(self, name: str, faults: int, started: float) -> Verdict:
        """Settle and compare; one line in the table."""
        self.city.settle()
        self.found = self.city.evidence()
        verdict, self.before = judge(self.found, self.before)
        unanswered, self.unanswered = self.city.load.unanswered - self.unanswered, self.city.load.unanswered
        messages, self.messages = verdict.messages - self.messages, verdict.messages
        counts = (messages, verdict.answers, unanswered, verdict.resent, *map(verdict.count, KINDS))
        self.table.append((name, faults, *counts, round(time.monotonic() - started)))
        print(line(self.table[-1]))
        return verdict


def line(cells: tuple[object, ...]) -> str:
    """A line of the table."""
    first, *others = cells
    widths = map(len, COLUMNS[1:])
    return f"{first!s:34}" + "".join(f"  {cell!s:>{max(width, 6)}}" for cell, width in zip(others, widths, strict=True))
