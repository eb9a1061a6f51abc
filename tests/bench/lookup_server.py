"""The server under `tests.bench.lookups`, a process of its own.

`python -m tests.bench.lookup_server DIR RECORDS CORE [STORE]`: two sockets of one process on one core: the gateway with
a store of RECORDS identity cards, and its limit, an aiohttp application that reads the body and returns as many bytes
over the same TLS. DIR/ready.json says where they are. STORE: one that another of these has made, to be served, too.
"""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import uvloop
from aiohttp import web
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from audit.log import AuditLog, Limits, LogSettings
from contracts.edge.files import write_atomic
from contracts.encoding import canonical
from contracts.identifiers import resident_check_digit
from contracts.messages import Evidence
from contracts.registry import AppKey
from contracts.streams import Position
from gateway.ingest.lookups import lookups_of_message
from gateway.ingest.state import StreamState, Told
from gateway.store.rows import LIVE, Row, Write
from gateway.store.writer import Batch, Change, Writer
from gateway.web.serve import serve
from gateway.web.tls import ServerTls
from tests.integration import serve_world as world
from tests.integration.token_server import make_identity

ITEM = "cn.transfer-vehicle"
PER_DAY = 1_000_000_000
DEFAULT = Limits()
_BATCH = 2000


def resident(number: int) -> str:
    """The resident number of person `number`."""
    region, day, serial = 110101 + number // 28_000, number // 1000 % 28 + 1, number % 1000
    first17 = f"{region:06}198001{day:02}{serial:03}"
    return first17 + resident_check_digit(first17)


def fill(store: world.Store, records: int) -> None:
    """`records` identity cards, and a complete feed."""
    writer = Writer(store.path, world.KEK)
    stream = world.stream_of(world.IDENTITY)
    number = writer.stream(stream).id
    writes = _writes(store, records)
    while batch := [Change(number, stream, None, write) for _, write in zip(range(_BATCH), writes, strict=False)]:
        writer.apply(Batch(batch))
    now = 2**31
    told = Told(Position(world.EPOCH, records), now, now + 3600, True)
    state = StreamState(head=Position(world.EPOCH, records), live=records, covered=world.EPOCH, told=told, as_of=now)
    writer.apply(Batch(states={number: (state, records)}))
    writer.close()


def _writes(store: world.Store, records: int) -> Iterator[Write]:
    for seq in range(1, records + 1):
        identifier = resident(seq)
        holder = {"scheme": "cn.ric", "id": identifier}
        document = world.example(world.IDENTITY, holders=[holder], resident_number=identifier)
        evidence: Evidence = world.sealed(store.registry, world.IDENTITY, f"card-{seq}", seq, document)
        claims = evidence.claims
        lookups = lookups_of_message(claims, evidence, evidence.message)
        row = Row(claims.position, claims.identity, LIVE)
        yield Write(f"card-{seq}", row, claims.type.vct, "valid", "", lookups, evidence.message)


def build(directory: Path, records: int, shared: Path | None = None, limits: Limits = DEFAULT) -> world.City:
    """The gateway's parts over a filled store, a shared one or its own."""
    server, window = make_identity(directory, "server"), make_identity(directory, "window")
    key = AppKey(world.MOBILE_KEY.suite.alg, world.MOBILE_KEY.public.jwk)
    registry = world.registry(
        (
            world.app("window", "window", (ITEM,), PER_DAY, certificates=(window.pem,)),
            world.app("mobile", "mobile", (ITEM,), PER_DAY, keys=(key,)),
        )
    )
    store = world.Store(shared or directory / "store.db", registry)
    if shared is None:
        fill(store, records)
    auditor = world.AUDITOR_KEY.public_key()
    settings = LogSettings(directory / "audit", world.ORIGIN, world.LOG_KEY, auditor, limits=limits)
    log = AuditLog.open(settings, _die)
    return world.City(directory, server, window, registry, store, log, f"https://127.0.0.1:{world.free_port()}")


async def _echo(city: world.City) -> int:
    """The limit: the path says how many bytes to return."""

    async def echo(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=bodies[int(request.match_info["size"])], content_type="application/json")

    bodies = _Bodies()
    app = web.Application()
    app.add_routes([web.post("/echo/{size}", echo)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    tls = ServerTls(city.server.certificate, city.server.private_key)
    tls.trust([])
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls.context).start()
    port: int = runner.addresses[0][1]
    return port


class _Bodies(dict[int, bytes]):
    def __missing__(self, size: int) -> bytes:
        self[size] = b"x" * size
        return self[size]


async def run(city: world.City) -> None:
    """Serve both until killed."""
    echo_port = await _echo(city)
    port = int(city.base_url.rpartition(":")[2])
    key = world.MOBILE_KEY.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def ready(_: int) -> None:
        facts = {
            "base_url": city.base_url,
            "echo": f"https://127.0.0.1:{echo_port}",
            "ca": str(city.server.certificate),
            "certificate": str(city.window.certificate),
            "private_key": str(city.window.private_key),
            "mobile_key": key.decode(),
        }
        write_atomic(city.directory / "ready.json", canonical(facts))

    parts = world.parts_of(city, port, check_answers=False)
    await serve(parts, threading.Event(), ready)


def _die(error: BaseException) -> None:
    raise SystemExit(f"the audit log died: {error}")


def main() -> None:
    """Serve until killed."""
    directory, records, core = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    with suppress(AttributeError):
        os.sched_setaffinity(0, {core})
    shared = Path(sys.argv[4]) if len(sys.argv) > 4 else None
    uvloop.run(run(build(directory, records, shared)))


if __name__ == "__main__":
    main()
