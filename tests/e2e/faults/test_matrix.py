"""Every fault of the table, on a city under load, and nothing lost, duplicated, reordered, unaudited, unverified."""

from tests.e2e.faults.matrix import Run
from tests.e2e.faults.scenarios import Scenario


def test_fault(run: Run, scenario: Scenario, times: int) -> None:
    verdict = run.play(scenario, times)
    assert not verdict.findings, verdict.told()
    assert run.city.unexpected_ends().keys() <= scenario.may_end, run.city.unexpected_ends()
    assert verdict.messages, "nothing was published"
    assert verdict.answers, "nobody asked"
