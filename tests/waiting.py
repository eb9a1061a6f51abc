"""Waiting for a condition: the only way in which a test waits."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LOOK_S = 0.02


def until(holds: Callable[[], T], timeout_s: float = 60.0, what: str = "") -> T:
    """What `holds()` gives, as soon as that is true; fails the test after `timeout_s`, saying `what` did not come."""
    deadline = time.monotonic() + timeout_s
    while not (found := holds()):
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(LOOK_S)
    return found
