"""May this app ask this question? One pure decision; what is not allowed here is refused.

In this order; the first rule that does not hold decides:

1. The registry is in force (not past `valid_until`), and the app is in it.
2. A grant of the app names the service item, and the item exists. An app without the grant cannot tell which items
   exist: both are one code.
3. Of these grants, one covers the channel; of those, one has not run out; of those, one has not used up its day.
   The channel is the one that the request names; it may be left out where these grants have only one.
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
from typing import Final

from contracts import identifiers
from contracts.disclosures import HOLDERS
from contracts.evidence_types import EvidenceType
from contracts.registry.model import App, Grant
from contracts.registry.snapshot import CLOSED, Snapshot
from contracts.service_items import Proof, ServiceItem
from gateway.access.question import BundleQuestion, ByHolder, ByKey, Purpose, Question
from gateway.tokens.values import Caller

CLERK_ASSURANCE: Final = "claimed"
CASE_CHECK: Final = "format_only"

ALL_HOLDERS, ASKED_HOLDER, NO_HOLDER = "all", "asked", "none"

# Granted questions of one app on one day, by (service item, channel).
Usage = Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Refused:
    """Why not: `code` of the error table, `pointer` (RFC 6901) into the request."""

    code: str
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class Admitted:
    """The app may use this service item, on this channel."""

    item: ServiceItem
    channel: str


@dataclass(frozen=True, slots=True)
class Granted:
    """What may be looked up and shown. `by` is in normal form; `fields` sorted, over all versions of the type."""

    item: ServiceItem
    channel: str
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
    channel: str
    holder: ByHolder
    proofs: tuple[tuple[Proof, Granted | Refused], ...]


def decide(caller: Caller, question: Question, registry: Snapshot, usage: Usage, now: int) -> Granted | Refused:
    """The decision on a lookup. `now` in Unix ms."""
    admitted = admit(caller, question.purpose, registry, usage, now)
    if isinstance(admitted, Refused):
        return admitted
    proofs = admitted.item.proofs_of(question.evidence_type)
    evidence_type = registry.current_types.get(question.evidence_type)
    if not proofs or evidence_type is None:
        return Refused("type_not_listed", "/evidence_type")
    listed = frozenset(chain.from_iterable(proof.fields for proof in proofs))
    fields = listed if question.fields is None else frozenset(question.fields)
    if not fields <= listed:
        first = next(at for at, name in enumerate(question.fields or ()) if name not in listed)
        return Refused("field_not_listed", f"/fields/{first}")
    by = _by(question.by, evidence_type)
    return by if isinstance(by, Refused) else _granted(admitted, evidence_type, by, proofs, fields)


def decide_bundle(
    caller: Caller, question: BundleQuestion, registry: Snapshot, usage: Usage, now: int
) -> BundleGranted | Refused:
    """The decision on a bundle: one question of the app, each proof with the fields of its own.

    A holder that no proof of the item can be about is refused; one that only some can be about is not.
    """
    admitted = admit(caller, question.purpose, registry, usage, now)
    if isinstance(admitted, Refused):
        return admitted
    proofs = tuple((proof, _proof(admitted, proof, question.holder, registry)) for proof in admitted.item.proofs)
    holder = next((outcome.by for _, outcome in proofs if isinstance(outcome, Granted)), None)
    if isinstance(holder, ByHolder):
        return BundleGranted(admitted.item, admitted.channel, holder, proofs)
    return next(outcome for _, outcome in proofs if isinstance(outcome, Refused))


def admit(caller: Caller, purpose: Purpose, registry: Snapshot, usage: Usage, now: int) -> Admitted | Refused:
    """Rules 1 to 3."""
    if registry.freshness(now) == CLOSED:
        return Refused("registry_expired")
    app = registry.apps.get(caller.app.id)
    if app is None:
        return Refused("app_unknown")
    item = registry.items.get(purpose.item)
    grants: Iterable[Grant] = [grant for grant in app.grants if purpose.item in grant.service_items]
    if item is None or not grants:
        return Refused("item_not_granted", "/service_item")
    channel = purpose.channel or _only_channel(grants)
    if channel is None:
        return Refused("channel_missing", "/channel")
    for code, holds in (
        ("channel_not_granted", lambda grant: channel in grant.channels),
        ("grant_expired", lambda grant: now < grant.until),
        ("limit_reached", lambda grant: used(grant, usage) < grant.per_day),
    ):
        grants = [grant for grant in grants if holds(grant)]
        if not grants:
            return Refused(code)
    return Admitted(item, channel)


def _only_channel(grants: Iterable[Grant]) -> str | None:
    channels = {channel for grant in grants for channel in grant.channels}
    return channels.pop() if len(channels) == 1 else None


def used(grant: Grant, usage: Usage) -> int:
    """How many of today's granted questions count against `grant`: those on its items and channels."""
    return sum(usage.get((item, channel), 0) for item in grant.service_items for channel in grant.channels)


def visible_items(app: App, registry: Snapshot, now: int) -> tuple[ServiceItem, ...]:
    """The service items that the app may use now, in registry order: what its catalogue shows."""
    granted = {item for grant in app.grants if now < grant.until for item in grant.service_items}
    return tuple(item for item in registry.contents.service_items if item.id in granted)


def _proof(admitted: Admitted, proof: Proof, holder: ByHolder, registry: Snapshot) -> Granted | Refused:
    evidence_type = type_of(proof, registry)
    if evidence_type is None:
        return Refused("type_not_listed")
    by = _by_holder(holder, evidence_type, "/holder")
    return by if isinstance(by, Refused) else _granted(admitted, evidence_type, by, (proof,), frozenset(proof.fields))


def type_of(proof: Proof, registry: Snapshot) -> EvidenceType | None:
    """The version of the type that the proof means: the one that it pins, or the one in force."""
    if proof.version is None:
        return registry.current_types.get(proof.evidence_type)
    return registry.types.get(f"urn:oncegate:{proof.evidence_type}:{proof.version}")


def _granted(
    admitted: Admitted,
    evidence_type: EvidenceType,
    by: ByHolder | ByKey,
    proofs: tuple[Proof, ...],
    fields: frozenset[str],
) -> Granted:
    """What the proofs open of `fields`, version by version (rule 5)."""
    pinned: dict[int, frozenset[str]] = {}
    for proof in proofs:
        if proof.version is not None:
            pinned[proof.version] = pinned.get(proof.version, frozenset()) | fields.intersection(proof.fields)
    unpinned = fields.intersection(chain.from_iterable(proof.fields for proof in proofs if proof.version is None))
    holders = ALL_HOLDERS if HOLDERS in fields else ASKED_HOLDER if isinstance(by, ByHolder) else NO_HOLDER
    return Granted(admitted.item, admitted.channel, evidence_type, by, tuple(sorted(fields)), unpinned, pinned, holders)


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
