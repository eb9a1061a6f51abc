"""May this app ask this question? One pure decision; what is not allowed here is refused.

In this order; the first rule that does not hold decides:

1. The registry is in force (not past `valid_until`), and the app is in it.
2. A grant of the app names the service item, and the item exists. An app without the grant cannot tell which items
   exist: both are one code.
3. Of these grants, one covers the channel; of those, one has not run out; of those, one has not used up its day.
4. The item lists a proof of the evidence type, and the registry has the type.
5. The fields asked for are fields of these proofs; asking for none means all of them. `Granted.allowed` says
   which fields each version of the type may show: a proof that pins a version opens no other one.
6. A question about a holder uses a scheme of the type; a question by key field, one of the type's key fields.
   The identifier is brought to its normal form and must then be well formed.

Holders are disclosed as `Granted.holders` says: all of them if the item lists `holders`; else only the one that was
asked for; by key field none.

That item, case and clerk are there is the request schema's rule; what is known of clerk and case is recorded as
`CLERK_ASSURANCE` and `CASE_CHECK`: claimed, and checked for their form only.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final, Protocol

from contracts import identifiers
from contracts.evidence_types import EvidenceType
from contracts.messages import HOLDERS
from contracts.registry.model import App, Grant
from contracts.registry.snapshot import CLOSED, Snapshot
from contracts.service_items import Proof, ServiceItem
from gateway.access.question import BundleQuestion, ByHolder, ByKey, Question

CLERK_ASSURANCE: Final = "claimed"
CASE_CHECK: Final = "format_only"

ALL_HOLDERS, ASKED_HOLDER, NO_HOLDER = "all", "asked", "none"

# Granted questions of one app on one day, by (service item, channel).
Usage = Mapping[tuple[str, str], int]


class Caller(Protocol):
    """Who asks, as authenticated: the app's id and the channel its token is for."""

    @property
    def app_id(self) -> str: ...
    @property
    def channel(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Refused:
    """Why not: `code` of the error table, `pointer` (RFC 6901) into the request."""

    code: str
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class Granted:
    """What may be looked up and shown. `by` is in normal form; `fields` sorted, over all versions of the type."""

    item: ServiceItem
    type: EvidenceType
    by: ByHolder | ByKey
    fields: tuple[str, ...]
    unpinned: frozenset[str]
    pinned: Mapping[int, frozenset[str]]
    holders: str

    def allowed(self, version: int) -> frozenset[str]:
        """The fields that a record of this version of the type may show."""
        return self.unpinned | self.pinned[version] if version in self.pinned else self.unpinned


@dataclass(frozen=True, slots=True)
class BundleGranted:
    """A bundle: each proof of the item, in the item's order, with what it grants or why it cannot be asked for."""

    item: ServiceItem
    holder: ByHolder
    proofs: tuple[tuple[Proof, Granted | Refused], ...]


def decide(caller: Caller, question: Question, registry: Snapshot, usage: Usage, now: int) -> Granted | Refused:
    """The decision on a lookup. `now` in Unix ms."""
    item = decide_item(caller, question.purpose.item, registry, usage, now)
    if isinstance(item, Refused):
        return item
    proofs = item.proofs_of(question.evidence_type)
    evidence_type = registry.current_types.get(question.evidence_type)
    if not proofs or evidence_type is None:
        return Refused("type_not_listed", "/evidence_type")
    listed = frozenset(chain.from_iterable(proof.fields for proof in proofs))
    if question.fields is not None:
        for index, name in enumerate(question.fields):
            if name not in listed:
                return Refused("field_not_listed", f"/fields/{index}")
    by = _by(question.by, evidence_type)
    if isinstance(by, Refused):
        return by
    fields = listed if question.fields is None else frozenset(question.fields)
    return _granted(item, evidence_type, by, proofs, fields)


def decide_bundle(
    caller: Caller, question: BundleQuestion, registry: Snapshot, usage: Usage, now: int
) -> BundleGranted | Refused:
    """The decision on a bundle: one question of the app, each proof with the fields of its own.

    A holder that no proof of the item can be about is refused; one that only some can be about is not.
    """
    item = decide_item(caller, question.purpose.item, registry, usage, now)
    if isinstance(item, Refused):
        return item
    proofs = tuple((proof, _proof(item, proof, question.holder, registry)) for proof in item.proofs)
    refusals = [outcome for _, outcome in proofs if isinstance(outcome, Refused)]
    if len(refusals) == len(proofs):
        return refusals[0]
    holder = next(outcome.by for _, outcome in proofs if isinstance(outcome, Granted))
    return BundleGranted(item, holder, proofs) if isinstance(holder, ByHolder) else refusals[0]


def decide_item(caller: Caller, item_id: str, registry: Snapshot, usage: Usage, now: int) -> ServiceItem | Refused:
    """Rules 1 to 3."""
    if registry.freshness(now) == CLOSED:
        return Refused("registry_expired")
    app = registry.apps.get(caller.app_id)
    if app is None:
        return Refused("app_unknown")
    item = registry.items.get(item_id)
    grants: Iterable[Grant] = app.grants
    for code, holds in (
        ("item_not_granted", lambda grant: item_id in grant.service_items),
        ("channel_not_granted", lambda grant: caller.channel in grant.channels),
        ("grant_expired", lambda grant: now < grant.until),
        ("limit_reached", lambda grant: used(grant, usage) < grant.per_day),
    ):
        grants = [grant for grant in grants if holds(grant)]
        if not grants:
            return Refused(code)
    return item or Refused("item_not_granted")  # granted, but not in this registry


def used(grant: Grant, usage: Usage) -> int:
    """How many of today's granted questions count against `grant`: those on its items and channels."""
    return sum(usage.get((item, channel), 0) for item in grant.service_items for channel in grant.channels)


def visible_items(app: App, channel: str, registry: Snapshot, now: int) -> tuple[ServiceItem, ...]:
    """The service items that the app may use on this channel now, in registry order: what its catalogue shows."""
    granted = {
        item
        for grant in app.grants
        if channel in grant.channels and now < grant.until
        for item in grant.service_items
    }  # fmt: skip
    return tuple(item for item in registry.contents.service_items if item.id in granted)


def _proof(item: ServiceItem, proof: Proof, holder: ByHolder, registry: Snapshot) -> Granted | Refused:
    evidence_type = _type_of(proof, registry)
    if evidence_type is None:
        return Refused("type_not_listed")
    by = _by_holder(holder, evidence_type, "/holder")
    if isinstance(by, Refused):
        return by
    return _granted(item, evidence_type, by, (proof,), frozenset(proof.fields))


def _type_of(proof: Proof, registry: Snapshot) -> EvidenceType | None:
    if proof.version is None:
        return registry.current_types.get(proof.evidence_type)
    return registry.types.get(f"urn:oncegate:{proof.evidence_type}:{proof.version}")


def _granted(
    item: ServiceItem,
    evidence_type: EvidenceType,
    by: ByHolder | ByKey,
    proofs: tuple[Proof, ...],
    fields: frozenset[str],
) -> Granted:
    pinned = {proof.version: fields.intersection(proof.fields) for proof in proofs if proof.version is not None}
    unpinned = (proof.fields for proof in proofs if proof.version is None)
    holders = ALL_HOLDERS if HOLDERS in fields else ASKED_HOLDER if isinstance(by, ByHolder) else NO_HOLDER
    opened = fields.intersection(chain.from_iterable(unpinned))
    return Granted(item, evidence_type, by, tuple(sorted(fields)), opened, pinned, holders)


def _by(by: ByHolder | ByKey, evidence_type: EvidenceType) -> ByHolder | ByKey | Refused:
    """Rule 6."""
    return _by_holder(by, evidence_type, "/by/holder") if isinstance(by, ByHolder) else _by_key(by, evidence_type)


def _by_holder(holder: ByHolder, evidence_type: EvidenceType, pointer: str) -> ByHolder | Refused:
    if holder.scheme not in evidence_type.holder_schemes:
        return Refused("scheme_not_allowed", f"{pointer}/scheme")
    identifier = identifiers.normalise(holder.scheme, holder.id)
    if not identifiers.check(holder.scheme, identifier):
        return Refused("identifier_invalid", f"{pointer}/id")
    return ByHolder(holder.scheme, identifier)


def _by_key(key: ByKey, evidence_type: EvidenceType) -> ByKey | Refused:
    if key.field not in evidence_type.key_fields:
        return Refused("not_a_key_field", "/by")
    form = evidence_type.key_format(key.field)
    value = identifiers.normalise(form, key.value)
    if not value or (form in identifiers.FORMATS and not identifiers.check(form, value)):
        return Refused("identifier_invalid", f"/by/{key.field}")
    return ByKey(key.field, value)
