"""What the doctor says of correction requests."""

from contracts.corrections import Correction
from contracts.streams import Position
from gateway.corrections.judge import Open
from gateway.corrections.spool import MAX_OPEN
from gateway.doctor.corrections import STUCK_MS, judge

NOW = 1_700_000_000_000
ASKED = Correction("id", "node-1", "o", "a", "cn.x", "rec", "sha-256:0", (), "other", "cn.item", NOW, NOW + 1)
FRESH = Open(ASKED, Position(1, 1), 0)
SENT = FRESH._replace(recorded=True, sent_at=NOW)


def test_open_and_late_ones_are_told() -> None:
    found = judge([SENT, SENT._replace(late=True), FRESH], NOW)
    assert (found.level, found.what.en) == ("ok", "3 open, 1 of them late")


def test_one_that_did_not_get_out_is_a_warning() -> None:
    found = judge([SENT, FRESH], NOW + 2 * STUCK_MS)
    assert (found.level, found.what.en) == ("warning", "1 have not got to their department in 10 min")


def test_too_many_are_a_warning() -> None:
    assert judge([SENT] * MAX_OPEN, NOW).level == "warning"
