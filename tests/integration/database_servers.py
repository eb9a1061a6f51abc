"""Real database servers for tests: PostgreSQL and MariaDB, each in a directory of its own, with TLS, on a free port.

Installed by `deploy/setup/databases.sh`. They refuse to run as root, so root starts them as the user that their package
made. Fsync is off: nothing here outlives a test.
"""

import datetime
import ipaddress
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from sqlalchemy import URL, Engine, NullPool, create_engine
from sqlalchemy.exc import OperationalError

PASSWORD = "s3cret/@:%pass"  # what a URL would have to escape
ADMIN = "admin"
PATIENCE_S = 60


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs (or did). `ca`: its certificate; `tls`: what a URL's query says to demand TLS by it."""

    url: URL
    directory: Path
    ca: Path
    tls: str

    def engine(self) -> Engine:
        """For the test's own use, as administrator."""
        return create_engine(self.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")

    def execute(self, *statements: str) -> None:
        with self.engine().connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement, execution_options={"no_parameters": True})

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        marks = ", ".join(["%s"] * len(columns))
        with self.engine().connect() as connection:
            connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({marks})", [tuple(row) for row in rows])


@contextmanager
def postgresql() -> Iterator[Server]:
    """PostgreSQL, with the password of scram-sha-256."""
    programs = _programs("initdb", "/usr/lib/postgresql/*/bin")
    with _home("postgres") as home:
        data, port = home.directory / "data", _free_port()
        (home.directory / "password").write_text(PASSWORD, "utf-8")
        options = ("-A", "scram-sha-256", "-U", ADMIN, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        home.call(programs / "initdb", "-D", data, "--pwfile", home.directory / "password", *options)
        settings = {
            "port": str(port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(home.directory),
            "fsync": "off",
            "ssl": "on",
            "ssl_cert_file": str(home.certificate),
            "ssl_key_file": str(home.key),
        }
        lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
        with (data / "postgresql.conf").open("a") as file:
            file.writelines(lines)
        url = URL.create("postgresql+psycopg", ADMIN, PASSWORD, "127.0.0.1", port, "postgres")
        with _serving(home, url, (programs / "postgres", "-D", data)):
            yield Server(url, home.directory, home.certificate, f"sslmode=verify-full&sslrootcert={home.certificate}")


@contextmanager
def mariadb() -> Iterator[Server]:
    """MariaDB, as Debian packages it in place of Oracle's MySQL."""
    programs = _programs("mariadbd", "/usr/sbin")
    with _home("mysql") as home:
        data, port = home.directory / "data", _free_port()
        start = home.directory / "start.sql"
        user = f"CREATE USER {ADMIN} IDENTIFIED BY '{PASSWORD}';\n"  # a statement a line
        start.write_text(f"{user}GRANT ALL ON *.* TO {ADMIN} WITH GRANT OPTION;\n", "utf-8")
        common = ("--no-defaults", f"--datadir={data}")
        skip = ("--skip-test-db", "--auth-root-authentication-method=normal")
        home.call("/usr/bin/mariadb-install-db", *common, *skip)
        options = (
            f"--port={port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            f"--socket={home.directory / 'socket'}",
            f"--pid-file={home.directory / 'pid'}",
            f"--init-file={start}",
            f"--ssl-cert={home.certificate}",
            f"--ssl-key={home.key}",
            "--character-set-server=utf8mb4",
            "--innodb-flush-log-at-trx-commit=0",
        )
        url = URL.create("mysql+pymysql", ADMIN, PASSWORD, "127.0.0.1", port, "mysql")
        with _serving(home, url, (programs / "mariadbd", *common, *options)):
            yield Server(url, home.directory, home.certificate, f"ssl_ca={home.certificate}")


# --- what both need ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Home:
    """A directory of the server's user, short enough for a socket's name."""

    directory: Path
    user: str | None

    @property
    def certificate(self) -> Path:
        return self.directory / "server.pem"

    @property
    def key(self) -> Path:
        return self.directory / "server.key"

    def own(self) -> None:
        """Everything in it belongs to the server's user."""
        if self.user is not None:
            for path in (self.directory, *self.directory.rglob("*")):
                shutil.chown(path, self.user, pwd.getpwnam(self.user).pw_gid)

    def call(self, *command: str | Path) -> None:
        self.own()
        done = subprocess.run(
            command, cwd=self.directory, user=self.user, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def _home(user: str) -> Iterator[_Home]:
    with tempfile.TemporaryDirectory(prefix=f"{user}-") as directory:
        home = _Home(Path(directory), user if os.geteuid() == 0 else None)
        _write_certificate(home)
        home.own()
        yield home


@contextmanager
def _serving(home: _Home, url: URL, command: Sequence[str | Path]) -> Iterator[None]:
    log = home.directory / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, cwd=home.directory, user=home.user, stdout=output, stderr=output)
    try:
        _wait(url, server, log)
        yield
    finally:
        server.kill()
        server.wait()


def _wait(url: URL, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = monotonic() + PATIENCE_S
    while not _answers(url):
        assert server.poll() is None, log.read_text("utf-8", "replace")
        assert monotonic() < deadline, log.read_text("utf-8", "replace")
        Event().wait(0.05)


def _answers(url: URL) -> bool:
    try:
        create_engine(url, poolclass=NullPool).connect().close()
    except OperationalError:
        return False
    return True


def _programs(name: str, pattern: str) -> Path:
    """The directory of a program: the newest one that Debian's packages installed."""
    found = sorted(Path("/").glob(f"{pattern.lstrip('/')}/{name}"))
    assert found, f"{name} is not installed: run deploy/setup/databases.sh"
    return found[-1].parent


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _write_certificate(home: _Home) -> None:
    certificate, key = self_signed()
    home.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    home.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    home.key.chmod(0o600)
    home.directory.chmod(0o755)


def self_signed() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A certificate that vouches for itself, for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    host = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(host, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    return builder.sign(key, SHA256()), key
