"""The current store, opened for reading only: nothing is checkpointed or waited for, whatever state it is in."""

from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

import apsw

from contracts.errors import Corrupt, UserError
from contracts.streams import Stream
from contracts.text import Text
from gateway.ingest.state import StreamState
from gateway.store import database

BUSY_MS: Final = 2_000
_STREAMS: Final = "SELECT organisation, adapter, evidence_type, state FROM streams ORDER BY id"
_CANNOT_OPEN = Text("无法打开存储:{why}", "The store cannot be opened: {why}")
_PERMISSIONS = Text("请核对路径与权限。", "Check the path and its permissions.")


def states(path: Path) -> dict[Stream, StreamState]:
    """Every stream that ingest has met; raises `StoreAbsent`, `UserError`, `Corrupt`."""
    with closing(open_readonly(path)) as db, database.corrupt_if_unreadable(path):
        return {Stream(*names): StreamState.from_json(state) for *names, state in db.execute(_STREAMS)}


def open_readonly(path: Path) -> apsw.Connection:
    """A connection that cannot write; raises `StoreAbsent`, `UserError`, `Corrupt`."""
    if not path.exists():
        raise database.StoreAbsent(path)
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    try:
        db = apsw.Connection(f"file:{quote(str(path))}?mode=ro", flags=flags)
    except apsw.Error as error:
        raise UserError(_CANNOT_OPEN.fill(why=error), str(path), _PERMISSIONS) from None
    try:
        db.set_busy_timeout(BUSY_MS)
        db.execute("SELECT 1 FROM sqlite_schema").fetchall()
    except (apsw.CorruptError, apsw.NotADBError) as error:
        db.close()
        raise Corrupt(f"store {path}: {error}") from None
    except apsw.Error as error:
        db.close()
        raise UserError(_CANNOT_OPEN.fill(why=error), str(path), _PERMISSIONS) from None
    return db
