"""Closed logs and their successors, as a mirror judges them: one row for each thing that can be wrong."""

from dataclasses import replace

import pytest

from audit.checkpoints import Checkpoint
from audit.mirror.judge import NEVER, Facts, Log, alarms
from audit.mirror.shards import shard_alarms
from audit.retention import DAY_MS
from audit.succession import Beginning, Ending, after
from contracts.registry import AuditSlot

NOW = 1_800_000_000.0
URL = "https://gw.example"
OLD, NEW, THIRD = (Log(name, f"gov.example/{name}", f"vkey-{name}") for name in ("old", "new", "third"))
HEAD = Checkpoint(OLD.origin, 10, b"r" * 32)
CLOSED = Ending(HEAD, NEW.origin, int(NOW * 1000) - DAY_MS)
BEGINNING = after(HEAD)
ENDED = Facts(OLD, URL, 10, 10, NEVER, NEVER, ending=CLOSED)
GOING = Facts(NEW, URL, 3, 3, NOW, NOW, beginning=BEGINNING)
SLOTS = {
    "old": AuditSlot("old", OLD.origin, OLD.vkey, "auditor"),
    "new": AuditSlot("new", NEW.origin, NEW.vkey, "auditor", "old"),
}
SERVED = {URL: [OLD, NEW]}


def found(
    old: Facts | None = ENDED,
    new: Facts | None = GOING,
    slots: dict[str, AuditSlot] | None = None,
    retired: dict[str, Checkpoint] | None = None,
    served: dict[str, list[Log]] | None = None,
    now: float = NOW,
) -> list[tuple[str, str]]:
    facts = [one for one in (old, new) if one is not None]
    told = shard_alarms(facts, slots or SLOTS, retired or {}, SERVED if served is None else served, now)
    return [(one.code, one.about) for one in told]


def test_a_succession_as_it_should_be() -> None:
    assert found() == []
    assert alarms([ENDED, GOING], SERVED, [OLD, NEW], "", NOW) == ()  # closed: neither silent nor behind


BROKEN_NEW, BROKEN_OLD = ("succession_broken", "new"), ("succession_broken", "old")


@pytest.mark.parametrize(
    ("beginning", "expected"),
    [
        (None, [BROKEN_NEW]),
        (replace(BEGINNING, size=9), [BROKEN_NEW]),
        (replace(BEGINNING, root="sha-256:" + "00" * 32), [BROKEN_NEW]),
        (replace(BEGINNING, predecessor="gov.example/else"), [BROKEN_NEW]),
    ],
)
def test_a_successor_names_the_very_end(beginning: Beginning | None, expected: list[tuple[str, str]]) -> None:
    changed = replace(GOING, beginning=beginning)
    assert found(new=changed) == expected
    assert found(old=None, new=changed, retired={"old": HEAD}) == expected


def test_a_copy_that_is_behind_says_nothing_yet() -> None:
    behind = replace(ENDED, size=9, ending=None)
    assert found(old=behind) == []
    assert found(old=replace(behind, size=10)) == [BROKEN_NEW]  # as long as it was, and not closed
    assert found(old=None) == []
    assert found(new=replace(GOING, size=0, beginning=None)) == []


def test_a_log_is_closed_for_a_listed_successor_only() -> None:
    alone = {"old": SLOTS["old"]}
    assert found(new=None, slots=alone) == [BROKEN_OLD]
    assert found(slots={**SLOTS, "new": replace(SLOTS["new"], predecessor=None)}) == [BROKEN_OLD]


def test_a_closed_log_is_served_until_its_time_is_over() -> None:
    gone = {URL: [NEW]}
    over = CLOSED.time / 1000 + 1096 * 86_400
    assert found(served=gone) == [("closed_log_gone", "old")]
    assert found(served=gone, now=over - 1) == [("closed_log_gone", "old")]
    assert found(served=gone, now=over) == []
    assert found(served={}) == []  # the gateway says nothing of any log: `log_silent` is told of the open one
    unlisted = {"new": replace(SLOTS["new"], predecessor=None)}
    assert ("closed_log_gone", "old") not in found(served=gone, slots=unlisted)


def test_a_log_closed_long_ago_is_missed_beside_a_later_one() -> None:
    third = Facts(THIRD, URL, 1, 1, NOW, NOW, beginning=after(Checkpoint(NEW.origin, 3, b"s" * 32)))
    closed = replace(GOING, ending=Ending(Checkpoint(NEW.origin, 3, b"s" * 32), THIRD.origin, int(NOW * 1000)))
    slots = {**SLOTS, "third": AuditSlot("third", THIRD.origin, THIRD.vkey, "auditor", "new")}
    told = shard_alarms([ENDED, closed, third], slots, {}, {URL: [THIRD]}, NOW)
    assert [(one.code, one.about) for one in told] == [("closed_log_gone", "old"), ("closed_log_gone", "new")]
