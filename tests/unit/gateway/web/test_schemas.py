"""What a request may look like; the table says what may not."""

from typing import Any

import jsonschema
import pytest

from contracts.schemas import Compiled
from gateway.web.schemas import BUNDLE_REQUEST, LOOKUP_REQUEST

HOLDER = {"scheme": "cn.ric", "id": "11010519491231002X"}
LOOKUP: dict[str, Any] = {
    "service_item": "cn.open-restaurant",
    "case": "京餐许2026-0001 (补)",
    "clerk": "zhang.wei",
    "evidence_type": "cn.identity-card",
    "by": {"holder": HOLDER},
}
# (change: None removes; pointer of the fault)
WRONG: list[tuple[dict[str, Any], str]] = [
    *(({name: None}, "") for name in LOOKUP),
    ({"case": ""}, "/case"),
    ({"case": " x"}, "/case"),
    ({"case": "x "}, "/case"),
    ({"case": "a\nb"}, "/case"),
    ({"case": "a\u200bb"}, "/case"),
    ({"case": "a\u202eb"}, "/case"),
    ({"case": "x" * 65}, "/case"),
    ({"case": 5}, "/case"),
    ({"clerk": "\u0000"}, "/clerk"),
    ({"clerk": "a\u3000b"}, "/clerk"),
    ({"clerk": []}, "/clerk"),
    ({"terminal": ""}, "/terminal"),
    ({"channel": "Window"}, "/channel"),
    ({"service_item": "../x"}, "/service_item"),
    ({"service_item": "X" * 300}, "/service_item"),
    ({"evidence_type": "urn:oncegate:cn.identity-card:1"}, "/evidence_type"),
    ({"by": {}}, "/by"),
    ({"by": "x"}, "/by"),
    ({"by": {"holder": HOLDER, "vin": "x"}}, "/by"),
    ({"by": {"holder": {"scheme": "cn.ric"}}}, "/by/holder"),
    ({"by": {"holder": {**HOLDER, "name": "x"}}}, "/by/holder"),
    ({"by": {"holder": {**HOLDER, "scheme": "email"}}}, "/by/holder/scheme"),
    ({"by": {"holder": {**HOLDER, "id": 1}}}, "/by/holder/id"),
    ({"by": {"holder": {**HOLDER, "id": "1" * 65}}}, "/by/holder/id"),
    ({"by": {"vin": 5}}, "/by/vin"),
    ({"by": {"vin": "x" * 129}}, "/by/vin"),
    ({"by": {"110105194912310021": "x"}}, "/by"),
    ({"fields": []}, "/fields"),
    ({"fields": ["name", "name"]}, "/fields"),
    ({"fields": "name"}, "/fields"),
    ({"fields": ["Name"]}, "/fields/0"),
    ({"fields": ["x"] * 65}, "/fields"),
    ({"holder": HOLDER}, ""),
    ({"extra": 1}, ""),
]


@pytest.mark.parametrize(("change", "pointer"), WRONG)
def test_refused_by_ours_and_by_another_validator(change: dict[str, Any], pointer: str) -> None:
    body = {name: value for name, value in {**LOOKUP, **change}.items() if value is not None}
    faults = Compiled(LOOKUP_REQUEST).faults(body)
    assert faults
    assert faults[0].pointer == pointer
    assert not jsonschema.Draft202012Validator(LOOKUP_REQUEST).is_valid(body)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"terminal": "3 号窗口", "channel": "window", "fields": ["name"]},
        {"by": {"vin": "LSVAA4187E2184847"}},
        {"by": {"plate_number": "京A·12345"}},
        {"clerk": "x" * 64},
    ],
)
def test_accepted(change: dict[str, Any]) -> None:
    assert Compiled(LOOKUP_REQUEST).faults({**LOOKUP, **change}) == ()


def test_a_bundle_is_about_a_holder() -> None:
    bundle = {name: LOOKUP[name] for name in ("service_item", "case", "clerk")}
    assert Compiled(BUNDLE_REQUEST).faults({**bundle, "holder": HOLDER}) == ()
    assert Compiled(BUNDLE_REQUEST).faults({**bundle, "by": {"holder": HOLDER}})


def test_no_fault_repeats_what_was_sent() -> None:
    secret = "11010519491231002X"
    for change in ({"case": secret + "\n"}, {"by": {secret: secret}}, {"fields": [secret]}, {secret: 1}):
        for fault in Compiled(LOOKUP_REQUEST).faults({**LOOKUP, **change}):
            assert secret not in fault.pointer + fault.message.en + fault.message.zh
