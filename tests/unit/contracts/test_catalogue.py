"""The shipped catalogue: every example does what it says, every item names what exists."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from contracts import catalogue
from contracts.catalogue import evidence_types, examples, service_items
from contracts.documents import check
from contracts.encoding import Json, canonical
from contracts.evidence_types import CONDITIONAL, EvidenceType
from contracts.identifiers import FORMATS, warnings
from contracts.life_cycle import STATUSES
from contracts.schema_lint import DIALECT
from contracts.service_items import HANDLING, ServiceItem, unknown_references

jsonschema: Any = import_module("jsonschema")  # it ships no types

TYPES = evidence_types()
ITEMS = service_items()
VALID = [(one, document) for one in TYPES for document in examples(one.id)["valid"]]
INVALID = [(one, case) for one in TYPES for case in examples(one.id)["invalid"]]
AUTHORED = sorted(Path(catalogue.__file__).parent.glob("*/*.toml"))


def changed(document: dict[str, Json], case: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in {**document, **case["set"]}.items() if name not in case["remove"]}


def oracle(schema: Json) -> Any:
    """The independent validator."""
    formats = jsonschema.FormatChecker(formats=("date",))
    for name, accept in FORMATS.items():
        formats.checks(name)(lambda value, accept=accept: not isinstance(value, str) or accept(value))
    return jsonschema.Draft202012Validator(schema, format_checker=formats)


def test_what_is_there() -> None:
    assert len(TYPES) >= 16
    assert len({one.department.zh for one in TYPES}) >= 8
    assert len(ITEMS) >= 10
    assert {"cn.open-restaurant", "cn.transfer-vehicle", "cn.settle-household"} <= {
        item.id for item in ITEMS
    }  # the demo
    assert all(8 <= len(one.fields) <= 16 and one.key_fields for one in TYPES)


@pytest.mark.parametrize("one", TYPES, ids=lambda one: str(one.id))
def test_enough_examples(one: EvidenceType) -> None:
    told = examples(one.id)
    assert len(told["valid"]) >= 2
    assert len(told["invalid"]) >= 5
    assert len({case["why"] for case in told["invalid"]}) == len(told["invalid"])
    assert any("source_status" in document for document in told["valid"])
    assert any("supersedes" in document for document in told["valid"]) == one.supersession


def test_examples_show_every_restriction_that_registers_know() -> None:
    shown = {entry["kind"] for _, document in VALID for entry in document.get("restrictions", ())}
    assert {"mortgage", "seizure", "freeze", "lock", "objection"} <= shown


@pytest.mark.parametrize("one", TYPES, ids=lambda one: str(one.id))
def test_a_type_says_why_it_is_shared(one: EvidenceType) -> None:
    assert one.sharing_basis is not None
    assert "《" in one.sharing_basis.zh
    if one.sharing == CONDITIONAL:  # a condition of its own, not one phrase for all
        assert [other.id for other in TYPES if other.sharing_basis == one.sharing_basis] == [one.id]


@pytest.mark.parametrize("one", TYPES, ids=lambda one: str(one.id))
def test_numbers_of_people_are_masked(one: EvidenceType) -> None:
    own = {name: one.schema["properties"][name] for name in one.fields}
    people = {name for name, schema in own.items() if schema.get("format") == "cn.ric" or name.endswith("_id")}
    for name in people - {"licence_id"}:
        mask = one.fields[name].mask
        assert mask is not None, name
        assert mask("65010219951112302X").count("*") >= 10


def test_a_mask_hides_the_kind_and_grade_of_a_disability() -> None:
    one = next(one for one in TYPES if one.id == "cn.disability-certificate")
    number = examples(one.id)["valid"][0]["certificate_number"]
    mask = one.fields["certificate_number"].mask
    assert mask is not None
    assert mask(number) == number[:3] + "*" * 17


def test_electronic_licence_identifiers_have_their_check_character() -> None:
    given = [document["licence_id"] for _, document in VALID if "licence_id" in document]
    assert len(given) >= 10
    assert [one for one in given if warnings("cn.licence-id", one)] == []


@pytest.mark.parametrize("file", AUTHORED, ids=lambda file: str(file.name))
def test_each_file_names_what_it_follows(file: Path) -> None:
    comment, _, rest = file.read_text("utf-8").partition("\nid = ")
    assert comment.startswith("# ")
    assert "《" in (comment if file.parent.name == "evidence_types" else rest)


@pytest.mark.parametrize(("one", "document"), VALID)
def test_valid_examples(one: EvidenceType, document: dict[str, Json]) -> None:
    assert check(one, document) == ()
    assert oracle(one.schema).is_valid(document)


@pytest.mark.parametrize(
    ("one", "case"), INVALID, ids=lambda case: case.get("why") if isinstance(case, dict) else case.id
)
def test_invalid_examples(one: EvidenceType, case: dict[str, Json]) -> None:
    document = changed(examples(one.id)["valid"][0], case)
    faults = {(fault.pointer, fault.keyword) for fault in check(one, document)}
    assert faults == {(case["pointer"], case["keyword"])}


@pytest.mark.parametrize("one", TYPES, ids=lambda one: str(one.id))
def test_the_schema_is_one_for_everybody(one: EvidenceType) -> None:
    jsonschema.Draft202012Validator.check_schema(one.schema)
    assert one.schema["$schema"] == DIALECT
    assert one.schema["properties"]["status"]["enum"] == list(STATUSES)


@pytest.mark.parametrize("one", TYPES, ids=lambda one: str(one.id))
def test_types_survive_the_registry(one: EvidenceType) -> None:
    again = EvidenceType.from_json(json.loads(canonical(one.to_json())))
    assert again == one
    assert canonical(again.to_json()) == canonical(one.to_json())
    assert list(again.fields) == list(one.fields)
    assert len(canonical(one.to_json())) < 32 * 1024


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: str(item.id))
def test_items_name_what_exists(item: ServiceItem) -> None:
    assert unknown_references(item, {(one.id, one.version): one for one in TYPES}) == ()
    assert ServiceItem.from_json(json.loads(canonical(item.to_json()))) == item
    assert "《" in item.legal_basis.zh
    assert all("《" in proof.legal_basis.zh for proof in item.proofs)


def test_one_of_two_identities_is_enough_for_a_vehicle() -> None:
    item = next(item for item in ITEMS if item.id == "cn.transfer-vehicle")
    assert [[proof.id for proof in group] for group in item.requirements({})] == [
        ["identity-person", "identity-organisation"],
        ["vehicle"],
        ["driving-licence"],
    ]


def test_all_ways_of_handling_and_both_limits_are_used() -> None:
    assert {way for item in ITEMS for way in item.handling} == set(HANDLING)
    assert all(item.handling for item in ITEMS)
    assert any(item.promised_days for item in ITEMS)
    assert sum(item.statutory_days is not None for item in ITEMS) >= 5


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: str(item.id))
def test_declaring_nothing_never_empties_a_group(item: ServiceItem) -> None:
    """Facts add alternatives; an app that declares none must not find an item complete for lack of a requirement."""
    undeclared = {proof.group for group in item.requirements({}) for proof in group}
    assert {proof.group for proof in item.proofs} <= undeclared | {""}
    assert all(proof.when is None or proof.when[1] for proof in item.proofs)


@pytest.mark.parametrize("item", [item for item in ITEMS if item.facts], ids=lambda item: str(item.id))
def test_each_fact_calls_for_something(item: ServiceItem) -> None:
    assert {proof.when[0] for proof in item.proofs if proof.when} == item.fact_ids
    for fact in item.fact_ids:
        assert item.requirements({fact: True}) != item.requirements({})


def test_rented_premises_may_be_proved_by_their_lease() -> None:
    item = next(item for item in ITEMS if item.id == "cn.open-pharmacy")
    premises = {
        rented: [[proof.evidence_type for proof in group] for group in item.requirements({"premises_rented": rented})][
            -1
        ]
        for rented in (True, False)
    }
    assert premises == {
        True: ["cn.real-estate-certificate", "cn.lease-registration"],
        False: ["cn.real-estate-certificate"],
    }


def test_a_pharmacy_asks_a_lease_only_from_who_rents() -> None:
    item = next(item for item in ITEMS if item.id == "cn.open-pharmacy")
    lease = next(proof for proof in item.proofs if proof.id == "premises-lease")
    assert [lease.applies(facts) for facts in ({}, {"premises_rented": False}, {"premises_rented": True})] == [
        False,
        False,
        True,
    ]


def test_types_are_of_use_to_items() -> None:
    used = {proof.evidence_type for item in ITEMS for proof in item.proofs}
    assert {one.id for one in TYPES} - used == {"cn.exit-entry-permit"}
