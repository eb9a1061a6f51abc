"""The checks of the auditor's API say what a full implementation of JSON Schema says."""

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.api import schemas
from audit.api.checking import MAX_BREACHES, breaches, supported
from audit.api.questions import KINDS
from contracts.schemas import Compiled

REQUESTS = [kind.schema for kind in KINDS] + [schemas.DECISION]

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 1001), st.just(0.5), st.text(max_size=3),
    st.sampled_from(["day", "agree", "cn.uscc", "CN", " x", "x ", "a\nb", "x\n", "\u200b", "x" * 129]),
)  # fmt: skip


def values(schema: Any) -> st.SearchStrategy[Any]:
    """What a schema asks for, or nearly: each member may be there, wrong, or strange."""
    if schema.get("type") == "object" and "properties" in schema:
        members = {
            name: st.one_of(values(inner), values(inner), scalars) for name, inner in schema["properties"].items()
        }
        needed = {name: members[name] for name in schema["required"]}
        optional = {name: one for name, one in members.items() if name not in needed} | {"strange": scalars}
        return st.fixed_dictionaries(needed, optional=optional)
    if schema.get("type") == "array":
        return st.lists(values(schema["items"]), max_size=3)
    good = {"string": "x", "integer": 1, "boolean": True, "object": {}}[schema["type"]]
    return st.one_of(st.just(schema["enum"][0] if "enum" in schema else good), scalars)


@pytest.mark.parametrize("schema", REQUESTS)
def test_every_request_uses_only_what_is_checked(schema: schemas.Schema) -> None:
    assert supported(schema)
    jsonschema.Draft202012Validator.check_schema(schema)


def test_what_is_not_checked_is_not_supported() -> None:
    odd: tuple[schemas.Schema, ...] = (
        {"oneOf": []},
        {"pattern": "x"},
        {"additionalProperties": True},
        {"items": {"format": "date"}},
    )
    for schema in odd:
        assert not supported(schema)


@pytest.mark.parametrize("schema", REQUESTS, ids=lambda schema: "-".join(schema["required"])[:30])
def test_we_say_what_the_standard_says(schema: schemas.Schema) -> None:
    theirs = Compiled(schema)

    @given(values(schema))
    def check(value: Any) -> None:
        ours = breaches(schema, value)
        assert len(ours) <= MAX_BREACHES
        if len(ours) < MAX_BREACHES:
            assert {one.pointer for one in ours} == {one.pointer for one in theirs.faults(value)}

    check()


@pytest.mark.parametrize(
    ("schema", "value", "keyword"),
    [
        ({"type": "string", "pattern": "^a$"}, "a\n", "pattern"),
        ({"type": "integer"}, True, "type"),
        ({"type": "integer"}, 1.0, "type"),
        ({"type": "array", "uniqueItems": True}, ["a", "a"], "uniqueItems"),
        (schemas.closed({"a": {"type": "string"}}), {"a": "", "SECRET": 1}, "additionalProperties"),
    ],
)
def test_breaches_name_the_rule_never_the_value(schema: schemas.Schema, value: Any, keyword: str) -> None:
    (found,) = breaches(schema, value)
    assert found.keyword == keyword
    assert "SECRET" not in repr(found)
