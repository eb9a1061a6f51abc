"""Cases against accesses, as a table."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.search.asked import milliseconds
from audit.search.reconcile import cases_of, read_rows, reconcile
from audit.search.rows import Entry
from audit.search.tokens import case_token, holder_token, token_keys
from contracts.errors import UserError

KEYS = token_keys(b"s" * 32, *(X25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2)))
LIST = """case,opened,closed,holder_scheme,holder_id,note
K1,2026-11-01,2026-11-03,passport,9AAAA,"two
lines"
K1,,,passport,9BBBB,
K2,,,,,
K3,,2026-11-03T12:00,,,
"""
CASES = cases_of(read_rows(LIST, "cases.csv"), KEYS, "cases.csv")


def _access(case: str | None, when: str, holder: str | None = None) -> Entry:
    token = None if holder is None else holder_token(KEYS, "passport", holder)
    return Entry(1, milliseconds(when), 1, None, None if case is None else case_token(KEYS, case), token)


@pytest.mark.parametrize(
    ("case", "when", "holder", "kinds"),
    [
        ("K1", "2026-11-02", "9aaaa", []),
        ("K1", "2026-11-02", "9BBBB", []),
        ("K1", "2026-11-02", "9CCCC", ["wrong_holder"]),
        ("K1", "2026-11-02", None, []),
        ("K1", "2026-11-03T23:59", "9AAAA", []),
        ("K1", "2026-11-04", "9CCCC", ["closed_case", "wrong_holder"]),
        ("K1", "2026-10-31T23:59", "9AAAA", ["not_yet_open"]),
        ("K2", "2020-01-01", "9CCCC", []),
        ("K3", "2026-11-03T12:00", None, ["closed_case"]),
        ("K3", "2026-11-03T11:59", None, []),
        ("K9", "2026-11-02", "9AAAA", ["no_case"]),
        (None, "2026-11-02", None, []),
    ],
)
def test_one_access(case: str | None, when: str, holder: str | None, kinds: list[str]) -> None:
    found = reconcile(CASES, [_access(case, when, holder)])
    assert [finding.kind for finding in found.findings if finding.entry is not None] == kinds
    assert (found.compared, found.not_compared) == ((0, 1) if case is None else (1, 0))
    unused = {finding.case for finding in found.findings if finding.kind == "no_access"}
    assert unused == {"K1", "K2", "K3"} - {case}


def test_a_list_from_a_spreadsheet_may_have_marks() -> None:
    marked = "case,holder_scheme,holder_id\n'2026-000118,cn.ric,'430102198703162829\n"
    plain = read_rows(marked.replace("'", ""), "cases.csv")
    assert read_rows(marked, "cases.csv") == plain


def test_what_rows_of_a_case_may_say_together() -> None:
    text = "case,opened,closed,holder_scheme,holder_id\nK1,2026-11-03,2026-11-03,cn.uscc, 91430100ma4l0x3q6d\n"
    again = "K1,,2026-11-03,licence_number,9\nK1,2026-11-03T00:00,,,\n"
    at_once = "K2,2026-11-03T12:00,2026-11-03T12:00,,\n"
    case, _ = cases_of(read_rows(text + again + at_once, "cases.csv"), KEYS, "cases.csv").values()
    company = holder_token(KEYS, "cn.uscc", "91430100MA4L0X3Q6D")
    assert case.holders == {company, holder_token(KEYS, "licence_number", "9")}


def test_an_unknown_case_is_not_named() -> None:
    (found, *_) = reconcile(CASES, [_access("K9", "2026-11-02")]).findings
    assert found.case is None


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("number\n1\n", "cases.csv"),
        ("case\n\n", "cases.csv"),
        ('case\n"1', "cases.csv"),
        ("case,closed\nK1,soon\n", "cases.csv:2"),
        ("case,holder_scheme,holder_id\nK1,,\nK2,cn.ric,\n", "cases.csv:3"),
        ("case,holder_scheme,holder_id\nK1,CN.USCC,91430100MA4L0X3Q6D\n", "cases.csv:2"),
        ("case,holder_scheme,holder_id\nK1,cn.usc,91430100MA4L0X3Q6D\n", "cases.csv:2"),
        ("case,holder_scheme,holder_id\nK1,cn.uscc,91430100MA4L0X3Q6D\nK1,cn.uscc,91430100MA4L0X3Q6E\n", "cases.csv:3"),
        ("case,closed\nK1,2026-11-03\nK2,\nK1,2026-11-04\n", "cases.csv:4"),
        ("case,opened\nK1,2026-11-03\nK1,2026-11-04\n", "cases.csv:3"),
        ("case,opened,closed\nK1,2026-11-04,\nK1,,2026-11-03\n", "cases.csv:3"),
    ],
)
def test_mistakes_in_the_list(text: str, where: str) -> None:
    with pytest.raises(UserError) as caught:
        cases_of(read_rows(text, "cases.csv"), KEYS, "cases.csv")
    assert caught.value.where == where
