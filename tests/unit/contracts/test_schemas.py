"""Compiled schemas: jsonschema is the oracle; no fault ever repeats a value."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.encoding import Json
from contracts.schema_lint import DIALECT
from contracts.schemas import MAX_FAULTS, Compiled
from tests.unit.contracts.test_catalogue import TYPES, VALID, oracle

COMPILED = {one.id: Compiled(one.schema) for one in TYPES}
SECRET = "机密zz9"  # in no schema
SCHEMA: dict[str, Any] = {
    "$schema": DIALECT,
    "type": "object",
    "properties": {
        "text": {"type": "string", "minLength": 2, "maxLength": 4, "pattern": "^[a-z]+$"},
        "day": {"type": "string", "format": "date", "maxLength": 10},
        "person": {"type": "string", "format": "cn.ric", "maxLength": 18},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "fixed": {"const": "x"},
        "flag": {"type": "boolean"},
        "list": {"type": "array", "items": {"$ref": "#/$defs/row"}, "minItems": 1, "maxItems": 2, "uniqueItems": True},
    },
    "required": ["text"],
    "additionalProperties": False,
    "$defs": {
        "row": {
            "type": "object",
            "properties": {"a/b~c": {"type": "integer"}},
            "additionalProperties": False,
        }
    },
}
# (document, pointer, keyword, words)
FAULTS: tuple[tuple[Json, str, str, str], ...] = (
    ({}, "", "required", "lacks text"),
    ([], "", "type", "is of another type than object"),
    ({"text": "ab", SECRET: 1}, "", "additionalProperties", "has a field that is not defined"),
    ({"text": "a"}, "/text", "minLength", "is shorter than 2 characters"),
    ({"text": "abcde"}, "/text", "maxLength", "is longer than 4 characters"),
    ({"text": "AB"}, "/text", "pattern", "does not have the form ^[a-z]+$"),
    ({"text": 7}, "/text", "type", "is of another type than string"),
    ({"text": "ab", "day": "2021-02-30"}, "/day", "format", "is not a valid date"),
    ({"text": "ab", "day": "20210228"}, "/day", "format", "is not a valid date"),
    ({"text": "ab", "person": "110105194912310021"}, "/person", "format", "is not a valid cn.ric"),
    ({"text": "ab", "count": 0}, "/count", "minimum", "is less than 1"),
    ({"text": "ab", "count": 10}, "/count", "maximum", "is more than 9"),
    ({"text": "ab", "count": 2.0}, "/count", "type", "is of another type than integer"),
    ({"text": "ab", "count": True}, "/count", "type", "is of another type than integer"),
    ({"text": "ab", "kind": "c"}, "/kind", "enum", "is not one of: a, b"),
    ({"text": "ab", "fixed": "y"}, "/fixed", "const", "is not the prescribed value"),
    ({"text": "ab", "flag": "是"}, "/flag", "type", "is of another type than boolean"),
    ({"text": "ab", "list": []}, "/list", "minItems", "has fewer than 1 items"),
    ({"text": "ab", "list": [{}, {"a/b~c": 1}, {"a/b~c": 2}]}, "/list", "maxItems", "has more than 2 items"),
    ({"text": "ab", "list": [{}, {}]}, "/list", "uniqueItems", "has an item twice"),
    ({"text": "ab", "list": [{"a/b~c": "1"}]}, "/list/0/a~1b~0c", "type", "is of another type than integer"),
)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 10**13), st.text(max_size=5), st.just(SECRET), st.dates().map(str),
    st.lists(st.just(SECRET), max_size=3), st.fixed_dictionaries({"scheme": st.just("cn.ric"), "id": st.just(SECRET)}),
)  # fmt: skip


@pytest.mark.parametrize(("document", "pointer", "keyword", "words"), FAULTS)
def test_each_fault_has_its_place_and_words(document: Json, pointer: str, keyword: str, words: str) -> None:
    found = Compiled(SCHEMA).faults(document)
    assert [(fault.pointer, fault.keyword, fault.message.en) for fault in found] == [(pointer, keyword, words)]
    assert found[0].message.zh


@given(st.sampled_from(VALID), st.data())
def test_as_the_oracle_and_without_values(example: tuple[Any, dict[str, Json]], data: st.DataObject) -> None:
    one, document = example
    name = data.draw(st.sampled_from(sorted(document)))
    document = {**document, name: data.draw(VALUES)}
    faults = COMPILED[one.id].faults(document)
    assert bool(faults) == (not oracle(one.schema).is_valid(document))
    assert SECRET not in str(faults)
    assert all(fault.pointer.startswith(f"/{name}") for fault in faults)


@given(st.sampled_from(VALID), st.data())
def test_one_property_alone_is_judged_as_in_the_whole(
    example: tuple[Any, dict[str, Json]], data: st.DataObject
) -> None:
    one, document = example
    name = data.draw(st.sampled_from(sorted(document)))
    value = data.draw(VALUES)
    assert COMPILED[one.id].faults_of(name, value) == COMPILED[one.id].faults({**document, name: value})


def test_a_property_that_is_not_there_has_no_subschema() -> None:
    with pytest.raises(KeyError):
        Compiled(SCHEMA).faults_of("nothing", 1)


def test_faults_are_bounded() -> None:
    schema = {"type": "array", "items": {"type": "string"}}
    assert len(Compiled(schema).faults([1] * 1000)) == MAX_FAULTS


@pytest.mark.parametrize("reference", ["https://example.org/schema", "file:///etc/passwd", "other.json"])
def test_no_reference_outside_is_followed(reference: str) -> None:
    with pytest.raises(ValueError, match=r"not present|may not refer"):
        Compiled({"$schema": DIALECT, "properties": {"a": {"$ref": reference}}})


def test_an_unknown_format_does_not_pass_silently() -> None:
    with pytest.raises(ValueError, match="format"):
        Compiled({"$schema": DIALECT, "type": "string", "format": "cn.nonsense"})


def test_documents_are_left_alone() -> None:
    for one, document in VALID:
        before = json.dumps(document)
        COMPILED[one.id].faults(document)
        assert json.dumps(document) == before
