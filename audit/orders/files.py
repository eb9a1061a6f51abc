"""Where orders lie beside a log: `orders/`.

    orders/<digest>.note           orders that were checked here, and are carried out or will be
    orders/pending/<digest>.note   those of them that are not carried out entirely yet
    orders/refused/<digest>.note   those that whoever carries them out did not accept

1. An order is in `orders/` before its notice is in the log, and stays there for ever: it explains the notice.
2. The name is the digest of the order's text; a file under another name is not that order.
3. Every change is atomic and durable.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from audit.disk import Disk
from audit.notes import NoteKey
from audit.orders import order as orders
from audit.orders.order import Order
from audit.reader import LogReader
from contracts.errors import Fault

DIRECTORY = "orders"


def order_path(directory: Path, digest: str) -> Path:
    """Where the order of this digest lies in a log's directory."""
    return directory / DIRECTORY / f"{digest}.note"


def pending_path(directory: Path, digest: str) -> Path:
    """Where it lies while it is not carried out entirely."""
    return directory / DIRECTORY / "pending" / f"{digest}.note"


def refused_path(directory: Path, digest: str) -> Path:
    """Where it lies when it was not accepted."""
    return directory / DIRECTORY / "refused" / f"{digest}.note"


def pending(directory: Path) -> list[Path]:
    """What is not carried out entirely, oldest file first."""
    found = [path for path in (directory / DIRECTORY / "pending").glob("*.note") if orders.is_digest(path.stem)]
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))


def move(disk: Disk, path: Path, to: Path) -> None:
    """Durably; raises OSError."""
    disk.replace(to, path.read_bytes())
    remove(disk, path)


def remove(disk: Disk, path: Path) -> None:
    """Durably; raises OSError."""
    disk.remove(path)
    disk.sync_directories({path.parent})


def read(directory: Path, digest: str) -> bytes | None:
    """The note of an order, pending or not; None when it is not here."""
    if not orders.is_digest(digest):
        return None
    for path in (order_path(directory, digest), pending_path(directory, digest)):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            continue
    return None


def on_file(reader: LogReader, auditor: NoteKey | None) -> Iterator[Order]:
    """The orders beside a log that count: signed by the log, and by the auditor if that key is given."""
    for path in sorted((reader.directory / DIRECTORY).glob("*.note")):
        found = _counting(reader, auditor, path.stem)
        if found is not None:
            yield found


def orders_of(reader: LogReader, auditor: NoteKey | None) -> Callable[[str], Order | None]:
    """The order of a digest, if it is here and counts (as in `on_file`)."""
    return partial(_counting, reader, auditor)


def _counting(reader: LogReader, auditor: NoteKey | None, digest: str) -> Order | None:
    note = read(reader.directory, digest)
    if note is None:
        return None
    try:
        found = _signed_by_log(note, reader.key) if auditor is None else orders.check(note, auditor, reader.key)
    except Fault:
        return None
    return found if found.digest == digest and found.origin == reader.key.name else None


def _signed_by_log(note: bytes, key: NoteKey) -> Order:
    return orders.signed_by(note, (key,))[0]
