"""What differs from one kind of database to another: one row of `KINDS` each.

1. The driver that we ship an extra for stands for a URL that names none.
2. A reading is one read-only transaction with one snapshot; the server gives up after the time limit, and each side
   notices when the other is gone.
3. A kind without a row is read as its SQLAlchemy dialect does it: without promises of ours about snapshot and limits.
4. `told` says whether an error is the query's fault and whether its words are safe: words about rows can hold values
   of rows, words about tables and columns cannot.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection
from sqlalchemy.exc import ProgrammingError

CONNECT_S = 10
Settings = Mapping[str, str | int | bool]


@dataclass(frozen=True, slots=True)
class Kind:
    """`driver`: ours. `settings`: for connecting, if the URL does not say otherwise. `begin`: rule 2.

    `mistaken`: rule 4. `address`: the URL to use. `abandon`: what a cursor needs before its connection is thrown away.
    """

    driver: str
    extra: str
    settings: Callable[[int], Settings]
    begin: Callable[[Connection, int], None]
    mistaken: Callable[[BaseException], bool] = lambda _: False
    address: Callable[[URL, Path], URL] = lambda url, _: url
    abandon: Callable[[Any], None] = lambda _: None


def kind_of(url: URL) -> Kind | None:
    """The row for a URL, if there is one."""
    return KINDS.get(url.get_backend_name())


def with_driver(url: URL) -> URL:
    """Rule 1."""
    kind = kind_of(url)
    return url if kind is None or "+" in url.drivername else url.set(drivername=f"{url.drivername}+{kind.driver}")


def is_ours(url: URL, kind: Kind | None) -> bool:
    """Whether settings of our driver fit."""
    return kind is not None and url.drivername.partition("+")[2] == kind.driver


def settings(url: URL, timeout_s: int) -> dict[str, Any]:
    """What the driver is told beside the URL."""
    kind = kind_of(url)
    if kind is None or not is_ours(url, kind):
        return {}
    return {name: value for name, value in kind.settings(timeout_s).items() if name not in url.query}


def is_mistake(url: URL, error: BaseException | None, raised: BaseException) -> bool:
    """Rule 4: the query or its rights are at fault, in words about tables and columns."""
    kind = kind_of(url)
    return isinstance(raised, ProgrammingError) or (kind is not None and error is not None and kind.mistaken(error))


def words(error: BaseException | None) -> str:
    """The driver's words in one line."""
    diagnosis = getattr(getattr(error, "diag", None), "message_primary", None)
    text = diagnosis or (str(error.args[-1]) if error is not None and error.args else "")
    return " ".join(text.split())


def code(error: BaseException | None) -> str:
    """What an error is called, without its words: class, and the number or SQLSTATE where there is one."""
    number = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None)
    if number is None and error is not None and error.args and isinstance(error.args[0], int):
        number = error.args[0]
    return type(error).__name__ + (f" {number}" if number is not None else "")


# --- PostgreSQL --------------------------------------------------------------------------------------------------


def _postgresql_settings(_: int) -> Settings:
    alive = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
    return {"connect_timeout": CONNECT_S, "application_name": "oncegate-adapter", **alive}


def _postgresql_begin(connection: Connection, timeout_s: int) -> None:
    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {timeout_s * 1000}")


# --- MySQL and MariaDB -------------------------------------------------------------------------------------------

# No such column, table or view, no right to them, a change in a read-only transaction: PyMySQL calls them operational.
_MYSQL_MISTAKES = (1044, 1054, 1142, 1143, 1146, 1356, 1792)


def _mysql_settings(timeout_s: int) -> Settings:
    return {"connect_timeout": CONNECT_S, "read_timeout": timeout_s + CONNECT_S, "charset": "utf8mb4"}


def _mysql_begin(connection: Connection, timeout_s: int) -> None:
    is_mariadb = getattr(connection.dialect, "is_mariadb", False)
    limit = f"max_statement_time = {timeout_s}" if is_mariadb else f"max_execution_time = {timeout_s * 1000}"
    connection.exec_driver_sql(f"SET SESSION {limit}, SESSION net_write_timeout = {timeout_s}")
    connection.exec_driver_sql("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


def _mysql_mistaken(error: BaseException) -> bool:
    return bool(error.args) and error.args[0] in _MYSQL_MISTAKES


def _mysql_abandon(cursor: Any) -> None:
    """PyMySQL's cursor would fetch all that is left, at its end or from its finalizer, even from a dead connection."""
    if getattr(cursor, "_result", None) is not None:
        cursor._result.unbuffered_active = False
    cursor.connection = None


# --- SQLite ------------------------------------------------------------------------------------------------------


def _sqlite_settings(timeout_s: int) -> Settings:
    return {"timeout": timeout_s}


def _sqlite_begin(connection: Connection, _: int) -> None:
    connection.exec_driver_sql("PRAGMA query_only = ON")
    connection.exec_driver_sql("BEGIN")


def _sqlite_mistaken(error: BaseException) -> bool:
    return getattr(error, "sqlite_errorname", "") in (
        "SQLITE_ERROR",
        "SQLITE_CANTOPEN",
        "SQLITE_NOTADB",
        "SQLITE_READONLY",
    )


def _sqlite_address(url: URL, base: Path) -> URL:
    """Read-only, so that a file that is not there is not made; relative to the configuration file."""
    path = base / Path(url.database or "").expanduser()
    return url.set(database=f"{path.absolute().as_uri()}?mode=ro", query={**url.query, "uri": "true"})


_MYSQL = Kind("pymysql", "mysql", _mysql_settings, _mysql_begin, _mysql_mistaken, abandon=_mysql_abandon)
KINDS: Mapping[str, Kind] = {
    "postgresql": Kind("psycopg", "postgresql", _postgresql_settings, _postgresql_begin),
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "sqlite": Kind("pysqlite", "adapter", _sqlite_settings, _sqlite_begin, _sqlite_mistaken, _sqlite_address),
}
