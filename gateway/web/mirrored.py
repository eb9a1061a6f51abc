"""The auditor's mirror at the HTTP edge: it learns of new heads at once, says what it holds; answers may wait for that.

1. `GET …/next/{size}`: the checkpoint as soon as it is above `size`, or after `HOLD_S` the one of now. `POST
   …/mirrored`: the signed head that the mirror holds. Both are for the auditor of the slot only.
2. With `durable = "mirrored"` no answer of an authenticated call leaves before the mirror has confirmed a head that
   covers its access record (`Answers.confirmed`). One message of the mirror wakes all whom it covers, in one turn.
3. Who has waited `wait_s` in vain is refused with `mirror_unavailable`; the record stays. From then on nobody waits,
   and no question is answered, until the mirror has confirmed that record: a mirror that is away holds no connections.
4. That refusal itself waits for nothing: it releases nothing.
5. At the end answers in flight get `DRAIN_S` to be confirmed, then they and all later ones are refused; whoever waits
   for a head is told.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from aiohttp import web

from audit.lines import alarm, info
from audit.log import AuditLog
from audit.mirror.heads import MirrorHeads
from audit.mirror.source import CONFIRMED
from audit.reader import LogReader
from contracts.errors import Fault
from gateway.web.problems import HEADERS, Problem, problem_response
from gateway.web.tiles import PREFIX

UNMIRRORED: Final = "mirror_unavailable"
HOLD_S: Final = 1.0
MAX_HOLDING: Final = 64
BODY_S: Final = 10.0
DRAIN_S: Final = 2.0

_TEXT = {**HEADERS, "Content-Type": "text/plain; charset=utf-8"}
_KNOWN: Final = b"known\n"


class Answers:
    """Answers that wait for the mirror (rules 2 and 3). For one event loop."""

    def __init__(self, origin: str, confirmed: int, wait_s: float) -> None:
        """`confirmed`: entries that the mirror has confirmed before."""
        self._origin = origin
        self._size = confirmed
        self._wait_s = wait_s
        self._missed = -1  # the highest entry that was waited for in vain
        self._ended = False
        self._waiting: dict[int, asyncio.Future[bool]] = {}
        self.withheld = 0

    @property
    def away(self) -> bool:
        """Rule 3: nobody waits now."""
        return self._missed >= self._size

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def check(self) -> None:
        """Raises `Fault` `mirror_unavailable` while no question may be answered."""
        if self.away:
            raise Fault(UNMIRRORED)

    async def confirmed(self, index: int) -> None:
        """Return when the mirror has entry `index`; raises `Fault` `mirror_unavailable`."""
        if index < self._size:
            return
        if self.away or self._ended or not await self._wait(index):
            self.withheld += 1
            raise Fault(UNMIRRORED)

    async def _wait(self, index: int) -> bool:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        self._waiting[index] = future
        timer = loop.call_later(self._wait_s, self._miss, index)
        try:
            return await future
        finally:
            timer.cancel()
            del self._waiting[index]

    def advance(self, size: int) -> None:
        """The mirror has confirmed `size` entries."""
        was_away, self._size = self.away, max(size, self._size)
        if was_away and not self.away:
            info("mirror_well", log=self._origin, confirmed=self._size)
        _settle([future for index, future in self._waiting.items() if index < self._size], found=True)

    async def drain(self, seconds: float) -> None:
        """Let those who wait have so long, then refuse them."""
        if self._waiting:
            await asyncio.wait(self._waiting.values(), timeout=seconds)
        self._ended = True
        self.refuse()

    def refuse(self) -> None:
        """Nobody goes on waiting."""
        _settle(list(self._waiting.values()), found=False)

    def _miss(self, index: int) -> None:
        """Rule 3: one that waited too long; all others wait for the same mirror, and are refused with it."""
        if self._waiting[index].done():
            return
        alarm(UNMIRRORED, log=self._origin, confirmed=self._size, entry=index)
        self._missed = index
        self.refuse()


def _settle(futures: list[asyncio.Future[bool]], *, found: bool) -> None:
    for future in futures:
        if not future.done():
            future.set_result(found)


@dataclass(slots=True)
class Mirrored:
    """The calls of the mirror, for one event loop. `answers`: None where answers do not wait."""

    slot: str
    log: AuditLog
    heads: MirrorHeads
    reader: LogReader
    is_auditor: Callable[[web.Request], bool]
    answers: Answers | None
    _holding: set[asyncio.Future[None]] = field(default_factory=set)
    _ending: bool = False

    def routes(self) -> tuple[web.RouteDef, ...]:
        """The calls."""
        return (
            web.get(PREFIX + "/next/{size:[0-9]{1,16}}", self.next),
            web.post(PREFIX + "/mirrored", self.mirrored),
        )

    async def next(self, request: web.Request) -> web.Response:
        """Rule 1: the next checkpoint."""
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        with suppress(TimeoutError):
            async with asyncio.timeout(HOLD_S):
                await self._above(int(request.match_info["size"]))
        note = await asyncio.to_thread(self.reader.note_for_others)
        return web.Response(body=note, headers=_TEXT)

    async def mirrored(self, request: web.Request) -> web.Response:
        """Rule 1: what the mirror holds; `confirmed` or only `known`."""
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        told = await asyncio.to_thread(self.heads.take, await _body(request))
        if told.confirmed and self.answers is not None:
            self.answers.advance(told.size)
        await asyncio.to_thread(self.heads.keep)
        return web.Response(body=CONFIRMED if told.confirmed else _KNOWN, headers=_TEXT)

    async def lifetime(self, _: web.Application) -> AsyncIterator[None]:
        """Of the application: new heads are told from its start; the highest one held is written down at its end."""
        self.log.on_published(partial(_in_loop, asyncio.get_running_loop(), self._wake))
        yield
        await asyncio.to_thread(self.heads.keep, at_once=True)

    async def end(self, _: web.Application) -> None:
        """Rule 5, while connections still stand. A log that is dead confirms nothing more."""
        if self.answers is not None:
            await self.answers.drain(DRAIN_S if self.log.alive else 0.0)
        self._ending = True
        self._wake()

    async def _above(self, size: int) -> None:
        """Return when the published head is above `size`, or nobody may wait."""
        while self.log.published.size <= size and not self._ending and len(self._holding) < MAX_HOLDING:
            future = asyncio.get_running_loop().create_future()
            self._holding.add(future)
            try:
                await future
            finally:
                self._holding.discard(future)

    def _wake(self) -> None:
        for future in self._holding:
            if not future.done():
                future.set_result(None)

    def _refusal(self, request: web.Request) -> web.Response | None:
        if request.match_info["slot"] != self.slot:
            raise Fault("route_unknown")
        return None if self.is_auditor(request) else problem_response(Problem("auditors_only"))


def _in_loop(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(call)


async def _body(request: web.Request) -> bytes:
    """At most what the application takes."""
    try:
        async with asyncio.timeout(BODY_S):
            return await request.read()
    except TimeoutError:
        raise Fault("request_timeout") from None
