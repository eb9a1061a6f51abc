"""What becomes of a correction request, as values."""

import pytest

from audit.notices import parse
from contracts.corrections import KEPT, Correction
from contracts.edge.transport.interface import DAY_MS
from contracts.streams import Position
from gateway.corrections.judge import (
    AGAIN_MS,
    CORRECTED,
    Open,
    answer_of,
    answered_notice,
    asked_again,
    is_late,
    is_to_be_sent,
    late_notice,
)
from gateway.store.rows import ERASED, LIVE, REJECTED, WITHDRAWN, Row
from gateway.topics import CORRECTIONS

SEEN, OTHER = "sha-256:00", "sha-256:01"
ASKED = Position(5, 3)
NOW = 1_770_000_000_000
ONE = Open(
    Correction("id-1", "node-1", "market", "market-1", "cn.a", "rec-1", SEEN, (), "other", "cn.item", 10, 20),
    ASKED,
    5,
    sent_at=11,
)


@pytest.mark.parametrize(
    ("seq", "condition", "kept", "answer"),
    [
        (3, LIVE, False, None),
        (3, LIVE, True, KEPT),
        (4, LIVE, False, CORRECTED),
        (4, LIVE, True, CORRECTED),
        (4, WITHDRAWN, False, WITHDRAWN),
        (4, ERASED, False, ERASED),
        (4, REJECTED, False, REJECTED),
        (3, REJECTED, False, None),  # refused when it was asked, and since
        (3, WITHDRAWN, False, WITHDRAWN),  # not covered by a new epoch: there is no newer message
        *((2, condition, False, None) for condition in (LIVE, WITHDRAWN, ERASED, REJECTED)),  # a store that is behind
        (2, LIVE, True, KEPT),
    ],
)
def test_a_newer_message_or_a_word_is_an_answer(seq: int, condition: str, kept: bool, answer: str | None) -> None:
    row = Row(Position(ASKED.epoch, seq), SEEN if seq == ASKED.seq else OTHER, condition)
    assert answer_of(ONE, row, kept) == answer


def test_a_new_epoch_restates_and_answers_nothing() -> None:
    asked, restated = ONE._replace(recorded=True, late=True), Row(Position(6, 1), OTHER, LIVE)
    again = asked_again(asked, restated)
    assert again == asked._replace(
        correction=ONE.correction._replace(identity=OTHER), position=Position(6, 1), sent_at=0
    )
    assert again is not None
    assert answer_of(again, restated, False) is None
    for row in (
        Row(Position(5, 9), OTHER, LIVE),  # of the same epoch: changed
        Row(Position(4, 9), OTHER, LIVE),  # of an older one: a store that is behind
        Row(Position(6, 1), OTHER, WITHDRAWN),
        None,
    ):
        assert asked_again(asked, row) is None


def test_a_store_without_the_record_says_nothing() -> None:
    assert answer_of(ONE, None, False) is None
    assert answer_of(ONE, None, True) == KEPT


def test_late_is_late_once() -> None:
    assert [is_late(ONE, now) for now in (10, 20, 21)] == [False, False, True]
    assert not is_late(ONE._replace(late=True), 21)


def test_the_department_has_it_for_as_long_as_it_is_open() -> None:
    assert is_to_be_sent(ONE._replace(sent_at=0), NOW)
    sent = ONE._replace(sent_at=NOW)
    assert [is_to_be_sent(sent, NOW + after) for after in (0, AGAIN_MS, AGAIN_MS + 1)] == [False, False, True]
    assert CORRECTIONS.retention_ms - AGAIN_MS >= 30 * DAY_MS, "also if the node is away for a month"


def test_notices_are_notices() -> None:
    for notice in (late_notice(ONE, 30), answered_notice(ONE, KEPT, 30)):
        assert parse(notice.encode()) == notice
        assert b"rec-1" not in notice.encode()
