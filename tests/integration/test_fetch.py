"""The small HTTP client against servers that say too little, too slowly, or never stop."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

import pytest

from audit.fetch import Client, Endpoint
from audit.witness.cosigning import Cosigning, Patience, WitnessAddress, held_by
from contracts.errors import Unavailable
from tests.integration.audit_support import SIGNER, open_log
from tests.integration.witness_world import COSIGNER
from tests.waiting import LOOK_S, until

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
PATIENCE_S = 0.3
AT_MOST_S = 5.0  # far below what the servers here would take, far above what a busy machine adds

Talk = Callable[[socket.socket, threading.Event], None]


@contextmanager
def server(talk: Talk) -> Iterator[str]:
    """Where each connection is handed to `talk`, which ends when the event is set."""
    over = threading.Event()
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                talk(connection, over)

        def accept() -> None:
            with suppress(OSError):
                while not over.is_set():
                    threads.append(threading.Thread(target=serve, args=(listening.accept()[0],)))
                    threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)
            accepting.join(30)
    for thread in threads:
        thread.join(30)


def drip(connection: socket.socket, over: threading.Event, first: bytes, piece: bytes) -> None:
    connection.recv(65536)
    connection.sendall(first)
    while not over.wait(LOOK_S):
        connection.sendall(piece)


def never_read(_: socket.socket, over: threading.Event) -> None:
    over.wait(60)


DRIPS: dict[str, Talk] = {
    "says nothing": lambda connection, over: drip(connection, over, b"", b""),
    "its status": lambda connection, over: drip(connection, over, b"HTTP/1.1 ", b"2"),
    "its headers": lambda connection, over: drip(connection, over, b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
    "not yet, without end": lambda connection, over: drip(connection, over, b"", CONTINUE * 999),
    "its body": lambda connection, over: drip(connection, over, HEAD % 60_000, b" "),
    "its chunks": lambda connection, over: drip(
        connection, over, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"
    ),
}


@pytest.mark.parametrize("talk", DRIPS.values(), ids=DRIPS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_who_drips_holds_nobody(talk: Talk, scheme: str) -> None:
    """Over TLS none of it is TLS: that is the handshake's time."""
    with server(talk) as url:
        client = Client(Endpoint(url.replace("http", scheme, 1), timeout_s=PATIENCE_S))
        began = monotonic()
        with pytest.raises(Unavailable, match=r"no whole answer in time|WRONG_VERSION|RECORD_LAYER"):
            client.get("/", 60_000)
        assert monotonic() - began < AT_MOST_S


def test_who_does_not_read_holds_nobody() -> None:
    with server(never_read) as url:
        client = Client(Endpoint(url, timeout_s=PATIENCE_S))
        with pytest.raises(Unavailable, match="no whole answer in time"):
            client.post("/", bytes(50_000_000), 10)


def test_a_long_answer_over_a_slow_line_is_taken() -> None:
    """Several times the patience, and every byte of it came as fast as it must."""
    pieces = 60

    def slowly(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(HEAD % (pieces * 10_000))
        for _ in range(pieces):
            over.wait(LOOK_S)
            connection.sendall(bytes(10_000))

    with server(slowly) as url:
        client = Client(Endpoint(url, timeout_s=PATIENCE_S))
        began = monotonic()
        assert len(client.get("/", pieces * 10_000).body) == pieces * 10_000
        assert monotonic() - began > PATIENCE_S
        client.close()


def test_each_address_of_a_name_is_tried() -> None:
    """`localhost` is often two, and the server listens on one."""
    with server(lambda connection, _: connection.sendall(HEAD % 2 + b"ok") if connection.recv(65536) else None) as url:
        client = Client(Endpoint(url.replace("127.0.0.1", "localhost"), timeout_s=PATIENCE_S * 4))
        assert client.get("/", 2).body == b"ok"
        client.close()


def test_each_exchange_has_its_own_time() -> None:
    """Over one connection, with rests of the server's longer together than one patience."""

    def answer(connection: socket.socket, over: threading.Event) -> None:
        while connection.recv(65536):
            over.wait(PATIENCE_S / 2)
            connection.sendall(HEAD % 2 + b"ok")

    with server(answer) as url:
        client = Client(Endpoint(url, timeout_s=PATIENCE_S * 4))
        assert [client.get("/", 2).body for _ in range(12)] == [b"ok"] * 12
        client.close()


def test_a_witness_that_drips_holds_up_no_start() -> None:
    with server(DRIPS["its body"]) as url, pytest.raises(Unavailable, match="no whole answer in time"):
        held_by(WitnessAddress(Endpoint(url, timeout_s=PATIENCE_S), COSIGNER.public), SIGNER.public)


def test_that_no_cosignature_comes_is_told_while_the_witness_drips(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log, now = open_log(tmp_path / "log"), [1_800_000_000.0]
    with server(DRIPS["its body"]) as url:
        address = WitnessAddress(Endpoint(url, timeout_s=PATIENCE_S), COSIGNER.public)
        patience = Patience(look_s=0.01, retry_s=0.02)
        cosigning = Cosigning(log, tmp_path / "log", [address], patience, lambda: now[0])
        cosigning.start()
        until(lambda: "no whole answer in time" in str(cosigning.standing().troubles))
        now[0] += 901
        said = ""

        def told() -> bool:
            nonlocal said
            said += capfd.readouterr().err
            return '"no_cosignature"' in said

        until(told)
        cosigning.close()
    log.close()
