"""A gateway over real TLS whose answers wait for a mirror, and real mirrors of it."""

import http.client
import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.cosignatures import Cosigner
from audit.fetch import Endpoint
from audit.mirror.config import MirrorConfig
from audit.mirror.heads import MirrorHeads
from audit.mirror.listed import Listed
from audit.mirror.run import Mirror
from audit.notes import NoteKey, NoteSigner
from audit.threads import guarded
from contracts.registry import Auditor, AuditSlot, manifest
from contracts.registry.snapshot import Contents
from contracts.text import Text
from gateway.client import Answer, TokenClient, tls_context
from tests.integration.mirror_world import ROOT
from tests.integration.serve_world import LOG_KEY, ORIGIN, SLOT, City, build_city
from tests.integration.test_serve_mistakes import PATH
from tests.integration.token_server import Identity, make_identity

MIRROR = Cosigner.of("mirror.example/m1", Ed25519PrivateKey.from_private_bytes(b"\x09" * 32))
OTHER = Cosigner.of("mirror.example/m1", Ed25519PrivateKey.from_private_bytes(b"\x0a" * 32))
SIGNER = NoteSigner.of(ORIGIN, LOG_KEY.key)
_CALL = f"/audit/logs/{SLOT}/"
_WAITING = re.compile(r'oncegate_audit_mirror_answers\{state="waiting"\} ([0-9.]+)')


@dataclass
class Mirrored:
    """The gateway (not running yet), its auditor, and where mirrors of it live."""

    city: City
    auditor: Identity
    root: Path

    @contextmanager
    def mirror(self, cosigner: Cosigner | None = MIRROR, name: str = "mirror") -> Iterator[Mirror]:
        """A running one, for the length of a `with`; it must not fail."""
        config = MirrorConfig(
            directory=self.root / name,
            gateways=(Endpoint(self.city.base_url, self.city.server.certificate, _files(self.auditor)),),
            metrics=None,
            every_s=0.05,
            registry=_registered(self.root / "registry"),
            root_key=self.root / "unused",
            root_alg="EdDSA",
        )
        config.directory.mkdir(exist_ok=True)
        listed = Listed(config.registry, ROOT.public, config.directory / "registry-seen.json")
        made, failures = Mirror(config, listed, cosigner=cosigner), list[BaseException]()
        thread = guarded("mirror", made.run, failures.append)
        thread.start()
        try:
            yield made
        finally:
            made.stop.set()
            thread.join(30)
            assert failures == []

    def copy(self, name: str = "mirror") -> Path:
        return self.root / name / "logs" / SLOT

    def say(self, note: bytes, shown: Identity | None = None, call: str = "mirrored") -> tuple[int, bytes]:
        """POST as the auditor, or with another certificate."""
        return self._ask("POST", call, note, shown or self.auditor)

    def next(self, size: int, shown: Identity | None = None) -> tuple[int, bytes]:
        """The call that waits for the next head."""
        return self._ask("GET", f"next/{size}", None, shown or self.auditor)

    def waiting(self) -> int:
        """How many answers wait for the mirror, as /metrics says."""
        connection = self._connect(None)
        try:
            connection.request("GET", "/metrics")
            found = _WAITING.search(connection.getresponse().read().decode())
            return int(float(found[1])) if found else 0
        finally:
            connection.close()

    def _ask(self, method: str, call: str, body: bytes | None, shown: Identity) -> tuple[int, bytes]:
        connection = self._connect(shown)
        try:
            connection.request(method, _CALL + call, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _connect(self, shown: Identity | None) -> http.client.HTTPSConnection:
        context = tls_context(self.city.server.certificate, *(_files(shown) if shown else (None, None)))
        return http.client.HTTPSConnection(urlsplit(self.city.base_url).netloc, context=context, timeout=30)


def build(root: Path, wait_s: float | None = 60.0, key: NoteKey | None = MIRROR.public) -> Mirrored:
    """A gateway that has `key` pinned; `wait_s` None: answers do not wait."""
    city, auditor = build_city(root / "city"), make_identity(root, "auditor")
    pin(city, wait_s, key)
    listed = Auditor("auditor", Text("审计局", "audit office"), "", "", (auditor.pem,))
    contents: Contents = replace(city.registry.contents, auditors=(listed,))
    city.registry = replace(city.registry, contents=contents)
    return Mirrored(city, auditor, root)


def pin(city: City, wait_s: float | None = 60.0, key: NoteKey | None = MIRROR.public) -> None:
    """As the configuration of a node would; again after its log was opened anew."""
    city.mirror, city.mirror_wait_s = MirrorHeads(city.log, city.log_dir, key), wait_s


@contextmanager
def asking(client: TokenClient, bodies: Sequence[object]) -> Iterator[list[Future[Answer]]]:
    """Questions under way, each over a connection of its own; answered or not at the end of the `with`."""
    token = client.token()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    with ExitStack() as stack, ThreadPoolExecutor(len(bodies)) as pool:
        clients = [replace(client, _connection=None) for _ in bodies]
        for one in clients:
            stack.callback(one.close)
        yield [
            pool.submit(one.send, "POST", PATH, _json(body), headers) for one, body in zip(clients, bodies, strict=True)
        ]


def _registered(directory: Path) -> Path:
    """The mirror's registry: this one log, in force now."""
    if directory.exists():
        return directory
    now, day = int(time.time() * 1000), 86_400_000
    slots = (AuditSlot(SLOT, ORIGIN, SIGNER.public.vkey, "auditor"),)
    signed = manifest.build(Contents(audit_slots=slots), ROOT, 1, None, (now - day, now + day, now + 2 * day))
    (directory / "parts").mkdir(parents=True)
    for digest, data in signed.parts.items():
        (directory / "parts" / f"{digest.replace(':', '-')}.json").write_bytes(data)
    (directory / "manifest.jws").write_bytes(signed.manifest)
    return directory


def _files(identity: Identity) -> tuple[Path, Path]:
    return identity.certificate, identity.private_key


def _json(value: object) -> bytes:
    return orjson.dumps(value)
