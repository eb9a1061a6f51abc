"""What becomes of an open correction request. Pure.

1. It is answered when the record has a newer message than the one that the clerk saw (`corrected`, or `rejected`,
   `withdrawn` and `erased` as the record is then), or when the department says that the data is right (`kept`). Newer
   is what has a higher position: a store that is built again from the log passes older messages on its way. A record
   that a new epoch does not cover goes without a message of its own, at the position that it had.
2. A message of a newer epoch is no answer by itself: an epoch restates every record, changed or not. The request is
   then asked again, about the restated message; its day stays.
3. It is late, once, when it is not answered by its day.
4. After `ABANDON_MS` nobody waits for an answer any more: it stays late.
5. Until then the department has it: its topic keeps 90 days, so what is open is sent again every `AGAIN_MS`.
"""

from typing import Final, NamedTuple

from audit import notices
from audit.notices import Notice
from contracts.corrections import KEPT, Correction
from contracts.streams import Position
from gateway.store.rows import ERASED, LIVE, WITHDRAWN, Row
from gateway.supervision.seen import stream_facts

CORRECTED: Final = "corrected"
ABANDON_MS: Final = 365 * 86_400_000
AGAIN_MS: Final = 60 * 86_400_000
_GONE = frozenset({WITHDRAWN, ERASED})


class Open(NamedTuple):
    """A request under way. `position`: of the message that it is about; `after`: the size of the audit log before it,
    so that its record is found from there; `recorded`: it was found; `sent_at`: when the department got it last (Unix
    ms), 0: it has it not; `late`: that was told; `telling`: the size of the log when a notice about it was begun."""

    correction: Correction
    position: Position
    after: int
    recorded: bool = False
    sent_at: int = 0
    late: bool = False
    telling: int | None = None


def asked_again(one: Open, row: Row | None) -> Open | None:
    """Rule 2: the request about the restated message; None: the record was not restated. `row` as for `answer_of`."""
    if row is None or row.condition != LIVE or row.position.epoch <= one.position.epoch:
        return None
    return one._replace(correction=one.correction._replace(identity=row.identity), position=row.position, sent_at=0)


def answer_of(one: Open, row: Row | None, kept: bool) -> str | None:
    """Rule 1: the answer, None: there is none yet. `row`: how the record stands."""
    if row is not None and (row.position > one.position or (row.position == one.position and row.condition in _GONE)):
        return CORRECTED if row.condition == LIVE else row.condition
    return KEPT if kept else None


def is_late(one: Open, now: int) -> bool:
    """Rule 3. `now` in Unix ms."""
    return not one.late and now > one.correction.due_at


def is_to_be_sent(one: Open, now: int) -> bool:
    """Rule 5, and the first time. `now` in Unix ms."""
    return now > one.sent_at + AGAIN_MS


def late_notice(one: Open, now: int) -> Notice:
    correction = one.correction
    return Notice(notices.CORRECTION_LATE, now, {"correction": correction.id, **stream_facts(correction.stream)})


def answered_notice(one: Open, answer: str, now: int) -> Notice:
    correction = one.correction
    facts = {"correction": correction.id, **stream_facts(correction.stream), "answer": answer}
    return Notice(notices.CORRECTION_ANSWERED, now, facts)
