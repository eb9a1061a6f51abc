"""The auditor's API on loopback: real TLS with real certificates, over a real index of a small town."""

import asyncio
import http.client
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from audit.api.config import ApiConfig, load
from audit.api.keys import from_files
from audit.api.serve import prepare, serve
from audit.disk import Disk
from audit.log import AuditLog
from audit.notes import parse_vkey
from audit.reader import LogReader
from audit.search import own_log
from contracts.edge.clock import now_ms
from contracts.edge.keys import create_signing_key, write_hpke_public
from tests.integration.audit_support import AUDITOR, EAGER
from tests.integration.token_server import Identity, make_identity

HOLDER = {"scheme": "passport", "id": "SECRETHOLDER3"}
WHY = "SECRET-REASON"
OWN_LOG = (
    '[own_log]\ndirectory = "api-log"\norigin = "office.example/api"\nkey = "api-log.pem"\nauditor = "public.pem"\n'
)


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Office:
    """A running API, and who may ask it. `ahead`: ms that its clock is ahead of ours."""

    path: Path
    config: ApiConfig
    people: Mapping[str, Identity]
    port: int = 0
    ahead: int = 0
    deaths: list[BaseException] = field(default_factory=list)

    def ask(
        self, who: str | None, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request with the certificate of `who`; a body that is no bytes goes as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **(headers or {})} if data is not None else dict(headers or {})
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context(who), timeout=30)
        try:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.headers), answer.read())
        finally:
            connection.close()

    def post(self, who: str | None, path: str, **body: Any) -> Answer:
        """A question with a purpose."""
        return self.ask(who, "POST", path, {"purpose": WHY, **body})

    def upload(self, who: str, path: str, name: str, file: bytes, **body: Any) -> Answer:
        """A form with a question and a file."""
        question = json.dumps({"purpose": WHY, **body}).encode()
        parts = ((b"question", question), (name.encode(), file))
        form = b"".join(
            b'--cut\r\nContent-Disposition: form-data; name="%b"; filename="f"\r\n\r\n%b\r\n' % one for one in parts
        )
        return self.ask(who, "POST", path, form + b"--cut--\r\n", {"Content-Type": "multipart/form-data; boundary=cut"})

    def context(self, who: str | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.path / "server.crt"))
        if who is not None:
            context.load_cert_chain(self.people[who].certificate, self.people[who].private_key)
        return context

    def records(self) -> list[dict[str, Any]]:
        """The published entries of the log of questions."""
        reader = LogReader(self.path / "api-log", parse_vkey((self.path / "api-log/vkey").read_text().strip()))
        size = reader.checkpoint().size
        return [json.loads(one) for number in range(-(-size // 256)) for one in reader.entries(number, size)]

    def clock(self) -> int:
        return now_ms() + self.ahead


def furnish(path: Path, town: Path, index: Path, people: str = "li wang zhao", more: str = "") -> Path:
    """Keys, certificates and a configuration in `path`; `more`: of the section [keys] or later."""
    for name in ("server", "stranger", *people.split()):
        make_identity(path, name)
    (path / "server.key").chmod(0o600)
    create_signing_key(path / "api-log.pem", "EdDSA")
    write_hpke_public(path / "public.pem", AUDITOR.public_key())
    (path / "own.toml").write_text(OWN_LOG)
    auditors = "".join(f'[[auditors]]\nid = "{name}"\ncertificate = "{name}.crt"\n' for name in people.split())
    config = path / "api.toml"
    config.write_text(
        f'[serve]\nport = 0\ncertificate = "server.crt"\nprivate_key = "server.key"\nown_log = "own.toml"\n'
        f'[index]\nfile = "{index}"\n[keys]\nauditor = "{town}/one.pem"\nsecond = "{town}/two.pem"\nopenings = true\n'
        f"{more}{auditors}"
    )
    return config


def people_of(path: Path) -> dict[str, Identity]:
    return {one.stem: Identity(one, one.with_suffix(".key")) for one in path.glob("*.crt")}


@contextmanager
def running(config_path: Path, disk: Disk | None = None) -> Iterator[Office]:
    """The API in a thread, until the block ends."""
    config = load(config_path)
    office = Office(config_path.parent, config, people_of(config_path.parent))
    prepared = prepare(config, from_files(config.keys))
    log = AuditLog.open(replace(own_log.load(config.own_log), limits=EAGER), office.deaths.append, disk)
    up, stopped, loops = threading.Event(), asyncio.Event(), list[asyncio.AbstractEventLoop]()

    async def main() -> None:
        loops.append(asyncio.get_running_loop())

        def ready(port: int) -> None:
            office.port = port
            up.set()

        await serve(config, prepared, log, stopped, office.deaths.append, ready, office.clock)

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    try:
        assert up.wait(30)
        yield office
    finally:
        if loops:
            loops[0].call_soon_threadsafe(stopped.set)
        thread.join()
        log.close()


def entry_path(log: str, position: int) -> str:
    return f"/v1/entries/{quote(log, safe='')}/{position}"
