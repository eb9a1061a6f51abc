"""The store's file: how it is made, opened and locked.

1. WAL with `synchronous=NORMAL`. After a power cut the last transactions may be missing, but never half of one; as
   the offsets stand in the same transactions, the log gives again what is missing. FULL would buy nothing.
2. `secure_delete`: what is deleted is overwritten in the file, and so are copies that moving cells left behind
   (`scrubbing`); after an erasure the writer empties the WAL file too.
3. A format version. A store of a newer format is refused; instead of an older one a new one is built from the log.
4. One writer, ensured by a lock on a file beside the store; readers as many as one likes.
5. Contents are a table of their own, so that digests over a million records read small rows only.
6. The file is made complete under another name first: it is there with its keys, or it is not there.
"""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import apsw

from contracts.edge import scrubbing
from contracts.edge.files import sync_directory
from contracts.edge.sqlite_errors import as_system_errors
from contracts.edge.system_errors import no_room
from contracts.errors import Corrupt, UserError
from contracts.text import Text
from gateway.store import erasures
from gateway.store.sealing import Sealer, new_wrapped_key, unwrap_key

APPLICATION_ID = 0x6F677331  # "ogs1"
FORMAT = 2
PAGE_BYTES = 16384
BUSY_MS = 10_000
CHECKPOINT_PAGES = 8000  # 128 MB of WAL: each index page is copied less often than at SQLite's 4 MB
LOCK_TRIES, LOCK_PAUSE_S = 10, 0.02
CACHE_KIB = 64 * 1024  # the inner pages of the indexes over a million records

_SCHEMA = f"""
PRAGMA page_size = {PAGE_BYTES};
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
PRAGMA journal_mode = WAL;
CREATE TABLE keys (wrapped BLOB NOT NULL) STRICT;
CREATE TABLE streams (
  id INTEGER PRIMARY KEY,
  organisation TEXT NOT NULL,
  adapter TEXT NOT NULL,
  evidence_type TEXT NOT NULL,
  next INTEGER,             -- the next offset of its topic; NULL: not begun
  topic TEXT NOT NULL,      -- the identity of the topic that `next` is of; empty: not begun
  state BLOB NOT NULL,      -- canonical JSON of a StreamState
  UNIQUE (organisation, adapter, evidence_type)
) STRICT;
CREATE TABLE records (
  id INTEGER PRIMARY KEY,
  stream INTEGER NOT NULL,
  rec TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  identity TEXT NOT NULL,
  condition TEXT NOT NULL,
  erased INTEGER NOT NULL,
  status TEXT NOT NULL,
  vct TEXT NOT NULL,
  code TEXT NOT NULL,
  tokens BLOB NOT NULL      -- its keys in `blind`
) STRICT;
CREATE UNIQUE INDEX by_record ON records (stream, rec);
CREATE UNIQUE INDEX by_position ON records (stream, epoch, seq);
CREATE TABLE contents (record INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
CREATE TABLE blind (
  token BLOB NOT NULL,
  record INTEGER NOT NULL,
  PRIMARY KEY (token, record)
) STRICT, WITHOUT ROWID;
CREATE TABLE superseded (   -- the newest numbers that no record has any more
  stream INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  identity TEXT NOT NULL,
  PRIMARY KEY (stream, epoch, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE rejects (      -- decided, not yet known to be in the log
  id INTEGER PRIMARY KEY,
  topic TEXT NOT NULL,
  key BLOB NOT NULL,
  value BLOB NOT NULL,
  stream INTEGER NOT NULL,
  rec TEXT NOT NULL         -- the record under whose log key the refused bytes stood
) STRICT;
CREATE INDEX rejects_by_record ON rejects (stream, rec);
CREATE TABLE refusals (     -- how often, for people
  stream INTEGER NOT NULL,
  code TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (stream, code)
) STRICT, WITHOUT ROWID;
{erasures.SCHEMA}"""

_PRAGMAS = (
    ("synchronous", "NORMAL"),
    ("secure_delete", "ON"),
    ("temp_store", "MEMORY"),
    ("cache_size", -CACHE_KIB),
)
_REBUILD = Text(
    "请运行 oncegate store build --switch,从日志重建后再启动。",
    "Run `oncegate store build --switch`: it builds a new one from the log. Then start again.",
)


class StoreAbsent(UserError):
    """Nobody has made this store yet: ingest does."""

    def __init__(self, path: Path) -> None:
        what = Text("存储尚不存在", "There is no store yet")
        super().__init__(what, str(path), Text("请先启动 ingest。", "Start ingest first."))


def create_if_absent(path: Path, kek: bytes) -> None:
    """Make an empty store at `path` unless there is one (rule 6); raises `UserError`."""
    if path.exists():
        return
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with as_system_errors(path):
            _fill(temporary, new_wrapped_key(kek))
        temporary.rename(path)
        sync_directory(path.parent)
    except OSError as error:
        if no_room(error):
            raise
        what = Text(f"无法创建存储: {error.strerror}", f"The store cannot be made: {error.strerror}")
        raise UserError(what, str(path), Text("请核对路径与权限。", "Check the path and its permissions.")) from None
    finally:
        temporary.unlink(missing_ok=True)


def _fill(path: Path, wrapped: bytes) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    db = apsw.Connection(str(path))
    try:
        db.execute(_SCHEMA).fetchall()  # journal_mode gives a row, and rows stop a script
        db.execute("INSERT INTO keys VALUES (?)", (wrapped,))
    finally:
        db.close()


def open_store(path: Path, kek: bytes, vfs: str | None = None) -> tuple[apsw.Connection, Sealer]:
    """A connection and what seals; who writes gives `scrubbing.VFS`.

    Raises `StoreAbsent`, `UserError` (newer format, other key), `Corrupt`.
    """
    if not path.exists():
        raise StoreAbsent(path)
    try:
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)
    except apsw.CantOpenError:
        what = Text("无法打开存储文件", "The store cannot be opened")
        raise UserError(what, str(path), Text("请核对路径与权限。", "Check the path and its permissions.")) from None
    try:
        with corrupt_if_unreadable(path):
            db.set_busy_timeout(BUSY_MS)
            _check_format(db, path)
            wrapped = db.execute("SELECT wrapped FROM keys").get
        sealer = Sealer(unwrap_key(wrapped, kek, str(path)))
    except BaseException:
        db.close()
        raise
    for pragma, value in _PRAGMAS:
        db.pragma(pragma, value)
    return db, sealer


def format_of(path: Path) -> int | None:
    """The format of the store at `path`; None if it is none, or damaged."""
    flags, vfs = apsw.SQLITE_OPEN_READWRITE, scrubbing.VFS
    with suppress(apsw.Error), closing(apsw.Connection(str(path), flags=flags, vfs=vfs)) as db:
        if db.pragma("application_id") == APPLICATION_ID:
            return int(db.pragma("user_version"))
    return None


def _check_format(db: apsw.Connection, path: Path) -> None:
    if db.pragma("application_id") != APPLICATION_ID:
        raise Corrupt(f"{path} is not a store")
    version = db.pragma("user_version")
    if version > FORMAT:
        what = Text(f"存储格式 {version} 比本程序新", f"The store has format {version}, newer than this program")
        raise UserError(what, str(path), Text("请升级程序。", "Upgrade the program."))
    if version < FORMAT:
        what = Text(f"存储格式 {version} 已过时", f"The store has the old format {version}")
        raise UserError(what, str(path), _REBUILD)


@contextmanager
def corrupt_if_unreadable(path: Path) -> Iterator[None]:
    """SQLite's own finding that the file is damaged, in our words."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise Corrupt(f"store {path}: {error}") from error


def lock_writer(path: Path) -> int:
    """The open, locked descriptor of the lock file beside `path` (rule 4); raises `UserError` if another has it."""
    lock = path.with_name(path.name + ".lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for left in range(LOCK_TRIES, -1, -1):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:
            if left:
                time.sleep(LOCK_PAUSE_S)  # whoever only looks whether it is written has it for a moment
                continue
            os.close(descriptor)
            what = Text("存储正由另一个 ingest 写入", "Another ingest is writing this store")
            remedy = Text("每个存储只运行一个 ingest。", "Run one ingest for each store.")
            raise UserError(what, str(path), remedy) from None
    return descriptor
