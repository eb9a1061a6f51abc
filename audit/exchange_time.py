"""How long the other side of an exchange is waited for: one time for all of it, kept by the socket.

1. A time limit for each read is none: whoever sends a byte now and then holds the reader for ever. So before each call
   of the socket its time limit becomes what is left of the exchange.
2. A long answer over a slow line is no drip: each `SLOWEST` bytes that came, up to the longest answer that is wanted,
   earn a second more.
3. The addresses of a name are tried one after the other, each for its share of what is left. Finding them is not part
   of it: the resolver has a time limit of its own.
"""

import io
import socket
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SLOWEST: Final = 32 * 1024  # bytes a second


class ExchangeTime:
    """The time of the exchange under way: `seconds`, and what is earned (rule 2). Not for several threads."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.begin(0)

    def begin(self, most: int) -> None:
        """An exchange begins whose answer may have `most` bytes."""
        self._until = time.monotonic() + self._seconds
        self._most = most
        self._came = 0

    def came(self, count: int) -> None:
        """So many more bytes."""
        self._came += count

    def left(self) -> float:
        """Seconds, above 0; raises TimeoutError."""
        left = self._until + min(self._came, self._most) / SLOWEST - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def connected(host: str, port: int, time_left: ExchangeTime) -> socket.socket:
    """A connection to one of the addresses of `host` (rule 3); raises OSError."""
    failure = OSError(f"{host} has no address")
    addresses = [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for number, address in enumerate(addresses):
        try:
            made = socket.create_connection((address, port), time_left.left() / (len(addresses) - number))
        except OSError as error:
            failure = error
            continue
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made
    raise failure


class TimedSocket:
    """As much of a socket as `http.client` uses, under an `ExchangeTime` (rule 1)."""

    def __init__(self, connection: socket.socket, time_left: ExchangeTime) -> None:
        self._connection = connection
        self._time = time_left

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._connection.settimeout(self._time.left())
            rest = rest[self._connection.send(rest) :]

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(_Received(self._connection, self._time))

    def close(self) -> None:
        self._connection.close()


class _Received(io.RawIOBase):
    """What comes from the socket. It keeps the socket open until it is closed itself, as `socket.makefile` does."""

    def __init__(self, connection: socket.socket, time_left: ExchangeTime) -> None:
        super().__init__()
        self._connection = connection
        self._time = time_left
        self._file = connection.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        self._connection.settimeout(self._time.left())
        count = self._file.readinto(buffer)
        self._time.came(count or 0)
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
