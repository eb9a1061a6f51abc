"""May this app ask this question? One pure decision; what is not allowed here is refused.

In this order; the first rule that does not hold decides:

1. The registry is in force (not past `valid_until`), and the app is in it.
2. A grant of the app names the service item, and the item exists. An app without the grant cannot tell which items
   exist: both are one code.
3. Of these grants, one covers the channel; of those, one has not run out; of those, one has not used up its day.
   The channel is the one that the request names; it may be left out where these grants have only one.
4. Facts that are declared are the item's; a bundle declares all of them. The item lists a proof of the evidence type
   that applies under them, and the registry has a version of the type that is in force today.
5. The fields asked for are fields of these proofs; asking for none means all of them. `Listing.allowed` says
   which fields each version of the type may show: a proof that pins a version opens no other one.
6. A question about a holder uses a scheme of the type; a question by key field, one of the type's key fields.
   The identifier is brought to its normal form and must then be well formed.

Holders are disclosed as `Granted.holders` says, version by version: all of them if the item lists `holders` for it;
else only the one that was asked for; by key field none.

That item, case and clerk are there is the request schema's rule; what is known of clerk and case is recorded as
`CLERK_ASSURANCE` and `CASE_CHECK`: claimed, and checked for their form only.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple, TypeVar

from contracts import identifiers
from contracts.disclosures import HOLDERS
from contracts.evidence_types import EvidenceType, vct_of
from contracts.registry.model import App, Grant
from contracts.registry.snapshot import CLOSED, Snapshot
from contracts.service_items import Facts, Proof, ServiceItem
from gateway.access.question import BundleQuestion, ByHolder, ByKey, CorrectionQuestion, Purpose, Question
from gateway.tokens.values import Caller

K = TypeVar("K")
V = TypeVar("V")

CLERK_ASSURANCE: Final = "claimed"
CASE_CHECK: Final = "format_only"

ALL_HOLDERS, ASKED_HOLDER, NO_HOLDER = "all", "asked", "none"

Declared = tuple[tuple[str, bool], ...]  # facts, sorted: what can be a key

# Granted questions of one app on one day, by (service item, channel).
Usage = Mapping[tuple[str, str], int]

MAX_REMEMBERED: Final = 4096


class Refused(NamedTuple):
    """Why not: `code` of the error table, `pointer` (RFC 6901) into the request."""

    code: str
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class Admission:
    """What an app holds of one service item on one channel; never empty."""

    item: ServiceItem
    channel: str
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a service item opens of one evidence type. `fields` sorted, over all versions of the type."""

    type: EvidenceType
    fields: tuple[str, ...]
    unpinned: frozenset[str]
    pinned: Mapping[int, frozenset[str]]

    def allowed(self, version: int) -> frozenset[str]:
        """The fields that a record of this version of the type may show."""
        return self.unpinned | self.pinned[version] if version in self.pinned else self.unpinned


class Granted(NamedTuple):
    """What may be looked up and shown. `by` is in normal form. `history`: superseded records too."""

    item: ServiceItem
    channel: str
    listing: Listing
    by: ByHolder | ByKey
    history: bool = False

    @property
    def type(self) -> EvidenceType:
        return self.listing.type

    def holders(self, allowed: frozenset[str]) -> str:
        """Which holders of a record are disclosed, of whose version the fields `allowed` may be shown."""
        if HOLDERS in allowed:
            return ALL_HOLDERS
        return ASKED_HOLDER if isinstance(self.by, ByHolder) else NO_HOLDER


class CorrectionGranted(NamedTuple):
    """What may be said to be wrong: a record of this type, the fields of this listing."""

    item: ServiceItem
    channel: str
    listing: Listing


class BundleGranted(NamedTuple):
    """A bundle: each proof of the item, in the item's order, with what it grants or why it cannot be asked for; None:
    the declared facts do not call for it."""

    item: ServiceItem
    channel: str
    holder: ByHolder
    facts: Facts
    proofs: tuple[tuple[Proof, Granted | Refused | None], ...]


class Policy:
    """One registry version as the decision asks it. Remembers what it has worked out: the same question, the same
    answer, because a snapshot never changes."""

    def __init__(self, registry: Snapshot) -> None:
        self.registry = registry
        self._admissions: dict[tuple[str, str, str | None], Admission] = {}
        self._listings: dict[tuple[str, str, tuple[str, ...] | None, Declared], Listing] = {}

    def admission(self, app_id: str, item_id: str, channel: str | None) -> Admission | Refused:
        """Rule 2 and the channel of rule 3."""
        found = self._admissions.get((app_id, item_id, channel))
        if found is None:
            worked_out = _admission(self.registry, app_id, item_id, channel)
            if isinstance(worked_out, Refused):
                return worked_out
            found = _remember(self._admissions, (app_id, item_id, channel), worked_out)
        return found

    def listing(
        self, item: ServiceItem, type_id: str, fields: tuple[str, ...] | None, now: int, facts: Declared = ()
    ) -> Listing | Refused:
        """Rules 4 and 5, at `now` (Unix ms)."""
        evidence_type = self.registry.type_in_force(type_id, now)
        key = (item.id, type_id if evidence_type is None else evidence_type.vct, fields, facts)
        found = self._listings.get(key)
        if found is None:
            worked_out = _listing(item, type_id, evidence_type, fields, dict(facts))
            if isinstance(worked_out, Refused):
                return worked_out
            found = _remember(self._listings, key, worked_out)
        return found


def decide(caller: Caller, question: Question, policy: Policy, usage: Usage, now: int) -> Granted | Refused:
    """The decision on a lookup. `now` in Unix ms."""
    admitted = admit(caller, question.purpose, policy, usage, now)
    if isinstance(admitted, Refused):
        return admitted
    listing = policy.listing(admitted.item, question.evidence_type, question.fields, now, question.purpose.facts)
    if isinstance(listing, Refused):
        return listing
    by = _by(question.by, listing.type)
    if isinstance(by, Refused):
        return by
    return Granted(admitted.item, admitted.channel, listing, by, question.history)


def decide_correction(
    caller: Caller, question: CorrectionQuestion, policy: Policy, usage: Usage, now: int
) -> CorrectionGranted | Refused:
    """The decision on a correction request: who may look a type's fields up may say that they are wrong (rules 1 to 5).

    That the record is one of the type's is for the caller to see.
    """
    admitted = admit(caller, question.purpose, policy, usage, now)
    if isinstance(admitted, Refused):
        return admitted
    facts = question.purpose.facts
    listing = policy.listing(admitted.item, question.evidence_type, question.fields, now, facts)
    if isinstance(listing, Refused):
        return listing
    return CorrectionGranted(admitted.item, admitted.channel, listing)


def decide_bundle(
    caller: Caller, question: BundleQuestion, policy: Policy, usage: Usage, now: int
) -> BundleGranted | Refused:
    """The decision on a bundle: one question of the app, each proof with the fields of its own.

    A holder that no proof of the item can be about is refused; one that only some can be about is not.
    """
    admitted = admit(caller, question.purpose, policy, usage, now)
    if isinstance(admitted, Refused):
        return admitted
    facts = dict(question.purpose.facts)
    undeclared = _unknown_fact(admitted.item, facts) or _missing_fact(admitted.item, facts)
    if undeclared is not None:
        return undeclared
    proofs = tuple(
        (proof, _proof(admitted, proof, question.holder, policy.registry, now) if proof.applies(facts) else None)
        for proof in admitted.item.proofs
    )
    holder = next((outcome.by for _, outcome in proofs if isinstance(outcome, Granted)), None)
    if isinstance(holder, ByHolder):
        return BundleGranted(admitted.item, admitted.channel, holder, facts, proofs)
    return next((outcome for _, outcome in proofs if isinstance(outcome, Refused)), Refused("type_not_listed"))


def _unknown_fact(item: ServiceItem, facts: Facts) -> Refused | None:
    unknown = next((name for name in facts if name not in item.fact_ids), None)
    return None if unknown is None else Refused("fact_unknown", "/facts")  # a client's own word is not repeated


def _missing_fact(item: ServiceItem, facts: Facts) -> Refused | None:
    missing = next((fact.id for fact in item.facts if fact.id not in facts), None)
    return None if missing is None else Refused("fact_missing", f"/facts/{missing}")


def admit(caller: Caller, purpose: Purpose, policy: Policy, usage: Usage, now: int) -> Admission | Refused:
    """Rules 1 to 3."""
    if policy.registry.freshness(now) == CLOSED:
        return Refused("registry_expired")
    admission = policy.admission(caller.app.id, purpose.item, purpose.channel)
    if isinstance(admission, Refused):
        return admission
    current = [grant for grant in admission.grants if now < grant.until]
    if not current:
        return Refused("grant_expired")
    if all(used(grant, usage) >= grant.per_day for grant in current):
        return Refused("limit_reached")
    return admission


def _admission(registry: Snapshot, app_id: str, item_id: str, channel: str | None) -> Admission | Refused:
    app = registry.apps.get(app_id)
    if app is None:
        return Refused("app_unknown")
    item = registry.items.get(item_id)
    grants = [grant for grant in app.grants if item_id in grant.service_items]
    if item is None or not grants:
        return Refused("item_not_granted", "/service_item")
    channel = channel or _only_channel(grants)
    if channel is None:
        return Refused("channel_missing", "/channel")
    covering = tuple(grant for grant in grants if channel in grant.channels)
    return Admission(item, channel, covering) if covering else Refused("channel_not_granted", "/channel")


def _only_channel(grants: Iterable[Grant]) -> str | None:
    channels = {channel for grant in grants for channel in grant.channels}
    return channels.pop() if len(channels) == 1 else None


def _listing(
    item: ServiceItem, type_id: str, evidence_type: EvidenceType | None, asked: tuple[str, ...] | None, facts: Facts
) -> Listing | Refused:
    unknown = _unknown_fact(item, facts)
    if unknown is not None:
        return unknown
    listing_it = item.proofs_of(type_id)
    proofs = tuple(proof for proof in listing_it if proof.applies(facts))
    if not listing_it:
        return Refused("type_not_listed", "/evidence_type")
    if evidence_type is None:
        return Refused("type_not_in_force", "/evidence_type")
    if not proofs:
        missing = next((one.when[0] for one in listing_it if one.when and one.when[0] not in facts), None)
        return Refused("fact_missing", f"/facts/{missing}") if missing else Refused("proof_not_needed", "/facts")
    listed = frozenset(chain.from_iterable(proof.fields for proof in proofs))
    for at, name in enumerate(asked or ()):
        if name not in listed:
            return Refused("field_not_listed", f"/fields/{at}")
    return listing_of(evidence_type, proofs, listed if asked is None else frozenset(asked))


def _remember(memory: dict[K, V], key: K, value: V) -> V:
    if len(memory) >= MAX_REMEMBERED:  # the fields are the client's choice, so it must not choose how many
        memory.clear()
    memory[key] = value
    return value


def used(grant: Grant, usage: Usage) -> int:
    """How many of today's granted questions count against `grant`: those on its items and channels."""
    return sum(usage.get((item, channel), 0) for item in grant.service_items for channel in grant.channels)


def visible_items(app: App, registry: Snapshot, now: int) -> tuple[ServiceItem, ...]:
    """The service items that the app may use now, in registry order: what its catalogue shows."""
    granted = {item for grant in app.grants if now < grant.until for item in grant.service_items}
    return tuple(item for item in registry.contents.service_items if item.id in granted)


def _proof(admitted: Admission, proof: Proof, holder: ByHolder, registry: Snapshot, now: int) -> Granted | Refused:
    evidence_type = type_of(proof, registry, now)
    if evidence_type is None:
        return Refused("type_not_in_force")
    by = _by_holder(holder, evidence_type, "/holder")
    if isinstance(by, Refused):
        return by
    return Granted(admitted.item, admitted.channel, listing_of(evidence_type, (proof,), frozenset(proof.fields)), by)


def type_of(proof: Proof, registry: Snapshot, now: int) -> EvidenceType | None:
    """The version of the type that the proof means: the one that it pins, or the one in force at `now` (Unix ms)."""
    if proof.version is None:
        return registry.type_in_force(proof.evidence_type, now)
    return registry.types.get(vct_of(proof.evidence_type, proof.version))


def listing_of(evidence_type: EvidenceType, proofs: tuple[Proof, ...], fields: frozenset[str]) -> Listing:
    """What the proofs open of `fields`, version by version (rule 5)."""
    pinned: dict[int, frozenset[str]] = {}
    for proof in proofs:
        if proof.version is not None:
            pinned[proof.version] = pinned.get(proof.version, frozenset()) | fields.intersection(proof.fields)
    unpinned = fields.intersection(chain.from_iterable(proof.fields for proof in proofs if proof.version is None))
    return Listing(evidence_type, tuple(sorted(fields)), unpinned, pinned)


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
