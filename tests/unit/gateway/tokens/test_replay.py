"""The memory in one process: nothing is accepted twice, and a full memory refuses."""

import errno

from hypothesis import given
from hypothesis import strategies as st

from gateway.tokens.replay import FIRST, FULL, SEEN, STALE, LocalReplay, Use

WINDOW = 60
uses = st.builds(
    lambda jti, issued: Use("dpop", "kid", jti, issued, issued + WINDOW),
    st.sampled_from("abc"),
    st.integers(0, 300),
)
moments = st.integers(0, 400_000)  # Unix ms, in any order: clocks jump


@given(st.lists(st.tuples(uses, moments), max_size=60), st.integers(0, 200_000), st.integers(1, 4))
def test_nothing_is_accepted_twice_whatever_the_clock_does(
    history: list[tuple[Use, int]], started: int, limit: int
) -> None:
    memory = LocalReplay(started, limit)
    accepted: set[Use] = set()
    for use, now in history:
        outcome = memory.once(use, now)
        assert len(memory) <= limit
        if outcome == FIRST:
            assert use not in accepted
            assert use.issued * 1000 >= started
            accepted.add(use)


@given(st.lists(uses, min_size=1, max_size=30), st.integers(0, 100))
def test_within_its_time_a_use_is_first_then_seen(history: list[Use], seconds: int) -> None:
    memory = LocalReplay(0)
    seen: dict[str, int] = {}
    for use in history:
        now = max(seconds, use.issued)
        live = seen.get(use.jti, -1) >= now
        outcome = memory.once(use, now * 1000)
        seconds = now
        if use.expires < now:
            assert outcome == STALE
        elif live:
            assert outcome == SEEN
        else:
            assert outcome == FIRST
            seen[use.jti] = use.expires


def test_a_full_memory_refuses_and_does_not_forget() -> None:
    memory = LocalReplay(0, limit=2)
    a, b, c = (Use("dpop", "kid", jti, 10, 70) for jti in "abc")
    assert [memory.once(use, 10_000) for use in (a, b, c, a, b)] == [FIRST, FIRST, FULL, SEEN, SEEN]
    assert memory.once(Use("dpop", "kid", "c", 60, 120), 71_000) == FIRST


def test_a_start_refuses_what_is_older_than_itself() -> None:
    memory = LocalReplay(10_500)
    assert memory.accepts_from == 11_000
    assert memory.once(Use("dpop", "kid", "a", 10, 70), 11_000) == STALE
    assert memory.once(Use("dpop", "kid", "a", 11, 71), 11_000) == FIRST


def test_spaces_and_keys_are_apart() -> None:
    memory = LocalReplay(0)
    same = [Use(space, kid, "j", 1, 61) for space in ("dpop", "assertion") for kid in ("k1", "k2")]
    assert [memory.once(use, 1000) for use in same] == [FIRST] * 4


HOUR = 3600


def test_an_hour_ahead_and_back_costs_no_more_than_was_forgotten() -> None:
    memory = LocalReplay(0)
    start = 1_000_000
    used, other = (Use("dpop", "kid", jti, start, start + WINDOW) for jti in "ab")
    assert memory.once(used, start * 1000) == FIRST
    ahead = Use("dpop", "kid", "c", start + HOUR, start + HOUR + WINDOW)
    assert memory.once(ahead, (start + HOUR) * 1000) == FIRST
    back = (start + 10) * 1000
    assert [memory.once(one, back) for one in (used, other, ahead)] == [STALE, STALE, SEEN]
    assert memory.once(Use("dpop", "kid", "d", start + 10, start + 10 + WINDOW), back) == FIRST


def test_an_hour_back_does_not_keep_the_memory_from_forgetting() -> None:
    memory = LocalReplay(0, limit=3)
    assert memory.once(Use("dpop", "kid", "ahead", HOUR, HOUR + WINDOW), HOUR * 1000) == FIRST
    for second in range(10, 100, 10):
        assert memory.once(Use("dpop", "kid", f"j-{second}", second, second + 5), second * 1000) == FIRST
    assert len(memory) == 2


class PaperMarks:
    """Marks that outlive a memory; `lives` begins the next one."""

    def __init__(self) -> None:
        self._old: dict[tuple[str, str], int] = {}
        self._new: dict[tuple[str, str], int] = {}
        self.full = False

    def before(self, space: str, kid: str) -> int:
        return self._old.get((space, kid), -1)

    def raise_to(self, space: str, kid: str, issued: int) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "full")
        assert issued > self._new.get((space, kid), -1)
        self._new[space, kid] = issued

    def next_life(self) -> None:
        self._old |= self._new
        self._new = {}


@given(st.lists(st.lists(st.tuples(uses, moments), max_size=20), max_size=4))
def test_with_marks_no_restart_accepts_anything_again_whatever_the_clock_says(
    lives: list[list[tuple[Use, int]]],
) -> None:
    marks = PaperMarks()
    accepted: set[Use] = set()
    for history in lives:
        memory = LocalReplay(0, marks=marks)
        for use, now in history:
            if memory.once(use, now) == FIRST:
                assert use not in accepted
                accepted.add(use)
        marks.next_life()


def test_a_proof_dated_ahead_passes_once_in_two_lives_and_another_client_waits_for_nothing() -> None:
    marks = PaperMarks()
    ahead = Use("dpop", "kid", "a", 150, 210)
    assert LocalReplay(0, marks=marks).once(ahead, 100_000) == FIRST
    marks.next_life()
    again = LocalReplay(101_000, marks=marks)
    assert again.once(ahead, 101_000) == STALE
    assert again.once(Use("dpop", "kid", "b", 151, 211), 101_000) == FIRST
    assert again.once(Use("dpop", "other", "a", 101, 161), 101_000) == FIRST


def test_what_cannot_be_marked_is_not_accepted() -> None:
    marks = PaperMarks()
    memory = LocalReplay(0, marks=marks)
    use = Use("dpop", "kid", "a", 10, 70)
    marks.full = True
    assert memory.once(use, 10_000) == FULL
    marks.full = False
    assert memory.once(use, 10_000) == FIRST
