"""A copy of a log, while it is written: whole, and enough to go on from.

1. The frames are copied first, then the published checkpoint is read, then everything that a log of its size has. So
   the copy holds every entry that was durable when it began: in its frames, or, where the log has published more by
   then, in its tiles.
2. Full tiles and bundles never change: they are linked, or copied where that cannot be. Partial ones are replaced
   while the log grows; when one is gone, the newer checkpoint is taken. Hash tiles of earlier heads come along until
   their full one exists, as tlog-tiles demands of who serves them; earlier partial bundles do not: only the auditor
   could ask for them, and a mirror follows the newest head.
   They are gone through twice, the second time for a newer head: a row that was erased meanwhile has its notice in it.
   Orders about openings come last, so that each notice has its order. Those that were carried out meanwhile are pending
   in the copy: it may have rows of before.
3. Recovery must accept the copy, or there is none. A segment of frames is always there; without one, entries could have
   been lost unseen.
4. A copy that is brought back is verified entirely, and against the highest head known elsewhere: an older one is
   refused. Its writer would give numbers a second time that others hold receipts for.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from audit import holds
from audit.checkpoints import Checkpoint, open_note
from audit.derive import opening_path
from audit.notes import NoteKey, parse_vkey
from audit.orders import files as orders
from audit.reader import LogReader
from audit.recovery import check_head, recover, segment_path
from audit.shards import ending
from audit.tiles import WIDTH, bundles, hash_tiles
from audit.verify import verify
from contracts.errors import Corrupt, Fault

_TRIES = 50
_PAUSE_S = 0.02


def log_key(directory: Path) -> NoteKey:
    """The verifier key that lies in a log's directory; raises `Corrupt`."""
    try:
        return parse_vkey((directory / "vkey").read_text("ascii").strip())
    except (OSError, UnicodeDecodeError, Fault):
        raise Corrupt(f"{directory}: the log's verifier key is missing or unreadable") from None


def is_log(directory: Path) -> bool:
    """Whether a log was begun there."""
    return (directory / "checkpoint").is_file()


def in_order(directories: Iterable[Path]) -> list[Path]:
    """Logs in the order in which they are copied: closed ones first. If an opening of one is erased meanwhile, the copy
    of the open log has the notice. Raises `Corrupt`."""
    return sorted(directories, key=_is_open)


def _is_open(directory: Path) -> bool:
    try:
        return ending(LogReader(directory, log_key(directory))) is None
    except Fault as fault:
        raise Corrupt(f"{directory}: {fault.code}") from None


def copy(directory: Path, into: Path) -> Checkpoint:
    """Copy the log in `directory` to the new directory `into` (rules 1 to 3); the copy's published head.

    Raises `Corrupt` where the log itself is, OSError.
    """
    key, done = log_key(directory), _orders_done(directory)
    (into / "frames").mkdir(parents=True)
    _copy_frames(directory, into)
    passed = 0
    for _ in range(_TRIES):
        note = (directory / "checkpoint").read_bytes()
        head = open_note(note, key)[0]
        passed += _link_all(directory, into, head.size)
        if passed == 2:
            break
        time.sleep(_PAUSE_S)
    else:
        raise Corrupt(f"{directory}: files of the published log of {head.size} entries are missing")
    (into / "checkpoint").write_bytes(note)
    shutil.copy2(directory / "vkey", into / "vkey")
    if (directory / holds.FILE).is_file():
        shutil.copy2(directory / holds.FILE, into / holds.FILE)
    _copy_orders(directory, into, done)
    _settle_frames(into, key, head)
    recover(LogReader(into, key), head)
    return head


def check(
    directory: Path, heads: Path | None, former: Path | None = None, advance: Callable[[int], None] = lambda _: None
) -> Checkpoint:
    """Verify a log that was brought back (rule 4); its head. `heads`: the directory of heads kept elsewhere; `former`:
    where the log stood before, whose own head counts as well if it is still there.

    Raises `Corrupt`: the log is not whole, or older than the head that is known, or another one.
    """
    key = log_key(directory)
    report = verify(directory, key, openings=True, advanced=advance)
    if report.difference is not None:
        raise Corrupt(f"{directory.name}: {report.difference.file}: {report.difference.what.en}")
    reader, head = LogReader(directory, key), Checkpoint(report.origin, report.size, report.root)
    recovered = recover(reader, head)
    for known in _known(heads, former, key):
        check_head(known, reader, head, recovered)
    return head


def _known(heads: Path | None, former: Path | None, key: NoteKey) -> Iterator[Checkpoint]:
    elsewhere = None if heads is None else heads / f"{quote(key.name, safe='')}.checkpoint"
    for path in (elsewhere, None if former is None else former / "checkpoint"):
        if path is not None and path.exists():
            try:
                yield open_note(path.read_bytes(), key)[0]
            except Fault as fault:
                raise Corrupt(f"{path} does not verify under the log's key: {fault.code}") from None


# --- frames (rule 1) ---------------------------------------------------------------------------------------------


def _copy_frames(directory: Path, into: Path) -> None:
    """The segments as they are; one that goes away meanwhile was published, and those before it."""
    for path in sorted((directory / "frames").glob("*")):
        if path.name.isdigit():
            try:
                shutil.copyfile(path, into / "frames" / path.name)
            except FileNotFoundError:
                _clear_frames(into)


def _clear_frames(into: Path) -> None:
    for path in (into / "frames").glob("*"):
        path.unlink()


def _settle_frames(into: Path, key: NoteKey, head: Checkpoint) -> None:
    """Keep the copied frames if they go on from the published head; else it is newer, and begins a new segment."""
    try:
        recover(LogReader(into, key), head)
    except Corrupt:
        _clear_frames(into)
        segment_path(into, head.size).touch()


# --- tiles, bundles, openings (rule 2) -----------------------------------------------------------------------------


def _link_all(directory: Path, into: Path, size: int) -> bool:
    """Everything that a log of `size` entries has; False if a part of it is already gone."""
    made: list[Path] = []
    for path in (*_paths(size), *_earlier(directory, size), *_day_keys(directory)):
        target = into / path
        if target.exists():
            continue
        try:
            _link(directory / path, target)
        except FileNotFoundError:
            for partial in made:
                partial.unlink()
            return False
        if target.parent.suffix == ".p":
            made.append(target)
    return True


def _paths(size: int) -> Iterator[str]:
    yield from (tile.path for tile in hash_tiles(size))
    for bundle in bundles(size):
        yield bundle.path
        yield opening_path(bundle.index, bundle.width)


def _earlier(directory: Path, size: int) -> Iterator[str]:
    """The narrower forms of this size's partial hash tiles."""
    for tile in hash_tiles(size):
        if tile.width < WIDTH:
            for narrower in sorted((directory / tile.path).parent.glob("*")):
                if narrower.name.isdigit() and int(narrower.name) < tile.width:
                    yield narrower.relative_to(directory).as_posix()


def _orders_done(directory: Path) -> frozenset[str]:
    """Digests of the orders of which nothing is left to do."""
    here = frozenset(path.stem for path in (directory / orders.DIRECTORY).glob("*.note"))
    return here - {path.stem for path in orders.pending(directory)}  # looked at last: none begins in between


def _copy_orders(directory: Path, into: Path, done: frozenset[str]) -> None:
    """Carried out or not: who goes on from the copy carries out the rest. `done`: when the copy was begun."""
    for path in (directory / orders.DIRECTORY).rglob("*.note"):
        target = into / path.relative_to(directory)
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # it is not pending any more
            shutil.copyfile(path, target)
    for digest in _orders_done(into) - done:
        target = orders.pending_path(into, digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(orders.order_path(into, digest), target)


def _day_keys(directory: Path) -> Iterator[str]:
    for path in sorted((directory / "openings" / "keys").glob("*")):
        if not path.suffix:
            yield path.relative_to(directory).as_posix()


def _link(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, target)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without links
        shutil.copyfile(path, target)
