"""What the department's doctor says of an outbox."""

from dataclasses import replace

import pytest

from adapters.doctor import GRACE_S, Feed, judge_feeds, judge_owner
from contracts.edge.doctor.finding import FAILED, OK, WARNING

FEED = Feed("cn.business-licence", waiting=0, next_at=1000, braked=0)


@pytest.mark.parametrize(
    ("feed", "now", "running", "levels"),
    [
        (FEED, 1000 + GRACE_S, False, [OK]),
        (FEED, 1001 + GRACE_S, False, [WARNING]),
        (replace(FEED, next_at=None), 10**9, False, [OK]),
        (replace(FEED, waiting=3), 0, False, [WARNING]),
        (replace(FEED, waiting=3), 0, True, [OK]),  # it is being written
        (replace(FEED, braked=7), 0, True, [FAILED]),
        (replace(FEED, braked=7, waiting=1), 10**9, False, [FAILED, WARNING, WARNING]),
    ],
)
def test_feeds(feed: Feed, now: int, running: bool, levels: list[str]) -> None:
    assert [one.level for one in judge_feeds([feed], now, running)] == levels


def test_the_remedy_names_the_run() -> None:
    [found] = judge_feeds([replace(FEED, braked=7)], 0, False)
    assert found.remedy is not None
    assert "approve-run 7" in found.remedy.en


def test_whose_outbox() -> None:
    own = ("market", "market-1")
    assert list(judge_owner(own, own, "")) == []
    assert list(judge_owner(None, own, "")) == []
    assert [one.level for one in judge_owner(("market", "market-2"), own, "")] == [FAILED]
