"""The lint: whatever it is given it answers with a mistake or lets pass, and what passes compiles and is read alike."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import schema_lint
from contracts.authoring import Place
from contracts.encoding import Json
from contracts.errors import UserError
from contracts.schemas import Compiled
from tests.unit.contracts.test_catalogue import TYPES, oracle

JSON: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 5) | st.text(max_size=3) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
PATTERNS = st.text(r"ab09[]{}()^$.|*+?\-,:dZ&~", max_size=8)


def spoil(schema: Json, data: st.DataObject) -> Json:
    """The schema with one value somewhere in it replaced."""
    if isinstance(schema, dict) and schema and data.draw(st.integers(0, 3)):
        name = data.draw(st.sampled_from(sorted(schema)))
        return {**schema, name: spoil(schema[name], data)}
    return data.draw(JSON)


def passes(schema: Json) -> bool:
    try:
        schema_lint.check(schema, Place("x"))
    except UserError:
        return False
    return True


@pytest.mark.parametrize("one", TYPES, ids=lambda one: str(one.id))
def test_shipped_schemas_pass(one: Any) -> None:
    assert passes(one.schema)


@given(st.sampled_from(TYPES), st.data())
def test_a_spoilt_schema_is_a_mistake_or_compiles(one: Any, data: st.DataObject) -> None:
    schema = spoil(dict(one.schema), data)
    if isinstance(schema, dict) and passes(schema):
        Compiled(schema).faults({})


@given(PATTERNS, st.text("ab09-.", max_size=4))
def test_a_pattern_that_passes_means_the_same_to_everybody(pattern: str, value: str) -> None:
    text = {"type": "string", "maxLength": 9, "pattern": pattern}
    schema = {
        "$schema": schema_lint.DIALECT,
        "type": "object",
        "properties": {"a": text},
        "additionalProperties": False,
    }
    if passes(schema):
        assert bool(Compiled(schema).faults({"a": value})) == (not oracle(schema).is_valid({"a": value}))


def of(subschema: Json, **more: Json) -> dict[str, Json]:
    return {
        "$schema": schema_lint.DIALECT,
        "type": "object",
        "properties": {"p": subschema},
        "additionalProperties": False,
        **more,
    }


TEXT: dict[str, Json] = {"type": "string", "maxLength": 3}
OPEN: dict[str, Json] = {"maxLength": 3}
# (a subschema of the property "p", the $defs, whether it passes)
DECLARED: list[tuple[Json, dict[str, Json], bool]] = [
    (TEXT, {}, True),
    ({}, {}, False),
    (OPEN, {}, False),
    ({"title": "anything"}, {}, False),
    ({"const": "x"}, {}, True),
    ({"enum": ["x"]}, {}, True),
    ({"$ref": "#/$defs/d"}, {"d": TEXT}, True),
    ({"$ref": "#/$defs/d"}, {"d": {}}, False),
    ({"$ref": "#/$defs/d"}, {"d": OPEN}, False),
    ({"$ref": "#/$defs/e"}, {"d": TEXT}, False),
    ({"$ref": "#/$defs/d", "title": "T", "description": "D", "$comment": "C"}, {"d": TEXT}, True),
    ({"$ref": "#/$defs/d", "maxLength": 2}, {"d": TEXT}, False),
    ({"$ref": "#/$defs/d", "type": "string"}, {"d": TEXT}, False),
    (TEXT, {"unused": {}}, False),
    ({"type": "array", "maxItems": 2, "items": TEXT}, {}, True),
    ({"type": "array", "maxItems": 2, "items": {}}, {}, False),
    ({"type": "array", "maxItems": 2, "items": {"type": "array", "maxItems": 2, "items": OPEN}}, {}, False),
    ({"type": "object", "additionalProperties": False, "properties": {"q": TEXT}}, {}, True),
    ({"type": "object", "additionalProperties": False, "properties": {"q": OPEN}}, {}, False),
    (TEXT, {"d": {"type": "object", "additionalProperties": False, "properties": {"q": {}}}}, False),
    ({**TEXT, "allOf": [{"if": {"const": "x"}, "then": {"maxLength": 1}, "else": {}}]}, {}, True),
    ({"allOf": [TEXT]}, {}, False),
    ({"type": "string", "maxLength": 65_536}, {}, True),
    ({"type": "string", "maxLength": 65_537}, {}, False),
    ({"type": "array", "maxItems": 10_000, "items": TEXT}, {}, True),
    ({"type": "array", "maxItems": 10_001, "items": TEXT}, {}, False),
]


@pytest.mark.parametrize(("subschema", "definitions", "good"), DECLARED)
def test_every_value_is_declared_and_bounded(subschema: Json, definitions: dict[str, Json], good: bool) -> None:
    assert passes(of(subschema, **({"$defs": definitions} if definitions else {}))) == good


def test_conditions_declare_nothing() -> None:
    condition = {"if": {"properties": {"p": {"const": "x"}}}, "then": {"properties": {"p": OPEN}}}
    assert passes(of(TEXT, **condition))
    assert passes(of(TEXT, allOf=[condition]))
