"""Whose orders count for a log, as the registry says. Pure."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from audit.notes import ED25519, NoteKey, parse_vkey
from contracts.errors import Fault
from contracts.registry import Snapshot


@dataclass(frozen=True, slots=True)
class Authority:
    """The key for orders of the slot's auditor; the key that countersigns (the log's own; about a closed log that of
    the one that is open now); how long its entries are kept."""

    auditor: NoteKey
    log: NoteKey
    retention_days: int


def authority_of(registry: Snapshot, slot: str) -> Authority | None:
    """For the log of `slot`; None while it is not listed, or its auditor without a key for orders."""
    listed = registry.audit_slots.get(slot)
    auditor = None if listed is None else registry.auditors.get(listed.auditor)
    if listed is None or auditor is None or auditor.vkey is None:
        return None
    try:
        key, log = parse_vkey(auditor.vkey), parse_vkey(listed.vkey)
    except Fault:
        return None
    return Authority(key, log, listed.retention_days) if key.kind == ED25519 else None


def listed_keys(registry: Snapshot) -> Mapping[str, NoteKey]:
    """The keys of all logs that are listed, by origin."""
    found: dict[str, NoteKey] = {}
    for slot in registry.audit_slots.values():
        with suppress(Fault):
            found[slot.origin] = parse_vkey(slot.vkey)
    return found
