"""`POST /v1/corrections`: a clerk says that data is wrong.

1. Who may look the fields up may say that they are wrong; a request counts against the grant's day like a lookup. The
   record must be one that this node has of the type, and that is still supplied.
2. The request is on disk before its access record is written, and goes to the department only when the record is in the
   log (`gateway.corrections.run`): nothing is asked of a department unrecorded, and nothing that was answered is lost.
3. The leaf says which type, which fields and why: `fields` are those that are said to be wrong, `reason` is the
   clerk's; the record's id is in the opening, like that of a lookup. Nothing is released.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import orjson
import structlog
from aiohttp import web

from contracts.corrections import Correction
from contracts.encoding import Json
from contracts.errors import Fault
from contracts.registry import Snapshot
from contracts.schemas import Compiled
from contracts.streams import Stream
from gateway.access.decide import CorrectionGranted, Policy, Refused, decide_correction
from gateway.access.question import CorrectionQuestion, read_correction
from gateway.access.usage import GRANTED, UsageBook
from gateway.corrections.judge import Open
from gateway.corrections.spool import Desk, Spool
from gateway.lookup.feeds import timestamp
from gateway.store.rows import COUNTED, Row
from gateway.web.calls import BODY_SECONDS, Asked, Call, Outcome, access_facts, checked_json, refused
from gateway.web.evidence import Evidence
from gateway.web.problems import Problem, problem_of
from gateway.web.schemas import CORRECTION_REQUEST

CORRECTION: Final = Compiled(CORRECTION_REQUEST)
_DAY_MS: Final = 86_400_000

_log = structlog.get_logger("oncegate.serve")


class Corrections:
    """The call. `log_size` gives the size of the audit log; `gate` raises `Fault` while no question is answered."""

    def __init__(
        self,
        evidence: Evidence,
        usage: UsageBook,
        desk: Desk | None,
        log_size: Callable[[], int],
        gate: Callable[[], None] | None,
    ) -> None:
        self._evidence, self._usage, self._desk = evidence, usage, desk
        self._log_size, self._gate = log_size, gate
        self._policy: Policy | None = None

    async def correct(self, call: Call, request: web.Request) -> Outcome:
        """One correction request; raises `Fault`."""
        if self._gate is not None:
            self._gate()
        question = read_correction(checked_json(request, await _body(request), CORRECTION))
        app, now = call.caller.app.id, call.now
        granted = decide_correction(
            call.caller, question, self._policy_of(call.registry), self._usage.of(app, now), now
        )
        asked = Asked(question.purpose, None, (question.evidence_type,))
        if isinstance(granted, Refused):
            return refused(call, Problem(granted.code, granted.pointer), asked)
        self._usage.count(app, granted.item.id, granted.channel, now)
        try:
            return await self._taken(call, question, granted, asked._replace(channel=granted.channel))
        except Fault as fault:
            outcome = refused(call, problem_of(fault), asked._replace(channel=granted.channel))
            # Who tries record ids is to be seen by the auditor: which ones, in the opening.
            return outcome._replace(facts=replace(outcome.facts, records=(question.record,)))

    async def _taken(
        self, call: Call, question: CorrectionQuestion, granted: CorrectionGranted, asked: Asked
    ) -> Outcome:
        if self._desk is None:
            raise Fault("correction_unavailable")
        stream, row = self._find(call.registry, question)
        correction = Correction(
            id=call.transaction,
            node=self._desk.node,
            organisation=stream.organisation,
            adapter=stream.adapter,
            evidence_type=stream.evidence_type,
            record=question.record,
            identity=row.identity,
            fields=tuple(sorted(question.fields or ())),
            reason=question.reason,
            service_item=granted.item.id,
            asked_at=call.now,
            due_at=call.now + self._desk.days * _DAY_MS,
        )
        await _kept(self._desk, Open(correction, row.position, self._log_size()))
        return _answer(call, correction, asked)

    def _find(self, registry: Snapshot, question: CorrectionQuestion) -> tuple[Stream, Row]:
        """Rule 1."""
        for stream in registry.streams_by_type.get(question.evidence_type, ()):
            row = self._evidence.row(stream, question.record)
            if row is not None and row.condition in COUNTED:
                return stream, row
        raise Fault("correction_record_unknown", "/record")

    def _policy_of(self, registry: Snapshot) -> Policy:
        policy = self._policy
        if policy is None or policy.registry is not registry:
            policy = self._policy = Policy(registry)
        return policy


def _answer(call: Call, correction: Correction, asked: Asked) -> Outcome:
    """Rule 3."""
    facts = access_facts(
        call,
        asked,
        GRANTED,
        correction.reason,
        fields={correction.evidence_type: correction.fields},
        records=(correction.record,),
    )
    form: Mapping[str, Json] = {"correction": correction.id, "due": timestamp(correction.due_at // 1000)}
    return Outcome(facts, orjson.dumps(form)[1:-1])


async def _kept(desk: Desk, one: Open) -> None:
    try:
        full = await asyncio.to_thread(_keep, desk.spool, one)
    except OSError as error:
        _log.error("correction_not_kept", error=type(error).__name__)
        raise Fault("correction_unavailable") from None
    if full:
        _log.error("correction_not_kept", error="too many are open")
        raise Fault("correction_unavailable")


def _keep(spool: Spool, one: Open) -> bool:
    """Put it on disk, unless there are too many: whether there are."""
    if full := spool.full:
        return full
    spool.keep(one)
    return False


async def _body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise Fault("request_timeout") from None
