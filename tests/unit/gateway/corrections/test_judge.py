"""What becomes of a correction request, as values."""

import pytest

from audit.notices import parse
from contracts.corrections import KEPT, Correction
from contracts.streams import Position
from gateway.corrections.judge import (
    CORRECTED,
    Open,
    answer_of,
    answered_notice,
    asked_again,
    is_late,
    late_notice,
)
from gateway.store.rows import ERASED, LIVE, REJECTED, WITHDRAWN, Row

SEEN, NEWER = "sha-256:00", "sha-256:01"
ONE = Open(
    Correction("id-1", "node-1", "market", "market-1", "cn.a", "rec-1", SEEN, (), "other", "cn.item", 10, 20),
    5,
    sent=True,
)


@pytest.mark.parametrize(
    ("identity", "condition", "kept", "answer"),
    [
        (SEEN, LIVE, False, None),
        (SEEN, LIVE, True, KEPT),
        (NEWER, LIVE, False, CORRECTED),
        (NEWER, LIVE, True, CORRECTED),
        (NEWER, WITHDRAWN, False, WITHDRAWN),
        (NEWER, ERASED, False, ERASED),
        (NEWER, REJECTED, False, REJECTED),
        (SEEN, REJECTED, False, None),  # refused when it was asked, and since
        (SEEN, WITHDRAWN, False, WITHDRAWN),  # not covered by a new epoch: there is no newer message
    ],
)
def test_a_newer_message_or_a_word_is_an_answer(identity: str, condition: str, kept: bool, answer: str | None) -> None:
    assert answer_of(ONE, Row(Position(1, 1), identity, condition), kept) == answer


def test_a_new_epoch_restates_and_answers_nothing() -> None:
    asked = ONE._replace(epoch=5, recorded=True, late=True)
    again = asked_again(asked, Row(Position(6, 1), NEWER, LIVE))
    assert again == asked._replace(correction=ONE.correction._replace(identity=NEWER), epoch=6, sent=False)
    assert again is not None
    assert answer_of(again, Row(Position(6, 1), NEWER, LIVE), False) is None
    for one, row in (
        (asked, Row(Position(5, 9), NEWER, LIVE)),  # of the same epoch: changed
        (asked, Row(Position(6, 1), NEWER, WITHDRAWN)),
        (asked, None),
        (ONE, Row(Position(6, 1), NEWER, LIVE)),  # asked before epochs were kept
    ):
        assert asked_again(one, row) is None


def test_a_store_without_the_record_says_nothing() -> None:
    assert answer_of(ONE, None, False) is None
    assert answer_of(ONE, None, True) == KEPT


def test_late_is_late_once() -> None:
    assert [is_late(ONE, now) for now in (10, 20, 21)] == [False, False, True]
    assert not is_late(ONE._replace(late=True), 21)


def test_notices_are_notices() -> None:
    for notice in (late_notice(ONE, 30), answered_notice(ONE, KEPT, 30)):
        assert parse(notice.encode()) == notice
        assert b"rec-1" not in notice.encode()
