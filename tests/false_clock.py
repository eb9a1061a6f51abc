"""A clock that a test sets for the processes that it starts, and that jumps while they run: libfaketime.

1. Only the wall clock is false; the monotonic clock stays true, as when an administrator or NTP sets the time.
2. The jump is in a file that is read at every look at the clock: it comes for all processes at once.
3. File times stay true: they are the kernel's.
"""

from collections.abc import Mapping
from pathlib import Path

from contracts.edge.files import write_atomic

HOUR = 3600
_LIBRARIES = ("lib/*/faketime", "lib64/faketime", "lib/faketime", "local/lib/faketime")


def _library() -> Path:
    found = [path for place in _LIBRARIES for path in Path("/usr").glob(f"{place}/libfaketimeMT.so.1")]
    assert found, "libfaketime is not installed: run `make setup-dev`"
    return found[0]


class FalseClock:
    """`environment` belongs to the processes whose clock this is."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.jump(0)
        self.environment: Mapping[str, str] = {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def jump(self, seconds: int) -> None:
        """From now on the clock is so many seconds ahead of the true one (negative: behind)."""
        write_atomic(self._file, b"%+d\n" % seconds)
