"""Audit logs of a registry: each goes on from at most one, under its own name and key, and is kept long enough."""

from dataclasses import replace

import pytest

from contracts.registry import AuditSlot
from contracts.registry.check import problems
from contracts.registry.snapshot import Contents
from contracts.registry.succession import predecessors


def slot(name: str, predecessor: str | None = None) -> AuditSlot:
    return AuditSlot(name, f"gov.example/{name}", f"gov.example/{name}+00+key-{name}", "auditor", predecessor)


A, B, C = slot("a"), slot("b", "a"), slot("c", "b")


def said(*slots: AuditSlot) -> list[str]:
    return [one.en for one in problems(Contents(audit_slots=slots)) if "auditors" not in one.en]


def test_a_chain_is_well() -> None:
    assert said(A, B, C) == []


@pytest.mark.parametrize(
    ("slots", "expected"),
    [
        ((A, B, slot("d", "a")), ["audit_slots a has 2 successors"]),
        ((slot("a", "a"),), ["audit_slots a is its own successor"]),
        ((slot("a", "b"), B), ["audit_slots a is its own successor", "audit_slots b is its own successor"]),
        ((B,), ["audit_slots b refers to a, which is not in audit_slots"]),
        ((A, replace(B, origin=A.origin)), ["2 audit logs have the origin gov.example/a"]),
        ((A, replace(B, vkey="gov.example/b+77+key-a")), ["The audit logs a, b use the same key"]),
        ((replace(A, retention_days=183),), ["audit_slots a: kept for 183 days, less than 184"]),
        ((replace(A, retention_days=184),), []),
    ],
)
def test_what_is_wrong(slots: tuple[AuditSlot, ...], expected: list[str]) -> None:
    assert said(*slots) == expected


def test_the_way_back() -> None:
    slots = {one.slot: one for one in (A, B, C)}
    assert list(predecessors(slots, C)) == [B, A]
    assert list(predecessors({"c": C}, C)) == []
    ring = {"a": slot("a", "b"), "b": B}
    assert list(predecessors(ring, B)) == [ring["a"]]
