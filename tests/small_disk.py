"""A small disk of its own for a test, which it can fill and free: a real file system where one may be mounted.

1. A tmpfs, mounted by root, or through sudo where that asks for no password.
2. Where nothing may be mounted (a container without rights) `full_disk.c` stands in: compiled here and preloaded into
   the processes under test, it lets no file below the directory grow, and none begin, while the disk is said to be
   full. So the processes need `environment`.

`fill` takes all the space that is left; whoever frees some (an emptied WAL, say) may use that.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

BALLAST = ".ballast"
_SHIM = Path(__file__).with_name("full_disk.c")


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """`path` is its root; `environment` belongs to every process that shall notice it (rule 2)."""

    path: Path
    environment: Mapping[str, str]
    mounted: bool

    def fill(self, leave: int = 0) -> None:
        """Leave so many bytes at most; none under rule 2."""
        if not self.mounted:
            (self.path / BALLAST).touch()
            return
        with (self.path / BALLAST).open("ab") as file:
            for portion in (1 << 20, 1 << 12):
                with suppress(OSError):  # others take and give pages meanwhile
                    while leave == 0 or _room(self.path) >= leave + portion:
                        os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, portion)

    def free(self) -> None:
        """Give the room back."""
        (self.path / BALLAST).unlink(missing_ok=True)


def _room(path: Path) -> int:
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


@contextmanager
def small_disk(path: Path, size: str, *, shim: bool = False) -> Iterator[SmallDisk]:
    """A disk of `size` (as tmpfs has it: 2m) at `path`, an empty directory or none yet. `shim`: rule 2 anyway."""
    path.mkdir(parents=True, exist_ok=True)
    command = None if shim else _mounting(path, size)
    if command is None:
        yield SmallDisk(path, {"LD_PRELOAD": str(_compiled()), "FULL_DISK": f"{path.resolve()}/"}, mounted=False)
        return
    try:
        yield SmallDisk(path, {}, mounted=True)
    finally:
        subprocess.run([*command, "umount", "--lazy", str(path)], check=True)


def _mounting(path: Path, size: str) -> tuple[str, ...] | None:
    """Mount; with what before the command that worked."""
    prefixes: tuple[tuple[str, ...], ...] = ((), ("sudo", "-n"))
    mode = f"size={size},mode=0700,uid={os.getuid()},gid={os.getgid()}"
    for prefix in prefixes:
        command = [*prefix, "mount", "-t", "tmpfs", "-o", mode, "oncegate-test", str(path)]
        with suppress(FileNotFoundError):
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                return prefix
    return None


def _compiled() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="full-disk-"))
    library = directory / "full_disk.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(_SHIM), "-ldl"], check=True)
    return library
