"""What all certificates share: local legal days, restrictions, the department's own words, succession, phases."""

from typing import Any

import pytest

from contracts.documents import check
from contracts.errors import UserError
from contracts.evidence_fields import Mask
from contracts.evidence_types import EvidenceType
from contracts.life_cycle import VISIBLE, local_day, validity_state
from tests.unit.contracts.test_evidence_types import DOCUMENT, authored

MIDNIGHT = 1_767_196_800_000  # 2025-12-31T16:00:00Z, when 2026 begins in Beijing


@pytest.mark.parametrize(
    ("now", "offset", "day"),
    [
        (MIDNIGHT - 1, "+08:00", "2025-12-31"),
        (MIDNIGHT, "+08:00", "2026-01-01"),
        (MIDNIGHT, "+00:00", "2025-12-31"),
        (MIDNIGHT, "-09:30", "2025-12-31"),
        (MIDNIGHT, "+05:45", "2025-12-31"),
        (0, "-00:15", "1969-12-31"),
    ],
)
def test_the_local_day(now: int, offset: str, day: str) -> None:
    assert local_day(now, offset) == day


@pytest.mark.parametrize(
    ("until", "day", "state"),
    [
        ("2026-02-28", "2025-12-31", "upcoming"),
        ("2026-02-28", "2026-01-01", "current"),
        ("2026-02-28", "2026-02-28", "current"),
        ("2026-02-28", "2026-03-01", "lapsed"),
        (None, "9999-12-31", "current"),
    ],
)
def test_both_days_of_a_validity_count(until: str | None, day: str, state: str) -> None:
    assert validity_state({"from": "2026-01-01", "until": until}, day) == state


@pytest.mark.parametrize(
    ("rule", "until", "pointers"),
    [
        ("interval", None, ["/validity/until"]),
        ("interval", "2025-05-01", []),
        ("open_ended", None, []),
        ("open_ended", "2025-05-01", []),
        ("permanent", None, []),
        ("permanent", "2025-05-01", ["/validity/until"]),
    ],
)
def test_the_validity_rule_of_a_type(rule: str, until: str | None, pointers: list[str]) -> None:
    dogs = authored(lambda table, _: table.update(validity_rule=rule))
    faults = check(dogs, {**DOCUMENT, "validity": {"from": "2024-05-02", "until": until}})
    assert [fault.pointer for fault in faults] == pointers


GOOD: dict[str, Any] = {
    "source_status": [{"code": "A", "label": "正常"}, {"code": "B", "label": "逾期未检验"}],
    "restrictions": [{"kind": "seizure", "from": "2025-01-01"}, {"kind": "mortgage", "label": "某银行"}],
    "supersedes": ["r-1"],
}
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("no label", {"source_status": [{"code": "A"}]}, "/source_status/0"),
    ("too many", {"source_status": [{"code": str(n), "label": "x"} for n in range(9)]}, "/source_status"),
    ("unknown kind", {"restrictions": [{"kind": "curse"}]}, "/restrictions/0/kind"),
    ("no date", {"restrictions": [{"kind": "lock", "from": "2025"}]}, "/restrictions/0/from"),
    ("none", {"restrictions": []}, "/restrictions"),
    ("no record id", {"supersedes": ["r 1"]}, "/supersedes/0"),
]


def chained() -> EvidenceType:
    return authored(lambda table, _: table.update(supersession=True))


def test_a_document_may_say_more_of_its_life() -> None:
    assert check(chained(), DOCUMENT | GOOD) == ()


@pytest.mark.parametrize(("why", "members", "pointer"), BAD)
def test_what_it_may_not_say(why: str, members: dict[str, Any], pointer: str) -> None:
    assert [fault.pointer for fault in check(chained(), DOCUMENT | members)] == [pointer], why


def test_only_a_type_with_a_chain_has_predecessors() -> None:
    assert [fault.pointer for fault in check(authored(), {**DOCUMENT, "supersedes": ["r-1"]})] == [""]


def test_nothing_of_this_can_be_withheld() -> None:
    assert not set(VISIBLE) & set(chained().disclosable)


@pytest.mark.parametrize(
    ("day", "phase"),
    [
        ("2024-04-30", "announced"),
        ("2024-05-01", "in_force"),
        ("2026-12-31", "in_force"),
        ("2027-01-01", "deprecated"),
        ("2028-01-01", "ended"),
    ],
)
def test_the_phases_of_a_version(day: str, phase: str) -> None:
    dogs = authored(lambda table, _: table.update(deprecated_on="2027-01-01", sunset_on="2028-01-01"))
    assert dogs.phase(day) == phase


@pytest.mark.parametrize(
    "days",
    [
        {"deprecated_on": "2024-04-30"},
        {"sunset_on": "2028-01-01"},
        {"deprecated_on": "2028-01-01", "sunset_on": "2027-01-01"},
    ],
)
def test_days_out_of_order_are_refused(days: dict[str, str]) -> None:
    with pytest.raises(UserError) as told:
        authored(lambda table, _: table.update(days))
    assert "order" in told.value.what.en


@pytest.mark.parametrize("secrecy", ["state_secret", "work_secret"])
def test_a_secret_is_never_registered(secrecy: str) -> None:
    with pytest.raises(UserError) as told:
        authored(lambda table, _: table.update(secrecy=secrecy))
    assert told.value.where == "dog.toml: secrecy"
    assert "may not be registered" in told.value.what.en


@pytest.mark.parametrize(
    ("value", "shown"),
    [("11010519491231002X", "110105********002X"), ("1101052X", "********"), ("11010512X", "*********"), ("", "")],
)
def test_a_mask_shows_the_ends(value: str, shown: str) -> None:
    assert Mask(6, 4)(value) == shown
