"""The last head of a closed log, offered to witnesses until one has cosigned it; after that it stays as it is.

Nobody appends to a closed log, so there is nothing to hold back while no witness has it. A witness that holds a head
which this log cannot have had is told of like any other contradiction, and ends the offering.
"""

from collections.abc import Sequence
from contextlib import suppress

from audit.checkpoints import Checkpoint, open_note
from audit.notes import NoteKey
from audit.reader import LogReader
from audit.succession import Ending
from contracts.errors import Fault


class ClosedHead:
    """A closed log, as much of it as `Cosigning` asks for."""

    def __init__(self, reader: LogReader, ending: Ending, witnesses: Sequence[NoteKey]) -> None:
        self.origin = ending.head.origin
        self.verifier: NoteKey = reader.key
        self.published: Checkpoint = ending.head
        self._reader = reader
        self._witnesses = tuple(witnesses)
        self._condemned = False

    @property
    def alive(self) -> bool:
        """Whether it has to be offered."""
        return not self._condemned and not self.cosigned

    @property
    def cosigned(self) -> bool:
        """Whether a witness has cosigned this very head."""
        note = self._reader.cosigned_note()
        with suppress(Fault):
            if note is not None:
                head, count = open_note(note, self.verifier, self._witnesses)
                return count > 0 and head == self.published
        return False

    def condemn(self, error: BaseException) -> None:
        """The contradiction is told already; the log that is written is another one."""
        del error
        self._condemned = True
