"""Which events are admitted, and what they do; reading a log and adding to it follow the same rules."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.review import ledger as rules
from audit.review.events import (
    Asked,
    Event,
    Explained,
    Extended,
    Opened,
    Place,
    Recorded,
    SampleDrawn,
    Whom,
    Withdrawn,
)
from audit.review.ledger import Ledger, Standing, Texts, fold
from contracts.text import Text
from tests.unit.audit.review.world import UNIT, ledger, place, sample, verdict

S = sample()
BEFORE, DEADLINE, AFTER = "2026-12-03", "2026-12-04", "2026-12-05"
BOTH = Texts(note=True, reason=True)
ASKING = verdict(S, 0, "explanation_required")
ANSWER = Explained(place(S, 0), UNIT, "Chen", "t1")
FINDING = "0123456789abcdef"


@pytest.mark.parametrize(
    ("event", "texts", "wrong"),
    [
        (verdict(S, 0, "normal"), Texts(), None),
        (verdict(S, 1, "suspicious"), Texts(), rules.NO_NOTE),
        (verdict(S, 1, "suspicious"), Texts(note=True), None),
        (ASKING, Texts(), rules.NO_NOTE),
        (verdict(S, 0, "normal", reviewer="Li"), BOTH, rules.NOT_ASSIGNED),
        (replace(verdict(S, 0, "normal", reviewer="Li"), instead_of="Wang"), Texts(), rules.NO_REASON),
        (replace(verdict(S, 0, "normal", reviewer="Li"), instead_of="Wang"), Texts(reason=True), None),
        (replace(verdict(S, 0, "normal", reviewer="Deng"), instead_of="Wang"), BOTH, None),
        (replace(verdict(S, 0, "normal", reviewer="Li"), instead_of="Zhang"), BOTH, rules.NOT_INSTEAD),
        (replace(verdict(S, 0, "normal"), instead_of="Wang"), BOTH, rules.NOT_INSTEAD),
        (replace(verdict(S, 0, "normal"), subject=Place(S.digest, "gov.example/a", 99)), BOTH, rules.NOT_IN_SAMPLE),
        (replace(verdict(S, 0, "normal"), subject=Place("sha-256:00", "a", 0)), BOTH, rules.NOT_STARTED),
        (Opened(Place(S.digest, "gov.example/a", 99), "Wang", ()), Texts(), rules.NOT_IN_SAMPLE),
        (SampleDrawn(S.digest, S.seed, 6, drawn_again=False), Texts(), rules.STARTED),
        (Asked(Place("sha-256:00", "a", 0), UNIT, DEADLINE, "Chen"), Texts(), rules.NOT_STARTED),
        (Asked(FINDING, UNIT, DEADLINE, "Chen"), Texts(), None),
        (Explained(FINDING, UNIT, "Chen", "t"), Texts(note=True), None),
        (Explained(FINDING, UNIT, "Chen", "t"), Texts(), rules.NO_TEXT),
        (Extended(FINDING, AFTER, "Chen"), BOTH, rules.NOT_ASKED),
        (Withdrawn(FINDING, "Chen"), BOTH, rules.NOT_ASKED),
    ],
)
def test_admitted(event: Event, texts: Texts, wrong: Text | None) -> None:
    assert ledger(S).refusal(event, texts) is wrong


def test_the_newest_verdict_counts_and_all_stay() -> None:
    found = ledger(S, verdict(S, 0, "normal"), verdict(S, 0, "suspicious"))
    assert found.verdict(place(S, 0)) == verdict(S, 0, "suspicious")
    assert [one.number for one in found.verdicts[place(S, 0)]] == [1, 2]


def test_a_request_until_its_deadline() -> None:
    found = ledger(S, ASKING)
    days = (BEFORE, DEADLINE, AFTER)
    assert [found.standing(place(S, 0), day) for day in days] == [Standing.ASKED, Standing.ASKED, Standing.OVERDUE]
    assert found.standing(place(S, 1), AFTER) is Standing.OPEN


def test_another_verdict_takes_the_request_back() -> None:
    found = ledger(S, ASKING, verdict(S, 0, "normal"))
    assert found.standing(place(S, 0), AFTER) is Standing.OPEN
    assert found.awaited(place(S, 0)) is None


def test_an_explanation_answers_and_judges_nothing() -> None:
    found = ledger(S, ASKING, ANSWER)
    assert found.standing(place(S, 0), AFTER) is Standing.EXPLAINED
    assert found.verdict(place(S, 0)) == ASKING
    assert found.to_judge_again(place(S, 0))
    judged = ledger(S, ASKING, ANSWER, verdict(S, 0, "normal"))
    assert not judged.to_judge_again(place(S, 0))
    assert judged.standing(place(S, 0), AFTER) is Standing.EXPLAINED


def test_asking_again_awaits_again() -> None:
    found = ledger(S, ASKING, ANSWER, ASKING)
    assert found.standing(place(S, 0), AFTER) is Standing.OVERDUE
    assert found.refusal(ANSWER, BOTH) is rules.KNOWN
    assert found.refusal(replace(ANSWER, token="t2"), BOTH) is None
    assert found.refusal(replace(ANSWER, token="t2", whom=Whom("housing", None)), BOTH) is rules.OTHER_UNIT


def test_a_deadline_is_not_moved_by_asking_once_more() -> None:
    asked = ledger(S, ASKING)
    again = Asked(place(S, 0), UNIT, AFTER, "Chen")
    assert asked.refusal(again, Texts()) is rules.ASKED_ALREADY
    assert asked.refusal(replace(again, deadline=BEFORE), Texts()) is None
    assert ledger(S, ASKING, ANSWER).refusal(again, Texts()) is None
    assert ledger(S, ASKING, again).requests[place(S, 0)].deadline == DEADLINE  # nor by another program


@pytest.mark.parametrize(
    "event",
    [
        verdict(S, 0, "explanation_required", deadline=AFTER),
        Asked(place(S, 0), Whom("housing", None), AFTER, "Chen"),
    ],
)
def test_a_deadline_that_another_request_makes_later_is_counted(event: Event) -> None:
    assert ledger(S, ASKING, event).requests[place(S, 0)].extensions == 1
    assert ledger(S, ASKING, ANSWER, event).requests[place(S, 0)].extensions == 0


def test_what_was_asked_for_without_a_verdict_is_judged_again_too() -> None:
    """A suspicious record, explained: its reviewer should read that."""
    asked = Asked(place(S, 0), UNIT, DEADLINE, "Chen")
    suspicious = verdict(S, 0, "suspicious")
    assert not ledger(S, suspicious, asked).to_judge_again(place(S, 0))
    assert ledger(S, suspicious, asked, ANSWER).to_judge_again(place(S, 0))
    assert not ledger(S, suspicious, ANSWER, asked).to_judge_again(place(S, 0))
    assert not ledger(S, ANSWER, suspicious).to_judge_again(place(S, 0))


def test_extensions() -> None:
    later = Extended(place(S, 0), "2026-12-11", "Chen")
    found = ledger(S, ASKING, later)
    assert found.standing(place(S, 0), "2026-12-11") is Standing.ASKED
    assert found.requests[place(S, 0)].extensions == 1
    assert found.refusal(later, BOTH) is rules.NOT_LATER
    assert ledger(S, ASKING).refusal(later, Texts()) is rules.NO_REASON
    assert ledger(S, ASKING, ANSWER).refusal(later, BOTH) is rules.NOT_ASKED


def test_a_request_is_taken_back_with_a_reason() -> None:
    asked, back = Asked(FINDING, UNIT, DEADLINE, "Chen"), Withdrawn(FINDING, "Chen")
    assert ledger(S, asked).refusal(back, Texts()) is rules.NO_REASON
    found = ledger(S, asked, back)
    assert (found.standing(FINDING, AFTER), found.awaited(FINDING)) == (Standing.OPEN, None)
    assert found.refusal(back, BOTH) is rules.NOT_ASKED
    assert found.refusal(Explained(FINDING, Whom("market", None), "Chen", "t"), BOTH) is None
    again = ledger(S, asked, back, Asked(FINDING, UNIT, AFTER, "Chen"))
    assert again.requests[FINDING].extensions == 1
    answered = ledger(S, asked, Explained(FINDING, UNIT, "Chen", "t"))
    assert answered.refusal(back, BOTH) is rules.NOT_ASKED


def test_a_verdict_outlives_its_request() -> None:
    found = ledger(S, ASKING, Withdrawn(place(S, 0), "Chen"))
    assert found.verdict(place(S, 0)) == ASKING
    assert found.standing(place(S, 0), AFTER) is Standing.OPEN


def test_what_breaks_a_rule_in_the_log_has_no_effect_and_is_named() -> None:
    wrong = verdict(S, 0, "suspicious", reviewer="Li")
    found = ledger(S, verdict(S, 0, "normal"), wrong, SampleDrawn(S.digest, S.seed, 6, drawn_again=False))
    assert found.irregular == [(2, rules.NOT_ASSIGNED)]
    assert found.verdict(place(S, 0)) == verdict(S, 0, "normal")


def test_a_verdict_without_a_note_in_the_log_is_named() -> None:
    began = ledger(S)
    began.take(Recorded(9, 9, verdict(S, 0, "suspicious"), sealed=False))
    assert began.irregular == [(9, rules.NO_NOTE)]


def test_without_the_sample_its_own_rules_are_not_known() -> None:
    found = ledger(S, verdict(S, 0, "normal", reviewer="Li"), known=False)
    assert found.irregular == []
    assert found.refusal(verdict(S, 0, "normal"), BOTH) is None


_EVENTS = st.lists(
    st.one_of(
        st.builds(lambda n, said: verdict(S, n, said), st.integers(0, 5), st.sampled_from(["normal", "suspicious"])),
        st.builds(lambda n: verdict(S, n, "explanation_required"), st.integers(0, 5)),
        st.builds(lambda n, t: Explained(place(S, n), UNIT, "Chen", t), st.integers(0, 5), st.sampled_from("abc")),
        st.builds(lambda n: Withdrawn(place(S, n), "Chen"), st.integers(0, 5)),
        st.builds(lambda n, d: Extended(place(S, n), d, "Chen"), st.integers(0, 5), st.sampled_from([DEADLINE, AFTER])),
    ),
    max_size=20,
)


@given(_EVENTS)
def test_adding_and_reading_agree(events: list[Event]) -> None:
    """What is admitted one by one is exactly what has an effect when all of it is read."""
    grown, admitted = ledger(S), []
    for number, event in enumerate(events, 1):
        if grown.refusal(event, BOTH) is None:
            admitted.append(event)
        grown.take(Recorded(number, number * 1000, event, True))
    assert len(grown.irregular) == len(events) - len(admitted)
    again = ledger(S, *admitted)
    assert again.irregular == []
    assert {p: again.verdict(p) for p in S.picks} == {p: grown.verdict(p) for p in S.picks}
    days = (DEADLINE, AFTER)
    assert _standings(again, days) == _standings(grown, days)


@given(_EVENTS)
def test_nothing_but_an_event_changes_anything(events: list[Event]) -> None:
    """Time makes an awaited record overdue, and nothing decided, explained or gone."""
    found = ledger(S, *events)
    for subject in S.picks:
        early, late = found.standing(subject, "2000-01-01"), found.standing(subject, "2999-01-01")
        assert (early, late) in {(one, one) for one in (Standing.OPEN, Standing.EXPLAINED)} | {
            (Standing.ASKED, Standing.OVERDUE)
        }


def _standings(found: Ledger, days: tuple[str, ...]) -> list[Standing]:
    return [found.standing(subject, day) for subject in S.picks for day in days]


def test_an_empty_log() -> None:
    assert fold([]).standing(FINDING, AFTER) is Standing.OPEN
