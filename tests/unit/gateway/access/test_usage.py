"""Counting granted questions: days in China, nothing forgotten at a restart."""

from typing import Any

import orjson

from gateway.access.usage import UsageBook, day_of

DAY = 86_400_000
MIDNIGHT = 20_000 * DAY - 8 * 3_600_000  # the beginning of a civil day in China
NOON = MIDNIGHT + DAY // 2


def leaf(time: int, decision: str = "granted", item: str | None = "item", app: str = "window") -> bytes:
    facts: dict[str, Any] = {
        "app": app, "channel": "window", "decision": decision, "service_item": item, "time": time,
    }  # fmt: skip
    return orjson.dumps(facts)


def test_a_day_begins_at_midnight_in_china() -> None:
    assert day_of(MIDNIGHT) == day_of(MIDNIGHT - 1) + 1


def test_counts_are_by_app_item_and_channel() -> None:
    book = UsageBook()
    book.count("window", "item", "window", NOON)
    book.count("window", "item", "kiosk", NOON)
    book.count("window", "item", "window", NOON)
    assert book.of("window", NOON) == {("item", "window"): 2, ("item", "kiosk"): 1}
    assert book.of("mobile", NOON) == {}


def test_a_new_day_begins_with_nothing_and_a_clock_that_jumps_back_changes_nothing() -> None:
    book = UsageBook()
    book.count("window", "item", "window", NOON)
    assert book.of("window", NOON - DAY) == {("item", "window"): 1}
    assert book.of("window", NOON + DAY) == {}


def test_a_restart_counts_what_was_granted_today() -> None:
    book = UsageBook()
    newest_first = [
        leaf(NOON), leaf(NOON - 5, "refused"), leaf(NOON - 6, item=None), leaf(MIDNIGHT), leaf(MIDNIGHT - 1),
        leaf(MIDNIGHT + 3), leaf(NOON - DAY), leaf(NOON - 2 * DAY),
    ]  # fmt: skip
    book.recount(newest_first, NOON)
    assert book.of("window", NOON) == {("item", "window"): 3}


def test_a_restart_reads_no_further_than_today() -> None:
    def leaves() -> Any:
        yield leaf(NOON)
        yield leaf(MIDNIGHT - 60_001)
        raise AssertionError("read too far")

    UsageBook().recount(leaves(), NOON)
