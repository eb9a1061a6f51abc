"""What a connection to Kafka reads: whatever came before its end is told before the end."""

import ssl
from collections.abc import Callable

import pytest
from kafka import errors

from contracts.edge.transport.kafka_sockets import Received, _plain, _tls


class Line:
    """A socket that gives these pieces, then nothing new; an exception among them is raised, and stays."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = list(pieces)

    def recv(self, _: int) -> bytes:
        piece = self.pieces[0] if self.pieces else ssl.SSLWantReadError()
        if isinstance(piece, Exception):
            raise piece
        if piece:
            self.pieces.pop(0)
        return piece


END = b""
BROKEN = ConnectionResetError("reset")


@pytest.mark.parametrize("look", [_tls, _plain])
@pytest.mark.parametrize("end", [END, BROKEN])
def test_what_came_before_the_end_is_read_first(look: Callable[[Line], Received], end: bytes | Exception) -> None:
    line = Line(b"the login is refused", end)
    assert look(line) == (b"the login is refused", None)
    data, error = look(line)
    assert data == b""
    assert isinstance(error, errors.KafkaConnectionError)


@pytest.mark.parametrize("look", [_tls, _plain])
def test_nothing_yet_is_no_end(look: Callable[[Line], Received]) -> None:
    assert look(Line()) == (b"", None)


def test_tls_is_read_to_its_end() -> None:
    assert _tls(Line(b"one", b"two")) == (b"onetwo", None)
