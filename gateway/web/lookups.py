"""`POST /v1/lookups` and `POST /v1/bundles`."""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from contracts.errors import Fault
from contracts.registry import Snapshot
from contracts.schemas import Compiled
from gateway.access.decide import BundleGranted, Granted, Refused, decide, decide_bundle
from gateway.access.question import BundleQuestion, Question, read_bundle, read_question
from gateway.access.usage import UsageBook
from gateway.lookup.answer import Answer, Frames, compose
from gateway.lookup.bundle import Part, compose_bundle
from gateway.lookup.feeds import feed_of
from gateway.web.calls import Asked, Call, Outcome, answered, read_json, refused
from gateway.web.evidence import Evidence
from gateway.web.problems import Problem, problem_of
from gateway.web.schemas import BUNDLE_REQUEST, LOOKUP_REQUEST

_LOOKUP = Compiled(LOOKUP_REQUEST)
_BUNDLE = Compiled(BUNDLE_REQUEST)


class FramesOf:
    """The frames of the registry version in force."""

    def __init__(self) -> None:
        self._registry: Snapshot | None = None
        self._frames = Frames({})

    def __call__(self, registry: Snapshot) -> Frames:
        if registry is not self._registry:
            self._registry, self._frames = registry, Frames(registry.types)
        return self._frames


@dataclass(frozen=True, slots=True)
class Lookups:
    """The two calls, over one process's evidence and usage."""

    evidence: Evidence
    usage: UsageBook
    frames: FramesOf

    async def lookup(self, call: Call, request: web.Request) -> Outcome:
        """One type's evidence."""
        question = read_question(await read_json(request, _LOOKUP))
        asked = Asked(question.purpose, question.by, (question.evidence_type,))
        granted = self._decide(call, question)
        if isinstance(granted, Refused):
            return refused(call, Problem(granted.code, granted.pointer), asked)
        asked = Asked(question.purpose, granted.by, asked.evidence_types, granted.channel)
        return _finish(call, asked, lambda: self._answer(call, granted))

    async def bundle(self, call: Call, request: web.Request) -> Outcome:
        """Everything that a service item needs."""
        question = read_bundle(await read_json(request, _BUNDLE))
        granted = self._decide_bundle(call, question)
        if isinstance(granted, Refused):
            return refused(call, Problem(granted.code, granted.pointer), Asked(question.purpose, question.holder))
        types = tuple(dict.fromkeys(proof.evidence_type for proof in granted.item.proofs))
        asked = Asked(question.purpose, granted.holder, types, granted.channel)
        return _finish(call, asked, lambda: self._bundle_answer(call, granted))

    def _decide(self, call: Call, question: Question) -> Granted | Refused:
        app, now = call.caller.app.id, call.now
        decision = decide(call.caller, question, call.registry, self.usage.of(app, now), now)
        if isinstance(decision, Granted):
            self.usage.count(app, decision.item.id, decision.channel, now)
        return decision

    def _decide_bundle(self, call: Call, question: BundleQuestion) -> BundleGranted | Refused:
        app, now = call.caller.app.id, call.now
        decision = decide_bundle(call.caller, question, call.registry, self.usage.of(app, now), now)
        if isinstance(decision, BundleGranted):
            self.usage.count(app, decision.item.id, decision.channel, now)
        return decision

    def _answer(self, call: Call, granted: Granted) -> Answer:
        feed, rows = self.evidence.find(granted, call.registry, call.now)
        return compose(granted, rows, feed, self.frames(call.registry))

    def _bundle_answer(self, call: Call, granted: BundleGranted) -> Answer:
        parts = []
        for proof, outcome in granted.proofs:
            if isinstance(outcome, Granted):
                parts.append(Part(proof, outcome, *self.evidence.find(outcome, call.registry, call.now)))
            else:
                parts.append(Part(proof, outcome, feed_of(())))
        return compose_bundle(granted, parts, self.frames(call.registry))


def _finish(call: Call, asked: Asked, answer: Callable[[], Answer]) -> Outcome:
    try:
        return answered(call, asked, answer())
    except Fault as fault:
        return refused(call, problem_of(fault), asked)
