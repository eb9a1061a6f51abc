"""The outbox: one owner, one worker, secrets that stay, all of a plan or nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.outbox import Lock, LockHeld, Outbox
from adapters.outbox_tables import Sealed, StreamState
from contracts.errors import UserError
from contracts.feeds import LiveRecord
from contracts.hpke import UnwrapKey
from contracts.streams import Position, Stream

STREAM = Stream("market", "market-1", "cn.business-licence")
NAME = STREAM.evidence_type


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.db", "market", "market-1") as opened:
        yield opened


def _sealed(*numbers: int) -> list[Sealed]:
    return [
        Sealed(f"r{number}", number, b"digest", "sha-256:00", b"value %d" % number, (b"r%d" % number,))
        for number in numbers
    ]


def _statement(position: Position, live: Iterator[LiveRecord]) -> tuple[bytes, bytes, int, bool]:
    return b"@feed", b"%d of %d" % (len(list(live)), position.seq), 1000, True


def _append(outbox: Outbox, state: StreamState, *numbers: int, plan: str = "p") -> None:
    outbox.append(state, _sealed(*numbers), _statement, (900, plan, {}))


def test_a_plan_is_appended_published_and_marked(outbox: Outbox) -> None:
    state = outbox.stream(NAME, 5000)
    _append(outbox, state, 1, 2, 3)
    state = outbox.stream(NAME, 9000)
    assert (state.epoch, state.position.seq, state.next_at, state.full_at) == (5000, 3, 1000, 900)
    assert outbox.live_digests(state) == {"r1": b"digest", "r2": b"digest", "r3": b"digest"}
    entries = outbox.unpublished(state, 10)
    assert [(one.key, one.value) for one in entries] == [
        (b"r1", b"value 1"),
        (b"r2", b"value 2"),
        (b"r3", b"value 3"),
        (b"@feed", b"3 of 3"),
    ]
    outbox.mark(state, entries[1])
    assert [one.key for one in outbox.unpublished(state, 1)] == [b"r3"]
    assert outbox.backlog(state) == 2


@pytest.mark.parametrize("numbers", [(2,), (1, 3), (1, 1), (0, 1)])
def test_wrong_numbers_append_nothing(outbox: Outbox, numbers: tuple[int, ...]) -> None:
    state = outbox.stream(NAME, 5000)
    with pytest.raises(ValueError, match="numbers"):
        _append(outbox, state, *numbers)
    assert (outbox.backlog(state), outbox.stream(NAME, 5000)) == (0, state)


def test_secrets_stay(tmp_path: Path) -> None:
    path, zone, other = tmp_path / "o.db", UnwrapKey.generate().public, UnwrapKey.generate().public
    with Outbox(path, "market", "market-1") as first:
        secrets = first.record_secret, first.content_secret
        key = first.feed_key(STREAM, first.stream(NAME, 1), zone, "2026-01")
    with Outbox(path, "market", "market-1") as again:
        state = again.stream(NAME, 2)
        assert (again.record_secret, again.content_secret) == secrets
        assert again.feed_key(STREAM, state, zone, "2026-01") == key
        others = [again.feed_key(STREAM, state, *place) for place in ((zone, "2026-02"), (other, "2026-01"))]
    assert len({key.secret, *(one.secret for one in others)}) == 3
    assert len(set(secrets)) == 2
    with pytest.raises(UserError):
        Outbox(path, "market", "market-2")


def test_epochs_rise_whatever_the_clock_says(outbox: Outbox) -> None:
    assert outbox.stream("cn.one", 5000).epoch == 5000
    assert outbox.stream("cn.two", 100).epoch == 5001
    assert outbox.stream("cn.one", 9000).epoch == 5000


def test_an_approval_is_used_up(outbox: Outbox) -> None:
    state = outbox.stream(NAME, 5000)
    braked = outbox.brake(state, 900, "plan", {"x": 1})
    assert outbox.brake(state, 901, "plan", {}).id == braked.id
    assert outbox.approved_plan(state) is None
    assert outbox.approve(braked.id).report == {"x": 1}
    assert outbox.approved_plan(state) == "plan"
    _append(outbox, state, 1, plan="plan")
    assert outbox.approved_plan(state) is None
    with pytest.raises(UserError):
        outbox.approve(braked.id)


def test_another_plan_voids_an_approval(outbox: Outbox) -> None:
    state = outbox.stream(NAME, 5000)
    outbox.approve(outbox.brake(state, 900, "plan", {}).id)
    outbox.brake(state, 901, "another", {})
    assert outbox.approved_plan(state) is None
    assert outbox.is_braked(state)
    with pytest.raises(UserError):
        outbox.approve(77)


def test_one_process_works_on_it(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Lock(path), pytest.raises(LockHeld):
        Lock(path)
    with Lock(path):
        pass


def test_time_issued_never_goes_back(outbox: Outbox) -> None:
    state = outbox.stream(NAME, 5000)
    assert outbox.issue_time(state, 700) == 700
    _append(outbox, state, 1)  # issued at 900
    assert [outbox.issue_time(state, now) for now in (100, 899, 900, 950)] == [901, 901, 900, 950]
