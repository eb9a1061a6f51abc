"""`GET /v1/service-items` and `GET /v1/evidence-types`: what this app may use, and nothing else.

1. The service items are those of the app's grants that have not run out.
2. The evidence types are those that these items need, in the version in force or the one that a proof pins.
"""

from collections.abc import Iterable

import orjson
from aiohttp import web

from contracts.encoding import Json
from contracts.evidence_types import EvidenceType
from contracts.registry import Snapshot
from contracts.service_items import ServiceItem
from gateway.access.decide import type_of, visible_items
from gateway.access.usage import GRANTED
from gateway.web.calls import Asked, Call, Outcome, access_facts


async def service_items(call: Call, request: web.Request) -> Outcome:
    """The service items that this app may use."""
    del request
    return _listed(call, "service_items", [item.to_json() for item in _items(call)])


async def evidence_types(call: Call, request: web.Request) -> Outcome:
    """The evidence types that these items need."""
    del request
    types = types_of(_items(call), call.registry, call.now)
    return _listed(call, "evidence_types", [{**one.to_json(), "vct": one.vct} for one in types])


def types_of(items: Iterable[ServiceItem], registry: Snapshot, now: int) -> list[EvidenceType]:
    """Rule 2, in the order of first mention."""
    found = (type_of(proof, registry, now) for item in items for proof in item.proofs)
    return list({one.vct: one for one in found if one is not None}.values())


def _items(call: Call) -> tuple[ServiceItem, ...]:
    app = call.registry.apps.get(call.caller.app.id)
    return () if app is None else visible_items(app, call.registry, call.now)


def _listed(call: Call, name: str, forms: list[dict[str, Json]]) -> Outcome:
    facts = access_facts(call, Asked(), GRANTED, None)
    return Outcome(facts, orjson.dumps({name: forms})[1:-1])
