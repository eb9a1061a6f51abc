"""Ids of findings: the same for the same thing, whatever else is there; and their states."""

from hypothesis import given
from hypothesis import strategies as st

from audit.review.desk import Said, Shown
from audit.review.events import Explained, Recorded, Whom
from audit.review.explained import counts, state_json, state_of, state_text
from audit.review.findings import case_finding_id, finding_id, is_finding_id
from audit.review.ledger import Due, Standing
from audit.search.rules import DAY_MS, Limits, Row, analyse
from tests.integration.audit_support import AUDITOR
from tests.integration.search_world import SECOND

START = 1_763_741_600_000
PURPOSE = ("housing", "window-1", "app", "item")
LIMITS = Limits(holders_a_day=2, clerks_a_week=2, refusals=2, known_days=1, own=frozenset({(b"c1", b"h1")}))
_ROWS = st.lists(
    st.builds(
        lambda time, clerk, holder, refused: Row(
            0, START + time, "refused" if refused else "granted", PURPOSE, clerk, holder
        ),
        st.integers(0, 6 * DAY_MS),
        st.sampled_from([b"c1", b"c2", b"c3", None]),
        st.sampled_from([b"h1", b"h2", b"h3", b"h4"]),
        st.booleans(),
    ),
    unique_by=lambda row: row.time,
    max_size=40,
)


def ids(rows: list[Row], salt: bytes = b"", limits: Limits = LIMITS) -> dict[str, int]:
    """Id → count, of an index with other tokens; positions in order of time."""
    ordered = sorted(rows, key=lambda row: row.time)
    tokens = [(row.clerk and salt + row.clerk, row.holder and salt + row.holder) for row in ordered]
    placed = [
        row._replace(place=n, clerk=pair[0], holder=pair[1])
        for n, (row, pair) in enumerate(zip(ordered, tokens, strict=True))
    ]
    own = frozenset((salt + clerk, salt + holder) for clerk, holder in limits.own)
    found = analyse(placed, Limits(2_0, 2_3, 2, 2, 2, 1, own))
    told = [(finding_id(one.rule, one.period, "gov.example/a", one.places[0]), one.count) for one in found]
    assert len(dict(told)) == len(told), "two findings with one id"
    return dict(told)


@given(_ROWS)
def test_ids_do_not_depend_on_tokens(rows: list[Row]) -> None:
    assert ids(rows, b"one") == ids(rows, b"another")


@given(_ROWS, _ROWS)
def test_later_entries_change_no_id(rows: list[Row], later: list[Row]) -> None:
    """All that was found is found again under the same id, with as many accesses or more."""
    newest = max((row.time for row in rows), default=START)
    more = [row._replace(time=newest + 1 + row.time - START) for row in later]
    before, after = ids(rows), ids(rows + more)
    assert {one: count for one, count in before.items() if after.get(one, 0) < count} == {}


def test_what_an_id_depends_on() -> None:
    one = finding_id("off_hours", "2026-11-22", "gov.example/a", 7)
    assert one == "20f74ae727583bf4"
    assert is_finding_id(one)
    others = {
        finding_id("many_holders", "2026-11-22", "gov.example/a", 7),
        finding_id("off_hours", "2026-11-23", "gov.example/a", 7),
        finding_id("off_hours", "2026-11-22", "gov.example/b", 7),
        finding_id("off_hours", "2026-11-22", "gov.example/a", 8),
    }
    assert len(others - {one}) == 4


def test_cases_have_ids_for_the_auditor_only() -> None:
    one = case_finding_id(AUDITOR, "no_access", "2026-17")
    assert is_finding_id(one)
    assert one == case_finding_id(AUDITOR, "no_access", " 2026-17 ")
    assert (
        len({one, case_finding_id(SECOND, "no_access", "2026-17"), case_finding_id(AUDITOR, "no_access", "2026-18")})
        == 3
    )


def shown(standing: Standing, *times: int) -> Shown:
    due = None if standing is Standing.OPEN else Due(Whom("housing", None), "2026-12-04", 0, 1)
    event = Explained("0" * 16, Whom("housing", None), "Chen", "t")
    said = [Said(Recorded(n, time, event, sealed=True), {"explanation": "值班"}) for n, time in enumerate(times)]
    return Shown(standing, due, said)


def test_a_finding_that_grew_is_open_again() -> None:
    same = state_of(shown(Standing.EXPLAINED, 5_000), 4_000)
    grown = state_of(shown(Standing.EXPLAINED, 5_000), 6_000)
    assert (same.standing, same.grown) == (Standing.EXPLAINED, False)
    assert (grown.standing, grown.grown) == (Standing.OPEN, True)
    assert state_of(shown(Standing.EXPLAINED, 5_000, 7_000), 6_000).standing is Standing.EXPLAINED
    assert state_of(shown(Standing.EXPLAINED, 5_000), None).standing is Standing.EXPLAINED
    assert "accesses after" in state_text(grown).en
    assert len(grown.shown.explanations) == 1


def test_an_asked_one_that_grew_is_still_asked() -> None:
    found = state_of(shown(Standing.ASKED, 5_000), 6_000)
    assert found.standing is Standing.ASKED
    assert state_text(found).en == "asked until 2026-12-04"
    assert state_json(found)["deadline"] == "2026-12-04"


def test_counts_name_every_state() -> None:
    found = [state_of(shown(Standing.OVERDUE), None), state_of(shown(Standing.OPEN), None)]
    assert counts(found) == {"open": 1, "asked": 0, "overdue": 1, "explained": 0}
