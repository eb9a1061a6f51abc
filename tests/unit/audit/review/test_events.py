"""Events are what was written, and nothing else is an event."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.log import MAX_OPENING
from audit.record import commit_digest, split_opening
from audit.review.events import (
    EXPLANATION_REQUIRED,
    MAX_NAME,
    MAX_TEXT,
    NO_OPENING,
    VERDICTS,
    Asked,
    Event,
    Explained,
    Extended,
    Opened,
    Place,
    SampleDrawn,
    Verdict,
    Whom,
    Withdrawn,
    encode,
    parse,
    sound_name,
    sound_text,
)
from contracts.encoding import canonical, parse_object
from contracts.errors import UserError

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
places = st.builds(Place, names, names, st.integers(0, 2**40))
subjects = places | names
whoms = st.builds(Whom, names, st.none() | names)
dates = st.dates().map(lambda day: day.isoformat())
plain = st.sampled_from(sorted(VERDICTS)).filter(lambda said: said != EXPLANATION_REQUIRED)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(SampleDrawn, names, names, st.integers(0, 10**6), st.booleans()),
    st.builds(Opened, places, names, st.lists(names, max_size=2).map(tuple)),
    st.builds(Verdict, places, names, plain, st.none() | names),
    st.builds(Verdict, places, names, st.just(EXPLANATION_REQUIRED), st.none() | names, whoms, dates),
    st.builds(Asked, subjects, whoms, dates, names),
    st.builds(Explained, subjects, whoms, names, names),
    st.builds(Extended, subjects, dates, names),
    st.builds(Withdrawn, subjects, names),
)
SALT = b"s" * 16
NORMAL = Verdict(Place("sha-256:ab", "gov.example/a", 7), "Wang", "normal")


@given(events, st.dictionaries(st.sampled_from(["note", "reason"]), st.text(max_size=5)), st.integers(0, 2**50))
def test_what_is_written_is_read(event: Event, texts: dict[str, str], now: int) -> None:
    entry, opening = encode(event, texts, SALT, now)
    said = {name: text for name, text in texts.items() if text}
    found = parse(5, entry)
    assert found is not None
    assert found == (5, now, event, bool(said))
    if not said:
        assert opening == NO_OPENING
        return
    members, salt = split_opening(opening)
    assert (members, salt) == (said, SALT)
    assert parse_object(entry)["commit"] == commit_digest(SALT, canonical(said))


def test_texts_are_not_in_the_entry() -> None:
    entry, opening = encode(NORMAL, {"note": "SECRET"}, SALT, 1)
    assert b"SECRET" in opening
    assert b"SECRET" not in entry


def test_the_longest_texts_fit() -> None:
    texts = {"note": "𠮷" * MAX_TEXT, "reason": "\n" * MAX_TEXT}
    assert len(encode(NORMAL, texts, SALT, 1)[1]) <= MAX_OPENING


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "search"},
        {"v": 2},
        {"event": "closed"},
        {"time": "1"},
        {"more": 1},
        {"facts": None},
    ],
)
def test_something_else_is_no_event(changes: dict[str, Any]) -> None:
    members = parse_object(encode(NORMAL, {}, SALT, 1)[0])
    assert parse(0, canonical(members)) is not None
    assert parse(0, canonical({**members, **changes})) is None
    assert parse(0, b'{"kind":"review"') is None


@pytest.mark.parametrize(
    "facts",
    [
        {"verdict": "closed"},
        {"verdict": EXPLANATION_REQUIRED},
        {"request": {"organisation": "a", "unit": None, "deadline": "2026-12-04"}},
        {"position": -1},
        {"position": "7"},
        {"reviewer": ""},
        {"clerk": "1023"},
        {"instead_of": 3},
    ],
)
def test_other_facts_are_no_event(facts: dict[str, Any]) -> None:
    members = parse_object(encode(NORMAL, {}, SALT, 1)[0])
    assert parse(0, canonical({**members, "facts": {**members["facts"], **facts}})) is None


@pytest.mark.parametrize("deadline", ["2026-12-4", "20261204", "2026-02-30", "soon"])
def test_a_deadline_is_a_date(deadline: str) -> None:
    event = Extended("ab", "2026-12-04", "Chen")
    assert parse(0, encode(event, {}, SALT, 1)[0]) is not None
    assert parse(0, encode(replace(event, deadline=deadline), {}, SALT, 1)[0]) is None


@pytest.mark.parametrize("text", ["x" * (MAX_TEXT + 1), "a\x1b[2J", "a\x9b", "a\x7f", "a\u202e", "a\x00"])
def test_refused_texts(text: str) -> None:
    with pytest.raises(UserError):
        sound_text(text)


def test_sound_texts() -> None:
    assert sound_text("  一\r\n二\t三\n") == "一\n二\t三"
    assert sound_name(" 王 ") == "王"
    for name in ("", "  ", "x" * (MAX_NAME + 1)):
        with pytest.raises(UserError):
            sound_name(name)
