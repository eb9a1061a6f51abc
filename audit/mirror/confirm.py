"""What the mirror says to a log's gateway: which head it holds, cosigned if the mirror has a key of its own.

1. Told is the highest signed head that is known here, so that a log which was put back learns it at the first contact.
2. Cosigned (https://c2sp.org/tlog-cosignature) is only a head that is held entirely: every entry below it verified, and
   durable on this host. This is what answers wait for where the gateway says `durable = "mirrored"`.
3. A head is told once, and again every `REFRESH_S`, so that a mirror that is gone shows when nobody asks, too.
4. What the gateway answers changes nothing here; a telling that failed is tried again with the next look.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from audit import notes
from audit.cosignatures import Cosigner
from audit.mirror.copy import Copy
from audit.mirror.source import LogSource
from contracts.errors import Unavailable

REFRESH_S: Final = 15.0


@dataclass(slots=True)
class Confirming:
    """Of one log; belongs to its thread. `cosigner`: the mirror's own key. `clock` gives Unix seconds."""

    cosigner: Cosigner | None
    clock: Callable[[], float]
    _told: tuple[str, bytes, float] = ("", b"", 0.0)  # to whom, which note, when (monotonic)

    def tell(self, copy: Copy, source: LogSource) -> bool:
        """Say what `copy` holds, if it is due (rule 3); whether the gateway now counts all of it as confirmed."""
        held = copy.highest().note
        if not held or not self._due(source.url, held):
            return False
        try:
            confirmed = source.tell(self._cosigned(held) if copy.entire else held)
        except Unavailable:
            self._told = ("", b"", 0.0)  # rule 4
            return False
        self._told = (source.url, held, time.monotonic())
        return confirmed

    def _due(self, url: str, held: bytes) -> bool:
        return self._told[:2] != (url, held) or time.monotonic() - self._told[2] >= REFRESH_S

    def _cosigned(self, held: bytes) -> bytes:
        """Rule 2."""
        if self.cosigner is None:
            return held
        return held + self.cosigner.line(notes.parse(held).text, int(self.clock()))
