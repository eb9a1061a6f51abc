"""The registry in a node's memory: one frozen value, indexed once, asked everywhere.

Past `fresh_until` a node is degraded and says so loudly; past `valid_until` it is closed and releases nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from contracts.algorithms import VerifyKey
from contracts.errors import Fault
from contracts.evidence_types import DEPRECATED, IN_FORCE, EvidenceType
from contracts.life_cycle import local_day
from contracts.registry.model import (
    ACTIVE,
    Adapter,
    AdapterKey,
    App,
    Auditor,
    AuditSlot,
    Node,
    Organisation,
    Zone,
)
from contracts.service_items import ServiceItem
from contracts.streams import Stream

FRESH, DEGRADED, CLOSED = "fresh", "degraded", "closed"


@dataclass(frozen=True, slots=True)
class Contents:
    """All that the registry lists."""

    zones: tuple[Zone, ...] = ()
    organisations: tuple[Organisation, ...] = ()
    adapters: tuple[Adapter, ...] = ()
    apps: tuple[App, ...] = ()
    nodes: tuple[Node, ...] = ()
    auditors: tuple[Auditor, ...] = ()
    audit_slots: tuple[AuditSlot, ...] = ()
    evidence_types: tuple[EvidenceType, ...] = ()
    service_items: tuple[ServiceItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Signer:
    """A registered adapter key, ready to verify with."""

    adapter: Adapter
    entry: AdapterKey
    key: VerifyKey
    streams: Mapping[str, Stream]  # by evidence type id


@dataclass(frozen=True)
class Snapshot:
    """One version of the registry. Times in Unix ms. Safe to share: it never changes."""

    version: int
    fresh_until: int
    valid_until: int
    contents: Contents = field(repr=False)

    def freshness(self, now: int) -> str:
        """FRESH, DEGRADED (past `fresh_until`) or CLOSED (past `valid_until`)."""
        if now >= self.valid_until:
            return CLOSED
        return DEGRADED if now >= self.fresh_until else FRESH

    @cached_property
    def signers(self) -> Mapping[str, Signer]:
        """Adapter keys by `kid`; raises `Fault`: a key that stands twice could speak for the wrong adapter."""
        rows = ((adapter, entry) for adapter in self.contents.adapters for entry in adapter.keys)
        signers = [
            Signer(adapter, entry, entry.verify_key(), {one.evidence_type: one for one in adapter.streams()})
            for adapter, entry in rows
        ]
        found = {signer.key.kid: signer for signer in signers}
        if len(found) != len(signers):
            raise Fault("part_invalid", "/adapters", "a key stands twice")
        return found

    @cached_property
    def types(self) -> Mapping[str, EvidenceType]:
        """Evidence types by `vct`."""
        return {item.vct: item for item in self.contents.evidence_types}

    @cached_property
    def versions(self) -> Mapping[str, tuple[EvidenceType, ...]]:
        """The versions of each evidence type, newest first, by id."""
        found: dict[str, tuple[EvidenceType, ...]] = {}
        for item in sorted(self.contents.evidence_types, key=lambda item: item.version):
            found[item.id] = (item, *found.get(item.id, ()))
        return found

    def type_in_force(self, type_id: str, now: int) -> EvidenceType | None:
        """The newest version that is served."""
        return next(self.served(type_id, now), None)

    def served(self, type_id: str, now: int) -> Iterator[EvidenceType]:
        """The versions that are in force (deprecated or not) on the local day at `now` (Unix ms), newest first."""
        for item in self.versions.get(type_id, ()):
            if item.phase(local_day(now, item.utc_offset)) in (IN_FORCE, DEPRECATED):
                yield item

    @cached_property
    def items(self) -> Mapping[str, ServiceItem]:
        """Service items by id."""
        return {item.id: item for item in self.contents.service_items}

    @cached_property
    def adapters(self) -> Mapping[str, Adapter]:
        return {item.id: item for item in self.contents.adapters}

    @cached_property
    def apps(self) -> Mapping[str, App]:
        return {item.id: item for item in self.contents.apps}

    @cached_property
    def app_keys(self) -> Mapping[str, tuple[App, VerifyKey]]:
        """Active app keys by `kid`."""
        rows = ((app, key) for app in self.contents.apps for key in app.keys if key.status == ACTIVE)
        keys = ((app, key.verify_key()) for app, key in rows)
        return {key.kid: (app, key) for app, key in keys}

    @cached_property
    def node_keys(self) -> Mapping[str, tuple[Node, VerifyKey]]:
        """Node keys by `kid`."""
        keys = ((node, node.verify_key()) for node in self.contents.nodes)
        return {key.kid: (node, key) for node, key in keys}

    @cached_property
    def organisations(self) -> Mapping[str, Organisation]:
        return {item.id: item for item in self.contents.organisations}

    @cached_property
    def zones(self) -> Mapping[str, Zone]:
        return {item.id: item for item in self.contents.zones}

    @cached_property
    def audit_slots(self) -> Mapping[str, AuditSlot]:
        return {item.slot: item for item in self.contents.audit_slots}

    @cached_property
    def auditors(self) -> Mapping[str, Auditor]:
        return {item.id: item for item in self.contents.auditors}

    @cached_property
    def streams(self) -> tuple[Stream, ...]:
        """Every stream of every adapter, in registry order."""
        return tuple(stream for adapter in self.contents.adapters for stream in adapter.streams())

    @cached_property
    def streams_by_type(self) -> Mapping[str, tuple[Stream, ...]]:
        """Streams by evidence type id."""
        found: dict[str, tuple[Stream, ...]] = {}
        for stream in self.streams:
            found[stream.evidence_type] = (*found.get(stream.evidence_type, ()), stream)
        return found
