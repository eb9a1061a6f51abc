"""A serving process on loopback: real TLS, a real store with sealed messages, a real audit log; and clients for it."""

import itertools
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.closed_logs import ClosedLogs
from audit.disk import Disk
from audit.log import AuditLog, Limits, LogSettings
from audit.mirror.heads import MirrorHeads
from audit.witness.cosigning import Cosigning
from contracts import catalogue
from contracts.algorithms import SigningKey
from contracts.evidence_types import EvidenceType
from contracts.messages import Change as MessageChange
from contracts.messages import Evidence, open_message, seal
from contracts.registry import Adapter, AdapterKey, App, AppKey, AuditSlot, Grant, Node, Snapshot
from contracts.registry.snapshot import Contents
from contracts.streams import Position, Stream
from contracts.text import Text
from gateway.client import TokenClient, tls_context
from gateway.corrections.spool import Desk
from gateway.ingest.lookups import lookups_of_message
from gateway.ingest.state import StreamState, Told
from gateway.store.reader import Reader
from gateway.store.rows import LIVE, REJECTED, Row, Write
from gateway.store.writer import Batch, Change, Writer
from gateway.supervision.run import Supervision
from gateway.tokens import Authenticator, LocalReplay, Settings
from gateway.tokens.grant import Issuer
from gateway.web.parts import Listen, ServeParts
from gateway.web.serve import run_serve
from gateway.web.tls import ServerTls
from tests.integration.token_server import Identity, make_identity

KEK = bytes(range(32))
ORIGIN = "gov.example/oncegate/slot-1"
SLOT = "slot-1"
EPOCH = 1_700_000_000_000
DAY_MS = 86_400_000

NODE_KEY = SigningKey.generate("ES256")
LOG_KEY = SigningKey.generate("EdDSA")
AUDITOR_KEY = X25519PrivateKey.generate()
MOBILE_KEY = SigningKey.generate("ES256")

TYPES: Mapping[str, EvidenceType] = {one.id: one for one in catalogue.evidence_types()}
IDENTITY, LICENCE, VEHICLE = "cn.identity-card", "cn.business-licence", "cn.vehicle-registration"
DRIVING, HEALTH, ESTATE = "cn.driving-licence", "cn.food-handler-health", "cn.real-estate-certificate"
# Whatever no adapter of this city publishes: health certificates.
ADAPTERS = {"police-1": (IDENTITY,), "market-1": (LICENCE,), "traffic-1": (VEHICLE, DRIVING), "estate-1": (ESTATE,)}
ADAPTER_KEYS = {name: SigningKey.generate("ES256") for name in ADAPTERS}
ORGANISATIONS = {"police-1": "police", "market-1": "market", "traffic-1": "traffic", "estate-1": "estate"}


def example(type_id: str, **changes: Any) -> dict[str, Any]:
    """The first valid example of a type, with some members changed."""
    document: dict[str, Any] = {**catalogue.examples(type_id)["valid"][0], **changes}
    return document


PERSON = example(IDENTITY)["holders"][0]["id"]
NOBODY = "11010119900307109X"


def stream_of(type_id: str) -> Stream:
    adapter = next(name for name, types in ADAPTERS.items() if type_id in types)
    return Stream(ORGANISATIONS[adapter], adapter, type_id)


def app(app_id: str, channel: str, items: tuple[str, ...], per_day: int = 10_000, **more: Any) -> App:
    grant = Grant(items, (channel,), int(time.time() * 1000) + 30 * DAY_MS, per_day)
    return App(app_id, Text("应用", "app"), "approval-bureau", "hall-1", (grant,), **more)


def adapter(name: str) -> Adapter:
    key = ADAPTER_KEYS[name]
    entry = AdapterKey(key.suite.alg, key.public.jwk)
    return Adapter(name, ORGANISATIONS[name], "gov", ADAPTERS[name], (entry,))


def registry(apps: tuple[App, ...], version: int = 7) -> Snapshot:
    now = int(time.time() * 1000)
    contents = Contents(
        adapters=tuple(adapter(name) for name in ADAPTERS),
        apps=apps,
        nodes=(Node("node-1", "gov", NODE_KEY.suite.alg, NODE_KEY.public.jwk),),
        audit_slots=(AuditSlot(SLOT, ORIGIN, "", "auditor"),),
        evidence_types=tuple(TYPES.values()),
        service_items=catalogue.service_items(),
    )
    return Snapshot(version, now + DAY_MS, now + 2 * DAY_MS, contents)


def salts() -> Iterator[bytes]:
    return (os.urandom(16) for _ in itertools.count())


def sealed(
    snapshot: Snapshot, type_id: str, record: str, seq: int, document: dict[str, Any], epoch: int = EPOCH
) -> Evidence:
    """A signed message, opened again as ingest would."""
    now = int(time.time())
    stream = stream_of(type_id)
    change = MessageChange(stream, record, "put", Position(epoch, seq), now, document)
    opened = open_message(seal(change, TYPES[type_id], ADAPTER_KEYS[stream.adapter], salts(), now), snapshot)
    assert isinstance(opened, Evidence), opened
    return opened


@dataclass
class Store:
    """Fills a store as ingest would."""

    path: Path
    registry: Snapshot
    sequence: dict[str, int] = field(default_factory=dict)

    def put(
        self, type_id: str, record: str, document: dict[str, Any], refused: str = "", epoch: int = EPOCH
    ) -> Evidence:
        """One record. `refused`: the code with which its newest state was refused."""
        seq = self.sequence[type_id] = self.sequence.get(type_id, 0) + 1
        evidence = sealed(self.registry, type_id, record, seq, document, epoch)
        claims = evidence.claims
        row = Row(claims.position, claims.identity, REJECTED if refused else LIVE)
        lookups = lookups_of_message(claims, evidence, evidence.message)
        message = None if refused else evidence.message
        status = "" if refused else document["status"]
        self._apply(type_id, Write(record, row, claims.type.vct, status, refused, lookups, message))
        return evidence

    def told(self, type_id: str, next_in: int = 3600) -> None:
        """A matching full statement over all so far; `next_in`: seconds until the next is promised."""
        now, seq = int(time.time()), self.sequence.get(type_id, 0)
        told = Told(Position(EPOCH, seq), now, now + next_in, True)
        state = StreamState(head=Position(EPOCH, seq), live=seq, covered=EPOCH, told=told, as_of=now)
        writer = Writer(self.path, KEK)
        writer.apply(Batch(states={writer.stream(stream_of(type_id)).id: (state, seq)}))
        writer.close()

    def _apply(self, type_id: str, write: Write) -> None:
        writer = Writer(self.path, KEK)
        stream = stream_of(type_id)
        number = writer.stream(stream).id
        writer.apply(Batch([Change(number, stream, writer.known(number, [write.record]).get(write.record), write)]))
        writer.close()


@dataclass
class City:
    """A running gateway. `registry` may be replaced while it runs."""

    directory: Path
    server: Identity
    window: Identity
    registry: Snapshot
    store: Store
    log: AuditLog
    base_url: str = ""
    deaths: list[BaseException] = field(default_factory=list)
    now: Callable[[], int] = lambda: int(time.time() * 1000)
    served: threading.Thread = field(default_factory=threading.Thread)
    cosigning: Cosigning | None = None  # not started here
    slot: str = SLOT
    folder: str = "audit"  # of the log
    closed: ClosedLogs = field(default_factory=ClosedLogs)
    mirror: MirrorHeads | None = None
    mirror_wait_s: float | None = None  # None: answers do not wait for a mirror
    supervision: Supervision | None = None  # neither
    corrections: Desk | None = None

    def client(self) -> TokenClient:
        """The window's approval system: bound by its certificate."""
        tls = tls_context(self.server.certificate, self.window.certificate, self.window.private_key)
        return TokenClient(self.base_url, "window", tls, None, "mtls")

    def mobile(self) -> TokenClient:
        """The mobile app: bound by DPoP."""
        return TokenClient(self.base_url, "mobile", tls_context(self.server.certificate), MOBILE_KEY, "dpop")

    def stranger(self) -> TokenClient:
        """Nobody the registry knows."""
        key = SigningKey.generate("ES256")
        return TokenClient(self.base_url, "window", tls_context(self.server.certificate), key, "dpop")

    @property
    def log_dir(self) -> Path:
        return self.directory / self.folder


def open_log(directory: Path, deaths: list[BaseException], disk: Disk | None = None) -> AuditLog:
    directory.mkdir(exist_ok=True)
    settings = LogSettings(
        directory / "audit", ORIGIN, LOG_KEY, AUDITOR_KEY.public_key(), None, Limits(publish_seconds=0.01)
    )
    return AuditLog.open(settings, deaths.append, disk)


def build_city(directory: Path, disk: Disk | None = None, per_day: int = 10_000) -> City:
    """A gateway with a filled store, not yet running."""
    directory.mkdir(parents=True, exist_ok=True)
    server, window = make_identity(directory, "server"), make_identity(directory, "window")
    items = ("cn.open-restaurant", "cn.transfer-vehicle")
    mobile_keys = (AppKey(MOBILE_KEY.suite.alg, MOBILE_KEY.public.jwk),)
    snapshot = registry(
        (
            app("window", "window", items, per_day, certificates=(window.pem,)),
            app("mobile", "mobile", ("cn.transfer-vehicle",), keys=mobile_keys),
        )
    )
    deaths: list[BaseException] = []
    store = Store(directory / "store.db", snapshot)
    city = City(directory, server, window, snapshot, store, open_log(directory, deaths, disk), deaths=deaths)
    fill(store)
    return city


def fill(store: Store) -> None:
    """A person with a card; a licence of two holders; a vehicle whose feed is stale; a refused driving licence."""
    person = {"scheme": "cn.ric", "id": PERSON}
    store.put(IDENTITY, "card-1", example(IDENTITY))
    store.told(IDENTITY)
    company = next(one for one in example(LICENCE)["holders"] if one["scheme"] == "cn.uscc")
    store.put(LICENCE, "licence-1", example(LICENCE, holders=[company, person]))
    store.told(LICENCE)
    store.put(VEHICLE, "vehicle-1", example(VEHICLE, holders=[person]))
    store.told(VEHICLE, next_in=-60)
    store.put(DRIVING, "driving-1", example(DRIVING, holders=[person]), refused="document_invalid")
    store.told(DRIVING)


def parts_of(city: City, port: int, check_answers: bool = True) -> ServeParts:
    settings = Settings(city.base_url, "gov")
    memory = LocalReplay(0)
    authenticator = Authenticator(settings, memory)
    ids = (f"token-{number}" for number in itertools.count())
    return ServeParts(
        registry=lambda: city.registry,
        open_store=lambda: Reader(city.store.path, KEK),
        log=city.log,
        slot=city.slot,
        log_dir=city.log_dir,
        authenticator=authenticator,
        issuer=Issuer(settings, NODE_KEY, memory, authenticator, lambda: next(ids)),
        listen=Listen("127.0.0.1", port, ServerTls(city.server.certificate, city.server.private_key)),
        clock=lambda: int(city.now()),
        rollback_detectable=city.cosigning is not None,
        cosigning=city.cosigning,
        mirror=city.mirror,
        mirror_wait_s=city.mirror_wait_s,
        supervision=city.supervision,
        corrections=city.corrections,
        check_answers=check_answers,
        closed=city.closed,
    )


@contextmanager
def running(city: City) -> Iterator[City]:
    """Serve on a free port of loopback, in a thread, until the `with` ends."""
    port = free_port()
    city.base_url = f"https://127.0.0.1:{port}"
    stop, ready = threading.Event(), threading.Event()
    thread = threading.Thread(target=run_serve, args=(parts_of(city, port), stop, lambda _: ready.set()))
    city.served = thread
    thread.start()
    try:
        assert ready.wait(10)
        yield city
    finally:
        stop.set()
        thread.join(30)
        if city.log.alive:
            city.log.close()


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
