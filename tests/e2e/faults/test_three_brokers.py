"""The rows of the matrix that need three brokers, two of which must have what is acknowledged."""

from tests.e2e.faults.matrix import Run, play
from tests.e2e.faults.scenarios import Scenario

NODES = 3


def test_fault(run: Run, scenario: Scenario, times: int) -> None:
    play(run, scenario, times)
