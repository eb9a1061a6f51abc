"""Audit logs that go on from each other: a log is closed, its successor names it as `predecessor`. Pure.

1. A log has at most one successor, and nobody goes on from itself, also not through others.
2. A successor is a log of its own: another origin, another key. Witnesses, receipts and proofs know a log by these.
3. A log is kept for MIN_RETENTION_DAYS at least.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from contracts.registry.model import MIN_RETENTION_DAYS, AuditSlot
from contracts.text import Text


def predecessors(slots: Mapping[str, AuditSlot], slot: AuditSlot) -> Iterator[AuditSlot]:
    """Those that `slot` goes on from, the newest first; ends at one that the registry does not list (or at a ring)."""
    seen = {slot.slot}
    while slot.predecessor is not None and slot.predecessor in slots and slot.predecessor not in seen:
        slot = slots[slot.predecessor]
        seen.add(slot.slot)
        yield slot


def successors(slots: Mapping[str, AuditSlot], slot: str) -> Iterator[AuditSlot]:
    """Those that go on from the log of `slot`, the next one first; ends at a ring."""
    by_predecessor = {one.predecessor: one for one in slots.values() if one.predecessor is not None}
    seen = {slot}
    while (found := by_predecessor.get(slot)) is not None and found.slot not in seen:
        slot = found.slot
        seen.add(slot)
        yield found


def problems(slots: Sequence[AuditSlot]) -> Iterator[Text]:
    """What is wrong with the audit logs of a registry (1 to 3), in words."""
    yield from _successions(slots)
    yield from _doubles(slots)
    for slot in slots:
        if slot.retention_days < MIN_RETENTION_DAYS:
            yield Text(
                f"audit_slots {slot.slot}:保存 {slot.retention_days} 天,少于 {MIN_RETENTION_DAYS} 天",
                f"audit_slots {slot.slot}: kept for {slot.retention_days} days, less than {MIN_RETENTION_DAYS}",
            )


def _successions(slots: Sequence[AuditSlot]) -> Iterator[Text]:
    by_name = {slot.slot: slot for slot in slots}
    for name, count in Counter(slot.predecessor for slot in slots if slot.predecessor is not None).items():
        if count > 1:
            yield Text(f"audit_slots {name} 有 {count} 个后继", f"audit_slots {name} has {count} successors")
    for slot in slots:
        if slot.slot == _oldest(by_name, slot).predecessor:
            yield Text(f"audit_slots {slot.slot} 是自身的后继", f"audit_slots {slot.slot} is its own successor")


def _oldest(by_name: Mapping[str, AuditSlot], slot: AuditSlot) -> AuditSlot:
    """Where the way back ends; in a ring that is the one that has `slot` as its predecessor."""
    return [slot, *predecessors(by_name, slot)][-1]


def _doubles(slots: Sequence[AuditSlot]) -> Iterator[Text]:
    for origin, count in Counter(slot.origin for slot in slots).items():
        if count > 1:
            yield Text(f"{count} 个审计日志同名:{origin}", f"{count} audit logs have the origin {origin}")
    for key, count in Counter(slot.vkey.rpartition("+")[2] for slot in slots if slot.vkey).items():
        if count > 1:
            names = ", ".join(slot.slot for slot in slots if slot.vkey.endswith(f"+{key}"))
            yield Text(f"审计日志 {names} 使用同一密钥", f"The audit logs {names} use the same key")
