"""An answer's way to the socket: head and body in one write, past aiohttp's general response machinery.

1. Only for what nearly every answer is: 200, a body of known bytes, HTTP/1.1 on a connection that stays open. All
   else is an ordinary response (`response`).
2. The head is as aiohttp would write it, with our headers; it is made once a second, for the Date (RFC 9110 §6.6.1).
3. A client that asks on and does not read is waited for, and cut off after `STALL_SECONDS`: memory is not a queue.

It saves a tenth of what an answer costs (docs/decisions/0007-serving.md).
"""

import asyncio
import time
from email.utils import formatdate
from typing import Final

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

from gateway.web.problems import HEADERS

MAX_UNREAD: Final = 256 * 1024
STALL_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.05

ANSWER_HEADERS = CIMultiDict({"Content-Type": "application/json", **HEADERS})


def response(request: web.Request, body: bytes) -> web.StreamResponse:
    """A 200 with this JSON body."""
    if request.version == HttpVersion11 and request.keep_alive:
        return _Direct(body)
    return web.Response(body=body, headers=ANSWER_HEADERS.copy())


class _Head:
    """The head up to the length of the body (rule 2)."""

    def __init__(self) -> None:
        self._second = 0
        self._bytes = b""

    def __call__(self) -> bytes:
        second = int(time.time())
        if second != self._second:
            fields = {**ANSWER_HEADERS, "Date": formatdate(second, usegmt=True)}
            lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            self._second, self._bytes = second, f"HTTP/1.1 200 OK\r\n{lines}Content-Length: ".encode()
        return self._bytes


_head = _Head()


class _Direct(web.StreamResponse):
    def __init__(self, body: bytes) -> None:
        super().__init__()
        self._keep_alive = True
        self._wire = body

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write everything; raises ConnectionError when nobody is there any more."""
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError
        transport.write(b"%b%d\r\n\r\n%b" % (_head(), len(self._wire), self._wire))
        if transport.get_write_buffer_size() > MAX_UNREAD:
            await _until_read(transport)
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left."""
        del data


async def _until_read(transport: asyncio.Transport) -> None:
    """Rule 3."""
    deadline = time.monotonic() + STALL_SECONDS
    while transport.get_write_buffer_size() > MAX_UNREAD:
        if time.monotonic() > deadline:
            transport.abort()
            raise ConnectionResetError
        await asyncio.sleep(_LOOK_SECONDS)
