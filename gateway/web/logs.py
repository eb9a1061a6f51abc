"""`/audit/logs` and what is below it: which logs this process gives out, and which room answers for each.

1. `/audit/logs` names the log that this process writes, and the closed ones before it that it still serves: public, as
   the registry is to everybody who may ask. A mirror compares it with its own registry, so that a log that is not
   listed there shows.
2. A slot's files come from the rooms of its log (`tiles`, `openings`). A log that is retired is one that is not here.
3. Who may read entries is asked for each slot: a closed log's auditor need not be that of its successor.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import orjson
from aiohttp import web

from audit.closed_logs import ClosedLogs
from audit.notes import NoteKey
from audit.reader import LogReader
from contracts.encoding import Json
from contracts.errors import Fault
from gateway.web.openings import Openings
from gateway.web.problems import HEADERS
from gateway.web.tiles import PREFIX, Tiles

IsAuditor = Callable[[web.Request], bool]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Rooms:
    """Where the files of one slot come from."""

    tiles: Tiles
    openings: Openings

    @classmethod
    def of(cls, slot: str, reader: LogReader, is_auditor: IsAuditor) -> "Rooms":
        return cls(Tiles(slot, reader.directory, is_auditor), Openings(slot, reader, is_auditor))

    @property
    def slot(self) -> str:
        return self.tiles.slot

    @property
    def key(self) -> NoteKey:
        return self.openings.reader.key


_CALLS: Final[Sequence[tuple[str, Callable[[Rooms], Handler]]]] = (
    ("/checkpoint", lambda rooms: rooms.tiles.checkpoint),
    ("/tile/{path:.+}", lambda rooms: rooms.tiles.tile),
    ("/openings/keys/{key}", lambda rooms: rooms.openings.key),
    ("/openings/{path:.+}", lambda rooms: rooms.openings.rows),
    ("/orders/{order}", lambda rooms: rooms.openings.order),
)


class Logs:
    """The logs of one process. `is_auditor_of` says for a slot who its auditor is."""

    def __init__(self, own: Rooms, closed: ClosedLogs, is_auditor_of: Callable[[str], IsAuditor]) -> None:
        self._own = own
        self._closed = closed
        self._rooms = {one.slot: Rooms.of(one.slot, one.reader, is_auditor_of(one.slot)) for one in closed.there()}

    def routes(self) -> tuple[web.RouteDef, ...]:
        """The calls."""
        below = (web.get(PREFIX + path, self._handler(pick)) for path, pick in _CALLS)
        return (web.get("/audit/logs", self.logs), *below)

    async def logs(self, _: web.Request) -> web.Response:
        """Rule 1."""
        closed = [_form(self._rooms[one.slot], closed=True) for one in self._closed.there()]
        body = orjson.dumps({"logs": [_form(self._own, closed=False), *closed]})
        return web.Response(body=body, content_type="application/json", headers=HEADERS)

    def _handler(self, pick: Callable[[Rooms], Handler]) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await pick(self._of(request.match_info["slot"]))(request)

        return handle

    def _of(self, slot: str) -> Rooms:
        """Rule 2; raises `Fault` `route_unknown`."""
        if slot == self._own.slot:
            return self._own
        if self._closed.of_slot(slot) is None:
            raise Fault("route_unknown")
        return self._rooms[slot]


def _form(rooms: Rooms, *, closed: bool) -> Json:
    return {"slot": rooms.slot, "origin": rooms.key.name, "vkey": rooms.key.vkey, "closed": closed}
