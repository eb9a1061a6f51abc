"""A legal hold: a file `hold` in a log's directory, which keeps retention from removing that log.

1. It says why, who ordered it, and since when. It changes nothing of the log, and is no part of what is signed.
2. A file that cannot be read holds, too: in doubt nothing is removed.
"""

from dataclasses import dataclass
from pathlib import Path

from audit.disk import Disk
from contracts.encoding import canonical, parse_object
from contracts.errors import Fault
from contracts.plain import from_plain, to_plain

FILE = "hold"
MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class Hold:
    """`since` in Unix ms."""

    reason: str
    who: str
    since: int


UNREADABLE = Hold("unreadable", "", 0)


def read(directory: Path) -> Hold | None:
    """The hold on a log; None: there is none."""
    try:
        return from_plain(Hold, parse_object((directory / FILE).read_bytes()))
    except FileNotFoundError:
        return None
    except (Fault, OSError):
        return UNREADABLE


def place(disk: Disk, directory: Path, hold: Hold) -> None:
    """Durable on return; replaces a former one. Raises OSError."""
    disk.replace(directory / FILE, canonical(to_plain(hold)) + b"\n")


def release(disk: Disk, directory: Path) -> None:
    """Durable on return; raises OSError."""
    disk.remove(directory / FILE)
    disk.sync_directories({directory})
