"""When a head that a witness has is withheld from the mirror, and when it is only on its way."""

from dataclasses import replace

import pytest

from audit.mirror.judge import Alarm, Facts, Log
from audit.mirror.withheld import WITHHELD_S, Awaited, awaited, withheld

NOW = 1_800_000_000.0
WELL = Facts(Log("slot-1", "gov.example/slot-1", "vkey-1"), "https://gw.example", 10, 10, NOW, NOW)
URL = "https://witness.example"


def head(size: int, since: float = NOW) -> Awaited:
    return Awaited(size, b"note %d" % size, since)


@pytest.mark.parametrize(
    ("before", "seen", "expected"),
    [
        (None, None, None),
        (None, head(10), None),
        (None, head(7), None),
        (None, head(11), head(11)),
        (head(11, NOW - 9), head(15), head(11, NOW - 9)),
        (head(11, NOW - 9), None, head(11, NOW - 9)),
        (head(10, NOW - 9), head(15), head(15)),
        (head(10, NOW - 9), head(10), None),
    ],
)
def test_a_head_is_awaited_until_the_copy_has_as_much(
    before: Awaited | None, seen: Awaited | None, expected: Awaited | None
) -> None:
    assert awaited(before, seen, WELL, NOW) == expected


def test_the_time_does_not_run_while_what_was_shown_is_copied() -> None:
    assert awaited(head(15, NOW - 500), None, replace(WELL, size=7), NOW) == head(15, NOW)


@pytest.mark.parametrize(
    ("waited", "shown", "is_told"),
    [(WITHHELD_S, 10, False), (WITHHELD_S + 1, 10, True), (WITHHELD_S + 1, 11, False), (WITHHELD_S + 1, 12, False)],
)
def test_it_is_told_after_a_while(waited: float, shown: int, is_told: bool) -> None:
    told = tuple(withheld(head(11, NOW - waited), URL, replace(WELL, source_size=shown), NOW))
    text = f"{URL} cosigned 11 entries, and the gateway shows 10"
    assert told == ((Alarm("head_withheld", "slot-1", text),) if is_told else ())


def test_a_log_that_grows_without_pause_is_well() -> None:
    """The witness is always ahead of the last look at the gateway, and each of its heads comes with the next."""
    state: Awaited | None = None
    for step in range(100):
        facts = replace(WELL, size=step * 10, source_size=step * 10)
        now = NOW + step * 5
        state = awaited(state, head(step * 10 + 5, now), facts, now)
        assert state is not None
        assert not list(withheld(state, URL, facts, now))


def test_a_gateway_that_shows_one_head_for_ever_is_not() -> None:
    state: Awaited | None = None
    for step in range(100):
        now = NOW + step * 5
        state = awaited(state, head(11 + step, now), WELL, now)
        assert state is not None
        assert bool(list(withheld(state, URL, WELL, now))) == (step * 5 > WITHHELD_S)
