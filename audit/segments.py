"""The file of frames that is being written.

1. A segment is named by its first index and exists durably before a frame goes into it. It is always a new file: a
   former writer that does not know yet that it is one (`claim`) must not write into the same. So whoever opens a log
   puts the new file in the place of one of this name; whoever goes on with a log finds none, or has a successor whose
   acknowledged frames are in it.
2. A frame counts when its fdatasync has returned. There is no second try after an error.
3. A segment is full after so many bytes, or old after so many seconds; an empty one is neither.
"""

import os
import time
from pathlib import Path

from audit.disk import TEMPORARY, Disk
from audit.recovery import Recovered, Segment, segment_path
from contracts.edge.files import naming
from contracts.errors import Corrupt


class SegmentWriter:
    """One open segment. Used by one thread."""

    def __init__(self, disk: Disk, path: Path, first: int, descriptor: int) -> None:
        self._disk = disk
        self._path = path
        self._first = self._end = first
        self._file = descriptor
        self._bytes = 0
        self._started = time.monotonic()

    @classmethod
    def opening(cls, disk: Disk, directory: Path, first: int) -> "SegmentWriter":
        """The first segment of whoever opens a log (rule 1). Raises OSError."""
        path = segment_path(directory, first)
        temporary = path.with_name(path.name + TEMPORARY)
        descriptor = disk.create(temporary)
        disk.sync(descriptor)
        disk.rename(temporary, path)
        disk.sync_directories({path.parent})
        return cls(disk, path, first, descriptor)

    @classmethod
    def following(cls, disk: Disk, directory: Path, first: int) -> "SegmentWriter":
        """A further segment (rule 1). Raises `Corrupt` when a successor has begun one of this name; OSError."""
        path = segment_path(directory, first)
        try:
            descriptor = disk.create_new(path)
        except FileExistsError:
            raise Corrupt(f"segment {path.name} is there already: a second writer has this log") from None
        disk.sync(descriptor)
        disk.sync_directories({path.parent})
        return cls(disk, path, first, descriptor)

    def append(self, frame: bytes, end: int) -> None:
        """Make a frame durable; the log has `end` entries after it."""
        with naming(self._path):
            self._disk.write_all(self._file, frame)
            self._disk.datasync(self._file)
        self._end = end
        self._bytes += len(frame)

    def due(self, most_bytes: int, most_seconds: float) -> bool:
        """Whether the next frame belongs into a new segment (rule 3)."""
        return self._bytes >= most_bytes or (self._bytes > 0 and time.monotonic() - self._started >= most_seconds)

    def finish(self) -> Segment:
        """Close the file."""
        os.close(self._file)
        return Segment(self._path, self._first, self._end)


def resume(disk: Disk, directory: Path, recovered: Recovered) -> tuple[SegmentWriter, list[Segment]]:
    """The segment to go on with after recovery, and the older ones.

    The last segment is copied without its torn tail to a new file: what was read back may only have been in memory.
    """
    *older, last = recovered.segments
    if recovered.tail:
        disk.replace(last.path, recovered.tail)
        older.append(last)
    return SegmentWriter.opening(disk, directory, recovered.tree.size), older
