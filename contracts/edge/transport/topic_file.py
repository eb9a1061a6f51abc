"""One topic of the embedded log: a SQLite file, and everything that is said to it in SQL.

1. A file is complete before it has its name: a topic is there with its settings, or it is not there.
2. `head` holds the next offset. It only rises, so that an offset is never used twice, whatever cleaning removed.
3. `synchronous=FULL`: a commit is on the disk when it returns. WAL: readers never wait for writers.
4. Cleaning takes the prefix older than the lag, as Kafka does: up to the first record that is younger. Of that
   prefix the newest record of each key stays. Records without a value stay and supersede nothing: nobody writes them.
   Expired prefixes go as a whole; the start of the topic rises first, so that no reader skips them unaware.
5. What was cleaned away leaves the disk: `secure_delete` and `scrubbing` overwrite its place in the file, and the
   checkpoint empties the write-ahead file. Only then does the topic count as clean.
6. A deleted topic keeps its file, empty and without identity: SQLite must not lose a file that another process has
   open. Made anew it goes on with higher offsets, so that every old position is out of range.
7. apsw's errors end here (`errors_of`).
"""

import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import lru_cache
from pathlib import Path

import apsw
import orjson

from contracts.edge.files import sync_directory
from contracts.edge.scrubbing import VFS
from contracts.edge.transport.interface import (
    Cleaning,
    Compacted,
    Expiring,
    Headers,
    LogUnavailable,
    OffsetOutOfRange,
    Record,
    TopicReplaced,
    TopicUnknown,
)
from contracts.errors import Corrupt, UserError
from contracts.text import Text

# Two characters, so that the longest topic name with "-wal" still fits the 255 bytes of a file name.
SUFFIX = ".t"
APPLICATION_ID = 0x6F676C31  # "ogl1"
SQLITE_MIN = (3, 51, 3)  # the WAL-reset fault under several writers is mended from here on
BUSY_MS = 30_000
PAGE_BYTES = 8192
CHECKPOINT_PAGES = 2000
CLEAN_CHUNK = 1000
FETCH_BYTES = 16 * 2**20  # large values must not fill the memory of who asks for many

_SCHEMA = f"""
PRAGMA page_size = {PAGE_BYTES};
PRAGMA application_id = {APPLICATION_ID};
PRAGMA journal_mode = WAL;
CREATE TABLE records (
  offset INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,     -- Unix ms
  key BLOB NOT NULL,       -- before the value, so that cleaning reads keys without values
  headers BLOB,            -- JSON [[name, value as latin-1]], NULL for none
  value BLOB
) STRICT;
CREATE TABLE head (
  next INTEGER NOT NULL,   -- the next offset
  start INTEGER NOT NULL,  -- the lowest offset that may be asked for
  clean INTEGER NOT NULL,  -- below it everything is cleaned
  identity TEXT,           -- NULL: deleted
  retention INTEGER,       -- ms, for an expiring topic
  min_lag INTEGER,         -- ms, for a compacted one
  max_lag INTEGER
) STRICT;
"""
_HEAD = "SELECT start, next, identity FROM head"
_RESERVE = "UPDATE head SET next = next + ? RETURNING next, identity"
_REVIVE = "UPDATE head SET identity = ?, retention = ?, min_lag = ?, max_lag = ? WHERE identity IS NULL"
_APPEND = "INSERT INTO records (offset, at, key, headers, value) VALUES (?, ?, ?, ?, ?)"
_SELECT = "SELECT offset, at, key, value, headers FROM records WHERE offset >= ? ORDER BY offset LIMIT ?"
_FIRST_YOUNG = "SELECT offset FROM records WHERE offset >= ? AND at > ? ORDER BY offset LIMIT 1"
_SUPERSEDED = """
SELECT offset FROM records WHERE offset < ?1 AND value IS NOT NULL AND offset NOT IN
  (SELECT max(offset) FROM records WHERE offset < ?1 AND value IS NOT NULL GROUP BY key)
"""

_UNAVAILABLE = (
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.FullError,
    apsw.IOError,
    apsw.LockedError,
    apsw.NoMemError,
    apsw.PermissionsError,
    apsw.ProtocolError,
    apsw.ReadOnlyError,
)


def require_sqlite() -> None:
    """Refuse a SQLite that can damage a log; raises `UserError`."""
    version = apsw.sqlite_lib_version()
    if tuple(map(int, version.split("."))) < SQLITE_MIN:
        needed = ".".join(map(str, SQLITE_MIN))
        raise UserError(
            Text(f"SQLite {version} 过旧", f"SQLite {version} is too old"),
            "apsw",
            Text(f"请安装自带 SQLite ≥ {needed} 的 apsw。", f"Install an apsw that brings SQLite {needed} or later."),
        )


class TopicFile:
    """One connection to one topic. For one thread at a time."""

    def __init__(self, path: Path, topic: str) -> None:
        """Raises `TopicUnknown` if nobody created it."""
        self.path = path
        self.topic = topic
        self.file_id = file_id(path)
        if self.file_id is None:
            raise TopicUnknown(topic)
        with errors_of(topic):
            self._db = _connect(path)
        if self.identity() is None:
            self.close()
            raise TopicUnknown(topic)

    def close(self) -> None:
        self._db.close()

    def is_current(self) -> bool:
        """Whether the file still has its name; somebody may have removed it by hand."""
        return file_id(self.path) == self.file_id

    # --- writing and reading ---------------------------------------------------------------------------------

    def append(self, entries: Sequence[tuple[bytes, bytes]], headers: Headers, now_ms: int) -> range:
        """Append in one durable transaction; the offsets. Raises `TopicUnknown` if it was deleted meanwhile."""
        packed = pack_headers(headers)
        with errors_of(self.topic), _transaction(self._db, "BEGIN IMMEDIATE"):
            end, identity = self._db.execute(_RESERVE, (len(entries),)).get
            if identity is None:
                raise TopicUnknown(self.topic)
            offsets = range(end - len(entries), end)
            rows = ((offset, now_ms, key, packed, value) for offset, (key, value) in zip(offsets, entries, strict=True))
            self._db.executemany(_APPEND, rows)
        return offsets

    def fetch(self, offset: int, count: int, identity: str) -> tuple[list[Record], bool]:
        """Up to `count` records and about `FETCH_BYTES` from `offset` on, and whether that was all there is.

        Raises `TopicReplaced` unless the topic is that of `identity`, `OffsetOutOfRange`.
        """
        with errors_of(self.topic), _transaction(self._db, "BEGIN"):
            start, end, found = self._db.execute(_HEAD).get
            if found != identity:
                raise TopicReplaced(self.topic, offset)
            if not start <= offset <= end:
                raise OffsetOutOfRange(self.topic, offset, start, end)
            with closing(self._db.execute(_SELECT, (offset, count))) as rows:
                records, whole = self._records(rows)
        return records, whole and len(records) < count

    def _records(self, rows: Iterable[tuple[int, int, bytes, bytes | None, bytes | None]]) -> tuple[list[Record], bool]:
        topic, left = self.topic, FETCH_BYTES
        records: list[Record] = []
        for offset, at, key, value, packed in rows:
            records.append(Record(topic, offset, at, key, value, unpack_headers(packed) if packed else ()))
            left -= len(value or b"")
            if left < 0:
                return records, False
        return records, True

    def version(self) -> int:
        """A number that changes when another connection has written."""
        with errors_of(self.topic):
            number: int = self._db.execute("PRAGMA data_version").get
        return number

    def bounds(self) -> tuple[int, int]:
        """The lowest offset that may be asked for, and the next one to be given. Raises `TopicUnknown`."""
        with errors_of(self.topic):
            start, end, identity = self._db.execute(_HEAD).get
        if identity is None:
            raise TopicUnknown(self.topic)
        return start, end

    def identity(self) -> str | None:
        """A random name of this very topic; None once it is deleted."""
        with errors_of(self.topic):
            name: str | None = self._db.execute(_HEAD).get[2]
        return name

    def delete(self) -> None:
        """Delete all records and the topic (rule 6). Raises `TopicUnknown` if somebody else did."""
        with errors_of(self.topic):
            with _transaction(self._db, "BEGIN IMMEDIATE"):
                self._db.execute("UPDATE head SET next = next + 1, identity = NULL WHERE identity IS NOT NULL")
                if not self._db.changes():
                    raise TopicUnknown(self.topic)
                self._db.execute("UPDATE head SET start = next, clean = next")
                self._db.execute("DELETE FROM records")
            self._db.execute("VACUUM")
            _checkpoint(self._db)

    # --- cleaning --------------------------------------------------------------------------------------------

    def cleaning(self) -> Cleaning:
        """How this topic is cleaned."""
        with errors_of(self.topic):
            row = next(self._db.execute("SELECT retention, min_lag, max_lag FROM head"))
        return Compacted(row[1], row[2]) if row[0] is None else Expiring(row[0])

    def is_due(self, now_ms: int) -> bool:
        """Whether the oldest record not yet cleaned is past its time."""
        cleaning = self.cleaning()
        lag = cleaning.max_lag_ms if isinstance(cleaning, Compacted) else cleaning.retention_ms
        with errors_of(self.topic):
            oldest = self._db.execute(
                "SELECT at FROM records WHERE offset >= (SELECT clean FROM head) ORDER BY offset LIMIT 1"
            ).get
        return oldest is not None and oldest < now_ms - lag

    def clean(self, now_ms: int) -> int:
        """Clean what is old enough at `now_ms`, and take it off the disk. How many records went."""
        cleaning = self.cleaning()
        lag = cleaning.min_lag_ms if isinstance(cleaning, Compacted) else cleaning.retention_ms
        with errors_of(self.topic):
            prefix = self._prefix(now_ms - lag)
            if isinstance(cleaning, Expiring):
                self._db.execute("UPDATE head SET start = max(start, ?)", (prefix,))
            doomed = self._doomed(cleaning, prefix)
            for first in range(0, len(doomed), CLEAN_CHUNK):
                self._remove(doomed[first : first + CLEAN_CHUNK])
            _checkpoint(self._db)
            self._db.execute("UPDATE head SET clean = max(clean, ?)", (prefix,))
        return len(doomed)

    def _prefix(self, cutoff_ms: int) -> int:
        clean, end = self._db.execute("SELECT clean, next FROM head").get
        young = self._db.execute(_FIRST_YOUNG, (clean, cutoff_ms)).get
        return int(end if young is None else young)

    def _doomed(self, cleaning: Cleaning, prefix: int) -> list[int]:
        query = _SUPERSEDED if isinstance(cleaning, Compacted) else "SELECT offset FROM records WHERE offset < ?1"
        return [offset for (offset,) in self._db.execute(query, (prefix,))]

    def _remove(self, offsets: Sequence[int]) -> None:
        # In chunks, so that writers wait for milliseconds, not for the whole cleaning.
        with _transaction(self._db, "BEGIN IMMEDIATE"):
            self._db.executemany("DELETE FROM records WHERE offset = ?", ((offset,) for offset in offsets))


def create_file(path: Path, topic: str, cleaning: Cleaning) -> bool:
    """Make a new, empty topic, durably; False if there is one (rules 1 and 6)."""
    _refuse_leftovers(path)
    with errors_of(topic):
        if path.exists():
            return _revive(path, cleaning)
        temporary = path.with_name(f".new-{secrets.token_hex(8)}")
        try:
            _fill(temporary, cleaning)
            os.link(temporary, path)
        except FileExistsError:
            return _revive(path, cleaning)
        finally:
            temporary.unlink(missing_ok=True)
        sync_directory(path.parent)
    return True


def _refuse_leftovers(path: Path) -> None:
    # SQLite would replay another file's changes into the new one. This order: a file has its name before it has a WAL.
    wal = path.with_name(path.name + "-wal")
    if wal.exists() and not path.exists():
        what = Text("残留着已删除主题的文件", "A file of a removed topic was left behind")
        raise UserError(what, str(wal), Text("请删除该文件。", "Remove it."))


def _settings(cleaning: Cleaning) -> tuple[str | int | None, ...]:
    identity = secrets.token_hex(16)
    if isinstance(cleaning, Compacted):
        return identity, None, cleaning.min_lag_ms, cleaning.max_lag_ms
    return identity, cleaning.retention_ms, None, None


def _fill(path: Path, cleaning: Cleaning) -> None:
    with closing(apsw.Connection(str(path), vfs=VFS)) as db:
        list(db.execute(_SCHEMA))  # to its end: some of these statements give rows
        db.execute("INSERT INTO head VALUES (0, 0, 0, ?, ?, ?, ?)", _settings(cleaning))


def _revive(path: Path, cleaning: Cleaning) -> bool:
    with closing(_connect(path)) as db:
        db.execute(_REVIVE, _settings(cleaning))
        return db.changes() == 1


def _connect(path: Path) -> apsw.Connection:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=VFS)
    db.set_busy_timeout(BUSY_MS)
    if db.pragma("application_id") != APPLICATION_ID:
        db.close()
        raise Corrupt(f"{path} is not a topic of this log")
    for pragma, value in (("synchronous", "FULL"), ("secure_delete", "ON"), ("temp_store", "MEMORY")):
        db.pragma(pragma, value)
    db.wal_autocheckpoint(CHECKPOINT_PAGES)
    return db


def _checkpoint(db: apsw.Connection) -> None:
    db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


@contextmanager
def _transaction(db: apsw.Connection, begin: str) -> Iterator[None]:
    db.execute(begin)
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def file_id(path: Path) -> tuple[int, int] | None:
    """What tells this file from another of the same name; None if there is none."""
    with suppress(FileNotFoundError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return None


@lru_cache(maxsize=256)
def pack_headers(headers: Headers) -> bytes | None:
    """Headers as stored."""
    return orjson.dumps([(name, value.decode("latin-1")) for name, value in headers]) if headers else None


@lru_cache(maxsize=256)
def unpack_headers(packed: bytes) -> Headers:
    """The inverse of `pack_headers`."""
    return tuple((name, value.encode("latin-1")) for name, value in orjson.loads(packed))


@contextmanager
def errors_of(topic: str) -> Iterator[None]:
    """apsw's errors in the words of the interface."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise Corrupt(f"topic {topic}: {error}") from error
    except _UNAVAILABLE as error:
        raise LogUnavailable(f"topic {topic}: {error}") from error
