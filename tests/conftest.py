"""What all tests share."""

import signal

import pytest

# A shell that starts a job in the background lets it ignore Ctrl-C, and processes inherit that. The programs under test
# are to meet SIGINT as they do in a terminal.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Of tests/e2e/faults mostly; here, because pytest knows options of this file only when it starts."""
    parser.addoption("--long", action="store_true", help="the whole matrix of faults (11 to 25 minutes)")
    parser.addoption("--fault-seed", type=int, help="the seed of its random choices")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: a variant that runs with --long (`make test-long`) only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--long"):
        long = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
