"""Lookups a second, all checks and the durable record included, beside an aiohttp echo of the same size.

The server has one core, the client the other. Requests are built before the time is taken, DPoP proofs included
(each `jti` once), and sent over raw TLS sockets: a Python HTTP client would be slower than the server. Gateway and
echo are loaded in turns, in the same process on the same core, so that a busy machine slows both.
"""

import os
import random
import re
import selectors
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import orjson
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from contracts.algorithms import SigningKey
from gateway.client import TokenClient, dpop_proof, tls_context
from tests.bench.lookup_server import ITEM, resident
from tests.bench.result import Result
from tests.integration.serve_world import IDENTITY

RECORDS = 10_000
CONNECTIONS = 256
IN_FLIGHT = 1  # requests on each connection at once, as HTTP clients do
TURNS = 5
REQUESTS = 4_000  # of each kind in one turn
PROMISED = {"mtls": 0.40, "dpop": 0.20}
_LENGTH = re.compile(rb"\r\nContent-Length: ([0-9]+)\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running server, as its `ready.json` says."""

    base_url: str
    echo: str
    ca: Path
    certificate: Path
    private_key: Path
    mobile_key: SigningKey
    pid: int

    def client(self, binding: str) -> TokenClient:
        if binding == "mtls":
            return TokenClient(self.base_url, "window", self.tls("mtls"), None, "mtls")
        return TokenClient(self.base_url, "mobile", self.tls("dpop"), self.mobile_key, "dpop")

    def tls(self, binding: str) -> ssl.SSLContext:
        if binding == "mtls":
            return tls_context(self.ca, self.certificate, self.private_key)
        return tls_context(self.ca)


def lookup_ratio(binding: str, turns: int = TURNS, requests: int = REQUESTS) -> Result:
    """Granted lookups a second and echoes a second. `binding`: "mtls" or "dpop"."""
    with pinned(client_core()), tempfile.TemporaryDirectory(prefix="oncegate-bench-") as directory:
        size, spent, limit = _turns(Path(directory), binding, turns, requests)
    facts: dict[str, float | str] = {"records": RECORDS, "connections": CONNECTIONS, "answer_bytes": size}
    return Result(f"lookups_{binding}", median(spent), median(limit), PROMISED[binding], "lookups/s", facts=facts)


def _turns(directory: Path, binding: str, turns: int, requests: int) -> tuple[int, list[float], list[float]]:
    """Answer size, and the rates of each turn: lookups, echoes."""
    with started(directory, RECORDS) as gateway:
        ask = Asker(gateway, binding)
        size = ask.answer_size()
        spent, limit = [], []
        with Load(gateway.base_url, gateway.tls(binding)) as ours, Load(gateway.echo, gateway.tls("dpop")) as echo:
            ours.run(ask.requests(500))
            echo.run(echo_requests(ask, 500, size))
            for _ in range(turns):
                spent.append(requests / ours.run(ask.requests(requests)))
                limit.append(requests / echo.run(echo_requests(ask, requests, size)))
    return size, spent, limit


def latency_tenfold(samples: int = 3_000) -> Result:
    """Median latency of one lookup at a time, with ten times as many records."""
    with pinned(client_core()), tempfile.TemporaryDirectory(prefix="oncegate-bench-") as directory:
        small, large = Path(directory) / "small", Path(directory) / "large"
        small.mkdir()
        large.mkdir()
        with started(small, RECORDS) as first, started(large, 10 * RECORDS) as second:
            before, after = _latencies(first, RECORDS), _latencies(second, 10 * RECORDS)
            few = [(next(before), next(after)) for _ in range(samples)]
    ours, limit = median(late for _, late in few), median(early for early, _ in few)
    return Result("lookup_latency_tenfold", ours * 1000, limit * 1000, 1.2, "ms", at_most=True)


def _latencies(gateway: Gateway, records: int) -> Iterator[float]:
    ask = Asker(gateway, "mtls", records)
    with Load(gateway.base_url, gateway.tls("mtls"), connections=1, in_flight=1) as load:
        load.run(ask.requests(200))
        while True:
            yield load.run(ask.requests(1))


class Asker:
    """Builds requests of one app about random holders."""

    def __init__(self, gateway: Gateway, binding: str, records: int = RECORDS) -> None:
        self._client = gateway.client(binding)
        self._gateway = gateway
        self._binding = binding
        self._records = records
        self._random = random.Random(7)
        self.host = urlsplit(gateway.base_url).netloc.encode()

    def answer_size(self) -> int:
        """Bytes of the body of one answer."""
        status, headers, answer = self._client.post("/v1/lookups", orjson.loads(self.body()))
        if status != 200 or len(answer["evidence"]) != 1:
            raise RuntimeError(f"no evidence: {status} {answer.get('code')}")
        self._client.close()
        return int(headers["content-length"])

    def body(self) -> bytes:
        holder = {"scheme": "cn.ric", "id": resident(self._random.randint(1, self._records))}
        question = {
            "service_item": ITEM, "case": "2026-000123", "clerk": "zhang.wei", "evidence_type": IDENTITY,
            "by": {"holder": holder},
        }  # fmt: skip
        return orjson.dumps(question)

    def requests(self, count: int) -> list[bytes]:
        """Whole HTTP requests, ready to be sent."""
        token = self._client.token()
        return [self._request(token) for _ in range(count)]

    def _request(self, token: str) -> bytes:
        body = self.body()
        if self._binding == "mtls":
            fields = f"Authorization: Bearer {token}\r\n"
        else:
            url = self._gateway.base_url + "/v1/lookups"
            proof = dpop_proof(self._gateway.mobile_key, "POST", url, int(time.time()), token)
            fields = f"Authorization: DPoP {token}\r\nDPoP: {proof}\r\n"
        return post("/v1/lookups", self.host, fields.encode(), body)


def echo_requests(ask: Asker, count: int, size: int) -> list[bytes]:
    """Requests to the echo, with bodies as the gateway gets them."""
    return [post(f"/echo/{size}", ask.host, b"", ask.body()) for _ in range(count)]


def post(path: str, host: bytes, fields: bytes, body: bytes) -> bytes:
    head = b"POST %b HTTP/1.1\r\nHost: %b\r\n%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (path.encode(), host, fields, len(body)) + body


@dataclass(slots=True)
class _Connection:
    socket: ssl.SSLSocket
    waiting: int = 0
    buffer: bytes = b""


@dataclass
class Load:
    """Many TLS connections to one server, driven by one thread."""

    url: str
    tls: ssl.SSLContext
    connections: int = CONNECTIONS
    in_flight: int = IN_FLIGHT
    _open: list[_Connection] = field(default_factory=list)

    def __enter__(self) -> "Load":
        host, port = urlsplit(self.url).hostname or "", urlsplit(self.url).port
        self._selector = selectors.EpollSelector()
        for _ in range(self.connections):
            raw = socket.create_connection((host, port), timeout=30)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = _Connection(self.tls.wrap_socket(raw, server_hostname=host))
            connection.socket.setblocking(False)
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)
            self._open.append(connection)
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for connection in self._open:
            connection.socket.close()

    def run(self, requests: Sequence[bytes]) -> float:
        """Seconds from the first byte sent to the last response; every response must be 200."""
        left = iter(requests)
        missing = len(requests)
        start = time.perf_counter()
        for connection in self._open:
            self._send(connection, left, self.in_flight)
        while missing:
            for key, _ in self._selector.select(30):
                done = _receive(key.data)
                missing -= done
                self._send(key.data, left, done)
        return time.perf_counter() - start

    def _send(self, connection: _Connection, left: Iterator[bytes], count: int) -> None:
        data = b"".join(request for _, request in zip(range(count), left, strict=False))
        while data:
            try:
                data = data[connection.socket.send(data) :]
            except ssl.SSLWantWriteError:
                time.sleep(0)


def _receive(connection: _Connection) -> int:
    """How many responses were completed."""
    try:
        while True:
            data = connection.socket.recv(1 << 18)
            if not data:
                raise RuntimeError("the server has closed a connection")
            connection.buffer += data
    except ssl.SSLWantReadError:
        pass
    done, at, buffer = 0, 0, connection.buffer
    while (head := buffer.find(b"\r\n\r\n", at)) >= 0:
        length = _LENGTH.search(buffer, at, head + 2)
        if not buffer.startswith(b"HTTP/1.1 200 ", at) or length is None:
            raise RuntimeError(buffer[at : head + 400].decode("utf-8", "replace"))
        end = head + 4 + int(length[1])
        if end > len(buffer):
            break
        at, done = end, done + 1
    connection.buffer = buffer[at:]
    return done


def client_core() -> int:
    return max(os.sched_getaffinity(0))


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """This thread on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def started(
    directory: Path,
    records: int,
    store: Path | None = None,
    wait_s: float = 120.0,
    module: str = "tests.bench.lookup_server",
    more: Sequence[str] = (),
) -> Iterator[Gateway]:
    """A server process on the other core, until the `with` ends. `store`: of another one, to be shared. `module`:
    another server that writes the same `ready.json`, with `more` arguments."""
    command = [sys.executable, "-m", module, str(directory), str(records), "0", *more]
    command += [] if store is None else [str(store)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        ready = directory / "ready.json"
        _until(ready.exists, process, wait_s)
        facts = orjson.loads(ready.read_bytes())
        key = load_pem_private_key(facts["mobile_key"].encode(), None)
        ca, certificate, private_key = (Path(facts[name]) for name in ("ca", "certificate", "private_key"))
        mobile_key = SigningKey.of("ES256", key)
        yield Gateway(facts["base_url"], facts["echo"], ca, certificate, private_key, mobile_key, process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _until(condition: Callable[[], bool], process: "subprocess.Popen[bytes]", wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the server did not start")
        time.sleep(0.05)
