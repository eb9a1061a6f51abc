"""A bell that all processes of one log share: 8 bytes in a file. Writers change them, readers look.

1. Who rings writes random bytes: a reader that finds the same bytes as before has missed nothing but a ring that is
   still to come. (Counting up would not do: two writers could bring back a number that was already seen.)
2. The bell only makes looking cheap: one `pread` however many topics there are. A writer may die between its commit and
   its ring, so readers look at the topics themselves once in `LOOK_ANYWAY_S`, bell or not.
"""

import os
import secrets
import time
from pathlib import Path

LOOK_ANYWAY_S = 1.0
_SIZE = 8


class Bell:
    """One end of the bell. For one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._heard = b""
        self._look_at = 0.0

    def ring(self) -> None:
        """Tell every reader that something was committed."""
        os.pwrite(self._descriptor, secrets.token_bytes(_SIZE), 0)

    def silent(self) -> bool:
        """Whether nothing was committed since the last call, as far as known."""
        sound, now = os.pread(self._descriptor, _SIZE, 0), time.monotonic()
        if sound == self._heard and now < self._look_at:
            return True
        self._heard, self._look_at = sound, now + LOOK_ANYWAY_S
        return False

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
