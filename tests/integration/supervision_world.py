"""A receiver of supervision's: HTTPS on loopback, verifies by the text of Standard Webhooks alone; feeds for a city."""

import asyncio
import base64
import hmac
import json
import shutil
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.log import Limits, LogSettings
from audit.reader import LogReader
from audit.shards import Former, open_after
from contracts.algorithms import SigningKey
from contracts.cloud_events import open_batch
from contracts.edge import keys
from contracts.edge.transport import Expiring, Transport
from contracts.edge.transport.embedded import embedded
from contracts.streams import Stream
from gateway.ingest.state import FeedState
from gateway.store.reader import Reader
from gateway.supervision import SUPERVISION_TOPIC
from gateway.supervision.delivery import Pace
from gateway.supervision.run import FormerLog, Supervision, Surroundings
from gateway.supervision.settings import SupervisionConfig, Webhook
from gateway.supervision.sinks import TopicSink
from gateway.web.evidence import Evidence
from tests.integration.serve_world import AUDITOR_KEY, KEK, LOG_KEY, NODE_KEY, SLOT, City
from tests.integration.token_server import Identity, make_identity

Event = Mapping[str, Any]
EAGER = Pace(look_s=0.01, watch_s=0.02, first_pause_s=0.01, max_pause_s=0.05, calm_s=0.0)
# Nothing but entries comes, so that a test may compare all of it.
SILENT_S = 3600.0


@dataclass
class Receiver:
    """What came, in order. `status` of the next answers; `body` of them; `extra` header fields."""

    identity: Identity
    port: int = 0
    status: int = 204
    body: bytes = b""
    extra: dict[str, str] = field(default_factory=dict)
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    refused: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    silence: threading.Event | None = None  # no answer before it is set

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/oncegate?for=us"

    def events(self) -> list[Event]:
        return [event for _, body in self.taken for event in json.loads(body)]

    def indexes(self) -> list[int]:
        """Of the entries that came."""
        return [event["data"]["index"] for event in self.events() if "index" in event["data"]]

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        assert request.path_qs == "/oncegate?for=us"
        if self.silence is not None:
            await asyncio.to_thread(self.silence.wait, 60)
        (self.taken if 200 <= self.status < 300 else self.refused).append((headers, body))
        return web.Response(status=self.status, body=self.body, headers=self.extra)


@contextmanager
def receiving(receiver: Receiver) -> Iterator[Receiver]:
    """The receiver listens for the length of a `with`; the same port each time."""
    loop, started, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    connections: set[asyncio.Transport] = set()

    async def take(request: web.Request) -> web.Response:
        if isinstance(request.transport, asyncio.Transport):
            connections.add(request.transport)
        return await receiver.take(request)

    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/oncegate", take)
        runner = web.AppRunner(app)
        await runner.setup()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(receiver.identity.certificate, receiver.identity.private_key)
        site = web.TCPSite(runner, "127.0.0.1", receiver.port, ssl_context=tls, reuse_address=True)
        await site.start()
        receiver.port = runner.addresses[0][1]
        started.set()
        await stop.wait()
        await runner.cleanup()
        for connection in connections:
            connection.abort()  # a client that keeps its connection does not say goodbye to ours
        await asyncio.sleep(0)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert started.wait(10)
        yield receiver
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()


def verified(headers: Mapping[str, str], body: bytes, public: str, secret: bytes | None = None) -> list[Event]:
    """The events of a message, if it is signed as Standard Webhooks 1.0.0 says; raises what is wrong."""
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    signatures = dict(entry.split(",", 1) for entry in headers["webhook-signature"].split(" "))
    raw = base64.b64decode(public.removeprefix("whpk_"), validate=True)
    Ed25519PublicKey.from_public_bytes(raw).verify(base64.b64decode(signatures["v1a"], validate=True), content)
    if secret is not None:
        assert hmac.compare_digest(base64.b64decode(signatures["v1"]), hmac.digest(secret, content, sha256))
    found: list[Event] = json.loads(body)
    return found


@dataclass
class World:
    """A city, its message log, and a receiver's address and keys."""

    city: City
    transport: Transport
    receiver: Receiver
    webhook: Webhook
    clock: Callable[[], int]
    slot: str = SLOT
    former: tuple[FormerLog, ...] = ()
    signer: SigningKey = LOG_KEY
    states: Callable[[int], Sequence[tuple[Stream, FeedState]]] | None = None  # of streams, if not the store's

    def feed(self, config: SupervisionConfig, pace: Pace = EAGER) -> Supervision:
        city = self.city
        evidence = Evidence(lambda: Reader(city.store.path, KEK))
        around = Surroundings(
            log=city.log,
            log_dir=city.log_dir,
            state_dir=city.directory / "supervision",
            slot=self.slot,
            topic=lambda origin: TopicSink(self.transport, NODE_KEY, origin),
            states=self.states or (lambda now: evidence.states(city.registry.streams, now)),
            done=evidence.close,
            clock=self.clock,
            former=self.former,
        )
        return Supervision(config, around, pace)

    @contextmanager
    def feeding(self, topic: bool = True, webhook: bool = True, pace: Pace = EAGER) -> Iterator[Supervision]:
        """A feed for the length of a `with`."""
        feed = self.feed(SupervisionConfig(topic, (self.webhook,) if webhook else ()), pace)
        feed.start()
        try:
            yield feed
        finally:
            feed.close()

    def on_topic(self) -> list[Event]:
        """Every event on the topic, verified under the node's key."""
        with self.transport.reader() as reader:
            reader.assign({SUPERVISION_TOPIC: 0})
            records = []
            while batch := reader.read(1000, 0.0):
                records += batch
        believed = {NODE_KEY.kid: NODE_KEY.public}
        batches = [(record.key.decode(), open_batch(record.value or b"", believed)) for record in records]
        assert all(event["data"]["log"] == key for key, events in batches for event in events)
        return [event for _, events in batches for event in events]

    def entries(self) -> list[bytes]:
        reader = LogReader(self.city.log_dir, self.city.log.verifier)
        return [reader.entry(index, self.city.log.published.size) for index in range(self.city.log.published.size)]

    @property
    def public(self) -> str:
        assert self.webhook.key is not None
        return self.webhook.key.with_suffix(".whpk").read_text().strip()


def build_world(city: City, directory: Path) -> World:
    """Not yet receiving, not yet feeding."""
    from gateway.keygen import create

    directory.mkdir(exist_ok=True)
    transport = embedded(directory / "log", "city.")
    with transport.admin() as admin:
        admin.create_topic(SUPERVISION_TOPIC, Expiring())
    key = directory / "supervision.pem"
    create("webhook", key, "", "")
    receiver = Receiver(make_identity(directory, "receiver"))
    with receiving(receiver):
        webhook = Webhook(receiver.url, key, None, receiver.identity.certificate)
    return World(city, transport, receiver, webhook, lambda: int(city.now()))


def go_on(world: World) -> None:
    """The log is closed, another one goes on from it; the old one moves aside."""
    city, signer = world.city, SigningKey.generate("EdDSA")
    number = len(world.former) + 1
    aside = city.directory / f"audit-{number}"
    city.log.close()
    shutil.move(city.log_dir, aside)
    reader = LogReader(aside, city.log.verifier)
    old = LogSettings(aside, city.log.origin, world.signer, AUDITOR_KEY.public_key())
    origin = f"gov.example/next-{number}"
    new = replace(old, directory=city.log_dir, origin=origin, signing_key=signer, limits=Limits(1, 0.01))
    city.log = open_after(new, Former(reader, old), city.deaths.append)
    world.former = (FormerLog(world.slot, reader, reader.checkpoint().size), *world.former)
    world.slot, world.signer = f"slot-{number + 1}", signer


def shared_secret(path: Path) -> bytes:
    """A secret for v1, in its file."""
    secret = bytes(range(32))
    path.write_bytes(b"whsec_" + base64.b64encode(secret) + b"\n")
    path.chmod(0o600)
    assert keys.load_secret(path)
    return secret
