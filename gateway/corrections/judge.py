"""What becomes of an open correction request. Pure.

1. It is answered when the record has another message than the one that the clerk saw (`corrected`, or `withdrawn` and
   `erased` as the record is then), or when the department says that the data is right (`kept`).
2. It is late, once, when it is not answered by its day.
3. After `ABANDON_MS` nobody waits for an answer any more: it stays late.
"""

from typing import Final, NamedTuple

from audit import notices
from audit.notices import Notice
from contracts.corrections import KEPT, Correction
from gateway.store.rows import LIVE, Row
from gateway.supervision.seen import stream_facts

CORRECTED: Final = "corrected"
ABANDON_MS: Final = 365 * 86_400_000


class Open(NamedTuple):
    """A request under way. `after`: the size of the audit log before it, so that its record is found from there;
    `recorded`: it was found; `sent`: the department has it; `late`: that was told; `telling`: the size of the log when
    a notice about it was begun."""

    correction: Correction
    after: int
    recorded: bool = False
    sent: bool = False
    late: bool = False
    telling: int | None = None


def answer_of(one: Open, row: Row | None, kept: bool) -> str | None:
    """Rule 1: the answer, None: there is none yet. `row`: how the record stands."""
    if row is not None and row.identity != one.correction.identity:
        return CORRECTED if row.condition == LIVE else row.condition
    return KEPT if kept else None


def is_late(one: Open, now: int) -> bool:
    """Rule 2. `now` in Unix ms."""
    return not one.late and now > one.correction.due_at


def late_notice(one: Open, now: int) -> Notice:
    correction = one.correction
    return Notice(notices.CORRECTION_LATE, now, {"correction": correction.id, **stream_facts(correction.stream)})


def answered_notice(one: Open, answer: str, now: int) -> Notice:
    correction = one.correction
    facts = {"correction": correction.id, **stream_facts(correction.stream), "answer": answer}
    return Notice(notices.CORRECTION_ANSWERED, now, facts)
