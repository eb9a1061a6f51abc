"""The memory in one process: nothing is accepted twice, and a full memory refuses."""

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
