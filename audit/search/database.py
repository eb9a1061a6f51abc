"""The index file: one SQLite database that may be thrown away and built again.

1. It holds nothing that is personal: positions, times, what leaves say in clear, and tokens (`tokens`).
2. One transaction brings records, counts and how far their log is indexed, so that a kill at any instant leaves an
   index that knows where to go on.
3. An index keeps the kinds of tokens that it was made with, by their check values; a wrong key is refused, and so is no
   key where tokens are wanted. Without that, half of an index would look like "nobody asked".
4. One process writes (a lock beside the file); any number may search meanwhile.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import apsw

from audit.disk import lock
from audit.search.rows import FACETS
from audit.search.tokens import SALT_SIZE, TokenKeys, checks
from contracts.edge.files import sync_directory
from contracts.edge.sqlite_errors import as_system_errors
from contracts.errors import UserError
from contracts.text import Text

APPLICATION_ID = 0x4F474958  # "OGIX"
FORMAT = 1
BUSY_MS = 60_000
_WRITER_KIB, _READER_KIB = 256 * 1024, 64 * 1024
_WAL_PAGES = 16 * 1024  # 64 MiB: a page that several batches touch is written back once

_COLUMNS = ", ".join(f"{name} TEXT" for name in FACETS)
_SCHEMA = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE logs (id INTEGER PRIMARY KEY, origin TEXT NOT NULL UNIQUE, vkey TEXT NOT NULL, directory TEXT NOT NULL,
  size INTEGER NOT NULL, root BLOB NOT NULL, other INTEGER NOT NULL, erased INTEGER NOT NULL);
CREATE TABLE shapes (id INTEGER PRIMARY KEY, {_COLUMNS}, types TEXT NOT NULL);
CREATE TABLE entries (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, shape INTEGER NOT NULL,
  clerk BLOB, case_number BLOB, holder BLOB);
CREATE TABLE counts (log INTEGER, shape INTEGER, day INTEGER, n INTEGER NOT NULL, PRIMARY KEY (shape, day, log))
  WITHOUT ROWID;
CREATE INDEX entries_time ON entries (time, id, shape);
CREATE INDEX entries_shape ON entries (shape, time);
CREATE INDEX entries_clerk ON entries (clerk, time) WHERE clerk IS NOT NULL;
CREATE INDEX entries_case_number ON entries (case_number) WHERE case_number IS NOT NULL;
CREATE INDEX entries_holder ON entries (holder, time) WHERE holder IS NOT NULL;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
"""

_NOT_AN_INDEX = Text("不是审计索引文件", "Not an audit index")
_LOCKED = Text("另一进程正在写入该索引", "Another process is writing this index")
_LOCKED_REMEDY = Text("请等它结束。", "Wait until it has ended.")
_NO_INDEX = Text("没有这个索引文件", "There is no such index")
_BUILD = Text("请用 oncegate-audit index 建立。", "Build one with oncegate-audit index.")
_OTHER_FORMAT = Text("索引格式与本程序不符", "The index has another format than this program")
_DAMAGED = Text("索引文件已损坏", "The index is damaged")
_REBUILD = Text("索引可随时重建:请删除后重新建立。", "An index can be built again at any time: delete it, then build.")
_NO_TOKENS = Text("该索引没有 {kind} 令牌", "This index has no tokens of the kind {kind}")
_WITH_KEYS = Text(
    "请用 --key 重新建立索引(查持证主体须再给出第二把 --key)。",
    "Build an index with --key (for holders with a second --key).",
)
_NEED_KEY = Text("该索引含 {kind} 令牌,需要相应私钥", "This index has tokens of the kind {kind}: their key is needed")
_GIVE_KEY = Text(
    "请用 --key(或接口配置的 [keys])给出审计员私钥;涉及持证主体时再给出另一位审计员的私钥。",
    "Give the auditor's private key with --key, or in [keys] of the API; for holders also a second auditor's.",
)
_WRONG_KEY = Text("私钥与建立索引时使用的不同", "Not the key that this index was built with")


@contextmanager
def writing(path: Path) -> Iterator[apsw.Connection]:
    """The index at `path` for its one writer (rule 4), made when it is not there; raises `UserError`, OSError."""
    descriptor = lock(path.with_name(path.name + ".lock"))
    if descriptor is None:
        raise UserError(_LOCKED, str(path), _LOCKED_REMEDY)
    try:
        with closing(_create_or_open(path)) as db, as_system_errors(path), undamaged(path):
            yield db
    finally:
        os.close(descriptor)


def _create_or_open(path: Path) -> apsw.Connection:
    """The index at `path` for writing, made when it is not there; raises `UserError`, OSError."""
    with as_system_errors(path):
        if not path.exists():
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            sync_directory(path.parent)
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        db.set_busy_timeout(BUSY_MS)
        _prepare(db, path)
        db.pragma("synchronous", "NORMAL")
        db.pragma("cache_size", -_WRITER_KIB)  # tokens are random: their indexes are written everywhere at once
        db.pragma("wal_autocheckpoint", _WAL_PAGES)
    return db


def open_index(path: Path) -> apsw.Connection:
    """An existing index, for reading; raises `UserError`, OSError."""
    if not path.is_file():
        raise UserError(_NO_INDEX, str(path), _BUILD)
    with as_system_errors(path):
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)  # a reader of a WAL writes its index
        db.set_busy_timeout(BUSY_MS)
        with undamaged(path):
            _check(db, path)
        db.pragma("query_only", value=True)
        db.pragma("cache_size", -_READER_KIB)
    return db


@contextmanager
def transaction(db: apsw.Connection) -> Iterator[None]:
    """All or nothing (rule 2)."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def meta(db: apsw.Connection) -> dict[str, str | bytes]:
    """Name → value of what the index says of itself."""
    return dict(db.execute("SELECT name, value FROM meta"))


def is_built(db: apsw.Connection) -> bool:
    """Whether anything was indexed: from then on the kinds of tokens and the log of searches stay."""
    return bool(db.execute("SELECT max(size) FROM logs").get)


def keep_checks(db: apsw.Connection, keys: TokenKeys | None) -> None:
    """At the first build: remember the kinds of tokens; later: refuse other keys (rule 3). Within a transaction."""
    known, ours = known_checks(db), {} if keys is None else checks(keys)
    if is_built(db):
        require(known, ours, known)
        surplus = sorted(ours.keys() - known.keys())
        if surplus:
            raise UserError(_NO_TOKENS.fill(kind=", ".join(surplus)), "", _WITH_KEYS)
        return
    db.execute("DELETE FROM meta WHERE name LIKE 'check %'")
    db.executemany("INSERT INTO meta VALUES ('check ' || ?, ?)", list(ours.items()))


def known_checks(db: apsw.Connection) -> dict[str, str]:
    """Kind of token → check value."""
    found = meta(db).items()
    return {name.removeprefix("check "): str(value) for name, value in found if name.startswith("check ")}


def require(known: Mapping[str, str], ours: Mapping[str, str], kinds: Mapping[str, object]) -> None:
    """Refuse when one of `kinds` cannot be asked for with our keys; raises `UserError`."""
    for kind in kinds:
        if kind not in known:
            raise UserError(_NO_TOKENS.fill(kind=kind), "", _WITH_KEYS)
        if kind not in ours:
            raise UserError(_NEED_KEY.fill(kind=kind), "", _GIVE_KEY)
        if ours[kind] != known[kind]:
            raise UserError(_WRONG_KEY, kind, _GIVE_KEY)


def _prepare(db: apsw.Connection, path: Path) -> None:
    with undamaged(path):
        if db.execute("SELECT count(*) FROM sqlite_schema").get:
            _check(db, path)  # before anything is written to a file that may be another program's
        db.pragma("journal_mode", "WAL")
        with transaction(db):
            if not db.execute("SELECT count(*) FROM sqlite_schema").get:
                db.execute(_SCHEMA)
                db.execute("INSERT INTO meta VALUES ('salt', ?)", (os.urandom(SALT_SIZE),))


def _check(db: apsw.Connection, path: Path) -> None:
    if db.pragma("application_id") != APPLICATION_ID:
        raise UserError(_NOT_AN_INDEX, str(path), _BUILD)
    if db.pragma("user_version") != FORMAT:
        raise UserError(_OTHER_FORMAT, str(path), _REBUILD)


@contextmanager
def undamaged(path: Path) -> Iterator[None]:
    """What SQLite says of a damaged file, as a `UserError`: an index can be built again."""
    try:
        yield
    except apsw.NotADBError:
        raise UserError(_NOT_AN_INDEX, str(path), _BUILD) from None
    except apsw.CorruptError:
        raise UserError(_DAMAGED, str(path), _REBUILD) from None
