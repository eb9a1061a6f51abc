"""A small registry to decide with: two items, three apps, catalogue types. Times are in Unix ms, a second apart."""

from dataclasses import replace
from typing import Any

from contracts import catalogue
from contracts.registry import App, Grant, Snapshot
from contracts.registry.snapshot import Contents
from contracts.text import Text
from gateway.access.decide import Policy
from gateway.access.question import BundleQuestion, ByHolder, ByKey, Purpose, Question
from gateway.tokens.values import Caller

ITEM, OTHER_ITEM = "cn.open-restaurant", "cn.transfer-vehicle"
IDENTITY, LICENCE, VEHICLE = "cn.identity-card", "cn.business-licence", "cn.vehicle-registration"
NOW, UNTIL, FRESH, VALID = (1_750_000_000_000 + 1_000 * step for step in range(4))
PERSON = catalogue.examples(IDENTITY)["valid"][0]["holders"][0]["id"]


def app(app_id: str, *grants: Grant) -> App:
    return App(app_id, Text("应用", "app"), "approval", "hall", grants)


def registry(**changes: Any) -> Snapshot:
    apps = (
        app("window", Grant((ITEM,), ("window",), UNTIL, 3)),
        app("twice", Grant((ITEM,), ("window", "kiosk"), UNTIL, 3), Grant((ITEM,), ("mobile",), UNTIL + 500, 1)),
        app("other", Grant((OTHER_ITEM,), ("window",), UNTIL, 3)),
        app("lost", Grant(("gone",), ("window",), UNTIL, 3)),
        app("nothing"),
    )
    contents = Contents(apps=apps, evidence_types=catalogue.evidence_types(), service_items=catalogue.service_items())
    return Snapshot(7, FRESH, VALID, replace(contents, **changes))


POLICY = Policy(registry())


def caller(app_id: str = "window") -> Caller:
    apps = POLICY.registry.apps
    return Caller(apps.get(app_id) or app(app_id), "key-1", "mtls", "token-1")


def purpose(item: str = ITEM, channel: str | None = None) -> Purpose:
    return Purpose(item, "2026-0001", "zhang.wei", None, channel)


def question(**changes: Any) -> Question:
    return Question(purpose(), IDENTITY, ByHolder("cn.ric", PERSON), None)._replace(**changes)


def bundle(**changes: Any) -> BundleQuestion:
    return BundleQuestion(purpose(), ByHolder("cn.ric", PERSON))._replace(**changes)


def by_key(field: str, value: str) -> ByKey:
    return ByKey(field, value)
