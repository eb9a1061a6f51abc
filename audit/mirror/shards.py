"""What is wrong with closed logs and those that go on from them, as far as the mirror can know. Pure.

1. The successor that a closed log names is listed, with that log as its predecessor; and its first entry names the very
   head that is held here. Else, and where a log began without the one that the registry says it goes on from:
   `succession_broken`. While a copy is behind, nothing is said yet.
2. A closed log is served until its time is over. One that nobody serves any more before that, while a log after it is
   served, was removed too early: `closed_log_gone`.
What was removed here after its time counts with the head that is kept of it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from audit.checkpoints import Checkpoint
from audit.mirror.judge import Alarm, Facts, Log
from audit.retention import kept_until
from audit.succession import after
from contracts.registry import AuditSlot

BROKEN: Final = "succession_broken"
GONE: Final = "closed_log_gone"


def shard_alarms(
    facts: Sequence[Facts],
    slots: Mapping[str, AuditSlot],
    retired: Mapping[str, Checkpoint],
    served: Mapping[str, Iterable[Log]],
    now: float,
) -> Iterator[Alarm]:
    """Both rules. `slots`: as listed; `retired`: final heads of logs removed here, by slot; `now` in Unix seconds."""
    by_slot = {one.log.slot: one for one in facts}
    here = frozenset(log.origin for logs in served.values() for log in logs)
    for one in facts:
        reasons = [*_unfit_beginning(one, by_slot, slots, retired), *_unfit_ending(one, slots)]
        yield from (Alarm(BROKEN, one.log.slot, reason) for reason in reasons)
        if _went_early(one, facts, slots, here, now):
            yield Alarm(GONE, one.log.slot, "no gateway serves it any more, and its time is not over")


def _unfit_ending(one: Facts, slots: Mapping[str, AuditSlot]) -> Iterator[str]:
    """Rule 1, of a closed log."""
    if one.ending is None:
        return
    named = [slot for slot in slots.values() if slot.origin == one.ending.successor]
    if not named:
        yield f"closed in favour of {one.ending.successor}, which is not listed"
    elif named[0].predecessor != one.log.slot:
        yield f"closed in favour of {named[0].slot}, which does not have it as predecessor"


def _unfit_beginning(
    one: Facts, by_slot: Mapping[str, Facts], slots: Mapping[str, AuditSlot], retired: Mapping[str, Checkpoint]
) -> Iterator[str]:
    """Rule 1, of a log that goes on from another one."""
    slot = slots.get(one.log.slot)
    before = None if slot is None else slot.predecessor
    if before is None or one.size == 0:
        return
    if one.beginning is None:
        yield f"it does not begin with the end of {before}"
        return
    held = by_slot.get(before)
    if before in retired:
        head: Checkpoint | None = retired[before]
    elif held is not None and held.ending is not None:
        head = held.ending.head
    elif held is not None and held.size >= one.beginning.size:
        yield f"it began, and {before} is not closed"
        return
    else:
        return  # not copied so far yet
    if head is not None and after(head) != one.beginning:
        yield f"it goes on from a head of {one.beginning.size} entries that {before} does not have"


def _went_early(
    one: Facts, facts: Sequence[Facts], slots: Mapping[str, AuditSlot], here: frozenset[str], now: float
) -> bool:
    """Rule 2."""
    slot = slots.get(one.log.slot)
    if one.ending is None or slot is None or one.log.origin in here:
        return False
    if now * 1000 >= kept_until(one.ending.time, slot.retention_days):
        return False
    return any(origin in here for origin in _later(one, facts))


def _later(one: Facts, facts: Sequence[Facts]) -> Iterator[str]:
    """The origins that go on from a log, one after the other."""
    endings = {fact.log.origin: fact.ending for fact in facts}
    ending, seen = one.ending, {one.log.origin}
    while ending is not None and ending.successor not in seen:
        seen.add(ending.successor)
        yield ending.successor
        ending = endings.get(ending.successor)
