"""A witness on loopback, in a thread or as a process, a signer that may fork its log, and a client for it."""

import asyncio
import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from audit import checkpoints, merkle
from audit.checkpoints import Checkpoint
from audit.cosignatures import Cosigner
from audit.disk import Disk
from audit.merkle import Tree, leaf_hash
from audit.notes import NoteKey, NoteSigner
from audit.witness.protocol import Request
from audit.witness.server import build_app
from audit.witness.store import WitnessStore
from audit.witness.witness import Witness

KEY = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
COSIGNER = Cosigner.of("witness.example/w1", KEY)
MAIN = [sys.executable, "-c", "from audit.cli import main; main()"]


class FakeLog:
    """Signs whatever history it is told to: leaves `prefix0`, `prefix1`, …"""

    def __init__(self, origin: str = "example.test/log", seed: bytes = b"\5") -> None:
        self.signer = NoteSigner.of(origin, Ed25519PrivateKey.from_private_bytes(seed * 32))

    def note(self, size: int, prefix: str = "a") -> bytes:
        """The signed checkpoint of `size` leaves."""
        return checkpoints.sign(Checkpoint(self.signer.public.name, size, self._root(0, size, prefix)), self.signer)

    def request(self, old: int, size: int, prefix: str = "a") -> Request:
        """A request with a true proof of this history."""

        def node(height: int, index: int) -> bytes:
            return self._root(index << height, (index + 1) << height, prefix)

        proof = merkle.consistency_proof(old, size, node) if 0 < old <= size else []
        return Request(old, tuple(proof), self.note(size, prefix))

    def _root(self, begin: int, end: int, prefix: str) -> bytes:
        return Tree().extend([leaf_hash(f"{prefix}{at}".encode()) for at in range(begin, end)])[0].root()


@dataclass
class Running:
    """A witness that answers on `port`."""

    port: int
    deaths: list[BaseException] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def post(self, request: Request) -> tuple[int, str, bytes]:
        """(status, content type, body)."""
        return self.ask("POST", "/add-checkpoint", request.encode())

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.headers["Content-Type"], answer.read()
        finally:
            connection.close()


@contextmanager
def witness(
    directory: Path,
    logs: Sequence[NoteKey],
    disk: Disk | None = None,
    port: int = 0,
    now: int = 1_800_000_000,
    cosigner: Cosigner = COSIGNER,
) -> Iterator[Running]:
    """In a thread of this process, for the length of a `with`."""
    store = WitnessStore(directory, disk)
    running = Running(port)
    serving = Witness(cosigner, logs, store, lambda: now, running.deaths.append)
    loop, ready, thread_end = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        runner = web.AppRunner(build_app(serving), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        running.port = runner.addresses[0][1]
        ready.set()
        await thread_end.wait()
        await runner.cleanup()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(30)
        yield running
    finally:
        loop.call_soon_threadsafe(thread_end.set)
        thread.join(30)
        store.close()


def write_config(directory: Path, logs: Sequence[NoteKey]) -> Path:
    """A witness's configuration and key in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    key = directory / "witness.pem"
    if not key.exists():
        key.touch(mode=0o600)
        key.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path = directory / "witness.toml"
    listed = ", ".join(f'"{one.vkey}"' for one in logs)
    path.write_text(
        f'[witness]\nname = "{COSIGNER.public.name}"\nkey = "witness.pem"\nstore = "store"\nport = 0\n'
        f"logs = [{listed}]\n"
    )
    return path


@contextmanager
def process(config: Path) -> Iterator[tuple[Running, "subprocess.Popen[bytes]"]]:
    """`oncegate-audit witness --config …`, until the `with` ends or it ends itself."""
    started = subprocess.Popen([*MAIN, "witness", "--config", str(config)], stderr=subprocess.PIPE)
    try:
        assert started.stderr is not None
        line = json.loads(started.stderr.readline())
        assert line["event"] == "witness_listening", line
        yield Running(line["port"]), started
    finally:
        started.terminate()
        started.communicate(timeout=60)
