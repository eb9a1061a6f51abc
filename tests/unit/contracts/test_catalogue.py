"""The shipped catalogue: every example does what it says, every item names what exists."""

import json
from importlib import import_module
from typing import Any

import pytest

from contracts.catalogue import evidence_types, examples, service_items
from contracts.documents import check
from contracts.encoding import Json, canonical
from contracts.evidence_types import EvidenceType
from contracts.identifiers import FORMATS
from contracts.life_cycle import STATUSES
from contracts.schema_lint import DIALECT
from contracts.service_items import ServiceItem, unknown_references

jsonschema: Any = import_module("jsonschema")  # it ships no types

TYPES = evidence_types()
ITEMS = service_items()
VALID = [(one, document) for one in TYPES for document in examples(one.id)["valid"]]
INVALID = [(one, case) for one in TYPES for case in examples(one.id)["invalid"]]


def changed(document: dict[str, Json], case: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in {**document, **case["set"]}.items() if name not in case["remove"]}


def oracle(schema: Json) -> Any:
    """The independent validator."""
    formats = jsonschema.FormatChecker(formats=("date",))
    for name, accept in FORMATS.items():
        formats.checks(name)(lambda value, accept=accept: not isinstance(value, str) or accept(value))
    return jsonschema.Draft202012Validator(schema, format_checker=formats)


def test_what_is_there() -> None:
    assert {one.id for one in TYPES} == {
        "cn.business-licence",
        "cn.driving-licence",
        "cn.exit-entry-permit",
        "cn.food-handler-health",
        "cn.household-register",
        "cn.identity-card",
        "cn.real-estate-certificate",
        "cn.vehicle-registration",
    }
    assert {item.id for item in ITEMS} == {"cn.open-restaurant", "cn.transfer-vehicle", "cn.settle-household"}
    assert all(8 <= len(one.fields) <= 16 and one.key_fields for one in TYPES)


@pytest.mark.parametrize("one", TYPES, ids=lambda one: str(one.id))
def test_enough_examples(one: EvidenceType) -> None:
    told = examples(one.id)
    assert told["valid"]
    assert len(told["invalid"]) >= 2


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
