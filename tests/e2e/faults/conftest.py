"""The matrix of faults: which rows run, the city that they run in, and the table at the end.

`--long` (`make test-long`) runs every row in full; without it the rows that have a short form run in that.
`--fault-seed` repeats the random choices of a run; where the processes are at those instants is never the same.
"""

import time
from collections.abc import Iterator

import pytest

from tests.e2e.faults.city import City
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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    long = metafunc.config.getoption("--long")
    if "scenario" in metafunc.fixturenames:
        rows = [(one.nodes, one, one.times_in(long)) for one in SCENARIOS if one.times_in(long)]
        names = [one.name.replace(" ", "-") for _, one, _ in rows]
        metafunc.parametrize(("run", "scenario", "times"), rows, ids=names, indirect=["run"], scope="package")
    elif "run" in metafunc.fixturenames:
        metafunc.parametrize("run", [1], ids=["one-broker"], indirect=True, scope="package")


@pytest.fixture(scope="package")
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A city with `request.param` brokers."""
    directory = tmp_path_factory.mktemp("city")
    config = request.config
    with (
        running(directory / "kafka", request.param) as broker,
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
