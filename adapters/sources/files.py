"""Source files: which there are, whether they changed, and that one reading sees one state of a file.

1. A pattern that matches nothing is a mistake: a missing file is no empty one.
2. A file that changes while it is read may show half of two states. Such a reading fails as a whole (`Unavailable`).
   A file that is replaced by renaming (as the guide asks for) changes for nobody who has it open.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from adapters.sources.interface import Stamp
from contracts.edge import system_errors
from contracts.errors import Unavailable, UserError
from contracts.text import Text

NO_FILES = Text("没有匹配的源文件", "No source file matches")
_UNREADABLE = Text("无法读取源文件:{why}", "The source file cannot be read: {why}")


def matching(patterns: Iterable[Path], where: str) -> tuple[Path, ...]:
    """The files that `patterns` (absolute, perhaps with `*` in the name) match now, by name; raises `UserError`."""
    return tuple(dict.fromkeys(path for pattern in patterns for path in _matching(pattern, where)))


def _matching(pattern: Path, where: str) -> list[Path]:
    found = sorted(pattern.parent.glob(pattern.name)) if "*" in pattern.name else [pattern]
    found = [path for path in found if path.is_file()]
    if not found:
        raise UserError(NO_FILES.fill(), f"{where}: {pattern}", Text("请核对路径。", "Check the path."))
    return found


def stamp(paths: Iterable[Path]) -> Stamp:
    """Path, size (bytes) and time of change (ns) of each file."""
    stats = ((path, path.stat()) for path in paths)
    return tuple((str(path), found.st_size, found.st_mtime_ns) for path, found in stats)


@contextmanager
def steady(path: Path) -> Iterator[BinaryIO]:
    """The opened file; raises `Unavailable` in the end if it was another one than in the beginning (rule 2)."""
    before = _identity(path.stat())
    with path.open("rb") as file:
        yield file
        if _identity(os.fstat(file.fileno())) != before:
            raise Unavailable(f"{path} changed while it was read")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """What the system says about the file, as `UserError`."""
    try:
        yield
    except OSError as error:
        what = _UNREADABLE.fill(why=system_errors.why(error))
        raise UserError(what, str(path), system_errors.remedy(error)) from None


def _identity(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
