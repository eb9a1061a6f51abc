"""The outbox's file: how it is made, opened, upgraded, locked and emptied of what was erased.

1. It belongs to one adapter, and holds the secrets behind names and keys: mode 0600. `synchronous=FULL`.
2. `user_version` counts the upgrades that it has had; missing ones are made in one transaction at opening. A file of
   a newer version is refused.
3. `secure_delete` and `scrubbing` overwrite what is deleted. The WAL file may still hold it: `tidy` empties that as
   soon as nobody reads an older state, and never waits for a reader.
4. apsw's errors end here, in our words.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import apsw

from adapters.outbox_tables import APPLICATION_ID, SCHEMA, UPGRADES
from contracts.edge import scrubbing, system_errors
from contracts.edge.sqlite_errors import as_system_errors
from contracts.edge.transport.topic_file import require_sqlite
from contracts.errors import Corrupt, UserError
from contracts.text import Text

BUSY_MS = 30_000
_OWNER = "SELECT organisation, adapter, record_secret, content_secret FROM owner"
_UNUSABLE = Text("无法使用发件箱:{why}", "The outbox cannot be used: {why}")
_ANOTHER = Text("发件箱属于另一适配器 {who}", "The outbox belongs to another adapter, {who}")
_OWN_FILE = Text("每个适配器使用自己的 outbox 文件。", "Each adapter has an outbox of its own.")
_BUSY = Text("另一个适配器进程正在使用该发件箱", "Another adapter process is using this outbox")
_WAIT = Text("请等它结束，或先停止它。", "Wait until it ends, or stop it first.")
_NEWER = Text("该发件箱由更新版本的程序写成", "A newer version of the program has written this outbox")
_UPDATE = Text("请升级程序。", "Upgrade the program.")


class OutboxUnusable(UserError):
    """The machine keeps the outbox from working, mostly a full disk. A later try may do; nothing was half done."""

    @classmethod
    def of(cls, error: OSError) -> "OutboxUnusable":
        """In our words."""
        why = system_errors.why(error)
        what = Text(_UNUSABLE.zh.format(why=why.zh), _UNUSABLE.en.format(why=why.en))
        made = cls(what, str(error.filename or ""), system_errors.remedy(error))
        made.__cause__ = error
        return made


class LockHeld(UserError):
    """Another process works on the outbox."""


class Lock:
    """Held by the process that works on an outbox; raises `LockHeld` if another one does."""

    def __init__(self, outbox: Path) -> None:
        self._file = os.open(outbox.with_name(outbox.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise LockHeld(_BUSY, str(outbox), _WAIT) from None

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


class OutboxFile:
    """One connection to an outbox, for one thread. `path` None: in memory, for a trial run without one."""

    def __init__(self, path: Path | None, organisation: str, adapter: str) -> None:
        """Opens or creates; raises `UserError`, `Corrupt`."""
        require_sqlite()
        self._path = Path(":memory:") if path is None else path
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with self._errors():
            self._db = apsw.Connection(str(self._path), vfs=None if path is None else scrubbing.VFS)
            self._db.set_busy_timeout(BUSY_MS)
            if not self._owner():
                list(self._db.execute(SCHEMA))  # apsw stops at the first row, here of a pragma
            self._db.pragma("synchronous", "FULL")
            self._db.pragma("secure_delete", "ON")
            self._upgrade()
            self.record_secret, self.content_secret = self._claim(organisation, adapter)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _owner(self) -> bool:
        found = self._db.pragma("application_id")
        if found not in (0, APPLICATION_ID):
            raise Corrupt("outbox: the file is not an outbox")
        return found == APPLICATION_ID and bool(self._db.execute("SELECT count(*) FROM sqlite_schema").get)

    def _claim(self, organisation: str, adapter: str) -> tuple[bytes, bytes]:
        row = next(iter(self._db.execute(_OWNER)), None)  # a reader need not wait for the writer
        if row is None:
            made = (organisation, adapter, secrets.token_bytes(32), secrets.token_bytes(32))
            with self._writing():
                self._db.execute("INSERT INTO owner SELECT ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM owner)", made)
                row = next(self._db.execute(_OWNER))
        if row[:2] != (organisation, adapter):
            raise UserError(_ANOTHER.fill(who=f"{row[0]}/{row[1]}"), "outbox", _OWN_FILE)
        return row[2], row[3]

    def _upgrade(self) -> None:
        """Add what later versions have."""
        if self._db.pragma("user_version") < len(UPGRADES):
            with self._writing():
                for script in UPGRADES[self._db.pragma("user_version") :]:
                    list(self._db.execute(script))
                self._db.pragma("user_version", len(UPGRADES))
        if self._db.pragma("user_version") > len(UPGRADES):
            raise UserError(_NEWER, str(self._path), _UPDATE)

    @contextmanager
    def transaction(self) -> Iterator[apsw.Connection]:
        """The file, for one change or several that belong together; for the rooms that keep tables of their own."""
        with self._errors(), self._writing():
            yield self._db

    @contextmanager
    def looking(self) -> Iterator[apsw.Connection]:
        """The file, for a look."""
        with self._errors():
            yield self._db

    def tidy(self) -> bool:
        """Empty the WAL file (rule 3); False while somebody reads an older state."""
        with self._errors():
            self._db.set_busy_timeout(0)
            try:
                self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            except apsw.BusyError:
                return False
            finally:
                self._db.set_busy_timeout(BUSY_MS)
        return True

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """apsw's errors in our words."""
        try:
            with as_system_errors(self._path):
                yield
        except (apsw.CorruptError, apsw.NotADBError) as error:
            raise Corrupt(f"outbox: {error}") from error
        except apsw.Error as error:
            raise UserError(_UNUSABLE.fill(why=error), str(self._path)) from error
        except OSError as error:
            raise OutboxUnusable.of(error) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
