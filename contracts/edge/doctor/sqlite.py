"""A SQLite file of ours, opened for reading only, so that looking leaves nothing behind and waits for nobody.

A reader of a WAL database makes its `-wal` and `-shm` files and cannot remove them. So while nobody has the file open
(neither is there) it is opened as one that does not change; otherwise like any reader does.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

import apsw

from contracts.errors import Corrupt, UserError
from contracts.text import Text

BUSY_MS: Final = 2_000
_CANNOT_READ = Text("无法读取:{why}", "It cannot be read: {why}")
_PERMISSIONS = Text("请核对路径与权限。", "Check the path and its permissions.")


@contextmanager
def reading(path: Path) -> Iterator[apsw.Connection]:
    """A connection that cannot write, for a `with`; apsw's errors in it become `Corrupt` or `UserError`."""
    in_use = any(path.with_name(path.name + suffix).exists() for suffix in ("-wal", "-shm"))
    uri = f"file:{quote(str(path))}?mode=ro" + ("" if in_use else "&immutable=1")
    try:
        with closing(apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)) as db:
            db.set_busy_timeout(BUSY_MS)
            yield db
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise Corrupt(f"{path}: {error}") from None
    except apsw.Error as error:
        raise UserError(_CANNOT_READ.fill(why=error), str(path), _PERMISSIONS) from None
