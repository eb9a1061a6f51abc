"""What becomes of a correction request, as values."""

import pytest

from audit.notices import parse
from contracts.corrections import KEPT, Correction
from contracts.streams import Position
from gateway.corrections.judge import CORRECTED, Open, answer_of, answered_notice, is_late, late_notice
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
    ],
)
def test_a_newer_message_or_a_word_is_an_answer(identity: str, condition: str, kept: bool, answer: str | None) -> None:
    assert answer_of(ONE, Row(Position(1, 1), identity, condition), kept) == answer


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
