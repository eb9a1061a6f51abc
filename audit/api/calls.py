"""The calls: who asks, the question, its record, then its answer.

1. A question is worked on, recorded with what came of it, and only then answered. Nothing is shown that is not in the
   log of questions. Sizes of logs, and that nothing waits, show nothing of anybody and are not recorded.
2. A question about a holder is held until a second auditor agreed (`approvals`); asking, agreeing, refusing, letting it
   expire and every look at the answer are recorded, each with who did it.
3. Decisions are taken one after the other: what was recorded is what counts.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import orjson
from aiohttp import web

from audit.api import bodies, schemas
from audit.api.approvals import AGREED, WAIT_MS, WAITING, Approvals, Pending, same
from audit.api.asking import Answered, Prepared, token_of
from audit.api.asking import need as need_keys
from audit.api.callers import APPROVE, SEARCH, Auditor, need
from audit.api.lanes import Lane, Work
from audit.api.problems import HEADERS
from audit.api.proving import entry
from audit.api.questions import Desk, Kind
from audit.api.recorder import Recorder
from audit.search.filters import Cursor, parse_cursor
from audit.search.output import time_text
from audit.search.own_log import Question
from contracts.encoding import Json
from contracts.errors import Corrupt, Fault, UserError

CALLER: Final = web.RequestKey("CALLER", Auditor)

_WAITING = "waiting_for_second_auditor"


@dataclass(frozen=True, slots=True)
class Calls:
    """What the calls share. `clock` gives Unix ms."""

    desk: Desk
    short: Lane
    long: Lane
    recorder: Recorder
    clock: Callable[[], int]
    following: Callable[[], Mapping[str, str]]
    approvals: Approvals = field(default_factory=Approvals)
    deciding: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def question(self, kind: Kind, request: web.Request) -> web.Response:
        """`POST` of a kind (rules 1 and 2)."""
        auditor = request[CALLER]
        need(auditor, kind.role)
        lane = self.long if kind.long else self.short
        async with lane.place():
            given = await bodies.read(request, kind.schema, kind.most, kind.file, kind.needs_file)
            words = {"purpose": given.body["purpose"]}

            def work(work: Work) -> tuple[Prepared, Answered | None, list[tuple[str, int]]]:
                prepared = kind.prepare(given, work, self.desk)
                return prepared, None if prepared.subject is not None else prepared.ask(work, None), work.logs

            prepared, answered, logs = await lane.run(work)
            if answered is None:
                return await self._hold(kind, auditor, prepared, words, logs)
            facts = prepared.facts | answered.facts
            asked = Question(kind.command, (auditor.id,), facts, answered.count, logs)
            sealed = {**words, **prepared.sealed}
            return _answer({"recorded": await self.recorder.keep(asked, sealed), **answered.members, **prepared.warned})

    async def result(self, kind: Kind, request: web.Request) -> web.Response:
        """`GET` of a question that waited (rule 2); `after` is the one query parameter there is."""
        auditor = request[CALLER]
        need(auditor, kind.role)
        after = _cursor(request)
        pending = self.approvals.agreed(request.match_info["id"], kind.command, auditor.id, self.clock())
        if pending.state == WAITING:
            return _answer({"id": pending.id, "state": _WAITING, "expires": time_text(pending.expires)}, 202)
        prepared: Prepared = pending.question
        lane = self.long if kind.long else self.short

        def work(work: Work) -> tuple[Answered, list[tuple[str, int]]]:
            need_keys(work, self.desk.tokens, ("holder",))  # an index that was built again has other tokens
            return prepared.ask(work, after), work.logs

        async with lane.place():
            answered, logs = await lane.run(work)
            who = (auditor.id, pending.second or "")
            facts = prepared.facts | answered.facts | {"approval": pending.id}
            asked = Question(kind.command, who, facts, answered.count, logs)
            kept = await self.recorder.keep(asked, prepared.sealed)
            return _answer({"recorded": kept, **answered.members, **prepared.warned})

    async def entry(self, request: web.Request) -> web.Response:
        """`GET /v1/entries/{log}/{index}`."""
        auditor = request[CALLER]
        need(auditor, SEARCH)
        bodies.no_query(request)
        log, position = request.match_info["log"], int(request.match_info["index"])
        async with self.short.place():
            (leaf, proof), logs = await self.short.run(lambda work: (entry(work, log, position), work.logs))
            facts: dict[str, Json] = {"log": log, "position": position}
            recorded = await self.recorder.keep(Question("entry", (auditor.id,), facts, 1, logs))
        try:
            record = leaf.decode()
        except UnicodeDecodeError:
            raise Fault("entry_unknown", detail="not a text") from None
        return _answer({"recorded": recorded, "log": log, "position": position, "record": record, "proof": proof})

    async def logs(self, request: web.Request) -> web.Response:
        """`GET /v1/logs`."""
        bodies.no_query(request)
        async with self.short.place():
            found = await self.short.run(lambda work: _logs(work, self.following()))
        return _answer({"logs": found})

    async def waiting(self, request: web.Request) -> web.Response:
        """`GET /v1/approvals`: what others ask for, and why; never about whom."""
        auditor = request[CALLER]
        need(auditor, APPROVE)
        bodies.no_query(request)
        found = self.approvals.for_others(auditor.id, self.clock())
        if not found:
            return _answer({"approvals": []})
        facts: dict[str, Json] = {"approvals": [one.id for one in found]}
        recorded = await self.recorder.keep(Question("approvals", (auditor.id,), facts, len(found), []))
        return _answer({"recorded": recorded, "approvals": [_pending_json(one) for one in found]})

    async def decide(self, request: web.Request) -> web.Response:
        """`POST /v1/approvals/{id}` (rules 2 and 3)."""
        auditor = request[CALLER]
        need(auditor, APPROVE)
        async with self.short.place():
            given = await bodies.read(request, schemas.DECISION, schemas.MAX_BODY, None, needed=False)
        named, agrees = self._named(given.body), given.body["decision"] == "agree"
        async with self.deciding:
            name, now = request.match_info["id"], self.clock()
            decided = self.approvals.decided(name, auditor.id, now, agrees, lambda one: same(one.subject, named))
            right = not agrees or decided.state == AGREED
            facts: dict[str, Json] = {"approval": name, "asked_by": decided.by, "mistakes": decided.mistakes}
            command = given.body["decision"] if right else "mismatch"
            words = {"note": given.body["note"]} if "note" in given.body else {}
            recorded = await self.recorder.keep(Question(command, (auditor.id,), facts, 0, []), words)
            self.approvals.put(decided)
        if not right:
            raise Fault("approval_mismatch")
        members = {"recorded": recorded, "id": name, "state": decided.state, "expires": time_text(decided.expires)}
        return _answer(members)

    async def own_log(self, request: web.Request) -> web.Response:
        """`GET /v1/own-log`."""
        bodies.no_query(request)
        log = self.recorder.log
        return _answer(
            {"origin": log.origin, "vkey": log.verifier.vkey, "size": log.size, "published": log.published.size}
        )

    async def sweep(self) -> None:
        """Record what expired (rules 2 and 3)."""
        async with self.deciding:
            for one in self.approvals.expired(self.clock()):
                facts: dict[str, Json] = {"approval": one.id, "was": one.state}
                await self.recorder.keep(Question("expire", (one.by,), facts, 0, []))

    async def _hold(
        self, kind: Kind, auditor: Auditor, prepared: Prepared, words: Mapping[str, str], logs: list[tuple[str, int]]
    ) -> web.Response:
        self.approvals.room_for(auditor.id)
        now, name = self.clock(), secrets.token_hex(16)
        shown = {**words, **prepared.shown}
        question, subject = replace(prepared, shown={}), prepared.subject or b""
        pending = Pending(name, kind.command, auditor.id, now, now + WAIT_MS, shown, subject, question)
        facts = prepared.facts | {"approval": name, "call": kind.command}
        sealed = {**words, **prepared.sealed}
        recorded = await self.recorder.keep(Question("ask", (auditor.id,), facts, 0, logs), sealed)
        self.approvals.put(pending)
        result = f"{kind.path}/{name}"
        members = {"recorded": recorded, "id": name, "state": _WAITING, "expires": time_text(pending.expires)}
        return _answer({**members, "result": result, **prepared.warned}, 202, {"Location": result})

    def _named(self, body: Mapping[str, Json]) -> bytes:
        """What the second auditor came to: digest of a file, token of a holder, or both in this order."""
        digest = bytes.fromhex(body["digest"].partition(":")[2]) if "digest" in body else b""
        return digest + ((token_of(body["holder"], self.desk.tokens) or b"") if "holder" in body else b"")


def _cursor(request: web.Request) -> Cursor | None:
    if not request.rel_url.raw_query_string:
        return None
    after = parse_cursor(request.rel_url.query.get("after", ""))
    if after is None or len(request.rel_url.query) > 1:
        raise Fault("query_refused")
    return after


def _pending_json(one: Pending) -> dict[str, Json]:
    times = {"asked": time_text(one.asked), "expires": time_text(one.expires)}
    return {"id": one.id, "call": one.call, "asked_by": one.by, **times, **one.shown}


def _logs(work: Work, states: Mapping[str, str]) -> list[dict[str, Json]]:
    found = []
    for log in work.index.logs.values():
        head = _head(work, log.origin)
        found.append(
            {
                "origin": log.origin,
                "indexed": log.size,
                "head": head,
                "lag": None if head is None else max(0, head - log.size),
                "no_access_records": log.other,
                "erased": log.erased,
                "state": states.get(log.origin, "not_followed"),
            }
        )
    return found


def _head(work: Work, origin: str) -> int | None:
    """How long the copy of a log is now; None when it is away, or its head not signed."""
    try:
        return work.index.reader(work.index.log(origin)).checkpoint().size
    except (UserError, Fault, Corrupt, OSError):
        return None


def _answer(members: Mapping[str, Json], status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    body = orjson.dumps({"api_version": schemas.API_VERSION, **members})
    every = {**HEADERS, **(headers or {})}
    return web.Response(body=body, status=status, content_type="application/json", headers=every)
