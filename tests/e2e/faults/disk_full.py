"""Full disks under a city: the outbox of a department, the node's stores, the audit log of a serving process.

The directory moves to a small disk of its own, under load the disk is filled, and the processes must say so. After a
while there is room again, and everybody must work on by himself. Then the directory moves back.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import apsw

from tests.e2e.faults.city import SERVES, City
from tests.e2e.faults.layout import DEPARTMENTS
from tests.e2e.faults.supervisor import Supervised
from tests.small_disk import SmallDisk, small_disk

FULL_S = 3.0  # how long a disk stays full after it was noticed
EXIT_AUDIT_DEAD, EXIT_AWAY = 70, 4  # the log ended the process; it would not start on a full disk


def outbox(city: City, times: int) -> int:
    """Of each adapter in turn."""
    for number in range(times):
        one = DEPARTMENTS[number % len(DEPARTMENTS)]
        with _on_a_disk(city, city.layout.outbox(one).parent, "32m", (one.adapter,)) as disk:
            _filled(city, disk, one.adapter, _says(city, one.adapter, "The disk is full"))
    return times


def store(city: City, times: int) -> int:
    """Lookups go on meanwhile: who reads needs no room."""
    for _ in range(times):
        with _on_a_disk(city, city.layout.store.parent, "256m", ("ingest", *SERVES)) as disk:
            _filled(city, disk, "ingest", _says(city, "ingest", '"The disk is full"'), SERVES)
    return times


def audit(city: City, times: int) -> int:
    """Of each serving process in turn. It ends at once, and does not start again before there is room."""
    for number in range(times):
        slot = city.layout.slots[number % len(city.layout.slots)]
        process = city.processes[slot.name]
        before = len(process.unexpected())
        with _on_a_disk(city, city.layout.audit(slot), "64m", (slot.name,)) as disk:
            _filled(city, disk, slot.name, partial(_has_ended, process, before))
        codes = [end.code for end in process.unexpected()[before:]]
        assert codes[0] == EXIT_AUDIT_DEAD
        assert set(codes) <= {EXIT_AUDIT_DEAD, EXIT_AWAY}
    return times


def _filled(
    city: City, disk: SmallDisk, name: str, noticed: Callable[[], bool], untouched: tuple[str, ...] = ()
) -> None:
    """Full until `noticed` and some time after, while `untouched` work on; returns when `name` works again."""
    city.wait_for(f"{name} to work", city.works(name))
    disk.fill()
    city.wait_for(f"{name} to notice its full disk", noticed)
    for other in untouched:
        city.wait_for(f"{other} to work beside a full disk", city.works(other))
    city.wait(FULL_S)
    disk.free()
    city.wait_for(f"{name} to work again", city.works(name))


def _has_ended(process: Supervised, times: int) -> bool:
    return len(process.unexpected()) > times


def _says(city: City, name: str, words: str) -> Callable[[], bool]:
    """A condition: this process has written these words to its log from now on."""
    log = city.layout.logs / f"{name}.log"
    before = log.stat().st_size
    return lambda: words.encode() in log.read_bytes()[before:]


@contextmanager
def _on_a_disk(city: City, directory: Path, size: str, users: tuple[str, ...]) -> Iterator[SmallDisk]:
    """`directory` on a disk of its own; those who have it open are ended and started again for both moves."""
    moved = directory.with_name(f"{directory.name}.moved")
    for name in users:
        city.wait_for(f"{name} to work", city.works(name))
    _hold(city, users)
    directory.rename(moved)
    with small_disk(directory, size) as disk:
        shutil.copytree(moved, directory, dirs_exist_ok=True)
        _empty_wals(directory)
        _release(city, users, disk.environment)
        yield disk
        _hold(city, users)
        shutil.rmtree(moved)
        shutil.copytree(directory, moved)
    shutil.rmtree(directory)
    moved.rename(directory)
    _release(city, users, {})


def _empty_wals(directory: Path) -> None:
    """Databases could write on inside a long WAL file for minutes before they need room."""
    for path in directory.iterdir():
        if path.suffix in (".sqlite", ".db"):
            with closing(apsw.Connection(str(path))) as db:
                db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


def _hold(city: City, users: tuple[str, ...]) -> None:
    for name in users:
        city.hold(name)


def _release(city: City, users: tuple[str, ...], environment: Mapping[str, str]) -> None:
    for name in users:
        city.environment[name] = environment
        city.release(name)
