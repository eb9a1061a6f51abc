"""Removing a log whose time is over: the file work of `retention`, at a gateway and at a mirror.

1. What stays of it (`retired`) is durable first. From then on nobody is given anything of the log.
2. Its directory is renamed aside, then emptied and removed. A death at any instant leaves work that the next run ends.
3. Whether a log goes is decided under its lock, from what is on the disk then; who writes it, keeps it.
4. A log is looked at under the key that the registry lists; its first and last entries are proved under its head.
5. Whether its time is over is first told from its newest entries; but before it goes, from all: the clock may have been
   behind at the end, as when a machine closes a log before it has the time.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from audit import holds, retired
from audit.backup import is_log, log_key
from audit.disk import Disk, lock
from audit.notes import parse_vkey
from audit.reader import LogReader
from audit.retention import DUE, Shard, state
from audit.retired import Retired
from audit.shards import ending, proven
from audit.tiles import WIDTH
from contracts.errors import Corrupt, Fault, UserError
from contracts.registry import AuditSlot
from contracts.text import Text

ASIDE = ".removing"  # below the directory of logs; no log is called so

_BUSY = Text("该日志正在使用中", "This log is in use")
_LATER = Text("请稍后再试。", "Try again later.")
_NOT_DUE = Text("该日志不再到期", "This log is not due any more")
_LOOK = Text("请重新查看。", "Look again.")

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where logs are: a directory for each below `logs`; a file for each that went below `retired`."""

    logs: Path
    retired: Path
    name_of: Callable[[str], str] = str  # what the directory of a slot is called

    def directory(self, shard: Shard) -> Path:
        return self.logs / self.name_of(shard.slot)


@dataclass(frozen=True, slots=True)
class Removal:
    """When and by whom. `now` in Unix ms."""

    now: int
    by: str


def look(place: Place, slots: Mapping[str, AuditSlot]) -> list[Shard]:
    """Every log that is there, by directory name; raises OSError."""
    by_name = {place.name_of(slot.slot): slot for slot in slots.values()}
    found = sorted(path for path in place.logs.glob("*") if is_log(path)) if place.logs.is_dir() else []
    return [shard_of(path, by_name.get(path.name)) for path in found]


def shard_of(directory: Path, listed: AuditSlot | None) -> Shard:
    """One log (rule 4)."""
    name = directory.name if listed is None else listed.slot
    try:
        key = log_key(directory) if listed is None else parse_vkey(listed.vkey)
        reader = LogReader(directory, key)
        head, ended = reader.checkpoint(), ending(reader)
        first, last = _times(reader, head.size)
    except (Corrupt, Fault) as error:
        origin = "" if listed is None else listed.origin
        return Shard(name, origin, 0, None, None, "", listed, damaged=str(error))
    hold = holds.read(directory)
    successor = "" if ended is None else ended.successor
    return Shard(name, head.origin, head.size, first, last, successor, listed, "" if hold is None else hold.reason)


def surely(place: Place, shard: Shard, now: int) -> Shard:
    """A log that seems due, with the highest time of all its entries (rule 5); any other as it is. `now` in Unix ms."""
    return _surely(place.directory(shard), shard, now)


def retire(
    place: Place, shard: Shard, removal: Removal, advance: Advance = lambda _: None, disk: Disk | None = None
) -> None:
    """Remove a log whose time is over (rules 1 to 3). `advance(n)`: n more files are gone.

    Raises `UserError` when it is in use, or not due any more; OSError.
    """
    directory, disk = place.directory(shard), disk or Disk()
    with _locked(directory):
        now = _surely(directory, shard_of(directory, shard.listed), removal.now)
        if state(now, removal.now) != DUE:
            raise UserError(_NOT_DUE, str(directory), _LOOK)
        retired.write(disk, retired.path_of(place.retired, directory.name), _what_stays(directory, now, removal))
        aside = place.logs / ASIDE / directory.name
        touched = disk.make_directories([aside.parent])
        disk.rename(directory, aside)
        disk.sync_directories({*touched, directory.parent})
    _remove(aside, disk, advance)


def resume(place: Place, advance: Advance = lambda _: None, disk: Disk | None = None) -> list[str]:
    """End what a former run began (rule 2); the names of the logs concerned. Raises OSError."""
    left = sorted((place.logs / ASIDE).glob("*"))
    for directory in left:
        _remove(directory, disk or Disk(), advance)
    return [directory.name for directory in left]


def files_below(directories: Iterable[Path]) -> int:
    """How many files there are to remove."""
    return sum(1 for directory in directories for path in directory.rglob("*") if not path.is_dir())


def _what_stays(directory: Path, shard: Shard, removal: Removal) -> Retired:
    if shard.listed is None or shard.last is None:
        raise AssertionError("a log that is due is listed and has a last time")
    key = parse_vkey(shard.listed.vkey)
    note = LogReader(directory, key).note_for_others().decode()
    times = (shard.first, shard.last)
    return Retired(
        shard.slot, shard.origin, key.vkey, note, shard.entries, *times, shard.successor, removal.now, removal.by
    )


def _remove(directory: Path, disk: Disk, advance: Advance) -> None:
    """Everything below, then the directory itself; links are removed, not followed."""
    for parent, directories, files in os.walk(directory, topdown=False):
        for name in files:
            disk.remove(Path(parent, name))
            advance(1)
        for name in directories:
            path = Path(parent, name)
            path.unlink() if path.is_symlink() else path.rmdir()
    directory.rmdir()
    disk.sync_directories({directory.parent})


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    descriptor = lock(directory / "lock")
    if descriptor is None:
        raise UserError(_BUSY, str(directory), _LATER)
    try:
        yield
    finally:
        os.close(descriptor)


def _surely(directory: Path, shard: Shard, now: int) -> Shard:
    if shard.listed is None or state(shard, now) != DUE:
        return shard
    reader = LogReader(directory, parse_vkey(shard.listed.vkey))
    try:
        times = [_newest(reader, number, shard.entries) for number in range(-(-shard.entries // WIDTH))]
    except Corrupt as error:
        return replace(shard, damaged=str(error))
    return replace(shard, last=max(filter(None, times), default=shard.last))


def _times(reader: LogReader, size: int) -> tuple[int | None, int | None]:
    """Of the first entry, and the highest of the newest bundle: entries are not quite in the order of their times."""
    if size == 0:
        return None, None
    return _time(proven(reader, 0)), _newest(reader, (size - 1) // WIDTH, size)


def _newest(reader: LogReader, number: int, size: int) -> int | None:
    """The highest time in a bundle."""
    return max((time for entry in reader.entries(number, size) if (time := _time(entry)) is not None), default=None)


def _time(entry: bytes) -> int | None:
    try:
        found = orjson.loads(entry)
    except orjson.JSONDecodeError:
        return None
    time = found.get("time") if isinstance(found, dict) else None
    return time if type(time) is int else None
