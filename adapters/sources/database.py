"""A database as a source of rows, through SQLAlchemy Core.

1. The URL holds no password: that comes from a file of mode 0600.
2. Rows come from a `query`, or from a `table` with its `columns` (default: all) in the order of `order_by`.
3. One reading is one statement in one read-only transaction. Rows are fetched in portions from a cursor on the server,
   so that memory stays flat.
4. A row's file is the source's `name`, its line the number of the row in the result, from 1. Only an order makes that
   number useful.
5. Values become text as `cells` says. One that cannot (bytes, lists, a number that lost digits) is bad, and so is its
   row if the mapping needs that column.
6. An error at any moment of the reading ends it: what the driver fetched is never taken for everything. The query's
   mistakes are `UserError`, everything else is `Unavailable`. Words of the driver that might hold values are not told.
7. Nobody is told when a database changes. With `change_query` its result is compared at each look; else the source
   counts as changed every `poll_s`.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    CursorResult,
    Engine,
    NullPool,
    Select,
    column,
    create_engine,
    event,
    literal_column,
    make_url,
    select,
    table,
)
from sqlalchemy.engine import ExecutionContext
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from adapters.rows import Row
from adapters.sources import database_kinds as kinds
from adapters.sources.cells import cell_text
from adapters.sources.files import readable
from adapters.sources.interface import CheckHeader, Stamp, any_header
from adapters.values import CellFault, strip
from contracts.edge.config import Section
from contracts.edge.keys import require_private
from contracts.errors import Unavailable, UserError
from contracts.text import Text

PORTION = 1000  # rows
DEFAULT_TIMEOUT_S, DEFAULT_POLL_S = 300, 600
_DAY_S = 86_400
_SECRET = re.compile(r"pass|pwd|secret|token", re.IGNORECASE)

_BAD_URL = Text("不是数据库 URL", "Not a database URL")
_URL_LIKE = Text("例如 postgresql://user@host/db", "Like postgresql://user@host/db")
_PASSWORD = Text("url 中不能有密码", "The URL must not hold a password")
_USE_FILE = Text(
    "请将密码写入 0600 文件,以 password_file 指定。", "Put it into a 0600 file; name that as password_file."
)
_EMPTY_PASSWORD = Text("密码文件为空", "The password file is empty")
_ONE = Text("query 与 table 必须且只能有一个", "Either query or table must be there, not both")
_WITH_TABLE = Text("{name} 只能与 table 同用", "{name} goes with table only")
_NO_DIALECT = Text("没有 {name} 的 SQLAlchemy 方言", "There is no SQLAlchemy dialect for {name}")
_INSTALL_DIALECT = Text("请安装该数据库的 SQLAlchemy 驱动包。", "Install the SQLAlchemy driver of that database.")
_NO_DRIVER = Text("未安装数据库驱动 {name}", "The database driver {name} is not installed")
_INSTALL_EXTRA = Text("请安装 oncegate[adapter,{extra}]。", "Install oncegate[adapter,{extra}].")
_REFUSED = Text("数据库拒绝该查询:{why}", "The database refuses the query: {why}")
_MEND = Text("请核对 query、table、columns 与账号权限。", "Check query, table, columns and the account's rights.")
_NO_ROWS = Text("该语句不返回行", "The statement returns no rows")
_NAMES_TWICE = Text("结果中列名 {name} 重复", "The column {name} is in the result twice")
_ALIAS = Text("请用 AS 改名。", "Rename one with AS.")


@dataclass(frozen=True, slots=True)
class DatabaseSource:
    """One query. `timeout_s`: for an answer of the server; `poll_s`: see rule 7."""

    name: str
    url: URL
    password_file: Path | None
    statement: str | Select[*tuple[Any, ...]]
    timeout_s: int
    poll_s: int
    change_query: str | None
    where: str

    def rows(self, check: CheckHeader = any_header) -> Iterator[Row]:
        """Every row, in the server's order; see `Source`."""
        with self._connected() as connection, self._result(connection, self.statement) as result:
            header = self._header(result)
            check(self.name, header)
            portions = result.partitions(PORTION)
            for line, values in enumerate(chain.from_iterable(self._fetched(portions)), 1):
                yield _row(self.name, line, header, values)

    def stamp(self) -> Stamp:
        """Rule 7; see `Source`."""
        if self.change_query is None:
            return ((self.name, int(monotonic() // self.poll_s)),)
        with self._connected() as connection, self._result(connection, self.change_query) as result:
            portion = next(self._fetched(result.partitions(PORTION)), ())
            return tuple(tuple(map(repr, row)) for row in portion)

    def _header(self, result: CursorResult[*tuple[Any, ...]]) -> tuple[str, ...]:
        if not result.returns_rows:
            raise UserError(_NO_ROWS, self.where, _MEND)
        names = tuple(map(strip, result.keys()))
        for name in names:
            if names.count(name) > 1:
                raise UserError(_NAMES_TWICE.fill(name=name), self.where, _ALIAS)
        return names

    # --- the connection ------------------------------------------------------------------------------------------

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A transaction as `kinds` begins it; nothing is kept open after it."""
        kind = kinds.kind_of(self.url)
        engine = _engine(self._authorised(), self.timeout_s)
        event.listen(engine, "handle_error", lambda context: _abandon(kind, context.execution_context))
        try:
            connection = engine.connect()
        except DBAPIError as error:
            if kinds.is_mistake(self.url, error.orig, error):
                raise UserError(_REFUSED.fill(why=kinds.words(error.orig)), self.where, _MEND) from None
            raise Unavailable(f"{self.name}: {kinds.words(error.orig)}") from None
        except (SQLAlchemyError, OSError, ValueError) as error:
            raise Unavailable(f"{self.name}: {type(error).__name__}") from None
        with connection:
            if kind is not None:
                with self._translated():
                    kind.begin(connection, self.timeout_s)
            yield connection.execution_options(yield_per=PORTION, no_parameters=True)

    def _authorised(self) -> URL:
        """Rule 1."""
        if self.password_file is None:
            return self.url
        require_private(self.password_file)
        with readable(self.password_file):
            password = self.password_file.read_text("utf-8").strip("\r\n")
        if not password:
            raise UserError(_EMPTY_PASSWORD, str(self.password_file), _USE_FILE)
        return self.url.set(password=password)

    @contextmanager
    def _result(
        self, connection: Connection, statement: str | Select[*tuple[Any, ...]]
    ) -> Iterator[CursorResult[*tuple[Any, ...]]]:
        with self._translated():
            if isinstance(statement, str):
                result = connection.exec_driver_sql(statement)
            else:
                result = connection.execute(statement)
        try:
            yield result
        finally:
            if result.cursor is not None:  # not read to its end
                _abandon(kinds.kind_of(self.url), result.context)
                result.close()
                connection.invalidate()

    def _fetched(self, portions: Iterator[Sequence[Sequence[object]]]) -> Iterator[Sequence[Sequence[object]]]:
        while True:
            with self._translated():
                portion = next(portions, None)
            if portion is None:
                return
            yield portion

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Rule 6."""
        try:
            yield
        except DBAPIError as error:
            if kinds.is_mistake(self.url, error.orig, error):
                raise UserError(_REFUSED.fill(why=kinds.words(error.orig)), self.where, _MEND) from None
            raise Unavailable(f"{self.name}: {kinds.code(error.orig)}") from None
        except (SQLAlchemyError, OSError, ValueError) as error:
            raise Unavailable(f"{self.name}: {type(error).__name__}") from None


def _abandon(kind: kinds.Kind | None, context: ExecutionContext | None) -> None:
    if kind is not None and context is not None:
        kind.abandon(context.cursor)


def _row(file: str, line: int, header: tuple[str, ...], values: Sequence[object]) -> Row:
    cells: dict[str, str] = {}
    bad: dict[str, str] = {}
    for name, value in zip(header, values, strict=True):
        try:
            cells[name] = cell_text(value)
        except CellFault as fault:
            cells[name], bad[name] = "", fault.code
    return Row(file, line, cells, None, bad) if bad else Row(file, line, cells)


# --- configuration -----------------------------------------------------------------------------------------------


def open_database(section: Section) -> DatabaseSource:
    """The table as described in the guide; connects to nothing. Raises `UserError`."""
    given = kinds.with_driver(_url(section))
    kind = kinds.kind_of(given)
    url = given if kind is None else kind.address(given, section.file.parent)
    timeout_s = section.integer("timeout_s", DEFAULT_TIMEOUT_S, low=1, high=_DAY_S)
    _check_driver(section, url, timeout_s)
    return DatabaseSource(
        section.text("name", Path(given.database or given.get_backend_name()).name),
        url,
        section.path("password_file", None),
        _statement(section),
        timeout_s,
        section.integer("poll_s", DEFAULT_POLL_S, low=1, high=_DAY_S),
        section.text("change_query", None),
        section.where(),
    )


def _url(section: Section) -> URL:
    try:
        url = make_url(section.text("url"))
    except (ArgumentError, ValueError):
        raise section.mistake(_BAD_URL, "url", _URL_LIKE) from None
    if url.password is not None or any(map(_SECRET.search, url.query)):
        raise section.mistake(_PASSWORD, "url", _USE_FILE)
    return url


def _statement(section: Section) -> str | Select[*tuple[Any, ...]]:
    if section.has("query") == section.has("table"):
        raise section.mistake(_ONE)
    if section.has("query"):
        for name in ("schema", "columns", "order_by"):
            if section.has(name):
                raise section.mistake(_WITH_TABLE.fill(name=name), name)
        return section.text("query").strip().rstrip(";")
    names, order = section.texts("columns", ()), section.texts("order_by", ())
    source = table(section.text("table"), schema=section.text("schema", None))
    wanted: list[ColumnElement[object]] = [column(name) for name in names] or [literal_column("*")]
    return select(*wanted).select_from(source).order_by(*map(column, order))


def _engine(url: URL, timeout_s: int) -> Engine:
    """An engine without a pool; connects to nothing. Raises NoSuchModuleError and ModuleNotFoundError."""
    connect_args = kinds.settings(url, timeout_s)
    return create_engine(url, poolclass=NullPool, connect_args=connect_args, hide_parameters=True)


def _check_driver(section: Section, url: URL, timeout_s: int) -> None:
    kind = kinds.kind_of(url)
    try:
        _engine(url, timeout_s)
    except NoSuchModuleError:
        raise section.mistake(_NO_DIALECT.fill(name=url.drivername), "url", _INSTALL_DIALECT) from None
    except ModuleNotFoundError as error:
        ours = kind is not None and kinds.is_ours(url, kind)
        remedy = _INSTALL_EXTRA.fill(extra=kind.extra) if kind is not None and ours else _INSTALL_DIALECT
        raise section.mistake(_NO_DRIVER.fill(name=error.name), "url", remedy) from None
