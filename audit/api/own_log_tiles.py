"""`/own-log/…`: the log of questions for operators and supervisors (https://c2sp.org/tlog-tiles), without its entries.

1. The checkpoint and the hash tiles are public: digests only. With them anybody can tell later whether a record went.
2. Entry bundles are not given out here, to nobody: who reads them does it on this host, with the files.
3. Only paths of exactly the one spelling are looked up; nothing else of the directory can be reached.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from audit.api.problems import HEADERS
from audit.tiles import parse_path
from contracts.errors import Fault

PREFIX: Final = "/own-log"
_CHECKPOINT = {**HEADERS, "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-cache"}
_TILE = {
    **HEADERS,
    "Content-Type": "application/octet-stream",
    "Cache-Control": "public, max-age=31536000, immutable",
}


@dataclass(frozen=True, slots=True)
class OwnLogTiles:
    """The directory of the log of questions."""

    directory: Path

    def routes(self) -> tuple[web.RouteDef, ...]:
        """The calls."""
        return (web.get(PREFIX + "/checkpoint", self.checkpoint), web.get(PREFIX + "/tile/{path:.+}", self.tile))

    async def checkpoint(self, request: web.Request) -> web.Response:
        """The newest signed checkpoint."""
        del request
        return web.Response(body=await self._read("checkpoint"), headers=_CHECKPOINT)

    async def tile(self, request: web.Request) -> web.Response:
        """A hash tile."""
        path = "tile/" + request.match_info["path"]
        try:
            tile = parse_path(path)
        except Fault:
            raise Fault("auditors_only") from None
        if tile.level is None or request.raw_path.partition("?")[0] != f"{PREFIX}/{path}":
            raise Fault("auditors_only")
        return web.Response(body=await self._read(tile.path), headers=_TILE)

    async def _read(self, path: str) -> bytes:
        try:
            return await asyncio.to_thread((self.directory / path).read_bytes)
        except FileNotFoundError:
            raise Fault("route_unknown") from None
