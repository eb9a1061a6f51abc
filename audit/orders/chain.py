"""The logs that go on from a closed one, as far as they are at hand: what became of its openings is said in them.

1. A log counts as the next one only when both ends say so (`succession`): the last entry of the one names it, its first
   entry names the closed head; both proved under signed heads.
2. Its key is one that the caller knows; else the one beside its copy (`vkey`), as everywhere.
3. It is looked for in given places, and beside the closed log. One that is not there, or does not fit, is `missing`:
   then nobody knows all that was said about the closed log.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from audit.notes import NoteKey, parse_vkey
from audit.reader import LogReader
from audit.shards import ending, proven
from audit.succession import Ending, after, beginning_of
from contracts.errors import Corrupt, Fault

Keys = Mapping[str, NoteKey]  # verifier keys by origin


@dataclass(frozen=True, slots=True)
class Chain:
    """Those after one log, the next first. `missing`: the origin that should follow and is not here; "": the last of
    them, or the log itself, is open."""

    later: tuple[LogReader, ...] = ()
    missing: str = ""

    @property
    def keys(self) -> tuple[NoteKey, ...]:
        """Of the later logs."""
        return tuple(log.key for log in self.later)


def at_hand(reader: LogReader, keys: Keys | None = None, places: Iterable[Path] = ()) -> Chain:
    """What goes on from a log. `keys`: those that count; None: those beside the copies. `places`: directories of logs,
    looked at before those beside `reader`. Raises `Corrupt` for the log itself, OSError."""
    found: list[LogReader] = []
    try:
        ended = ending(reader)
    except Fault as fault:
        raise Corrupt(f"{reader.directory}: {fault.code}") from None
    while ended is not None:
        following = _following(ended, reader.directory, keys, tuple(places))
        if following is None:
            return Chain(tuple(found), ended.successor)
        log, ended = following
        found.append(log)
    return Chain(tuple(found))


def _following(
    ended: Ending, directory: Path, keys: Keys | None, places: tuple[Path, ...]
) -> tuple[LogReader, Ending | None] | None:
    """The log that fits (rules 1 and 2), and how it ended itself."""
    for path in _candidates(ended.successor, directory, places):
        key = _beside(path) if keys is None else keys.get(ended.successor)
        if key is None or key.name != ended.successor:
            continue
        log = LogReader(path, key)
        try:
            if beginning_of(proven(log, 0)) == after(ended.head):
                return log, ending(log)
        except (Corrupt, Fault, FileNotFoundError):
            continue
    return None


def _candidates(origin: str, directory: Path, places: tuple[Path, ...]) -> Iterator[Path]:
    """Rule 3; the first line of a checkpoint says whose it is."""
    for path in (*places, *sorted(directory.resolve().parent.glob("*"))):
        try:
            with (path / "checkpoint").open("rb") as file:
                if file.readline(1024).rstrip(b"\n") == origin.encode():
                    yield path
        except (FileNotFoundError, NotADirectoryError):
            continue


def _beside(directory: Path) -> NoteKey | None:
    try:
        return parse_vkey((directory / "vkey").read_text("ascii").strip())
    except (FileNotFoundError, UnicodeDecodeError, Fault):
        return None
