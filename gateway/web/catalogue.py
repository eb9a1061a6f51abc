"""`GET /v1/service-items`, `/v1/evidence-types` and `/v1/evidence-types/{id}/schema`: what this app may use.

1. The service items are those of the app's grants that have not run out.
2. The evidence types are those that these items need, in the version in force or the one that a proof pins.
3. The schema of a type is that of answers to a service item: with the fields that the item lists, for every registered
   version, because records of each may be answered. `service_item` is the one query parameter that the interface
   takes: it names nobody.
"""

from collections.abc import Iterable

import orjson
from aiohttp import web

from contracts.encoding import Json
from contracts.errors import Fault
from contracts.evidence_types import EvidenceType
from contracts.projection import projection
from contracts.registry import Snapshot
from contracts.service_items import ServiceItem
from gateway.access.decide import listing_of, type_of, visible_items
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


async def schema(call: Call, request: web.Request) -> Outcome:
    """Rule 3; raises `Fault` for what the app may not use."""
    item = next((one for one in _items(call) if one.id == request.query.get("service_item")), None)
    if item is None:
        raise Fault("item_not_granted", "/service_item")
    proofs = item.proofs_of(request.match_info["id"])
    if not proofs:
        raise Fault("type_not_listed")
    fields = frozenset(name for proof in proofs for name in proof.fields)
    versions = call.registry.versions.get(proofs[0].evidence_type, ())
    shown = [(one, listing_of(one, proofs, fields).allowed(one.version)) for one in versions]
    return _listed(
        call, "schemas", [{"evidence_type": one.vct, "schema": projection(one, names)} for one, names in shown]
    )


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
