"""docs/audit-faults.md says what happens; and names tests that are there."""

from pathlib import Path

from tests.audit_faults_page import PAGE, TESTS, page


def test_the_page_is_what_happens() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.audit_faults_page"


def test_the_tests_that_it_names_are_there() -> None:
    assert [name for name in TESTS.values() if not Path(__file__).with_name(name).exists()] == []
