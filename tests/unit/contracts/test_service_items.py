"""Service items: what an author may write, each mistake with its place, groups of alternatives, and the two forms."""

import copy
import json
import tomllib
from collections.abc import Callable
from typing import Any

import pytest

from contracts.encoding import canonical
from contracts.errors import Fault, UserError
from contracts.service_items import ServiceItem, unknown_references
from tests.unit.contracts.test_evidence_types import authored as dog_licence

TABLE = tomllib.loads("""
id = "cn.keep-dog"
names = { zh-CN = "养犬登记", en = "Keep a dog" }
legal_basis = { zh-CN = "《养犬管理条例》第九条", en = "Dog Regulations, art. 9" }
region = "430100"
[[proofs]]
id = "licence"
evidence_type = "cn.dog-licence"
fields = ["number", "holders"]
legal_basis = { zh-CN = "《养犬管理条例》第十条", en = "Dog Regulations, art. 10" }
replaces_paper = { zh-CN = "犬证复印件", en = "Copy of the licence" }
[[proofs]]
id = "home"
evidence_type = "cn.dog-licence"
version = 2
fields = ["breed"]
legal_basis = { zh-CN = "《养犬管理条例》第十一条", en = "Dog Regulations, art. 11" }
replaces_paper = { zh-CN = "房产证", en = "Title deed" }
mode = "one_of"
group = "place"
[[proofs]]
id = "yard"
evidence_type = "cn.yard"
fields = ["area"]
legal_basis = { zh-CN = "《养犬管理条例》第十一条", en = "Dog Regulations, art. 11" }
replaces_paper = { zh-CN = "院落证明", en = "Evidence of a yard" }
holder = "applicant"
mode = "one_of"
group = "place"
""")
Change = Callable[[dict[str, Any]], object]


def authored(change: Change = lambda *_: None) -> ServiceItem:
    table = copy.deepcopy(TABLE)
    change(table)
    return ServiceItem.from_author(table, "dog.toml")


FACT = {"id": "barks", "names": {"zh-CN": "吠叫", "en": "It barks"}}


def conditional(table: dict[str, Any], value: object) -> None:
    table["facts"] = [FACT]
    table["proofs"][0]["when"] = {"fact": "barks", "is": value}


MISTAKES: tuple[tuple[Change, str, str], ...] = (
    (lambda t: t.update(fee=3), "dog.toml: fee", "unknown key fee"),
    (lambda t: t.update(id="Keep Dog"), "dog.toml: id", "right form"),
    (lambda t: t["names"].pop("zh-CN"), "dog.toml: names.zh-CN", "no zh-CN"),
    (lambda t: t.pop("legal_basis"), "dog.toml: legal_basis", "missing"),
    (lambda t: t.update(region="43"), "dog.toml: region", "right form"),
    (lambda t: t.update(region=430100), "dog.toml: region", "right form"),
    (lambda t: t.update(proofs=[]), "dog.toml: proofs", "1 to 32"),
    (lambda t: t.update(proofs=["x"]), "dog.toml: proofs.0", "a table"),
    (lambda t: t["proofs"][0].update(field="x"), "dog.toml: proofs.0.field", "unknown key field"),
    (lambda t: t["proofs"][1].update(id="licence"), "dog.toml: proofs", "licence is there twice"),
    (lambda t: t["proofs"][0].update(fields=[]), "dog.toml: proofs.0.fields", "no field"),
    (lambda t: t["proofs"][0].update(fields=["a", "a"]), "dog.toml: proofs.0.fields", "different"),
    (lambda t: t["proofs"][0].update(evidence_type="dog"), "dog.toml: proofs.0.evidence_type", "right form"),
    (lambda t: t["proofs"][0].update(version="2"), "dog.toml: proofs.0.version", "whole number"),
    (lambda t: t["proofs"][0].pop("replaces_paper"), "dog.toml: proofs.0.replaces_paper", "missing"),
    (lambda t: t["proofs"][0].pop("legal_basis"), "dog.toml: proofs.0.legal_basis", "missing"),
    (lambda t: t["proofs"][0].update(holder="neighbour"), "dog.toml: proofs.0.holder", "choices"),
    (lambda t: t["proofs"][0].update(mode="any"), "dog.toml: proofs.0.mode", "choices"),
    (lambda t: t["proofs"][0].update(group="place"), "dog.toml: proofs.0.group", "no group"),
    (lambda t: t["proofs"][1].pop("group"), "dog.toml: proofs.1.group", "missing"),
    (lambda t: t.update(basic_code="1"), "dog.toml: basic_code", "right form"),
    (lambda t: t.update(implementation_code="1" * 31), "dog.toml: implementation_code", "right form"),
    (lambda t: t.update(handling=["soon"]), "dog.toml: handling", "unknown way"),
    (lambda t: t.update(statutory_days=-1), "dog.toml: statutory_days", "working days"),
    (lambda t: t.update(statutory_days=5, promised_days=6), "dog.toml: promised_days", "later"),
    (lambda t: t.update(facts={}), "dog.toml: facts", "at most"),
    (lambda t: t.update(facts=["x"]), "dog.toml: facts.0", "a table"),
    (lambda t: t.update(facts=[FACT, FACT]), "dog.toml: facts", "barks is there twice"),
    (lambda t: t.update(facts=[{**FACT, "id": "Barks"}]), "dog.toml: facts.0.id", "right form"),
    (lambda t: t["proofs"][0].update(when={"fact": "barks", "is": True}), "dog.toml: proofs.0.when", "one of the"),
    (lambda t: conditional(t, "yes"), "dog.toml: proofs.0.when", "one of the"),
    (lambda t: conditional(t, None), "dog.toml: proofs.0.when", "one of the"),
)


def test_what_an_author_wrote_is_there() -> None:
    item = authored()
    licence = item.proofs[0]
    assert (licence.mode, licence.group, licence.holder, licence.version) == ("all_of", "", "applicant", None)
    assert licence.fields == ("number", "holders")
    assert item.proofs[1].version == 2
    assert [proof.id for proof in item.proofs_of("cn.dog-licence")] == ["licence", "home"]
    assert item.proofs_of("cn.other") == ()


def test_of_a_group_one_is_enough() -> None:
    assert [[proof.id for proof in one] for one in authored().requirements({})] == [["licence"], ["home", "yard"]]


def test_a_proof_may_depend_on_a_declared_fact() -> None:
    item = authored(lambda table: conditional(table, False))
    assert [proof.id for proof in item.requirements({"barks": False})[0]] == ["licence"]
    for facts in ({"barks": True}, {}):
        assert [[proof.id for proof in one] for one in item.requirements(facts)] == [["home", "yard"]]


def test_an_item_may_say_how_it_is_handled() -> None:
    more = {
        "basic_code": "000101001000",
        "implementation_code": "91350100M000100Y434000101001000",
        "handling": ["online", "one_visit"],
        "statutory_days": 20,
        "promised_days": 0,
    }
    item = authored(lambda table: table.update(more))
    assert item.to_json().items() >= more.items()
    assert ServiceItem.from_json(json.loads(canonical(item.to_json()))) == item


def test_a_group_named_like_a_proof_is_not_that_proof() -> None:
    item = authored(lambda table: table["proofs"][2].update(group="licence"))
    assert [[proof.id for proof in one] for one in item.requirements({})] == [["licence"], ["home"], ["yard"]]


@pytest.mark.parametrize(("change", "where", "word"), MISTAKES)
def test_each_mistake_is_told(change: Change, where: str, word: str) -> None:
    with pytest.raises(UserError) as told:
        authored(change)
    assert told.value.where == where
    assert told.value.remedy is not None
    assert word in f"{told.value.what.en} {told.value.remedy.en}"


def test_the_canonical_form_goes_both_ways() -> None:
    item = authored()
    assert ServiceItem.from_json(json.loads(canonical(item.to_json()))) == item


@pytest.mark.parametrize("form", [None, [], {}, {**TABLE, "extra": 1}, {**TABLE, "proofs": {}}])
def test_a_spoilt_form_is_refused(form: Any) -> None:
    with pytest.raises(Fault) as refused:
        ServiceItem.from_json(form)
    assert refused.value.code == "service_item_invalid"


def test_what_no_type_has_is_named() -> None:
    dogs = dog_licence()
    told = unknown_references(authored(lambda t: t["proofs"][0]["fields"].append("colour")), {(dogs.id, 2): dogs})
    assert [words.en for words in told] == [
        "proof licence: urn:oncegate:cn.dog-licence:2 has no field colour",
        "proof yard: there is no evidence type cn.yard",
    ]


def test_a_pinned_version_must_exist() -> None:
    dogs = dog_licence()
    told = unknown_references(authored(lambda t: t["proofs"][1].update(version=3)), {(dogs.id, 2): dogs})
    assert "proof home: there is no evidence type cn.dog-licence" in [words.en for words in told]
