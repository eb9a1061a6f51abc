"""Each rule of feed statements, and the states of a stream that follow."""

import pytest

from contracts.feeds import FULL_KEY, KEY
from contracts.messages import WITHDRAW
from contracts.streams import Position
from gateway.ingest.state import CATCHING_UP, COMPLETE, GAPPED, STALE, STOPPED, FeedState, feed_state
from tests.unit.gateway.ingest import world
from tests.unit.gateway.ingest.fold import Duplicate, Entry, Node, Rejected, Settled
from tests.unit.gateway.ingest.test_decide import ended, invalid, put

T = 1_700_000_000


def told(node: Node, seq: int, full: bool = True, at: int = T, epoch: int = 1) -> Entry:
    statement = world.statement(epoch, seq, node.live(epoch), full, at)
    return Entry(statement.log_key, statement)


def said(node: Node, now: int = T + 1) -> tuple[str, int | None, int]:
    return feed_state(node.state, now)[:3]


def test_nothing_heard_is_catching_up() -> None:
    assert said(Node()) == (CATCHING_UP, None, 0)


def test_messages_and_short_statements_alone_never_complete() -> None:
    node = Node().read(put("r1", 1))
    node.read(told(node, 1, full=False))
    assert said(node) == (CATCHING_UP, None, 0)


def test_a_matching_full_statement_completes() -> None:
    node = Node().read(put("r1", 1), invalid("r2", 2), put("r3", 3), ended("r3", 4, WITHDRAW))
    node.read(told(node, 4))
    assert said(node) == (COMPLETE, T, 1)


def test_an_empty_stream_can_be_complete() -> None:
    node = Node()
    assert said(node.read(told(node, 0))) == (COMPLETE, T, 0)


def test_it_clears_gaps() -> None:
    node = Node().read(put("r1", 3), put("r2", 7))
    node.read(told(node, 9))
    assert (node.state.gaps, said(node)) == ((), (COMPLETE, T, 0))


def test_a_full_statement_that_differs_names_the_buckets() -> None:
    node = Node().read(put("r1", 1), put("r2", 2))
    complete = told(node, 2, at=T)
    statement = told(Node().read(put("r1", 1), put("r3", 2)), 2, at=T + 5)
    node.read(complete, statement)
    differing = sorted({world.SUITE.digest(name)[0] for name in (b"r2", b"r3")})
    assert node.state.mismatch == tuple(differing)
    assert said(node) == (GAPPED, T, 0)
    node.read(told(node, 2, at=T + 9))
    assert said(node, T + 10) == (COMPLETE, T + 9, 0)


def test_short_statements_carry_completeness_on() -> None:
    node = Node().read(put("r1", 1))
    node.read(told(node, 1), put("r2", 2))
    node.read(told(node, 2, full=False, at=T + 60))
    assert said(node, T + 61) == (COMPLETE, T + 60, 0)


def test_a_wrong_count_breaks_it() -> None:
    node = Node().read(put("r1", 1))
    node.read(told(node, 1))
    wrong = world.statement(1, 1, [], full=False, issued_at=T + 60)
    node.read(Entry(KEY, wrong), told(node, 1, full=False, at=T + 70))
    assert (node.state.mismatch, said(node)) == ((), (GAPPED, T, 0))


def test_a_missing_number_breaks_it_and_its_arrival_mends_it() -> None:
    node = Node().read(put("r1", 1))
    node.read(told(node, 1), put("r3", 3))
    assert said(node) == (GAPPED, T, 0)
    node.read(put("r2", 2))
    assert said(node) == (COMPLETE, T, 0)


def test_a_statement_that_covers_what_nobody_saw_breaks_it() -> None:
    node = Node().read(put("r1", 1))
    node.read(told(node, 1))
    node.read(told(node, 3, full=False, at=T + 60))
    assert (node.state.gaps, said(node)) == (((2, 3),), (GAPPED, T, 0))


@pytest.mark.parametrize("full", [True, False])
def test_outdated_statements_change_nothing(full: bool) -> None:
    node = Node().read(put("r1", 1))
    first = told(node, 1, full=full)
    node.read(first, put("r2", 2))
    node.read(told(node, 2, full=full, at=T + 5))
    before = node.state
    assert node.take(first) == Rejected(before, "statement_outdated", "/seq")


def test_a_repeated_statement_changes_nothing() -> None:
    node = Node().read(put("r1", 1))
    entry = told(node, 1)
    node.read(entry)
    assert node.take(entry) == Duplicate(node.state)
    earlier = told(node, 1, at=T - 5)
    assert node.take(earlier) == Rejected(node.state, "statement_outdated", "/seq")


def test_a_statement_of_an_older_epoch_is_outdated() -> None:
    node = Node().read(put("r1", 1, epoch=2))
    assert node.take(told(node, 5, epoch=1)) == Rejected(node.state, "statement_outdated", "/seq")


def test_a_statement_under_the_other_key_is_refused() -> None:
    node = Node()
    assert node.take(Entry(FULL_KEY, told(node, 0, full=False).content)) == Rejected(
        node.state, "log_key_mismatch", "/buckets"
    )


def test_the_first_full_statement_of_an_epoch_covers_the_older_ones() -> None:
    node = Node().read(put("r1", 1), put("r2", 2))
    node.read(told(node, 2), put("r1", 1, epoch=2))
    assert said(node) == (CATCHING_UP, T, 0)
    outcome = node.take(told(node, 1, epoch=2, at=T + 9))
    assert isinstance(outcome, Settled)
    assert outcome.covers == 2
    assert node.condition("r2") == "withdrawn"
    assert said(node, T + 10) == (COMPLETE, T + 9, 0)
    again = node.take(told(node, 1, epoch=2, at=T + 20))
    assert isinstance(again, Settled)
    assert again.covers is None


def test_overdue_is_stale() -> None:
    node = Node().read(put("r1", 1))
    node.read(told(node, 1))
    assert said(node, T + 3600)[0] == COMPLETE
    assert said(node, T + 3601) == (STALE, T, 0)


def test_a_new_epoch_that_went_no_further_is_overdue_and_never_stale() -> None:
    node = Node().read(put("r1", 1))
    assert not feed_state(node.state, T + 9999).overdue, "nothing was promised"
    node.read(told(node, 1), put("r1", 1, epoch=2))
    assert [feed_state(node.state, T + after) for after in (3600, 3601)] == [
        FeedState(CATCHING_UP, T, 0, overdue=False),
        FeedState(CATCHING_UP, T, 0, overdue=True),
    ]


def test_stopped_wins_over_all() -> None:
    node = Node().read(put("r1", 1))
    node.read(told(node, 1), put("r1", 1, number=2))
    assert said(node, T + 9999)[0] == STOPPED
    assert node.state.head == Position(1, 1)


def test_a_statement_overtaken_by_messages_is_outdated() -> None:
    node = Node().read(put("r1", 1))
    overtaken = told(node, 1)
    node.read(put("r2", 2))
    assert node.take(overtaken) == Rejected(node.state, "statement_outdated", "/seq")
