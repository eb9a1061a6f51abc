"""Where orders lie beside a log: `orders/`.

    orders/<digest>.note           orders that were checked here, and are carried out or will be
    orders/pending/<digest>.note   those of them that are not carried out entirely yet
    orders/refused/<digest>.note   those that whoever carries them out did not accept

1. An order is in `orders/` before its notice is in the log, and stays there for ever: it explains the notice. About a
   closed log it lies beside that log, though its notice is in another one.
2. The name is the digest of the order's text; a file under another name is not that order.
3. Every change is atomic and durable.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from audit import notes
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


def on_file(reader: LogReader, auditor: NoteKey | None, later: Sequence[NoteKey] = ()) -> Iterator[Order]:
    """The orders beside a log that count: signed by the log, or one of the `later` ones that go on from it, and by the
    auditor if that key is given."""
    for digest in _digests(reader.directory):
        found = (_counting(reader, auditor, key, digest) for key in (reader.key, *later))
        yield from (order for order in (next(filter(None, found), None),) if order is not None)


def orders_of(reader: LogReader, auditor: NoteKey | None, key: NoteKey | None = None) -> Callable[[str], Order | None]:
    """The order of a digest about this log, if it is here and counts. `key`: of the log whose notice names it, if that
    is another one."""
    return partial(_counting, reader, auditor, key or reader.key)


def half_known(reader: LogReader, auditor: NoteKey | None) -> Iterator[Order]:
    """The orders about a log that are here, whichever log signed them; signed by the auditor if that key is given."""
    for digest in _digests(reader.directory):
        try:
            note = read(reader.directory, digest) or b""
            found = orders.parse(notes.parse(note).text) if auditor is None else orders.signed_by(note, (auditor,))[0]
        except Fault:
            continue
        if (found.digest, found.origin) == (digest, reader.key.name):
            yield found


def _digests(directory: Path) -> list[str]:
    return sorted(path.stem for path in (directory / DIRECTORY).glob("*.note"))


def _counting(reader: LogReader, auditor: NoteKey | None, key: NoteKey, digest: str) -> Order | None:
    note, origin = read(reader.directory, digest), reader.key.name
    if note is None:
        return None
    try:
        signed = orders.signed_by(note, (key,))[0] if auditor is None else orders.check(note, auditor, key, origin)
    except Fault:
        return None
    return signed if (signed.digest, signed.origin) == (digest, origin) else None
