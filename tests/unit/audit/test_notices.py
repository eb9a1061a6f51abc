"""Notices: what happens to a log itself, as entries."""

import pytest

from audit import notices
from audit.notices import Notice
from audit.search.rows import access_of
from contracts.encoding import Json, canonical

CLOSED = Notice(notices.LOG_CLOSED, 1_700_000_000_000, {"successor": "a.example/log-2"})


def test_a_notice_reads_back_and_is_no_access_record() -> None:
    for kind, names in notices.KINDS.items():
        notice = Notice(kind, 5, dict.fromkeys(names, "x"))
        assert notices.parse(notice.encode()) == notice
        assert access_of(notice.encode()) is None


@pytest.mark.parametrize(
    "members",
    [
        {"facts": {"successor": "x"}, "kind": "log_closed", "time": 1, "v": 2},
        {"facts": {"successor": "x"}, "kind": "log_closed", "time": "1", "v": 1},
        {"facts": {"successor": "x"}, "kind": "log_closed", "time": 1, "v": 1, "more": 1},
        {"facts": {"successor": "x", "more": 1}, "kind": "log_closed", "time": 1, "v": 1},
        {"facts": {"successor": "x"}, "kind": "log_burnt", "time": 1, "v": 1},
        {"facts": ["successor"], "kind": "log_closed", "time": 1, "v": 1},
        {"facts": {}, "kind": ["log_closed"], "time": 1, "v": 1},
        {"kind": "search", "time": 1, "v": 1},
    ],
)
def test_what_is_no_notice(members: dict[str, Json]) -> None:
    assert notices.parse(canonical(members)) is None


def test_other_bytes_are_no_notice() -> None:
    assert notices.parse(b'{"kind"') is None
    assert notices.parse(b"") is None


def test_a_kind_has_exactly_its_facts() -> None:
    with pytest.raises(ValueError, match="not its facts"):
        Notice(notices.LOG_CLOSED, 1, {}).encode()
    with pytest.raises(ValueError, match="not its facts"):
        Notice("log_burnt", 1, {}).encode()
    assert b"log-2" in CLOSED.encode()
