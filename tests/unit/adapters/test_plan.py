"""The plan of a run: every rule, the brake at its boundaries, and that a plan leads from one state to the next."""

from collections.abc import Iterable, Mapping
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mapping import Document
from adapters.plan import Brake, Candidate, Limits, Plan, Previous, plan
from adapters.rows import RowFault

LIMITS = Limits()


def _good(record: str, content: bytes = b"same", line: int = 2) -> Candidate:
    return Candidate(Document("a.csv", line, record, {}), content)


def _live(count: int) -> dict[str, bytes]:
    return {f"r{number}": b"same" for number in range(count)}


def _fault(record: str | None, certain: bool = True, line: int = 99) -> RowFault:
    return RowFault("a.csv", line, "", "row_columns", None, record, certain)


def _plan(
    live: Mapping[str, bytes],
    good: Iterable[Candidate],
    faults: Iterable[RowFault] = (),
    complete: bool = True,
    approved: str | None = None,
    first: bool = False,
) -> Plan | Brake:
    return plan(Previous(live, first), list(good), list(faults), LIMITS, complete, approved)


def _made(outcome: Plan | Brake) -> Plan:
    assert isinstance(outcome, Plan), outcome
    return outcome


def _braked(outcome: Plan | Brake) -> Brake:
    assert isinstance(outcome, Brake), outcome
    return outcome


def test_adds_modifies_and_leaves_alone() -> None:
    live = {"a": b"same", "b": b"old"}
    made = _made(_plan(live, [_good("a"), _good("b", b"new"), _good("c")]))
    assert [put.document.record for put in made.puts] == ["b", "c"]
    assert (made.added, made.modified, made.unchanged, made.withdrawals) == (1, 1, 1, ())
    assert made.size == 2


def test_withdraws_only_from_a_complete_source() -> None:
    live = _live(3)
    assert _made(_plan(live, [_good("r0"), _good("r1")])).withdrawals == ("r2",)
    assert _made(_plan(live, [_good("r0"), _good("r1")], complete=False)).withdrawals == ()


def test_a_refused_row_keeps_its_record() -> None:
    made = _made(_plan(_live(3), [_good("r0")], [_fault("r1")]))
    assert made.withdrawals == ("r2",)
    assert (made.kept, made.unchanged) == (1, 1)


def _restated(live: Mapping[str, bytes], good: Iterable[Candidate], *faults: RowFault) -> Plan | Brake:
    previous = Previous(live, first=True, restates=True, erased=("wiped",))
    return plan(previous, list(good), list(faults), LIMITS, complete=False)


def test_a_new_epoch_restates_everything() -> None:
    made = _made(_restated({"a": b"same", "b": b"old"}, [_good("a"), _good("b", b"new"), _good("c")]))
    assert [put.document.record for put in made.puts] == ["a", "b", "c"]
    assert (made.added, made.modified, made.restated, made.unchanged) == (1, 1, 1, 0)
    assert (made.erased, made.withdrawals, made.size) == (("wiped",), (), 4)


@pytest.mark.parametrize("fault", [_fault("r1"), _fault(None), _fault("unheard of", certain=False)])
def test_what_cannot_be_restated_is_withdrawn_whatever_became_of_its_row(fault: RowFault) -> None:
    made = _made(_restated(_live(3), [_good("r0"), _good("r2")], fault))
    assert (made.withdrawals, made.kept, made.withheld) == (("r1",), 0, 0)


def test_the_brake_weighs_what_a_new_epoch_loses_even_of_an_incomplete_source() -> None:
    good = [_good(f"r{number}") for number in range(97)]
    assert len(_braked(_restated(_live(100), good)).why) == 1
    assert _made(_restated(_live(98), good)).withdrawals == ("r97",)
    assert _braked(_restated(_live(2), [])).plan.withdrawals == ("r0", "r1")


@pytest.mark.parametrize("fault", [_fault(None), _fault("unheard of", certain=False)])
def test_an_unreadable_key_withdraws_nothing(fault: RowFault) -> None:
    made = _made(_plan(_live(3), [_good("r0", b"new")], [fault]))
    assert (made.withdrawals, made.withheld, made.unreadable, made.modified) == ((), 2, 1, 1)


def test_a_doubtful_key_that_names_a_live_record_is_read() -> None:
    made = _made(_plan(_live(3), [_good("r0")], [_fault("r1", certain=False)]))
    assert (made.withdrawals, made.kept, made.unreadable) == (("r2",), 1, 0)


def test_both_rows_of_a_key_are_refused_and_the_record_stays() -> None:
    made = _made(_plan(_live(2), [_good("r0", b"x", 2), _good("r1", line=3), _good("r0", b"y", 4)]))
    assert [(fault.line, fault.code) for fault in made.faults] == [(2, "row_key_duplicate"), (4, "row_key_duplicate")]
    assert (made.puts, made.withdrawals, made.kept) == ((), (), 1)


def test_a_good_and_a_refused_row_of_a_key_are_both_refused() -> None:
    made = _made(_plan(_live(1), [_good("r0", b"x")], [_fault("r0")]))
    assert [fault.code for fault in made.faults] == ["row_key_duplicate", "row_columns"]
    assert made.puts == ()


# --- the brake ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("live", "gone", "stops"),
    [
        (100, 2, False),  # exactly 2 %
        (100, 3, True),
        (149, 2, False),
        (149, 3, True),
        (20, 1, True),  # from 20 records on, one is 5 %
        (19, 18, False),
        (50, 1, False),
        (49, 1, True),
    ],
)
def test_withdrawals_brake(live: int, gone: int, stops: bool) -> None:
    outcome = _plan(_live(live), [_good(f"r{number}") for number in range(gone, live)])
    assert isinstance(outcome, Brake) is stops
    found = outcome.plan if isinstance(outcome, Brake) else outcome
    assert len(found.withdrawals) == gone


@pytest.mark.parametrize(
    ("live", "changed", "stops"), [(100, 30, False), (100, 31, True), (20, 6, False), (20, 7, True), (19, 19, False)]
)
def test_modifications_brake(live: int, changed: int, stops: bool) -> None:
    rows = [_good(f"r{number}", b"new" if number < changed else b"same") for number in range(live)]
    assert isinstance(_plan(_live(live), rows), Brake) is stops
    assert isinstance(_plan(_live(live), rows, complete=False), Brake) is stops


def test_additions_and_first_runs_never_brake() -> None:
    rows = [_good(f"r{number}") for number in range(1000)]
    assert _made(_plan({}, rows, first=True)).added == 1000
    assert _made(_plan(_live(20), rows)).added == 980


@pytest.mark.parametrize("live", [1, 19, 20])
def test_an_empty_complete_source_brakes(live: int) -> None:
    assert _braked(_plan(_live(live), [])).plan.withdrawals
    assert _made(_plan(_live(live), [], complete=False)).size == 0


def test_an_empty_first_run_brakes_because_its_statement_would_withdraw_all() -> None:
    assert isinstance(_plan({}, [], first=True), Brake)
    assert isinstance(_plan({}, [], first=False), Plan)


def test_both_reasons_are_said() -> None:
    rows = [_good(f"r{number}", b"new") for number in range(90)]
    assert [why.en for why in _braked(_plan(_live(100), rows)).why] == [
        "10 of 100 records would be withdrawn, more than 2 %",
        "90 of 100 records would be modified, more than 30 %",
    ]


def test_limits_are_configurable() -> None:
    limits = Limits(Fraction(1, 1000), Fraction(1), 1)
    rows = [_good(f"r{number}", b"new") for number in range(999)]
    outcome = plan(Previous(_live(1000), False), rows, [], limits, True)
    assert isinstance(outcome, Plan)
    assert isinstance(plan(Previous(_live(1000), False), rows[1:], [], limits, True), Brake)


def test_an_approval_is_for_exactly_one_plan() -> None:
    live = _live(100)
    rows = [_good(f"r{number}") for number in range(50)]
    approved = _braked(_plan(live, rows)).plan.digest
    assert _made(_plan(live, rows, approved=approved)).digest == approved
    assert isinstance(_plan(live, rows[1:], approved=approved), Brake)
    changed = [_good("r0", b"new"), *rows[1:]]
    assert isinstance(_plan(live, changed, approved=approved), Brake)


def test_a_plan_is_named_by_what_it_publishes_not_by_order() -> None:
    one, two = _good("a"), _good("b")
    assert _made(_plan({}, [one, two])).digest == _made(_plan({}, [two, one])).digest
    assert _made(_plan({}, [one])).digest != _made(_plan({}, [two])).digest


RECORDS = st.sampled_from("abcdefghij")
CONTENTS = st.sampled_from([b"1", b"2", b"3"])


@given(st.dictionaries(RECORDS, CONTENTS), st.dictionaries(RECORDS, CONTENTS), st.sets(RECORDS))
def test_a_plan_leads_to_the_documents(live: dict[str, bytes], documents: dict[str, bytes], refused: set[str]) -> None:
    documents = {record: content for record, content in documents.items() if record not in refused}
    outcome = _plan(live, [_good(*item) for item in documents.items()], [_fault(record) for record in refused])
    made = outcome.plan if isinstance(outcome, Brake) else outcome
    after = dict(live) | {put.document.record: put.digest for put in made.puts}
    for record in made.withdrawals:
        del after[record]
    assert after == {record: content for record, content in live.items() if record in refused} | documents


@given(st.lists(st.tuples(RECORDS, CONTENTS)), st.dictionaries(RECORDS, CONTENTS))
def test_every_row_is_counted_once(rows: list[tuple[str, bytes]], live: dict[str, bytes]) -> None:
    outcome = _plan(live, [_good(*row) for row in rows], complete=False)
    made = _made(outcome)
    assert len(made.puts) + made.unchanged + len(made.faults) == len(rows)
    assert made.added + made.modified == len(made.puts)
