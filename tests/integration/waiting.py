"""Waiting for a condition: the only way in which a test waits."""

import time
from collections.abc import Callable

LOOK_S = 0.05


def until(holds: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Return as soon as `holds()`; fails the test after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {timeout_s} s"
        time.sleep(LOOK_S)
