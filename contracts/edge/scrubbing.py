"""SQLite files that keep nothing of what was deleted, not even in the unused space of their pages.

1. `secure_delete` overwrites a deleted cell where it stands. But when SQLite moves cells to a neighbouring page
   (a page became too full or too empty), the old page may keep their bytes in its unallocated space; if the cell is
   deleted later, that copy stays. So whatever is written into the main file goes through here, and the unallocated
   space of each b-tree page is zero in the file (file format: https://www.sqlite.org/fileformat2.html, 1.6).
2. The WAL file is written as it is, its frames have checksums. It is emptied after an erasure by a checkpoint, which
   writes pages into the main file, through here.
3. Every connection that may checkpoint must use `VFS`; one that only reads sets `never_checkpoints`.
"""

from typing import Any

import apsw

VFS = "oncegate-scrubbing"
_LEAF_KINDS = frozenset((10, 13))
_KINDS = frozenset((2, 5)) | _LEAF_KINDS  # all other pages begin with a page number below 2^24, or are free and zero
_FIRST_PAGE_HEADER = 100


def scrubbed(page: bytes, offset: int) -> bytes:
    """A page as it goes to `offset` of the main file: zeros between its cell pointers and its cells."""
    head = _FIRST_PAGE_HEADER if offset == 0 else 0
    if len(page) < 512 or page[head] not in _KINDS:
        return page
    size = 8 if page[head] in _LEAF_KINDS else 12
    begin = head + size + 2 * int.from_bytes(page[head + 3 : head + 5], "big")
    end = int.from_bytes(page[head + 5 : head + 7], "big") or 65536
    if not begin < end <= len(page) or not any(page[begin:end]):
        return page
    return page[:begin] + bytes(end - begin) + page[end:]


class _File(apsw.VFSFile):
    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - the name that SQLite gives it
        super().xWrite(scrubbed(data, offset), offset)


class _Vfs(apsw.VFS):
    def __init__(self) -> None:
        super().__init__(VFS, "")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - likewise
        kind = _File if flags[0] & apsw.SQLITE_OPEN_MAIN_DB else apsw.VFSFile
        return kind("", name, flags)


def never_checkpoints(db: apsw.Connection) -> None:
    """For a connection that only reads: it does not write the WAL file's pages into the main file when it is closed."""
    db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)


_registered = _Vfs()  # stays as long as the process
