"""The rows of the matrix that need three brokers, two of which must have what is acknowledged."""

import pytest

from tests.e2e.faults.matrix import Run, play
from tests.e2e.faults.scenarios import Scenario

NODES = 3
# The checker's KafkaConsumer leaves the socket of a connection that was refused (a broker is away) to the collector.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")


def test_fault(run: Run, scenario: Scenario, times: int) -> None:
    play(run, scenario, times)
