"""`POST /v1/lookups` and `POST /v1/bundles`."""

from collections.abc import Mapping

from contracts.encoding import Json
from contracts.errors import Fault
from contracts.registry import Snapshot
from contracts.schemas import Compiled
from contracts.service_items import Proof
from gateway.access.decide import Granted, Policy, Refused, decide, decide_bundle
from gateway.access.question import read_bundle, read_question
from gateway.access.usage import UsageBook
from gateway.lookup.answer import Frames, compose
from gateway.lookup.bundle import Part, compose_bundle
from gateway.lookup.feeds import feed_of
from gateway.web.calls import Asked, Call, Outcome, answered, refused
from gateway.web.evidence import Evidence
from gateway.web.problems import Problem, problem_of
from gateway.web.schemas import BUNDLE_REQUEST, LOOKUP_REQUEST

LOOKUP = Compiled(LOOKUP_REQUEST)
BUNDLE = Compiled(BUNDLE_REQUEST)


class Rules:
    """What is derived from one registry version."""

    def __init__(self, registry: Snapshot) -> None:
        self.registry = registry
        self.policy = Policy(registry)
        self.frames = Frames(registry.types)


class Lookups:
    """The two calls, over one process's evidence and usage."""

    def __init__(self, evidence: Evidence, usage: UsageBook) -> None:
        self._evidence = evidence
        self._usage = usage
        self._rules: Rules | None = None

    def lookup(self, call: Call, body: Mapping[str, Json]) -> Outcome:
        """One type's evidence."""
        question = read_question(body)
        app, now, rules = call.caller.app.id, call.now, self._rules_of(call.registry)
        granted = decide(call.caller, question, rules.policy, self._usage.of(app, now), now)
        if isinstance(granted, Refused):
            asked = Asked(question.purpose, question.by, (question.evidence_type,))
            return refused(call, Problem(granted.code, granted.pointer), asked)
        self._usage.count(app, granted.item.id, granted.channel, now)
        asked = Asked(question.purpose, granted.by, (question.evidence_type,), granted.channel)
        try:
            feed, rows = self._evidence.find(granted, call.registry, now)
            return answered(call, asked, compose(granted, rows, feed, rules.frames, now))
        except Fault as fault:
            return refused(call, problem_of(fault), asked)

    def bundle(self, call: Call, body: Mapping[str, Json]) -> Outcome:
        """Everything that a service item needs."""
        question = read_bundle(body)
        app, now, rules = call.caller.app.id, call.now, self._rules_of(call.registry)
        granted = decide_bundle(call.caller, question, rules.policy, self._usage.of(app, now), now)
        if isinstance(granted, Refused):
            return refused(call, Problem(granted.code, granted.pointer), Asked(question.purpose, question.holder))
        self._usage.count(app, granted.item.id, granted.channel, now)
        types = tuple(dict.fromkeys(proof.evidence_type for proof in granted.item.proofs))
        asked = Asked(question.purpose, granted.holder, types, granted.channel)
        try:
            parts = [self._part(call, *one) for one in granted.proofs]
            return answered(call, asked, compose_bundle(granted, parts, rules.frames, now))
        except Fault as fault:
            return refused(call, problem_of(fault), asked)

    def _part(self, call: Call, proof: Proof, outcome: Granted | Refused | None) -> Part:
        if not isinstance(outcome, Granted):
            return Part(proof, outcome, feed_of(()))
        return Part(proof, outcome, *self._evidence.find(outcome, call.registry, call.now))

    def _rules_of(self, registry: Snapshot) -> Rules:
        rules = self._rules
        if rules is None or rules.registry is not registry:
            rules = self._rules = Rules(registry)
        return rules
