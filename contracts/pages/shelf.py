"""What a site shows, and where each page of it lies. Pure.

1. A type's page is `LANGUAGE/evidence-types/ID.VERSION.html`, an item's `LANGUAGE/service-items/ID.html`.
2. Items may name types that are not on the shelf (shipped ones, say): they are `others`, known by name, without a page.
3. Where an item does not pin a version, the newest is shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from contracts.encoding import Json
from contracts.evidence_types import EvidenceType
from contracts.life_cycle import COMMON_LABELS
from contracts.service_items import Proof, ServiceItem
from contracts.text import Text


@dataclass(frozen=True, slots=True)
class Entry:
    """A type and its examples (`valid`, `invalid`; empty if there are none)."""

    type: EvidenceType
    examples: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Shelf:
    """Types and items that get pages, and other types that items may name."""

    entries: tuple[Entry, ...]
    items: tuple[ServiceItem, ...]
    others: tuple[EvidenceType, ...] = ()

    @cached_property
    def types(self) -> tuple[EvidenceType, ...]:
        return tuple(entry.type for entry in self.entries)

    def has_page(self, one: EvidenceType) -> bool:
        return one in self._by_id.get(one.id, ())

    def versions(self, type_id: str) -> tuple[EvidenceType, ...]:
        """The versions on the shelf, newest first."""
        return self._by_id.get(type_id, ())

    def type_of(self, proof: Proof) -> EvidenceType | None:
        """The type that a proof names (rule 3), None if nobody knows it."""
        known = (*self.versions(proof.evidence_type), *self._others_by_id.get(proof.evidence_type, ()))
        return next((one for one in known if proof.version in (None, one.version)), None)

    @cached_property
    def _by_id(self) -> Mapping[str, tuple[EvidenceType, ...]]:
        return _newest_first(self.types)

    @cached_property
    def _others_by_id(self) -> Mapping[str, tuple[EvidenceType, ...]]:
        return _newest_first(self.others)

    def uses(self, one: EvidenceType) -> tuple[tuple[ServiceItem, Proof], ...]:
        """The items that need this version, each with its proof."""
        return tuple(
            (item, proof)
            for item in self.items
            for proof in item.proofs_of(one.id)
            if proof.version in (None, one.version)
        )


def _newest_first(types: tuple[EvidenceType, ...]) -> Mapping[str, tuple[EvidenceType, ...]]:
    found: dict[str, tuple[EvidenceType, ...]] = {}
    for one in sorted(types, key=lambda each: -each.version):
        found[one.id] = (*found.get(one.id, ()), one)
    return found


def index_path(language: str) -> str:
    return f"{language}/index.html"


def type_path(language: str, one: EvidenceType) -> str:
    return f"{language}/evidence-types/{one.id}.{one.version}.html"


def item_path(language: str, item: ServiceItem) -> str:
    return f"{language}/service-items/{item.id}.html"


def label(one: EvidenceType | None, name: str) -> Text:
    """What people call a field; its name where the type or the field is not known."""
    if one is None or (name not in COMMON_LABELS and name not in one.fields):
        return Text(name, name)
    return one.label(name)
