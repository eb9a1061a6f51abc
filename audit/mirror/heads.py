"""The log's side of its mirror: which head the auditor's mirror holds, and since when it was not heard.

1. The mirror sends the signed head that it holds. It counts only under the log's own signature; one that this log
   cannot have had ends the log (`contradictions`), whoever sent it.
2. With the mirror's verifier key pinned, a head is confirmed when that key cosigned it: the mirror holds every entry
   below it, durably. Without the pin a head is known, and confirms nothing.
3. The highest head is kept beside the log (`reader.MIRRORED`), at most once in `KEEP_S` and at the end: the next start
   refuses a log that never had it. A log that is condemned keeps what condemned it. Nobody waits for this file: the
   mirror says again what it holds.
4. `age_s` is how long ago the mirror was last heard, with its own key where it is pinned; a restart does not reset it.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from audit import cosignatures
from audit.checkpoints import Checkpoint, open_note
from audit.contradictions import MIRROR, condemn, contradiction, own_note, remember
from audit.lines import alarm
from audit.log import AuditLog
from audit.notes import NoteKey
from audit.reader import LogReader
from contracts.errors import Fault

KEEP_S: Final = 1.0
LATE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Told:
    """What one message of the mirror came to. `size`: entries under the head that it holds."""

    size: int
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands. `size`: entries that are confirmed (without a pinned key: that the mirror says it holds).
    `since`: when it was last heard, in Unix seconds; `heard`: whether it ever was, by this process or one before."""

    size: int
    since: float
    age_s: float
    heard: bool

    @property
    def late(self) -> bool:
        return self.age_s > LATE_S


class MirrorHeads:
    """Of one log. For any thread. `clock` gives Unix seconds."""

    def __init__(
        self, log: AuditLog, directory: Path, key: NoteKey | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        """`key`: the pinned one of the mirror (rule 2)."""
        self.log = log
        self.key = key
        self._reader = LogReader(directory, log.verifier)
        self._clock = clock
        self._changing = threading.Lock()
        self._keeping = threading.Lock()
        self._known, self._note = self._before()
        self._confirmed, self._since, self._heard = self._heard_before()
        self._kept, self._kept_at = self._note, 0.0

    def take(self, note: bytes) -> Told:
        """The mirror says that it holds `note` (rules 1 and 2).

        Raises `Fault` of `open_note` for what is no head of this log, `note_signature_invalid` also for a wrong line
        of the pinned key; `log_contradicted` when this log cannot have had it; `audit_unavailable` of a dead log.
        """
        head, cosigned = open_note(note, self.log.verifier, () if self.key is None else (self.key,))
        if not self.log.alive:
            raise Fault("audit_unavailable")
        self._compare(head, note)
        confirmed = bool(cosigned)
        counts = confirmed or self.key is None
        with self._changing:
            if head.size > self._known or (head.size == self._known and counts):
                self._known, self._note = head.size, note
            if counts:
                self._confirmed = max(self._confirmed, head.size)
                self._since, self._heard = self._clock(), True
        return Told(head.size, confirmed)

    def standing(self) -> Standing:
        """Rule 4."""
        return Standing(self._confirmed, self._since, max(0.0, self._clock() - self._since), self._heard)

    def keep(self, at_once: bool = False) -> None:
        """Write the highest head down, if it is due (rule 3). What the disk does not take is told, and no more."""
        with self._keeping:
            note, now = self._note, self._clock()
            if note is None or note == self._kept or not (at_once or abs(now - self._kept_at) >= KEEP_S):
                return
            self._kept, self._kept_at = note, now
            try:
                remember(self.log, self._reader, self._ours(note))
            except OSError as error:
                alarm("mirror_head_not_kept", log=self.log.origin, error=type(error).__name__)

    def _compare(self, head: Checkpoint, note: bytes) -> None:
        """Rule 1."""
        if head == self.log.published:
            return
        reason = contradiction(head, self._reader.checkpoint(), self._reader, MIRROR)
        if reason is not None:
            condemn(self.log, self._reader, note, reason, MIRROR)
            raise Fault("log_contradicted")

    def _ours(self, note: bytes) -> bytes:
        """The log's own signature and the mirror's line; what others added is dropped."""
        lines = () if self.key is None else cosignatures.of_note(note, (self.key,))
        return cosignatures.merged(own_note(note, self.log.verifier), lines)

    def _before(self) -> tuple[int, bytes | None]:
        """What an earlier process knew; the log's start has compared it."""
        note = self._reader.mirrored_note()
        return (0, None) if note is None else (open_note(note, self.log.verifier)[0].size, note)

    def _heard_before(self) -> tuple[int, float, bool]:
        """Of rule 4, from the cosignature's own time; a line that does not verify counts for nothing."""
        now = self._clock()
        try:
            found = cosignatures.of_note(self._note or b"", () if self.key is None else (self.key,))
        except Fault:
            found = []
        return (self._known, min(now, found[-1].time), True) if found else (0, now, False)
