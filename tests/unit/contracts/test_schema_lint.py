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
