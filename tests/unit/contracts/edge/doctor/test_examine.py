"""Checks run each for itself; what they find is one line, or one JSON object, always of the same form."""

import threading
from collections.abc import Iterator

import pytest

from contracts.edge.doctor.examine import Check, Lazy, Missing, examine
from contracts.edge.doctor.finding import FAILED, OK, WARNING, Finding, Told, failed, ok, verdict, warning
from contracts.edge.doctor.show import form, line
from contracts.errors import Corrupt, Fault, Unavailable, UserError
from contracts.text import Text

TITLE = Text("检查", "a check")
REMEDY = Text("改正", "Mend it.")


def raising(error: Exception) -> Iterator[Finding]:
    yield ok("先", "first")
    raise error


@pytest.mark.parametrize(
    ("error", "level", "what"),
    [
        (UserError(Text("错", "wrong"), "here", REMEDY), FAILED, "wrong"),
        (Fault("registry_absent"), FAILED, "This node has no registry yet"),
        (Corrupt("bytes"), FAILED, "Stored data is damaged: bytes"),
        (Unavailable("broker"), FAILED, "Not available now: broker"),
        (Missing(Text("日志", "log")), WARNING, "Not examined: there is no usable log"),
        (ZeroDivisionError(), FAILED, "The check itself failed: ZeroDivisionError"),
    ],
)
def test_an_error_is_a_finding_and_the_next_check_goes_on(error: Exception, level: str, what: str) -> None:
    checks: list[Check[Exception]] = [Check("one", TITLE, raising), Check("two", TITLE, lambda _: [ok("好", "fine")])]
    found = [(one.check, one.finding.level, one.finding.what.en) for one in examine(checks, error)]
    assert found == [("one", OK, "first"), ("one", level, what), ("two", OK, "fine")]


def test_a_check_that_hangs_is_given_up() -> None:
    free = threading.Event()
    checks: list[Check[None]] = [
        Check("slow", TITLE, lambda _: [ok("", "")] if free.wait() else []),
        Check("next", TITLE, lambda _: []),
    ]
    try:
        [told] = examine(checks, None, 0.01)
    finally:
        free.set()
    assert (told.check, told.finding.level) == ("slow", FAILED)


def test_what_several_checks_need_is_made_once_and_its_error_told_once() -> None:
    made: list[int] = []

    def make() -> int:
        made.append(1)
        raise Fault("registry_absent")

    value = Lazy(TITLE, make)
    with pytest.raises(Fault):
        value.get()
    with pytest.raises(Missing):
        value.need()
    assert made == [1]


def test_a_value_whose_making_failed_by_a_fault_of_ours_is_missing() -> None:
    value: Lazy[float] = Lazy(TITLE, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        value.get()
    with pytest.raises(Missing):
        value.get()


FOUND = [
    Told("a", TITLE, ok("好", "fine", "/x")),
    Told("b", TITLE, warning(Text("注意", "mind"), REMEDY)),
    Told("b", TITLE, failed(Text("坏", "bad"), REMEDY, "/y")),
]


def test_a_finding_is_one_line_in_either_language() -> None:
    assert [line(one, "en") for one in FOUND] == [
        "✔ a check: fine (/x).",
        "⚠ a check: mind. Mend it.",
        "✘ a check: bad (/y). Mend it.",
    ]
    assert line(FOUND[2], "zh") == "✘ 检查:坏 (/y)。改正"


def test_the_json_object_is_always_of_the_same_form() -> None:
    document = form(FOUND)
    assert document == {
        "schema": "oncegate-doctor/1",
        "verdict": "failed",
        "counts": {"ok": 1, "warning": 1, "failed": 1},
        "findings": [
            {
                "check": one.check,
                "level": one.finding.level,
                "title": {"zh-CN": "检查", "en": "a check"},
                "what": one.finding.what.as_json(),
                "where": one.finding.where,
                "remedy": None if one.finding.remedy is None else {"zh-CN": "改正", "en": "Mend it."},
            }
            for one in FOUND
        ],
    }


def test_the_verdict_is_the_worst() -> None:
    assert [verdict(FOUND[:count]) for count in range(4)] == [OK, OK, WARNING, FAILED]
