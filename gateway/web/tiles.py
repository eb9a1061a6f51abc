"""`/audit/logs/{slot}/…`: the audit log for everybody who watches it (https://c2sp.org/tlog-tiles).

1. The checkpoint and the hash tiles are public: they hold digests only.
2. Entry bundles are for auditors. There is no auditor's account here yet, so nobody gets them (`auditors_only`);
   auditors read them from the log directory or a mirror.
3. Full tiles never change and may be cached for ever; partial ones too, because their width is in the name.
4. Only paths of exactly the one spelling are looked up; nothing else of the directory can be reached.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from audit.tiles import Tile, parse_path
from contracts.errors import Fault
from gateway.web.problems import Problem, problem_response

PREFIX = "/audit/logs/{slot}"
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Tiles:
    """One slot's log directory."""

    slot: str
    directory: Path

    async def checkpoint(self, request: web.Request) -> web.Response:
        """The newest signed checkpoint."""
        self._right_slot(request)
        return await self._file("checkpoint", "text/plain; charset=utf-8", "no-cache")

    async def tile(self, request: web.Request) -> web.Response:
        """A hash tile."""
        self._right_slot(request)
        tile = _tile("tile/" + request.match_info["path"])
        if tile.level is None:
            return problem_response(Problem("auditors_only"))
        return await self._file(tile.path, "application/octet-stream", _FOR_EVER)

    def _right_slot(self, request: web.Request) -> None:
        if request.match_info["slot"] != self.slot:
            raise Fault("route_unknown")

    async def _file(self, path: str, content_type: str, cache: str) -> web.Response:
        try:
            data = await asyncio.to_thread((self.directory / path).read_bytes)
        except FileNotFoundError:
            raise Fault("route_unknown") from None
        return web.Response(body=data, headers={"Content-Type": content_type, "Cache-Control": cache})


def _tile(path: str) -> Tile:
    try:
        return parse_path(path)
    except Fault:
        raise Fault("route_unknown") from None
