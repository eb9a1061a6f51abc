"""Tiles over plain HTTP on loopback, by the gateway's own routes."""

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPMessage
from typing import Protocol

from aiohttp import web

from gateway.web.app import problems
from gateway.web.tiles import PREFIX

HOST = "127.0.0.1"


class Room(Protocol):
    """What has calls."""

    def routes(self) -> tuple[web.RouteDef, ...]: ...


@contextmanager
def serving(*rooms: Room) -> Iterator[int]:
    """The port where they are served, in a thread of its own, until the `with` ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(_start(rooms), loop).result(20)
    try:
        yield runner.addresses[0][1]
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()


async def _start(rooms: Sequence[Room]) -> web.AppRunner:
    app = web.Application(middlewares=[problems])
    for room in rooms:
        app.add_routes(room.routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    return runner


def prefix(port: int, slot: str) -> str:
    """The URL of a log."""
    return f"http://{HOST}:{port}{PREFIX.format(slot=slot)}"


def get(port: int, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, HTTPMessage, bytes]:
    """One GET: the path exactly as it is spelled here, no header but these, nothing unpacked."""
    connection = HTTPConnection(HOST, port, timeout=20)
    try:
        connection.putrequest("GET", path, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()
