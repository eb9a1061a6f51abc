"""What a mirror makes of what it found: one row for each thing that can be wrong."""

from dataclasses import replace

import pytest

from audit.mirror.judge import NEVER, Alarm, Facts, Log, alarms
from audit.mirror.status import exposition, form

NOW = 1_800_000_000.0
LOG = Log("slot-1", "gov.example/slot-1", "vkey-1")
OTHER = Log("slot-2", "gov.example/slot-2", "vkey-2")
URL = "https://gw.example"
WELL = Facts(LOG, URL, 10, 10, NOW, NOW)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (WELL, None),
        (replace(WELL, answered_at=NOW - 60), None),
        (replace(WELL, answered_at=NOW - 61), ("log_silent", "no gateway has shown a head for 61 s")),
        (replace(WELL, answered_at=NEVER, even_at=NEVER), ("log_silent", "no gateway has shown a head")),
        (replace(WELL, size=7, even_at=NOW - 60), None),
        (replace(WELL, size=7, even_at=NOW - 61), ("log_lagging", "3 entries behind for 61 s")),
        (replace(WELL, size=7, even_at=NEVER), ("log_lagging", "3 entries behind")),
        (
            replace(WELL, size=7, even_at=NOW - 99, trouble=("log_forked", "two trees")),
            ("log_forked", "two trees"),
        ),
        (replace(WELL, trouble=("not_admitted", "x")), ("not_admitted", "x")),
    ],
)
def test_a_listed_log(facts: Facts, expected: tuple[str, str] | None) -> None:
    found = alarms([facts], {URL: [LOG]}, [LOG], "", NOW)
    assert found == (() if expected is None else (Alarm(expected[0], "slot-1", expected[1]),))


def test_trouble_and_silence_are_both_told() -> None:
    facts = replace(WELL, trouble=("log_rolled_back", ""), answered_at=NOW - 100)
    assert [one.code for one in alarms([facts], {}, [LOG], "", NOW)] == ["log_rolled_back", "log_silent"]


def test_what_is_wrong_with_orders_hides_nothing() -> None:
    facts = replace(WELL, size=7, even_at=NOW - 61, orders=(("opening_missing", ""), ("order_invalid", "")))
    found = [one.code for one in alarms([facts], {}, [LOG], "", NOW)]
    assert found == ["opening_missing", "order_invalid", "log_lagging"]
    forked = replace(facts, trouble=("log_forked", ""))
    assert [one.code for one in alarms([forked], {}, [LOG], "", NOW)] == [
        "log_forked",
        "opening_missing",
        "order_invalid",
    ]


@pytest.mark.parametrize(
    "served", [OTHER, replace(LOG, vkey="another"), replace(LOG, origin="another"), replace(LOG, slot="another")]
)
def test_what_is_served_and_not_listed(served: Log) -> None:
    found = alarms([WELL], {URL: [LOG, served]}, [LOG], "", NOW)
    assert found == (Alarm("log_unlisted", URL, f"{served.slot}: {served.origin}"),)


def test_the_registry() -> None:
    assert alarms([], {}, [], "registry_old", NOW) == (Alarm("registry_old", "registry", ""),)


def test_labels_of_the_exposition_are_escaped() -> None:
    odd = Log('a"b\\c\nd', "origin", "vkey")
    facts = Facts(odd, None, 1, 2, NOW - 5, NOW)
    text = exposition(form([facts], [Alarm("log_silent", 'x"y', "")], 3, NOW)).decode()
    assert 'oncegate_mirror_published{slot="a\\"b\\\\c\\nd"} 2\n' in text
    assert 'oncegate_mirror_behind_seconds{slot="a\\"b\\\\c\\nd"} 5.0\n' in text
    assert 'oncegate_mirror_alarm{code="log_silent",about="x\\"y"} 1\n' in text
