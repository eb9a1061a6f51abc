"""Which logs go: whole ones, closed ones, after their time, and never before the law's."""

from dataclasses import replace

import pytest

from audit.retention import (
    DAMAGED,
    DAY_MS,
    DUE,
    HELD,
    KEPT,
    OPEN,
    STATES,
    TOO_SHORT,
    UNDATED,
    UNLISTED,
    Shard,
    due,
    kept_until,
    state,
)
from contracts.registry import DEFAULT_RETENTION_DAYS, AuditSlot

LAST = 1_700_000_000_000
SLOT = AuditSlot("slot-1", "a.example/1", "vkey", "auditor", retention_days=200)
SHARD = Shard("slot-1", "a.example/1", 9, LAST - DAY_MS, LAST, "a.example/2", SLOT)
OVER = LAST + 200 * DAY_MS


@pytest.mark.parametrize(
    ("shard", "now", "expected"),
    [
        (SHARD, LAST, KEPT),
        (SHARD, OVER - 1, KEPT),
        (SHARD, OVER, DUE),
        (replace(SHARD, listed=replace(SLOT, retention_days=184)), LAST + 184 * DAY_MS, DUE),
        (replace(SHARD, listed=replace(SLOT, retention_days=184)), LAST + 184 * DAY_MS - 1, KEPT),
        (replace(SHARD, listed=replace(SLOT, retention_days=183)), OVER, TOO_SHORT),
        (replace(SHARD, listed=replace(SLOT, retention_days=183), successor=""), LAST, TOO_SHORT),
        (replace(SHARD, successor=""), OVER * 2, OPEN),
        (replace(SHARD, listed=None), OVER * 2, UNLISTED),
        (replace(SHARD, last=None), OVER * 2, UNDATED),
        (replace(SHARD, damaged="changed"), OVER * 2, DAMAGED),
        (replace(SHARD, hold="a court's order"), OVER, HELD),
        (replace(SHARD, hold="a court's order"), LAST, KEPT),
    ],
)
def test_what_becomes_of_a_log(shard: Shard, now: int, expected: str) -> None:
    assert state(shard, now) == expected
    assert expected in STATES
    assert due([shard], now) == ((shard,) if expected == DUE else ())


def test_three_years_unless_said_otherwise_and_never_less_than_six_months() -> None:
    slot = AuditSlot("slot-1", "a.example/1", "vkey", "auditor")
    assert slot.retention_days == DEFAULT_RETENTION_DAYS == 1096
    assert kept_until(LAST, 1) == LAST + 184 * DAY_MS


def test_until_when_is_known_of_closed_and_listed_logs_only() -> None:
    assert SHARD.until == OVER
    assert [replace(SHARD, successor="").until, replace(SHARD, listed=None).until] == [None, None]
