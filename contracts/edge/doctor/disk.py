"""Disks: room for what must be written, and file systems that keep what they promise.

1. One finding for each file system that holds something of ours, by its worst.
2. Room: below 512 MiB or 1,000 inodes something will fail soon; below 2 GiB, or a tenth if that is less than 20 GiB,
   it is time to act.
3. SQLite's WAL needs shared memory and locks that network file systems do not give: never there. What is in memory
   only is gone after a restart.
4. A path that is not there yet counts at its nearest parent that is.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.edge.doctor.finding import Finding, failed, ok, warning
from contracts.text import Text

MIB, GIB = 2**20, 2**30
NETWORK: Final = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "gpfs", "beegfs", "ocfs2",
     "gfs2", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone", "davfs", "fuse.davfs2")
)  # fmt: skip
VOLATILE: Final = frozenset(("tmpfs", "ramfs"))

_FREE = Text("{mount}({kind})剩余 {free}", "{mount} ({kind}) has {free} left")
_FULL = Text("{mount} 只剩 {free} 和 {inodes} 个 inode", "{mount} has only {free} and {inodes} inodes left")
_MAKE_ROOM = Text("请清理或扩容;写满后服务会停止。", "Make room: when it is full, the processes that write end.")
_READ_ONLY = Text("{mount} 以只读方式挂载", "{mount} is mounted read-only")
_REMOUNT = Text("请以读写方式挂载,或检查磁盘错误。", "Mount it for writing, or check the disk for errors.")
_NETWORK = Text("{mount} 是网络文件系统({kind}),SQLite 的 WAL 在其上不安全",
                "{mount} is a network file system ({kind}): SQLite's WAL is not safe there")  # fmt: skip
_LOCAL = Text("请移到本地磁盘。", "Move it to a local disk.")
_VOLATILE = Text("{mount} 在内存中({kind}),重启后丢失", "{mount} is in memory ({kind}): a restart loses it")
_PERSISTENT = Text("请移到持久磁盘。", "Move it to a disk that stays.")


@dataclass(frozen=True, slots=True)
class Place:
    """A directory or file of ours. `sqlite`: SQLite files with WAL are in it. `lasting`: must survive a restart."""

    path: Path
    sqlite: bool = True
    lasting: bool = True


@dataclass(frozen=True, slots=True)
class FileSystem:
    """A file system with what it holds of ours. `inodes` 0: it has no fixed number of them."""

    mount: str
    kind: str
    device: int
    size: int
    free: int
    inodes: int
    free_inodes: int
    read_only: bool
    places: tuple[Place, ...]


def judge(disk: FileSystem) -> Finding:
    """Rules 1 to 3."""
    return next(_problems(disk), None) or _healthy(disk)


def _healthy(disk: FileSystem) -> Finding:
    what = _FREE.fill(mount=disk.mount, kind=disk.kind, free=size_text(disk.free))
    return ok(what.zh, what.en, _where(disk))


def _problems(disk: FileSystem) -> Iterator[Finding]:
    """The worst first."""
    where, facts = _where(disk), {"mount": disk.mount, "kind": disk.kind}
    short = _FULL.fill(mount=disk.mount, free=size_text(disk.free), inodes=disk.free_inodes if disk.inodes else "∞")
    if disk.read_only:
        yield failed(_READ_ONLY.fill(**facts), _REMOUNT, where)
    if disk.kind in NETWORK and any(place.sqlite for place in disk.places):
        yield failed(_NETWORK.fill(**facts), _LOCAL, where)
    if _is_full(disk):
        yield failed(short, _MAKE_ROOM, where)
    if disk.kind in VOLATILE and any(place.lasting for place in disk.places):
        yield warning(_VOLATILE.fill(**facts), _PERSISTENT, where)
    if _is_low(disk):
        yield warning(short, _MAKE_ROOM, where)


def _is_full(disk: FileSystem) -> bool:
    return disk.free < 512 * MIB or (disk.inodes > 0 and disk.free_inodes < 1000)


def _is_low(disk: FileSystem) -> bool:
    low_bytes = disk.free < 2 * GIB or disk.free < min(disk.size // 10, 20 * GIB)
    return low_bytes or (disk.inodes > 0 and disk.free_inodes < disk.inodes // 20)


def _where(disk: FileSystem) -> str:
    return ", ".join(str(place.path) for place in disk.places)


def size_text(size: int) -> str:
    """A size for people."""
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size // MIB} MiB"


# --- gathering ---------------------------------------------------------------------------------------------------


def gather(places: Iterable[Place]) -> Sequence[FileSystem]:
    """The file systems of these places, by device; raises OSError."""
    mounts = Path("/proc/self/mountinfo").read_text("utf-8", "replace")
    by_device: dict[int, list[Place]] = {}
    for place in places:
        by_device.setdefault(existing(place.path).stat().st_dev, []).append(place)
    return [_file_system(device, tuple(found), mounts) for device, found in by_device.items()]


def existing(path: Path) -> Path:
    """Rule 4."""
    return next(one for one in (path, *path.parents) if one.exists()).resolve()


def _file_system(device: int, places: tuple[Place, ...], mounts: str) -> FileSystem:
    path = existing(places[0].path)
    found = os.statvfs(path)
    mount, kind = mount_of(mounts, path)
    return FileSystem(
        mount=mount,
        kind=kind,
        device=device,
        size=found.f_blocks * found.f_frsize,
        free=found.f_bavail * found.f_frsize,
        inodes=found.f_files,
        free_inodes=found.f_favail,
        read_only=bool(found.f_flag & os.ST_RDONLY),
        places=places,
    )


def mount_of(mounts: str, path: Path) -> tuple[str, str]:
    """(mount point, type) of an absolute path, by /proc/self/mountinfo (proc(5)). Of equals the last one counts."""
    best: tuple[str, str] = ("?", "?")
    depth = -1
    for words in (row.split() for row in mounts.splitlines()):
        point = Path(_unescaped(words[4]))
        if path.is_relative_to(point) and len(point.parts) >= depth:
            depth, best = len(point.parts), (str(point), words[words.index("-") + 1])
    return best


_ESCAPES: Mapping[str, str] = {"\\040": " ", "\\011": "\t", "\\012": "\n", "\\134": "\\"}


def _unescaped(word: str) -> str:
    for escape, character in _ESCAPES.items():
        word = word.replace(escape, character)
    return word
