"""Databases as sources, against real servers: the same documents as a CSV export of the same rows, flat memory, one
snapshot, no write, and no reading that ends early and looks complete."""

import gc
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time

import pytest
from xlsxwriter import Workbook

from adapters.rows import Row
from adapters.sources import Source, open_source
from contracts.edge.config import parse_toml
from contracts.encoding import Json
from contracts.errors import Unavailable, UserError
from contracts.text import Text
from tests.integration.adapter_city import HEADER, STREAM, Department, department, row
from tests.integration.database_servers import PASSWORD, Server, mariadb, postgresql

READER = "reader"
CSV_LINES = 'files = ["certificates.csv"]\n'
ROWS = [row(number, name) for number, name in enumerate(("周晓兰", "欧阳𬱖", "O'Neil 100%", "陈建军"), 1)]
# Typed as a database would have them: dates are dates, the rest text. In CSV they stand in the forms of the export.
TYPES = {"体检日期": "DATE", "发证日期": "TIMESTAMP NULL"}
TYPED = [(*cells[:5], "2025-10-02", "2025-10-07 00:00:00", *cells[7:]) for cells in ROWS]


@pytest.fixture(scope="module")
def pg() -> Iterator[Server]:
    with postgresql() as server:
        server.execute(
            f"CREATE ROLE {READER} LOGIN PASSWORD '{PASSWORD}'", f'CREATE TABLE "证照" ({_columns(chr(34))})'
        )
        server.insert('"证照"', HEADER, TYPED)
        server.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}")
        yield server


@pytest.fixture(scope="module")
def maria() -> Iterator[Server]:
    with mariadb() as server:
        server.execute(
            f"CREATE USER {READER} IDENTIFIED BY '{PASSWORD}' REQUIRE SSL",
            "CREATE DATABASE market",
            f"CREATE TABLE market.`证照` ({_columns('`')})",
            f"GRANT SELECT ON market.* TO {READER}",
        )
        server.insert("market.`证照`", HEADER, TYPED)
        yield server


@pytest.fixture(scope="module", params=["pg", "maria"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each server in turn."""
    found: Server = request.getfixturevalue(request.param)
    return found


def _columns(quote: str) -> str:
    return ", ".join(f"{quote}{name}{quote} {TYPES.get(name, 'VARCHAR(100)')}" for name in HEADER)


def _is_pg(server: Server) -> bool:
    return server.url.get_backend_name() == "postgresql"


def _lines(server: Server, directory: Path, *lines: str) -> str:
    """The source's table for a reader with a password file, over TLS."""
    password = directory / "db.password"
    password.write_text(PASSWORD + "\n", "utf-8")
    password.chmod(0o600)
    url = server.url
    database = url.database if _is_pg(server) else "market"
    address = f"{url.get_backend_name()}://{READER}@{url.host}:{url.port}/{database}?{server.tls}"
    return "\n".join(['kind = "database"', f'url = "{address}"', 'password_file = "db.password"', *lines, ""])


def _source(server: Server, directory: Path, *lines: str) -> Source:
    section = parse_toml(_lines(server, directory, *lines), directory / "adapter.toml")
    source = open_source(section)
    section.done()
    return source


def _rows(source: Source) -> list[Row]:
    return list(source.rows(lambda *_: None))


# --- the whole way, with CSV as the oracle -------------------------------------------------------------------------

TABLE = ('table = "证照"', 'order_by = ["证书编号"]')


def _excel(department: Department, _: Server, __: Server) -> str:
    with Workbook(department.root / "export.xlsx") as book:
        sheet, date = book.add_worksheet("证照"), book.add_format({"num_format": "yyyy/m/d"})
        sheet.write_row(0, 0, HEADER)
        for line, cells in enumerate(ROWS, 1):
            sheet.write_row(line, 0, cells)
            sheet.write_number(line, HEADER.index("发证日期"), 45937, date)  # 2025-10-07
            sheet.write_number(line, HEADER.index("有效期至"), 20261006)
    return 'kind = "excel"\nfiles = ["export.xlsx"]\n'


def _sqlite(department: Department, _: Server, __: Server) -> str:
    connection = sqlite3.connect(department.root / "export.db")
    with connection:
        connection.execute(f'CREATE TABLE "证照" ({_columns(chr(34))})')
        connection.executemany(f'INSERT INTO "证照" VALUES ({", ".join("?" * len(HEADER))})', TYPED)
    connection.close()
    return "\n".join(['kind = "database"', 'url = "sqlite:///export.db"', *TABLE, ""])


def _postgresql(department: Department, pg: Server, _: Server) -> str:
    return _lines(pg, department.root, *TABLE)


def _mysql(department: Department, _: Server, maria: Server) -> str:
    return _lines(maria, department.root, "query = 'SELECT * FROM `证照` ORDER BY `证书编号`'")


def _use(department: Department, lines: str) -> None:
    text = department.config.read_text("utf-8")
    assert CSV_LINES in text
    department.config.write_text(text.replace(CSV_LINES, lines), "utf-8")


def _documents(department: Department) -> list[dict[str, Json]]:
    documents = (evidence.document() for evidence in department.messages())
    return sorted(documents, key=lambda document: str(document["certificate_number"]))


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Json]]:
    """What the CSV export gives."""
    office = department(tmp_path_factory.mktemp("csv"))
    office.write(ROWS)
    assert office.run().code == 0
    return _documents(office)


@pytest.mark.parametrize("prepare", [_excel, _sqlite, _postgresql, _mysql])
def test_every_source_gives_the_documents_of_the_csv_export(
    prepare: Callable[[Department, Server, Server], str],
    tmp_path: Path,
    pg: Server,
    maria: Server,
    oracle: list[dict[str, Json]],
) -> None:
    office = department(tmp_path)
    _use(office, prepare(office, pg, maria))
    checked = office.adapter("check", "adapter.toml", "--json")
    assert (checked.code, checked.json["refused"], checked.err) == (0, 0, "")
    done = office.run()
    assert (done.code, done.stream["published"], done.stream["planned"]["added"]) == (0, len(ROWS), len(ROWS))
    assert office.run().stream["unchanged"] == len(ROWS)
    assert len(oracle) == len(ROWS)
    assert _documents(office) == oracle


def test_the_brake_holds_for_a_database_too(tmp_path: Path, pg: Server) -> None:
    pg.execute('CREATE TABLE fading AS SELECT * FROM "证照"', f"GRANT SELECT ON fading TO {READER}")
    office = department(tmp_path)
    _use(office, _lines(pg, tmp_path, 'table = "fading"'))
    assert office.run().code == 0
    pg.execute("DELETE FROM fading")
    braked = office.run()
    assert (braked.code, braked.stream["state"], len(office.live())) == (3, "braked", len(ROWS))


# --- what must never look like rows that are gone --------------------------------------------------------------------


def test_a_server_that_goes_withdraws_nothing(tmp_path: Path) -> None:
    with postgresql() as server:
        server.execute(
            f"CREATE ROLE {READER} LOGIN PASSWORD '{PASSWORD}'", f'CREATE TABLE "证照" ({_columns(chr(34))})'
        )
        server.insert('"证照"', HEADER, TYPED)
        server.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}")
        office = department(tmp_path)
        _use(office, _lines(server, tmp_path, *TABLE))
        assert office.run().code == 0
    before = len(office.records())
    gone = office.run()
    assert (gone.code, gone.stream["state"]) == (4, "away")
    assert "not available now" in gone.err
    assert PASSWORD not in gone.err
    assert len(office.records()) == before
    assert STREAM.evidence_type == gone.stream["stream"]


@dataclass
class Numbers:
    """Many wide rows that the server makes up as it sends them."""

    count: int = 200_000
    width: int = 500
    pg: str = field(init=False)
    maria: str = field(init=False)

    def __post_init__(self) -> None:
        self.pg = f"SELECT n, repeat('x', {self.width}) AS filler FROM generate_series(1, {self.count}) AS n"
        self.maria = f"SELECT seq AS n, repeat('x', {self.width}) AS filler FROM mysql.seq_1_to_{self.count}"

    def query(self, server: Server) -> str:
        return f'query = "{self.pg if _is_pg(server) else self.maria}"'


def _end_readers(server: Server) -> None:
    if _is_pg(server):
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'oncegate%'")
        return
    with server.engine().connect() as connection:
        found = connection.exec_driver_sql(f"SELECT id FROM information_schema.processlist WHERE user = '{READER}'")
        for (number,) in list(found):
            connection.exec_driver_sql(f"KILL {number}")


def _grant_sequences(server: Server) -> None:
    if not _is_pg(server):
        server.execute(f"GRANT SELECT ON mysql.* TO {READER}")


def test_a_connection_that_breaks_in_the_middle_fails_the_reading(
    tmp_path: Path, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    _grant_sequences(server)
    rows = _source(server, tmp_path, Numbers().query(server)).rows(lambda *_: None)
    first = next(rows)
    assert (first.line, first.cells["n"]) == (1, "1")
    _end_readers(server)
    with pytest.raises(Unavailable):
        list(rows)
    gc.collect()
    assert capfd.readouterr().err == ""  # no driver's last words


def test_a_reading_that_nobody_wants_to_the_end_is_cut_off(tmp_path: Path, server: Server) -> None:
    """A missing column is told before a row is fetched; a driver must not fetch all the others first."""

    def refuse(where: str, header: tuple[str, ...]) -> None:
        raise UserError(Text("", "not this one"), where)

    _grant_sequences(server)
    source = _source(server, tmp_path, Numbers(2_000_000, 1000).query(server))
    begun = process_time()
    with pytest.raises(UserError):
        next(iter(source.rows(refuse)))
    gc.collect()
    assert process_time() - begun < 2  # 2 GB take longer


def test_memory_does_not_grow_with_the_table(tmp_path: Path, server: Server) -> None:
    _grant_sequences(server)
    numbers = Numbers(100_000, 1000)
    rows = _source(server, tmp_path, numbers.query(server)).rows(lambda *_: None)
    next(rows)
    before = _resident()
    assert sum(1 for _ in rows) == numbers.count - 1
    assert _resident() - before < 20 << 20  # of 100 MB


def _resident() -> int:
    pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    return int(pages) * 4096


def test_a_value_that_fails_in_the_middle_fails_the_reading_and_is_not_told(tmp_path: Path, pg: Server) -> None:
    query = (
        "SELECT CASE WHEN n = 15000 THEN (n || '430102x')::bigint ELSE n END AS n FROM generate_series(1, 20000) AS n"
    )
    with pytest.raises(Unavailable) as told:
        _rows(_source(pg, tmp_path, f'query = "{query}"'))
    assert "22P02" in str(told.value)  # PostgreSQL's own words hold the value
    assert "430102" not in str(told.value)


def test_a_query_that_takes_too_long_is_given_up(tmp_path: Path, server: Server) -> None:
    query = (
        "SELECT pg_sleep(60)::text AS n" if _is_pg(server) else "SELECT sleep(60), benchmark(9000000000, md5('x')) AS n"
    )
    with pytest.raises(Unavailable):
        _rows(_source(server, tmp_path, f'query = "{query}"', "timeout_s = 1"))


# --- snapshot, rights, values ----------------------------------------------------------------------------------------


def test_a_reading_sees_one_state(tmp_path: Path, server: Server) -> None:
    table = "moving" if _is_pg(server) else "market.moving"
    filler = "repeat('x', 1000)"
    source_rows = (
        "generate_series(1, 20000) AS n" if _is_pg(server) else "(SELECT seq AS n FROM mysql.seq_1_to_20000) AS s"
    )
    server.execute(
        f"CREATE TABLE {table} AS SELECT n, {filler} AS filler FROM {source_rows}",
        f"GRANT SELECT ON {table} TO {READER}",
    )
    rows = _source(server, tmp_path, 'table = "moving"', 'columns = ["n"]').rows(lambda *_: None)
    next(rows)
    server.execute(f"DELETE FROM {table}")
    assert sum(1 for _ in rows) == 19_999
    assert _rows(_source(server, tmp_path, 'table = "moving"')) == []


def test_nothing_can_be_written(tmp_path: Path, server: Server) -> None:
    target = '"证照"' if _is_pg(server) else "market.`证照`"
    server.execute(f"GRANT DELETE ON {target} TO {READER}")
    with pytest.raises((UserError, Unavailable)):
        _rows(_source(server, tmp_path, f"query = 'DELETE FROM {target}'"))
    assert len(_rows(_source(server, tmp_path, 'table = "证照"'))) == len(ROWS)


PG_VALUES = """SELECT NULL::text AS nothing, true AS yes, 430102198703162829::bigint AS big,
 12.50::numeric(9,2) AS money, 1e20::float8 AS lost, 0.1::float8 + 0.2::float8 AS noisy, DATE '2021-03-05' AS day,
 TIMESTAMPTZ '2021-03-04 16:30:00+00' AS moment, TIMESTAMP '2021-03-05 00:30:00' AS local,
 '\\x00ff'::bytea AS raw, ARRAY[1] AS list, '{"a": 1}'::json AS object, ':x %s 100%' AS marks"""
MARIA_VALUES = """SELECT NULL AS nothing, TRUE AS yes, 430102198703162829 AS big, CAST(12.5 AS DECIMAL(9,2)) AS money,
 1e20 AS lost, 0.1e0 + 0.2e0 AS noisy, DATE '2021-03-05' AS day, TIMESTAMP '2021-03-05 00:30:00' AS moment,
 TIMESTAMP '2021-03-05 00:30:00' AS local, x'00ff' AS raw, ':x %s 100%' AS marks"""


def test_values(tmp_path: Path, server: Server) -> None:
    query = PG_VALUES if _is_pg(server) else MARIA_VALUES
    (found,) = _rows(_source(server, tmp_path, f"query = '''\n{query}\n'''"))
    wanted = {
        "nothing": "",
        "yes": "TRUE" if _is_pg(server) else "1",
        "big": "430102198703162829",
        "money": "12.50",
        "lost": "",
        "noisy": "0.3",
        "day": "2021-03-05",
        "moment": "2021-03-05 00:30:00",
        "local": "2021-03-05 00:30:00",
        "raw": "",
        "marks": ":x %s 100%",
    } | ({"list": "", "object": ""} if _is_pg(server) else {})
    assert found.cells == wanted
    types = dict.fromkeys(("raw", "list", "object") if _is_pg(server) else ("raw",), "row_cell_type")
    assert found.bad == {"lost": "row_digits_lost"} | types


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (('table = "nowhere"',), "nowhere"),
        (('table = "证照"', 'columns = ["没有"]'), "没有"),
        (("query = 'SELECT 1 AS a, 2 AS a'",), "twice"),
        (("query = 'SELEKT 1'",), "SELEKT"),
    ],
)
def test_mistakes_in_the_query_are_told(tmp_path: Path, server: Server, lines: tuple[str, ...], words: str) -> None:
    with pytest.raises(UserError) as told:
        _rows(_source(server, tmp_path, *lines))
    assert words in told.value.what.en


def test_a_wrong_password_and_a_wrong_certificate_are_told(tmp_path: Path, server: Server) -> None:
    source = _source(server, tmp_path, 'table = "证照"')
    (tmp_path / "db.password").write_text("wrong", "utf-8")
    with pytest.raises(Unavailable) as told:
        _rows(source)
    assert READER in str(told.value)
    (tmp_path / "db.password").write_text(PASSWORD, "utf-8")
    (tmp_path / "db.password").chmod(0o644)
    with pytest.raises(UserError):
        _rows(source)
    (tmp_path / "db.password").chmod(0o600)
    foreign = tmp_path / "foreign.pem"
    foreign.write_bytes(_other_certificate(server))
    lines = _lines(server, tmp_path, 'table = "证照"').replace(str(server.ca), str(foreign))
    with pytest.raises(Unavailable):
        _rows(open_source(parse_toml(lines, tmp_path / "adapter.toml")))


def _other_certificate(server: Server) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import load_pem_x509_certificate

    from tests.integration.database_servers import self_signed

    certificate, _ = self_signed()
    assert certificate != load_pem_x509_certificate(server.ca.read_bytes())
    return certificate.public_bytes(Encoding.PEM)


def test_a_change_query_says_when_to_read_again(tmp_path: Path, server: Server) -> None:
    table = "changing" if _is_pg(server) else "market.changing"
    server.execute(f"CREATE TABLE {table} (n INT)", f"GRANT SELECT ON {table} TO {READER}")
    source = _source(server, tmp_path, 'table = "changing"', 'change_query = "SELECT count(*), max(n) FROM changing"')
    before = source.stamp()
    assert source.stamp() == before
    server.execute(f"INSERT INTO {table} VALUES (1)")
    assert source.stamp() != before
