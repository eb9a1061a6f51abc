"""`/audit/logs/{slot}/…`: the audit log for everybody who watches it (https://c2sp.org/tlog-tiles).

1. The checkpoint and the hash tiles are public: they hold digests only.
2. Entry bundles are for auditors. Who is one is for `is_auditor` to say; by default nobody is (`auditors_only`).
3. Full tiles never change and may be cached for ever; partial ones too, because their width is in the name. Bundles
   only by the auditor's own program, never in between. A checkpoint is asked for anew each time.
4. Only paths of exactly the one spelling are looked up; nothing else of the directory can be reached. A partial tile
   may be gone once the full one exists: `404`, and the client reads the full one.
5. Bundles are compressed with gzip for who accepts it. Hash tiles are not: digests do not shrink.
"""

import asyncio
import gzip
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from audit.reader import COSIGNED
from audit.tiles import Tile, parse_path
from contracts.errors import Fault
from gateway.web.problems import HEADERS, Problem, problem_response

PREFIX = "/audit/logs/{slot}"

_CHECKPOINT = {**HEADERS, "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-cache"}
_TILE = {
    **HEADERS,
    "Content-Type": "application/octet-stream",
    "Cache-Control": "public, max-age=31536000, immutable",
}
_BUNDLE = {**_TILE, "Cache-Control": "private, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
_ENCODED = {"Content-Encoding": "gzip"}
_EFFORT = 6  # of 9: the rest costs three times the time for hardly a byte

_CODING = re.compile(r"\s*([^\s;]+)\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?", re.IGNORECASE)


def nobody(_: web.Request) -> bool:
    """No request is an auditor's."""
    return False


@dataclass(frozen=True, slots=True)
class Tiles:
    """One slot's log directory. `is_auditor` decides who may read entries."""

    slot: str
    directory: Path
    is_auditor: Callable[[web.Request], bool] = nobody

    def routes(self) -> tuple[web.RouteDef, ...]:
        """The calls."""
        return (web.get(f"{PREFIX}/checkpoint", self.checkpoint), web.get(PREFIX + "/tile/{path:.+}", self.tile))

    async def checkpoint(self, request: web.Request) -> web.Response:
        """The newest signed checkpoint, with the cosignatures that it has so far."""
        self._right_slot(request)
        note, cosigned = await self._read("checkpoint"), await self._cosigned()
        return web.Response(body=cosigned if cosigned.startswith(note) else note, headers=_CHECKPOINT)

    async def _cosigned(self) -> bytes:
        """Of the newest head that a witness cosigned; empty before the first."""
        try:
            return await self._read(COSIGNED)
        except Fault:
            return b""

    async def tile(self, request: web.Request) -> web.Response:
        """A hash tile or an entry bundle."""
        self._right_slot(request)
        tile = _tile(request)
        if tile.level is None:
            return await self._bundle(request, tile)
        return web.Response(body=await self._read(tile.path), headers=_TILE)

    async def _bundle(self, request: web.Request, tile: Tile) -> web.Response:
        if not self.is_auditor(request):
            return problem_response(Problem("auditors_only"))
        body, headers = await self._read(tile.path), _BUNDLE
        if accepts_gzip(",".join(request.headers.getall("Accept-Encoding", ()))):
            body, headers = await asyncio.to_thread(gzip.compress, body, _EFFORT, mtime=0), {**_BUNDLE, **_ENCODED}
        return web.Response(body=body, headers=headers)

    def _right_slot(self, request: web.Request) -> None:
        if request.match_info["slot"] != self.slot:
            raise Fault("route_unknown")

    async def _read(self, path: str) -> bytes:
        try:
            return await asyncio.to_thread((self.directory / path).read_bytes)
        except FileNotFoundError:
            raise Fault("route_unknown") from None


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a client with this `Accept-Encoding` takes gzip (RFC 9110 §12.5.3). What cannot be read counts not."""
    weights: dict[str, float] = {}
    for element in accept_encoding.split(","):
        match = _CODING.fullmatch(element)
        if match is not None:
            weights[match[1].lower()] = float(match[2] or 1)
    names = ("gzip", "x-gzip", "*")  # its name, its old name (RFC 9110 §8.4.1.3), the name of all others
    return next((weights[name] for name in names if name in weights), 0.0) > 0


def _tile(request: web.Request) -> Tile:
    path = "tile/" + request.match_info["path"]
    if not request.raw_path.partition("?")[0].endswith("/" + path):  # a spelling with %-escapes is another one
        raise Fault("route_unknown")
    try:
        return parse_path(path)
    except Fault:
        raise Fault("route_unknown") from None
