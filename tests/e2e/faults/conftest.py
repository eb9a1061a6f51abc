"""The matrix of faults: which rows run, the city that they run in, and the table at the end.

`--long` (`make test-long`) runs every row in full; without it the rows that have a short form run in that.
`--fault-seed` repeats the random choices of a run; where the processes are at those instants is never the same.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.faults.city import PROPERTIES, City
from tests.e2e.faults.matrix import COLUMNS, Run, line
from tests.e2e.faults.scenarios import SCENARIOS
from tests.e2e.kafka.broker import running

TABLE = pytest.StashKey[list[tuple[object, ...]]]()
NOTES = pytest.StashKey[list[str]]()
SEED = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLE], config.stash[NOTES] = [], []
    chosen = config.getoption("--fault-seed")
    config.stash[SEED] = time.time_ns() % 1_000_000 if chosen is None else chosen


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Three brokers are for the long run only."""
    return True if collection_path.name == "test_three_brokers.py" and not config.getoption("--long") else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One city for all tests of a module's `NODES`; the rows one after the other, as they stand in the table."""
    long, nodes = metafunc.config.getoption("--long"), getattr(metafunc.module, "NODES", 1)
    if "run" in metafunc.fixturenames:
        metafunc.parametrize("run", [nodes], ids=[f"{nodes}-broker"], indirect=True, scope="package")
    if "scenario" in metafunc.fixturenames:
        rows = [(one, one.times_in(long)) for one in SCENARIOS if one.nodes == nodes and one.times_in(long)]
        metafunc.parametrize(("scenario", "times"), rows, ids=[one.name.replace(" ", "-") for one, _ in rows])


@pytest.fixture(scope="package")
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A city with `request.param` brokers."""
    directory = tmp_path_factory.mktemp("city")
    config = request.config
    with (
        running(directory / "kafka", request.param, properties=PROPERTIES) as broker,
        City(directory / "city", broker, config.stash[SEED]) as city,
    ):
        yield Run(city, config.stash[TABLE], config.stash[NOTES])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    table = config.stash.get(TABLE, [])
    if table:
        terminalreporter.section(f"faults (seed {config.stash[SEED]})")
        for cells in (COLUMNS, *table):
            terminalreporter.line(line(cells))
        for note in config.stash[NOTES]:
            terminalreporter.line(note)
