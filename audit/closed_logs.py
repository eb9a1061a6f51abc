"""The closed logs that a serving process goes on giving out beside the one that it writes.

1. A closed log is served when its ending is proved, and it and the log that goes on from it name each other: the log
   that is written, or a closed one that is served. What does not fit is told, not served, and not needed for writing.
2. Once a log is retired (`retired`), nobody is given anything of it: asked each time, removing needs no restart.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from audit import retired
from audit.lines import alarm
from audit.notes import NoteKey
from audit.reader import LogReader
from audit.shards import ending, proven
from audit.succession import Ending, after, beginning_of
from contracts.errors import Corrupt, Fault


@dataclass(frozen=True, slots=True)
class ClosedLog:
    """One that is served."""

    slot: str
    reader: LogReader
    ending: Ending


class ClosedLogs:
    """Those of one process, newest first. Safe from any thread."""

    def __init__(self, logs: Iterable[ClosedLog] = (), directory: Path | None = None) -> None:
        """`directory`: of the files of retired logs, read once for their origins. Raises `Corrupt`."""
        self._logs = {one.slot: one for one in logs}
        self._directory = directory
        self._gone = frozenset(one.origin for one in retired.read_all(directory)) if directory is not None else ()

    def there(self) -> tuple[ClosedLog, ...]:
        """Those that are not retired."""
        return tuple(one for one in self._logs.values() if not self.is_retired(one))

    def of_slot(self, slot: str) -> ClosedLog | None:
        """The one of this slot, if it is not retired."""
        found = self._logs.get(slot)
        return None if found is None or self.is_retired(found) else found

    def of_origin(self, origin: str) -> ClosedLog:
        """The one of this name; raises `Fault` `past_retention`, or `entry_unknown` for a name that was never here."""
        found = next((one for one in self._logs.values() if one.ending.head.origin == origin), None)
        if origin in self._gone or (found is not None and self.is_retired(found)):
            raise Fault("past_retention")
        if found is None:
            raise Fault("entry_unknown")
        return found

    def is_retired(self, log: ClosedLog) -> bool:
        """Rule 2."""
        return self._directory is not None and retired.path_of(self._directory, log.reader.directory.name).exists()


def served(written: LogReader, candidates: Iterable[tuple[str, Path, NoteKey]]) -> Iterator[ClosedLog]:
    """Rule 1. `written`: the log that is open; `candidates`: slot, directory and key, newest first."""
    successor = written
    for slot, directory, key in candidates:
        reader = LogReader(directory, key)
        if not (directory / "checkpoint").is_file():
            return
        try:
            found = _fitting(reader, successor)
        except (Corrupt, Fault) as error:
            alarm("closed_log_damaged", log=key.name, reason=str(error))
            return
        yield ClosedLog(slot, reader, found)
        successor = reader


def _fitting(reader: LogReader, successor: LogReader) -> Ending:
    """How a log ended, as its successor says it did."""
    found = ending(reader)
    if found is None or found.successor != successor.key.name:
        raise Corrupt("it is not closed in favour of the log that goes on from it")
    if beginning_of(proven(successor, 0)) != after(found.head):
        raise Corrupt("the log that goes on from it names another end")
    return found
