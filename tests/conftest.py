"""What all tests share."""

import signal

import pytest

# A shell that starts a job in the background lets it ignore Ctrl-C, and processes inherit that. The programs under test
# are to meet SIGINT as they do in a terminal.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Of tests/e2e/faults; here, because pytest knows options of this file only when it starts."""
    parser.addoption("--long", action="store_true", help="the whole matrix of faults (half an hour)")
    parser.addoption("--fault-seed", type=int, help="the seed of its random choices")
