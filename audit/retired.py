"""What stays of a log that was removed after its time: a small file, so that its existence and length remain provable.

1. A file for each log, named as the log's directory was: the final signed checkpoint, with cosignatures, the key that
   it verifies under, from when to when its entries were, who went on from it, when it was removed and by whom.
2. It is durable before anything of the log is removed. From then on nobody is given anything of the log.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from audit.checkpoints import Checkpoint, open_note
from audit.disk import Disk
from audit.notes import NoteKey, parse_vkey
from contracts.encoding import canonical, parse_object
from contracts.errors import Corrupt, Fault
from contracts.plain import from_plain, to_plain


@dataclass(frozen=True, slots=True)
class Retired:
    """A removed log (rule 1). Times in Unix ms."""

    slot: str
    origin: str
    vkey: str
    checkpoint: str
    entries: int
    first: int | None
    last: int
    successor: str
    removed: int
    by: str
    v: int = 1

    @property
    def key(self) -> NoteKey:
        return parse_vkey(self.vkey)

    def head(self) -> Checkpoint:
        """The final head; raises `Fault` of `open_note`."""
        return open_note(self.checkpoint.encode(), self.key)[0]


def path_of(directory: Path, name: str) -> Path:
    """The file of the log whose directory was called `name`."""
    return directory / f"{name}.json"


def write(disk: Disk, path: Path, retired: Retired) -> None:
    """Durable on return; raises OSError."""
    disk.replace(path, canonical(to_plain(retired)) + b"\n")


def read(path: Path) -> Retired | None:
    """None: no such log was removed. Raises `Corrupt` for a file that does not hold what it says."""
    try:
        found = from_plain(Retired, parse_object(path.read_bytes()))
        if found.head().size != found.entries:
            raise Corrupt(f"{path}: its checkpoint is of another size")
    except FileNotFoundError:
        return None
    except Fault as fault:
        raise Corrupt(f"{path}: {fault.code}") from None
    return found


def read_all(directory: Path) -> Iterator[Retired]:
    """Those in a directory, which may not be there; raises `Corrupt`."""
    for path in sorted(directory.glob("*.json")):
        found = read(path)
        if found is not None:
            yield found
