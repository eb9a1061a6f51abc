"""Source tables in a configuration: every mistake told, SQLite read-only, nothing looked up in silence."""

import sqlite3
import sys
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest

from adapters.config import load
from adapters.outbox import Outbox
from adapters.report import AWAY, PUBLISHED, StreamReport
from adapters.run import Effects
from adapters.sources import Source, open_source
from adapters.watch import watch
from contracts.edge.config import parse_toml
from contracts.errors import Unavailable, UserError
from tests.integration.adapter_city import department, row

SQLITE = 'kind = "database"\nurl = "sqlite:///a.db"\n'


def _source(directory: Path, lines: str) -> Source:
    section = parse_toml(lines, directory / "adapter.toml")
    source = open_source(section)
    section.done()
    return source


@pytest.mark.parametrize(
    ("lines", "words", "remedy"),
    [
        ('kind = "ods"', "kind cannot be", ""),
        ('kind = "excel"\nfiles = []', "No source file", ""),
        ('kind = "excel"\nfiles = ["a.xlsx"]\nheader_row = 0', "out of bounds", ""),
        ('kind = "database"\nurl = "nonsense"\ntable = "t"', "Not a database URL", "postgresql://"),
        ('kind = "database"\nurl = "mysql://u:secret@h/d"\ntable = "t"', "must not hold a password", "0600"),
        ('kind = "database"\nurl = "mysql://u@h/d?passwd=secret"\ntable = "t"', "must not hold a password", "0600"),
        ('kind = "database"\nurl = "postgresql://u@h/d?sslpassword=secret"\ntable = "t"', "must not hold a pass", ""),
        ('kind = "database"\nurl = "dm://u@h/d"\ntable = "t"', "no SQLAlchemy dialect for dm", "Install"),
        ('kind = "database"\nurl = "oracle://u@h/d"\ntable = "t"', "driver oracledb is not installed", "Install"),
        (SQLITE, "Either query or table", ""),
        (SQLITE + 'table = "t"\nquery = "SELECT 1"', "Either query or table", ""),
        (SQLITE + 'query = "SELECT 1"\ncolumns = ["a"]', "columns goes with table only", ""),
        (SQLITE + 'table = "t"\nfiles = ["a"]', "files is not an option", ""),
    ],
)
def test_mistakes(tmp_path: Path, lines: str, words: str, remedy: str) -> None:
    with pytest.raises(UserError) as told:
        _source(tmp_path, lines)
    assert words in told.value.what.en
    assert remedy in (told.value.remedy.en if told.value.remedy else "")
    assert "secret" not in told.value.what.en + told.value.where


@pytest.mark.parametrize(("url", "module"), [("postgresql://u@h/d", "psycopg"), ("mysql://u@h/d", "pymysql")])
def test_a_missing_driver_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    with pytest.raises(UserError) as told:
        _source(tmp_path, f'kind = "database"\nurl = "{url}"\ntable = "t"')
    extra = {"psycopg": "postgresql", "pymysql": "mysql"}[module]
    assert told.value.remedy is not None
    assert f"oncegate[adapter,{extra}]" in told.value.remedy.en


def _sqlite(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_sqlite_is_read_and_never_written(tmp_path: Path) -> None:
    _sqlite(tmp_path / "a.db", "CREATE TABLE t (a TEXT, b REAL)", "INSERT INTO t VALUES ('1', 2.5), ('2', NULL)")
    source = _source(tmp_path, SQLITE + 'name = "牌照库"\ntable = "t"\ncolumns = ["b", "a"]\norder_by = ["a"]')
    headers: list[tuple[str, tuple[str, ...]]] = []
    found = [(one.file, one.line, one.cells) for one in source.rows(lambda *header: headers.append(header))]
    assert headers == [("牌照库", ("b", "a"))]
    assert found == [("牌照库", 1, {"b": "2.5", "a": "1"}), ("牌照库", 2, {"b": "", "a": "2"})]
    for query in ("DELETE FROM t", "DROP TABLE t", "INSERT INTO t VALUES (3, 3) RETURNING a"):
        with pytest.raises(UserError):
            list(_source(tmp_path, SQLITE + f'query = "{query}"').rows(lambda *_: None))
    assert len(list(source.rows(lambda *_: None))) == 2


def test_a_missing_sqlite_file_is_a_mistake_and_stays_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        list(_source(tmp_path, SQLITE + 'table = "t"').rows(lambda *_: None))
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_are_no_text_fail_the_reading_without_telling_them(tmp_path: Path) -> None:
    _sqlite(tmp_path / "a.db", "CREATE TABLE t (a TEXT)", "INSERT INTO t VALUES (CAST(x'E5BCA0FF' AS TEXT))")
    with pytest.raises(Unavailable) as told:
        list(_source(tmp_path, SQLITE + 'table = "t"').rows(lambda *_: None))
    assert "张" not in str(told.value)


def test_without_a_change_query_time_is_what_changes(tmp_path: Path) -> None:
    source = _source(tmp_path, SQLITE + 'table = "t"\npoll_s = 86400')
    assert source.stamp() == source.stamp()


def test_a_source_that_is_away_is_told_once_and_tried_until_it_is_back(tmp_path: Path) -> None:
    """The source is a workbook's neighbour in the fault table: a database that is locked, then free."""
    office = department(tmp_path)
    _sqlite(tmp_path / "a.db", f"CREATE TABLE t ({', '.join(_names())})", f"INSERT INTO t VALUES {row(1)!r}")
    text = office.config.read_text("utf-8")
    office.config.write_text(
        text.replace('files = ["certificates.csv"]', SQLITE + 'table = "t"\ntimeout_s = 1'), "utf-8"
    )
    holder = sqlite3.connect(tmp_path / "a.db", check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")
    config, told, stop = load(office.config), [], Event()

    def tell(report: StreamReport) -> None:
        told.append(report.state)
        if report.state == AWAY:
            Thread(target=holder.rollback).start()
        else:
            stop.set()

    begun = monotonic()
    with Outbox(config.outbox, config.organisation, config.adapter) as outbox, config.transport.writer() as writer:
        watch(config, Effects(outbox, writer, stop), 0.01, tell)
    holder.close()
    assert told == [AWAY, PUBLISHED]
    assert monotonic() - begun < 60
    assert len(office.live()) == 1


def _names() -> list[str]:
    from tests.integration.adapter_city import HEADER

    return [f'"{name}"' for name in HEADER]
