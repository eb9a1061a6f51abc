"""The access decision: default deny, one code for each reason, and what a grant opens."""

from dataclasses import replace
from typing import Any

import pytest

from contracts import catalogue
from contracts.errors import ERRORS
from contracts.service_items import Fact
from contracts.text import Text
from gateway.access.decide import (
    ALL_HOLDERS,
    ASKED_HOLDER,
    NO_HOLDER,
    BundleGranted,
    Granted,
    Policy,
    Refused,
    Usage,
    decide,
    decide_bundle,
    type_of,
    visible_items,
)
from gateway.access.question import ByHolder, ByKey
from tests.unit.gateway.access import world
from tests.unit.gateway.access.world import IDENTITY, ITEM, LICENCE, NOW, PERSON, POLICY, UNTIL, VALID, VEHICLE

USED_UP: Usage = {(ITEM, "window"): 3}
COMPANY = next(one["id"] for one in catalogue.examples(LICENCE)["valid"][0]["holders"] if one["scheme"] == "cn.uscc")

WRONG = PERSON[:-1] + str((int(PERSON[-1]) + 1) % 10)

# (why, changes to the question, caller, usage, now, code, pointer)
REFUSALS: list[tuple[str, dict[str, Any], str, Usage, int, str, str]] = [
    ("registry closed", {}, "window", {}, VALID, "registry_expired", ""),
    ("app not in this registry", {}, "stranger", {}, NOW, "app_unknown", ""),
    ("app without grants", {}, "nothing", {}, NOW, "item_not_granted", "/service_item"),
    ("item of another app", {}, "other", {}, NOW, "item_not_granted", "/service_item"),
    ("no such item", {"purpose": world.purpose("none")}, "window", {}, NOW, "item_not_granted", "/service_item"),
    ("granted, but gone", {"purpose": world.purpose("gone")}, "lost", {}, NOW, "item_not_granted", "/service_item"),
    ("which channel", {}, "twice", {}, NOW, "channel_missing", "/channel"),
    ("channel", {"purpose": world.purpose(channel="kiosk")}, "window", {}, NOW, "channel_not_granted", "/channel"),
    ("run out", {}, "window", {}, UNTIL, "grant_expired", ""),
    ("used up", {}, "window", USED_UP, NOW, "limit_reached", ""),
    ("type not needed", {"evidence_type": VEHICLE}, "window", {}, NOW, "type_not_listed", "/evidence_type"),
    ("no such type", {"evidence_type": "cn.none"}, "window", {}, NOW, "type_not_listed", "/evidence_type"),
    ("field not listed", {"fields": ("name", "born_on")}, "window", {}, NOW, "field_not_listed", "/fields/1"),
    ("holders not listed", {"fields": ("holders",)}, "window", {}, NOW, "field_not_listed", "/fields/0"),
    ("scheme", {"by": ByHolder("cn.uscc", COMPANY)}, "window", {}, NOW, "scheme_not_allowed", "/by/holder/scheme"),
    ("unknown scheme", {"by": ByHolder("xx", "1")}, "window", {}, NOW, "scheme_not_allowed", "/by/holder/scheme"),
    ("check digit", {"by": ByHolder("cn.ric", WRONG)}, "window", {}, NOW, "identifier_invalid", "/by/holder/id"),
    ("not a key", {"by": ByKey("name", "张伟")}, "window", {}, NOW, "not_a_key_field", "/by"),
    ("unknown key", {"by": ByKey("none", "1")}, "window", {}, NOW, "not_a_key_field", "/by"),
    (
        "key value", {"evidence_type": LICENCE, "by": ByKey("unified_social_credit_code", "1")},
        "window", {}, NOW, "identifier_invalid", "/by/unified_social_credit_code",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("why", "changes", "app", "usage", "now", "code", "pointer"), REFUSALS)
def test_refused(why: str, changes: dict[str, Any], app: str, usage: Usage, now: int, code: str, pointer: str) -> None:
    outcome = decide(world.caller(app), world.question(**changes), POLICY, usage, now)
    assert outcome == Refused(code, pointer), why
    assert code in ERRORS


def granted(**changes: Any) -> Granted:
    outcome = decide(world.caller(), world.question(**changes), POLICY, {}, NOW)
    assert isinstance(outcome, Granted)
    return outcome


def test_all_fields_of_the_proof_when_none_is_asked() -> None:
    one = granted()
    assert one.listing.fields == ("address", "name", "resident_number")
    assert (one.item.id, one.channel, one.type.id, one.holders(one.listing.unpinned)) == (
        ITEM,
        "window",
        IDENTITY,
        ASKED_HOLDER,
    )


def test_only_the_fields_asked() -> None:
    assert granted(fields=("name",)).listing.allowed(1) == {"name"}


def test_the_last_moment_and_the_last_question_of_the_day_count() -> None:
    assert isinstance(decide(world.caller(), world.question(), POLICY, {(ITEM, "window"): 2}, UNTIL - 1), Granted)


def test_one_grant_that_holds_is_enough() -> None:
    asked = world.question(purpose=world.purpose(channel="mobile"))
    assert isinstance(decide(world.caller("twice"), asked, POLICY, {(ITEM, "window"): 9}, UNTIL), Granted)


def test_a_limit_counts_all_channels_and_items_of_its_grant() -> None:
    usage = {(ITEM, "window"): 2, (ITEM, "kiosk"): 1, (ITEM, "mobile"): 1}
    for channel in ("window", "kiosk", "mobile"):
        asked = world.question(purpose=world.purpose(channel=channel))
        assert decide(world.caller("twice"), asked, POLICY, usage, NOW) == Refused("limit_reached")


@pytest.mark.parametrize("written", [f" {PERSON} ", PERSON.translate({48 + n: 0xFF10 + n for n in range(10)})])
def test_the_identifier_is_brought_to_its_normal_form(written: str) -> None:
    assert granted(by=ByHolder("cn.ric", written)).by == ByHolder("cn.ric", PERSON)


def test_by_key_field_no_holder_is_disclosed() -> None:
    one = granted(evidence_type=LICENCE, by=ByKey("unified_social_credit_code", COMPANY.lower()))
    assert (one.by, one.holders(one.listing.unpinned)) == (ByKey("unified_social_credit_code", COMPANY), NO_HOLDER)


def with_proofs(**changes: Any) -> Policy:
    """The registry with the item's identity proof changed."""
    items = {item.id: item for item in catalogue.service_items()}
    first, *others = items[ITEM].proofs
    changed = replace(items[ITEM], proofs=(replace(first, **changes), *others))
    return Policy(world.registry(service_items=(changed,)))


def test_an_item_that_lists_holders_gets_all_of_them() -> None:
    outcome = decide(world.caller(), world.question(), with_proofs(fields=("name", "holders")), {}, NOW)
    assert isinstance(outcome, Granted)
    assert outcome.holders(outcome.listing.unpinned) == ALL_HOLDERS


def test_a_pinned_version_opens_no_other() -> None:
    outcome = decide(world.caller(), world.question(), with_proofs(version=1), {}, NOW)
    assert isinstance(outcome, Granted)
    assert outcome.listing.allowed(1) == {"name", "resident_number", "address"}
    assert outcome.listing.allowed(2) == frozenset()


def test_a_pinned_version_that_is_not_there_is_no_type() -> None:
    policy = with_proofs(version=99)
    assert type_of(policy.registry.items[ITEM].proofs[0], policy.registry, NOW) is None


def test_what_is_remembered_is_what_would_be_decided() -> None:
    fresh = Policy(world.registry())
    for _ in range(2):
        for _, changes, app, usage, now, code, pointer in REFUSALS:
            assert decide(world.caller(app), world.question(**changes), fresh, usage, now) == (code, pointer)
        assert isinstance(decide(world.caller(), world.question(), fresh, {}, NOW), Granted)


def test_a_bundle_has_every_proof_with_its_own_fields() -> None:
    outcome = decide_bundle(world.caller(), world.bundle(), POLICY, {}, NOW)
    assert isinstance(outcome, BundleGranted)
    opened = {proof.id: one.listing.fields for proof, one in outcome.proofs if isinstance(one, Granted)}
    assert opened == {proof.id: tuple(sorted(proof.fields)) for proof in outcome.item.proofs}


def test_a_proof_that_cannot_be_about_the_holder_does_not_stop_the_bundle() -> None:
    asked = world.bundle(holder=ByHolder("cn.uscc", COMPANY))
    outcome = decide_bundle(world.caller(), asked, POLICY, {}, NOW)
    assert isinstance(outcome, BundleGranted)
    refused = {proof.id for proof, one in outcome.proofs if isinstance(one, Refused)}
    assert "identity" in refused
    assert "business-licence" not in refused


@pytest.mark.parametrize(
    ("holder", "code"),
    [(ByHolder("xx", "1"), "scheme_not_allowed"), (ByHolder("cn.ric", "1"), "identifier_invalid")],
)
def test_a_holder_that_no_proof_can_be_about_is_refused(holder: ByHolder, code: str) -> None:
    outcome = decide_bundle(world.caller(), world.bundle(holder=holder), POLICY, {}, NOW)
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.pointer[:8]) == (code, "/holder/")


def test_a_bundle_is_refused_for_the_same_reasons() -> None:
    assert decide_bundle(world.caller("other"), world.bundle(), POLICY, {}, NOW) == Refused(
        "item_not_granted", "/service_item"
    )


def test_the_catalogue_shows_what_is_granted_now() -> None:
    window = POLICY.registry.apps["window"]
    assert [item.id for item in visible_items(window, POLICY.registry, NOW)] == [ITEM]
    assert visible_items(window, POLICY.registry, UNTIL) == ()


def conditional() -> Policy:
    """The item with a proof of identity that depends on a declared fact."""
    item = POLICY.registry.items[ITEM]
    first = replace(item.proofs[0], when=("by_agent", True))
    fact = Fact("by_agent", Text("代办", "By an agent"))
    changed = replace(item, facts=(fact,), proofs=(first, *item.proofs[1:]))
    others = tuple(one for one in POLICY.registry.contents.service_items if one.id != ITEM)
    return Policy(world.registry(service_items=(changed, *others)))


@pytest.mark.parametrize(
    ("facts", "refused"),
    [
        ((("by_agent", True),), None),
        ((("by_agent", False),), Refused("proof_not_needed", "/facts")),
        ((), Refused("fact_missing", "/facts/by_agent")),
        ((("stranger", True),), Refused("fact_unknown", "/facts")),
    ],
)
def test_a_conditional_proof_opens_its_type_only_where_its_fact_is_declared(
    facts: tuple[tuple[str, bool], ...], refused: Refused | None
) -> None:
    asked = world.question(purpose=world.purpose()._replace(facts=facts))
    outcome = decide(world.caller(), asked, conditional(), {}, NOW)
    assert isinstance(outcome, Granted) if refused is None else outcome == refused


@pytest.mark.parametrize(
    ("facts", "code"),
    [((), "fact_missing"), ((("by_agent", True), ("stranger", True)), "fact_unknown")],
)
def test_a_bundle_declares_the_facts_of_its_item(facts: tuple[tuple[str, bool], ...], code: str) -> None:
    asked = world.bundle(purpose=world.purpose()._replace(facts=facts))
    outcome = decide_bundle(world.caller(), asked, conditional(), {}, NOW)
    assert isinstance(outcome, Refused)
    assert outcome.code == code


def test_a_bundle_does_not_ask_for_what_the_facts_do_not_call_for() -> None:
    asked = world.bundle(purpose=world.purpose()._replace(facts=(("by_agent", False),)))
    outcome = decide_bundle(world.caller(), asked, conditional(), {}, NOW)
    assert isinstance(outcome, BundleGranted)
    assert outcome.proofs[0][1] is None
    assert isinstance(outcome.proofs[2][1], Granted)
