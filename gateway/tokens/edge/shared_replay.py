"""The memory of used assertions and proofs, shared by the processes of one node: one SQLite file.

1. The rules are those of `gateway.tokens.replay`; one statement in one transaction decides who was first.
2. WAL with `synchronous=OFF`: what one process wrote every other sees, and the end of a process loses nothing.
   Only the end of the operating system can. So the file is named after the boot of the system: after a reboot there
   is a new one, which refuses what is older than itself, and the old one is never even opened.
3. What has expired is deleted by each process at most once a second; a horizon in the same file says up to when
   something was, so that a clock that jumps back finds nothing accepted twice.
4. The directory belongs on tmpfs (`/run/…`): 18 µs a use, against 190 µs on a disk, and nothing is lost by it.
"""

from pathlib import Path

import apsw

from contracts.errors import UserError
from contracts.text import Text
from gateway.tokens.replay import FIRST, FULL, LIMIT, SEEN, STALE, Use, whole_second

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_BUSY_MS = 5000
_UNUSABLE = Text("无法使用防重放存储:{why}", "The memory of used proofs cannot be used: {why}")
_CHECK = Text("请核对目录与权限。", "Check the directory and its permissions.")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS memory (
  one INTEGER PRIMARY KEY CHECK (one = 1), accepts_from INTEGER NOT NULL, forgotten INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS used (name BLOB PRIMARY KEY, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS used_by_expiry ON used (expires);
"""
_BEGIN = "INSERT OR IGNORE INTO memory VALUES (1, ?, 0)"
_ADD = "INSERT OR IGNORE INTO used SELECT ?, ? FROM memory WHERE forgotten <= ?"
_FORGET = "DELETE FROM used WHERE expires < ?"
_HORIZON = (
    "UPDATE memory SET forgotten = max(forgotten, (SELECT coalesce(max(expires) + 1, 0) FROM used WHERE expires < ?))"
)


class SharedReplay:
    """See `gateway.tokens.replay.ReplayMemory`. One object for each process; not for threads."""

    def __init__(self, directory: Path, started: int, limit: int = LIMIT, boot: str = "") -> None:
        """The memory in `directory`, begun at `started` (Unix ms) unless it was begun since this boot already.

        Raises `UserError`.
        """
        try:
            path = directory / f"used-{boot or _BOOT_ID.read_text().strip()}.sqlite"
            _remove_others(directory, path)
            self._connection = apsw.Connection(str(path))
            self._accepts_from = self._begin(started)
        except (OSError, apsw.Error) as error:
            raise UserError(_UNUSABLE.fill(why=str(error)), str(directory), _CHECK) from None
        self._limit = limit
        self._size = 0
        self._second = 0

    def _begin(self, started: int) -> int:
        self._connection.set_busy_timeout(_BUSY_MS)
        self._connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF")
        self._connection.execute("BEGIN IMMEDIATE")  # before anything is read: a later upgrade could be refused
        self._connection.execute(_SCHEMA)
        self._connection.execute(_BEGIN, (whole_second(started),))
        self._connection.execute("COMMIT")
        return int(self._connection.execute("SELECT accepts_from FROM memory").get)

    @property
    def accepts_from(self) -> int:
        return self._accepts_from

    def __len__(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM used").get)

    def once(self, use: Use, now: int) -> str:
        """See `ReplayMemory.once`."""
        if now // 1000 != self._second:
            self._forget(now // 1000)
        if use.issued * 1000 < self._accepts_from or use.expires < now // 1000:
            return STALE
        if self._size < self._limit and self._add(use):
            self._size += 1
            return FIRST
        return self._why_not(use)

    def close(self) -> None:
        """Give back the file."""
        self._connection.close()

    def _add(self, use: Use) -> bool:
        self._connection.execute(_ADD, (use.name, use.expires, use.expires))
        return self._connection.changes() == 1

    def _why_not(self, use: Use) -> str:
        if use.expires < int(self._connection.execute("SELECT forgotten FROM memory").get):
            return STALE
        seen = self._connection.execute("SELECT count(*) FROM used WHERE name = ?", (use.name,)).get
        return SEEN if seen else FULL

    def _forget(self, second: int) -> None:
        with self._connection:
            self._connection.execute(_HORIZON, (second,))
            self._connection.execute(_FORGET, (second,))
        self._second = second
        self._size = len(self)  # the uses of the other processes count too, as of this second


def _remove_others(directory: Path, path: Path) -> None:
    for other in directory.glob("used-*.sqlite*"):
        if not other.name.startswith(path.name):
            other.unlink(missing_ok=True)
