"""Filters in a body and what is recorded of a question."""

import json

import pytest

from audit.api.asking import words_of
from audit.api.callers import ROLES, SEARCH, Auditor, Callers, need
from audit.record import commit_digest, split_opening
from audit.search.asked import parse
from audit.search.own_log import Question, entry_of
from contracts.encoding import canonical
from contracts.errors import Fault

ASKED = Question("search", ("li",), {"clerk": "00"}, 3, [("gov.example/a", 7)])
LI = Auditor("li", b"certificate of li", 1000, 2000, frozenset(ROLES))


def test_filters_mean_what_the_words_of_the_command_line_mean() -> None:
    filters = {
        "from": "2026-01-01",
        "organisation": ["a", "b=c"],
        "holder": {"scheme": "cn.uscc", "id": "9:1"},
        "clerk": "x y",
    }
    words = ["from=2026-01-01", "organisation=a", "organisation=b=c", "holder=cn.uscc:9:1", "clerk=x y"]
    assert words_of(filters) == words
    asked = parse(words_of(filters))
    assert asked.facets == {"organisation": ("a", "b=c")}
    assert asked.people == {"holder": "cn.uscc:9:1", "clerk": "x y"}


def test_words_are_sealed_and_committed_to() -> None:
    leaf, opening = entry_of(ASKED, 1234, {"purpose": "SECRET"}, b"s" * 16)
    members, salt = split_opening(opening)
    assert members == {"purpose": "SECRET"}
    assert json.loads(leaf)["commit"] == commit_digest(salt, canonical(members))
    assert (json.loads(leaf)["command"], json.loads(leaf)["time"]) == ("search", 1234)
    assert b"SECRET" not in leaf


def test_without_words_there_is_nothing_to_open() -> None:
    leaf, opening = entry_of(ASKED, 1234, {}, b"s" * 16)
    assert opening == b"{}"
    assert "commit" not in json.loads(leaf)


@pytest.mark.parametrize(("certificate", "now"), [(None, 1500), (b"other", 1500), (LI.der, 999), (LI.der, 2001)])
def test_nobody_else_is_an_auditor(certificate: bytes | None, now: int) -> None:
    with pytest.raises(Fault, match="auditors_only"):
        Callers.of([LI]).find(certificate, now)


def test_a_certificate_in_its_time_is_its_auditors() -> None:
    assert Callers.of([LI]).find(LI.der, 1000) is LI
    assert Callers.of([LI]).find(LI.der, 2000) is LI


def test_roles() -> None:
    need(LI, SEARCH)
    with pytest.raises(Fault, match="role_missing"):
        need(Auditor("li", b"", 0, 0, frozenset()), SEARCH)
