"""What the auditor's mirror needs beside the tiles: the sealed openings of a log.

1. Sealed opening rows and wrapped day keys are for the auditor of the slot only. They are encrypted to that auditor;
   the door is for those who would collect them for later.
2. Orders that were carried out on them likewise: each explains a notice in the log, and the mirror checks both of its
   signatures before it does the same.
3. Rows of the open bundle are cut from the newest file, so that a reader of a former head finds them, too.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from audit.openings import key_path
from audit.orders import files as orders
from audit.orders.order import is_digest
from audit.reader import LogReader
from audit.tiles import WIDTH, parse_path, prefixed
from contracts.errors import Corrupt, Fault
from gateway.web.problems import HEADERS, Problem, problem_response
from gateway.web.tiles import PREFIX

_KEY_ID = re.compile(r"[0-9a-f]{16}")
_TRIES = 3
_PRIVATE = {**HEADERS, "Content-Type": "application/octet-stream", "Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Openings:
    """One slot's openings."""

    slot: str
    reader: LogReader
    is_auditor: Callable[[web.Request], bool]

    def routes(self) -> tuple[web.RouteDef, ...]:
        """The calls."""
        return (
            web.get(PREFIX + "/openings/keys/{key}", self.key),
            web.get(PREFIX + "/openings/{path:.+}", self.rows),
            web.get(PREFIX + "/orders/{order}", self.order),
        )

    async def rows(self, request: web.Request) -> web.Response:
        """The sealed rows that belong to an entry bundle, named and built like it."""
        self._right_slot(request)
        number, width = _bundle(request.match_info["path"])
        if not self.is_auditor(request):
            return problem_response(Problem("auditors_only"))
        rows = await asyncio.to_thread(self._rows, number, width)
        return web.Response(body=b"".join(map(prefixed, rows)), headers=_PRIVATE)

    async def key(self, request: web.Request) -> web.Response:
        """A wrapped day key."""
        self._right_slot(request)
        name = request.match_info["key"]
        if _KEY_ID.fullmatch(name) is None:
            raise Fault("route_unknown")
        if not self.is_auditor(request):
            return problem_response(Problem("auditors_only"))
        path = self.reader.directory / key_path(bytes.fromhex(name))
        try:
            data = await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            raise Fault("route_unknown") from None
        return web.Response(body=data, headers=_PRIVATE)

    async def order(self, request: web.Request) -> web.Response:
        """An order about openings, as both signed it, by its digest."""
        self._right_slot(request)
        digest = request.match_info["order"]
        if not is_digest(digest):
            raise Fault("route_unknown")
        if not self.is_auditor(request):
            return problem_response(Problem("auditors_only"))
        note = await asyncio.to_thread(orders.read, self.reader.directory, digest)
        if note is None:
            raise Fault("route_unknown")
        return web.Response(body=note, headers={**_PRIVATE, "Content-Type": "text/plain; charset=utf-8"})

    def _right_slot(self, request: web.Request) -> None:
        if request.match_info["slot"] != self.slot:
            raise Fault("route_unknown")

    def _rows(self, number: int, width: int) -> list[bytes]:
        for _ in range(_TRIES):  # the file of the open bundle is replaced with each head
            size = self.reader.checkpoint().size
            if number * WIDTH + width > size:
                break
            try:
                return self.reader.rows(number, size)[:width]
            except (Corrupt, FileNotFoundError):
                continue
        raise Fault("route_unknown")


def _bundle(path: str) -> tuple[int, int]:
    try:
        tile = parse_path(f"tile/entries/{path}")
    except Fault:
        raise Fault("route_unknown") from None
    return tile.index, tile.width
