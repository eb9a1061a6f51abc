"""What is said of a question that may find nothing for a mistake in it."""

import pytest

from audit.search.asked import parse
from audit.search.doubts import doubts
from audit.search.filters import Filters
from audit.search.holders import ending, holder_of
from contracts.errors import UserError

RIC, USCC = "430102198703162829", "91430100MA4L0X3Q6D"


def _occurs(filters: Filters) -> bool:
    """An index of `housing`, `granted`, without a unit, of `cn.home`."""
    known = {"organisation": "housing", "decision": "granted", "unit": "none"}
    return all(known.get(name) in values for name, values in filters.facets.items()) and filters.types in {
        (),
        ("cn.home",),
    }


def said(*words: str) -> list[str]:
    return [text.en for text in doubts(parse(words), _occurs)]


@pytest.mark.parametrize(
    ("word", "what"),
    [
        ("decision=拒绝", "no record of the index has 拒绝 as its decision"),
        ("organisation=nobody", "has nobody as its organisation"),
        ("item=none", "has none as its item"),
        ("type=cn.house", "has cn.house as its type"),
        (f"holder=cn.ric:{RIC[:-1]}", "not a number of the scheme cn.ric"),
        (f"holder=cn.uscc:{USCC[:-1]}E", "not a number of the scheme cn.uscc"),
        ("holder=uscc:x", "uscc: no holder scheme, taken for the name of a key field"),
    ],
)
def test_doubtful(word: str, what: str) -> None:
    (found,) = said(word)
    assert what in found
    assert RIC[:-1] not in found


@pytest.mark.parametrize(
    "words",
    [
        ("decision=granted", "organisation=housing", "unit=none", "type=cn.home"),
        (f"holder=cn.ric:{RIC}",),
        (f"holder=cn.uscc:{USCC.lower()}",),
        ("holder=cn.ric:430102870316282",),  # of 15 digits
        ("clerk=x", "case=y", "from=2026-01-01", "to=2026-01-01"),
    ],
)
def test_sound(words: tuple[str, ...]) -> None:
    assert said(*words) == []


@pytest.mark.parametrize(
    "text", ["x", ":x", "cn.ric:", "cn.ric: ", "cn.usc:9", "CN.RIC:9", f"{RIC}:cn.ric", "cn.name:王"]
)
def test_no_holder(text: str) -> None:
    with pytest.raises(UserError) as caught:
        holder_of(text)
    assert RIC not in str(caught.value)


@pytest.mark.parametrize(
    "words", [("from=2026-01-02", "to=2026-01-01"), ("from=2026-01-01T08:00", "to=2026-01-01T08:00")]
)
def test_from_comes_before_to(words: tuple[str, ...]) -> None:
    with pytest.raises(UserError):
        parse(words)


def test_the_end_of_a_number_in_its_normal_form() -> None:
    assert ending("cn.uscc", USCC.lower()) == "3Q6D"
    assert ending("cn.ric", "430102870316282") == "2829"
