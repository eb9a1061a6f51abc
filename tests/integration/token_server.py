"""A real HTTPS server on loopback with the token endpoint and one protected call; and certificates for everybody."""

import asyncio
import datetime
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from contracts.algorithms import SigningKey
from contracts.edge.clock import now_ms
from contracts.registry import App, AppKey, Node, Snapshot
from contracts.registry.snapshot import Contents
from contracts.text import Text
from gateway.client import TokenClient, tls_context
from gateway.tokens import Authenticator, Caller, LocalReplay, Settings, challenge, public_code
from gateway.tokens.certificates import Certificates
from gateway.tokens.grant import Issuer
from gateway.web.tls import ServerTls
from gateway.web.token import TokenEndpoint, facts

ZONE = "gov"
CALL = "/v1/echo"


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its key, in files."""

    certificate: Path
    private_key: Path

    @property
    def pem(self) -> str:
        return self.certificate.read_text()


def make_identity(
    directory: Path, name: str, issuer: Identity | None = None, days: tuple[int, int] = (-1, 30)
) -> Identity:
    """A certificate for `name` and 127.0.0.1, valid for `days` from now, self-signed unless there is an `issuer`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer, signing_key = (subject, key) if issuer is None else _signer(issuer)
    first, last = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(day) for day in days)
    certificate = (
        x509.CertificateBuilder(signer, subject, key.public_key(), x509.random_serial_number(), first, last)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(signing_key, hashes.SHA256())
    )
    made = Identity(directory / f"{name}.crt", directory / f"{name}.key")
    made.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    made.private_key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made


def _signer(issuer: Identity) -> tuple[x509.Name, ec.EllipticCurvePrivateKey]:
    key = load_pem_private_key(issuer.private_key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return x509.load_pem_x509_certificate(issuer.certificate.read_bytes()).subject, key


def make_app(name: str, keys: tuple[SigningKey, ...] = (), certificates: tuple[Identity, ...] = ()) -> App:
    entries = tuple(AppKey(key.suite.alg, key.public.jwk) for key in keys)
    return App(name, Text(name, name), "org", "unit", (), entries, tuple(item.pem for item in certificates))


@dataclass(slots=True)
class Gateway:
    """The running server. `register` puts another registry version into force, for tokens and for TLS."""

    server: Identity
    tls: ServerTls
    node_key: SigningKey = field(default_factory=lambda: SigningKey.generate("ES256"))
    base_url: str = ""
    registry: Snapshot | None = None
    authenticator: Authenticator | None = None
    outcomes: Counter[str] = field(default_factory=Counter)

    def register(self, *apps: App) -> None:
        version = self.registry.version + 1 if self.registry else 1
        nodes = (Node("n1", ZONE, self.node_key.suite.alg, self.node_key.public.jwk),)
        until = now_ms() + 3_600_000
        self.registry = Snapshot(version, until, until, Contents(apps=apps, nodes=nodes))
        self.tls.trust(item.der for item in Certificates.of(self.registry))

    @property
    def settings(self) -> Settings:
        return Settings(self.base_url, ZONE)

    def current(self) -> Snapshot:
        assert self.registry is not None
        return self.registry

    def client(
        self, name: str, key: SigningKey | None = None, identity: Identity | None = None, binding: str = "dpop"
    ) -> TokenClient:
        shown = (identity.certificate, identity.private_key) if identity else (None, None)
        return TokenClient(self.base_url, name, tls_context(self.server.certificate, *shown), key, binding)

    def application(self) -> web.Application:
        # One second back: the memory then accepts what is made in the second in which the test began.
        memory = LocalReplay(now_ms() - 1000)
        self.authenticator = Authenticator(self.settings, memory)
        numbers = iter(range(10**9))
        issuer = Issuer(self.settings, self.node_key, memory, self.authenticator, lambda: f"t-{next(numbers)}")
        application = web.Application()
        endpoint = TokenEndpoint(issuer, self.current, now_ms, lambda code: self.outcomes.update([code]))
        application.add_routes([*endpoint.routes(), web.post(CALL, self.echo), web.get(CALL, self.echo)])
        return application

    async def echo(self, request: web.Request) -> web.Response:
        assert self.authenticator is not None
        outcome = self.authenticator.authenticate(facts(request, self.settings), self.current(), now_ms())
        if isinstance(outcome, Caller):
            return web.json_response({"app": outcome.app.id, "key_id": outcome.key_id, "binding": outcome.binding})
        self.outcomes.update([outcome.code])
        headers = {"WWW-Authenticate": challenge(outcome)}
        return web.json_response({"code": public_code(outcome)}, status=401, headers=headers)


@contextmanager
def running(server: Identity, new_loop: Callable[[], asyncio.AbstractEventLoop]) -> Iterator[Gateway]:
    """The server in a thread of its own, on a free port of 127.0.0.1."""
    gateway = Gateway(server, ServerTls(server.certificate, server.private_key))
    loop = new_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(_start(gateway), loop).result(10)
    try:
        yield gateway
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _start(gateway: Gateway) -> web.AppRunner:
    listening = socket.create_server(("127.0.0.1", 0))  # bound first: the base URL has the port in it
    gateway.base_url = f"https://127.0.0.1:{listening.getsockname()[1]}"
    runner = web.AppRunner(gateway.application())
    await runner.setup()
    await web.SockSite(runner, listening, ssl_context=gateway.tls.context).start()
    return runner
