"""Each rule: what it names, just above its limit, and what it leaves alone, just below."""

from typing import Any

import pytest

from audit.search.asked import milliseconds
from audit.search.rules import EXPLANATIONS, MAX_ROWS, RULES, History, Limits, Row, analyse

DEFAULT = Limits()
MONDAY = "2026-11-23"
PURPOSE = ("housing", None, "app", "buy-home")


def row(when: str, place: int = 0, clerk: str | None = "c", holder: str | None = "h", **changes: Any) -> Row:
    tokens = (None if name is None else name.encode() for name in (clerk, holder))
    return Row(place, milliseconds(when), "granted", PURPOSE, *tokens)._replace(**changes)


def found(rule: str, rows: list[Row], limits: Limits = DEFAULT) -> list[tuple[str, int]]:
    findings = analyse(reversed(rows), limits)
    return [(bytes.fromhex(one.subject).decode(), one.count) for one in findings if one.rule == rule]


@pytest.mark.parametrize(
    ("when", "named"),
    [
        (f"{MONDAY}T08:00", False),
        (f"{MONDAY}T17:59:59.999", False),
        (f"{MONDAY}T18:00", True),
        (f"{MONDAY}T07:59:59", True),
        ("2026-11-27T12:00", False),
        ("2026-11-28T12:00", True),
        ("2026-11-29T12:00", True),
        (f"{MONDAY}T00:00:00Z", False),
        (f"{MONDAY}T10:00:00Z", True),
    ],
)
def test_off_hours(when: str, named: bool) -> None:
    assert found("off_hours", [row(when)]) == ([("c", 1)] if named else [])


def test_off_hours_are_grouped_by_clerk_and_day() -> None:
    rows = [row(f"{MONDAY}T20:00"), row(f"{MONDAY}T21:00"), row("2026-11-24T20:00"), row(f"{MONDAY}T20:00", clerk="d")]
    assert sorted(found("off_hours", rows)) == [("c", 1), ("c", 2), ("d", 1)]
    assert found("off_hours", [row(f"{MONDAY}T20:00", clerk=None)]) == []


def test_many_holders() -> None:
    rows = [row(f"{MONDAY}T09:{n:02}", holder=f"h{n}") for n in range(6)]
    assert found("many_holders", rows, Limits(holders_a_day=5)) == [("c", 6)]
    assert found("many_holders", rows, Limits(holders_a_day=6)) == []
    apart = [*rows[:3], *(row("2026-11-24T09:00", holder=f"h{n}") for n in range(3, 6))]
    assert found("many_holders", [*apart, row(f"{MONDAY}T09:00", holder=None)], Limits(holders_a_day=5)) == []


def test_many_clerks() -> None:
    days = ("23", "24", "25", "26", "27", "28", "29", "30")
    rows = [row(f"2026-11-{day}T09:00", clerk=f"c{day}") for day in days]  # Monday to Sunday, and a Monday
    assert found("many_clerks", rows, Limits(clerks_a_week=6)) == [("h", 7)]
    assert found("many_clerks", rows, Limits(clerks_a_week=7)) == []


def test_own_record() -> None:
    rows = [row(f"{MONDAY}T09:00"), row(f"{MONDAY}T10:00"), row(f"{MONDAY}T10:00", holder="other")]
    assert found("own_record", rows) == []
    assert found("own_record", rows, Limits(own=frozenset({(b"c", b"h"), (b"d", b"other")}))) == [("c", 2)]


def test_refusal_bursts() -> None:
    rows = [row(f"{MONDAY}T09:{minute:02}", decision="refused") for minute in range(0, 60, 20)]
    late = row(f"{MONDAY}T10:00", decision="refused")
    assert found("refusal_burst", [*rows, late], Limits(refusals=3)) == [("c", 3)]
    assert found("refusal_burst", [*rows, late], Limits(refusals=4)) == []
    assert found("refusal_burst", [one._replace(decision="granted") for one in rows], Limits(refusals=1)) == []


def test_an_early_refusal_hides_no_burst() -> None:
    """One refusal an hour before does not cut the burst in two, whoever places it."""
    minutes = [(9, 0), *((9, 50 + n) for n in range(9)), *((10, n) for n in range(9))]
    rows = [row(f"{MONDAY}T{hour:02}:{minute:02}", n, decision="refused") for n, (hour, minute) in enumerate(minutes)]
    assert found("refusal_burst", rows[:10], Limits(refusals=10)) == [("c", 10)]
    assert found("refusal_burst", rows[1:], Limits(refusals=11)) == [("c", 18)]
    assert found("refusal_burst", rows, Limits(refusals=11)) == [("c", 18)]


def test_new_purpose() -> None:
    other = ("housing", None, "app", "other-item")
    rows = [
        row("2026-10-01T09:00"),
        row("2026-10-20T09:00", 1, purpose=("housing", None, "app", "early-item")),
        row("2026-11-02T09:00", 2),
        row("2026-11-02T10:00", 3, purpose=other, decision="refused"),
        row("2026-11-02T11:00", 4, purpose=other),
        row("2026-11-02T12:00", 5, purpose=other),
        row("2026-11-02T13:00", 6, purpose=("housing", None, "app", None)),
    ]
    first = {PURPOSE: rows[0].time, rows[1].purpose: rows[1].time, other: rows[4].time, rows[6].purpose: rows[6].time}
    limits = Limits(history=History(rows[0].time, first))
    (one,) = (finding for finding in analyse(rows, limits) if finding.rule == "new_purpose")
    assert (one.subject, list(one.places)) == ("housing / - / app / other-item", [4])
    for some in (rows[4:], rows[:5], [rows[4]]):  # the same, whatever else was asked for
        assert [one for one in analyse(some, limits) if one.rule == "new_purpose"] == [one]
    assert not [one for one in analyse([*rows[:4], *rows[5:]], limits) if one.rule == "new_purpose"]


def test_every_rule_explains_itself_and_names_rows() -> None:
    assert RULES.keys() == EXPLANATIONS.keys()
    rows = [row(f"{MONDAY}T20:00", place) for place in range(MAX_ROWS + 5)]
    (one,) = analyse(rows, Limits())
    assert (one.count, list(one.places)) == (MAX_ROWS + 5, list(range(MAX_ROWS)))
    assert one.explanation.zh == "同一窗口人员在 8–18 时之外或周末的访问:105 次"
    assert analyse([], Limits()) == []
