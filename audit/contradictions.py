"""What somebody outside holds of a log, against the log itself: the end of a log that was put back or rewritten.

1. Only a head that the log's own key signed counts; whoever calls has verified that.
2. A log that cannot have had that head is condemned: it is dead, and its process ends. Both signed heads are kept
   beside the log, below `evidence/`, first. A disk that does not take them saves nobody.
3. What was proved once stays so: the head goes to where the next start reads it, and nobody else writes there any more,
   whoever is still about to.
"""

import threading
from typing import Protocol

from audit import notes
from audit.checkpoints import Checkpoint, open_note
from audit.disk import Disk
from audit.lines import alarm
from audit.merkle import tree_at
from audit.reader import MIRRORED, LogReader
from contracts.errors import Corrupt, Fault

WITNESS, MIRROR = "a witness", "the mirror"

_disk = Disk()
_known = threading.Lock()  # what is written to `reader.MIRRORED`, and whether the log is condemned


class Condemned(Protocol):
    """A log that can be ended."""

    origin: str

    @property
    def alive(self) -> bool: ...
    def condemn(self, error: BaseException) -> None: ...


def contradiction(held: Checkpoint, published: Checkpoint, reader: LogReader, holder: str = WITNESS) -> str | None:
    """Why a log with the head `published` cannot have had the head `held`; None when it had it."""
    if held.size > published.size:
        return f"the log has {published.size} published entries, but {holder} holds a head of {held.size}: an old copy"
    if tree_at(held.size, reader.nodes(published.size)).root() != held.root:
        return f"the log of {held.size} entries is not the one that {holder} knows"
    return None


def condemn(log: Condemned, reader: LogReader, note: bytes, reason: str, whose: str) -> None:
    """End a log that the signed head `note` contradicts (rules 2 and 3). `whose`: a word or URL, for the alarm."""
    held = open_note(note, reader.key)[0]
    alarm("log_contradicted", log=log.origin, holder=whose, held=held.size, reason=reason)
    bare = own_note(note, reader.key)
    path = reader.directory / "evidence" / f"{held.size}-{held.root.hex()[:16]}.checkpoint"
    with _known:
        try:
            _disk.replace_all({path: bare, path.with_suffix(".own"): reader.note(), reader.directory / MIRRORED: bare})
        except OSError as error:
            alarm("evidence_not_kept", log=log.origin, error=type(error).__name__)
        log.condemn(Corrupt(reason))


def remember(log: Condemned, reader: LogReader, note: bytes) -> None:
    """Write down a head that `log` had for the next start, unless it is dead (rule 3). Raises OSError."""
    with _known:
        if log.alive:
            _disk.replace(reader.directory / MIRRORED, note)


def own_note(note: bytes, key: notes.NoteKey) -> bytes:
    """A verified note with the log's own signature only; raises `Fault` when it has none."""
    parsed = notes.parse(note)
    lines = [one for one in parsed.signatures if (one.name, one.key_id) == (key.name, key.key_id)]
    if not lines:
        raise Fault("note_signature_invalid")
    return parsed.text + b"\n" + notes.signature_line(key, lines[0].value)
