"""The clock. Decisions take a time as a value; only composition reads it, here."""

import time


def now_ms() -> int:
    """Wall-clock time as Unix milliseconds. It may jump; nothing may rely on it to rise."""
    return time.time_ns() // 1_000_000
