"""What the node's doctor says of closed logs and their successors."""

from dataclasses import replace

import pytest

from audit.retention import DAY_MS, Shard
from contracts.edge.doctor.finding import FAILED, OK, WARNING
from contracts.registry import AuditSlot
from gateway.doctor.shards import MANY, YEAR_MS, Before, judge_before, judge_kept, judge_own

NOW = 1_800_000_000_000
SLOT = AuditSlot("slot-1", "a.example/1", "vkey", "auditor", retention_days=200)
OWN = Shard("slot-1", "a.example/1", 9, NOW - YEAR_MS, NOW, "", SLOT)
CLOSED = replace(OWN, successor="a.example/2")
BEFORE = Before("slot-0", here=True, closed=True, begun=True, key=False, retired=False)


@pytest.mark.parametrize(
    ("own", "successor", "said"),
    [
        (OWN, None, []),
        (replace(OWN, first=NOW - YEAR_MS - 1), None, ["The audit log slot-1 is older than a year"]),
        (replace(OWN, entries=MANY), None, []),
        (replace(OWN, entries=MANY + 1), None, ["The audit log slot-1 has 100000001 entries"]),
        (replace(OWN, first=None), None, []),
        (replace(OWN, first=0), "slot-2", ["The registry lists slot-2 as the successor of slot-1"]),
    ],
)
def test_when_a_new_shard_is_due(own: Shard, successor: str | None, said: list[str]) -> None:
    found = list(judge_own(own, successor, NOW))
    assert [one.what.en for one in found] == said
    assert {one.level for one in found} <= {WARNING}


@pytest.mark.parametrize(
    ("before", "level", "remedy"),
    [
        (BEFORE, None, ""),
        (replace(BEFORE, closed=False, begun=False, key=True), WARNING, "next start"),
        (replace(BEFORE, closed=False, begun=False), FAILED, "predecessor_key"),
        (replace(BEFORE, closed=False), FAILED, "put back"),
        (replace(BEFORE, here=False), FAILED, "Bring"),
        (replace(BEFORE, here=False, retired=True), None, ""),
    ],
)
def test_the_log_before(before: Before, level: str | None, remedy: str) -> None:
    found = list(judge_before(before))
    assert [one.level for one in found] == ([] if level is None else [level])
    assert all(one.remedy is not None and remedy in one.remedy.en for one in found)


@pytest.mark.parametrize(
    ("shard", "level"),
    [
        (CLOSED, None),
        (replace(CLOSED, last=NOW - 200 * DAY_MS), WARNING),
        (replace(CLOSED, last=NOW - 200 * DAY_MS, hold="x"), OK),
        (replace(CLOSED, listed=None), WARNING),
        (replace(CLOSED, listed=replace(SLOT, retention_days=1)), WARNING),
        (replace(CLOSED, damaged="x"), FAILED),
        (OWN, None),
    ],
)
def test_what_is_kept(shard: Shard, level: str | None) -> None:
    assert [one.level for one in judge_kept(shard, NOW)] == ([] if level is None else [level])
