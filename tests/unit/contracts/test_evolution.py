"""Changes of a type and their verdicts, by the table in tests/vectors/schema-changes.json.

`schema` and `table` of a change are by JSON pointer: a value to put there, null to take away, `/-` to append.
"""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.evidence_types import EvidenceType
from contracts.evolution import BACKWARD, FORWARD, breaks, incompatible, mode_of
from contracts.identifiers import FORMATS
from contracts.schema_inclusion import narrower

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "schema-changes.json").read_text("utf-8"))
CHANGES: list[dict[str, Any]] = VECTORS["changes"]


def changed(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(document)
    for pointer, value in changes.items():
        *path, last = pointer[1:].split("/")
        place: Any = result
        for step in path:
            place = place[step]
        if last == "-":
            place.append(value)
        elif value is None:
            del place[last]
        else:
            place[last] = copy.deepcopy(value)
    return result


def formed(change: dict[str, Any]) -> EvidenceType:
    table, schema = changed(VECTORS["table"], change["table"]), changed(VECTORS["schema"], change["schema"])
    return EvidenceType.from_author(table, schema, change["why"])


FORMER = formed({"why": "as it was", "table": {}, "schema": {}})


def test_the_table_is_long_enough() -> None:
    assert len(CHANGES) >= 85


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change["why"])
def test_a_change_breaks_what_the_table_says(change: dict[str, Any]) -> None:
    found = breaks(FORMER, formed(change))
    assert {BACKWARD, FORWARD} - {one.direction for one in found} == {
        direction for direction in (BACKWARD, FORWARD) if change[direction]
    }, found


MODES = {"BACKWARD": {BACKWARD}, "FORWARD": {FORWARD}, "FULL": {BACKWARD, FORWARD}, "NONE": set()}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("set_now", MODES)
def test_the_mode_of_the_last_signed_form_says_which_direction_counts(mode: str, set_now: str) -> None:
    former = formed({"why": mode, "schema": {}, "table": {"/compatibility": mode}})
    change = {"/properties/number/pattern": "^[A-Z]*$"}
    new = formed({"why": mode, "schema": change, "table": {"/compatibility": set_now}})
    assert {one.direction for one in incompatible([former], new)} == MODES[mode]
    assert incompatible([], new) == ()
    assert mode_of([former], new) == mode
    assert mode_of([], new) == set_now


@pytest.mark.parametrize(("mode", "breaking"), [("BACKWARD", False), ("BACKWARD_TRANSITIVE", True)])
def test_transitive_modes_compare_with_every_former_form(mode: str, breaking: bool) -> None:
    wider = formed({"why": "wider", "schema": {"/properties/note/maxLength": 90}, "table": {}})
    last = formed({"why": "last", "schema": {}, "table": {"/compatibility": mode}})
    narrow = formed({"why": "back", "schema": {"/properties/note/maxLength": 50}, "table": {}})
    assert (incompatible([wider, last], narrow) != ()) == breaking


def test_a_break_is_said_in_words() -> None:
    new = formed({"why": "shorter", "schema": {"/properties/place/properties/street/maxLength": 9}, "table": {}})
    (one,) = [one for one in breaks(FORMER, new) if one.direction == BACKWARD]
    assert (one.pointer, one.keyword) == ("/place/street", "maxLength")
    assert "9" in one.words.zh
    assert "tighter" in one.words.en


VALUES = st.fixed_dictionaries(
    {
        "number": st.sampled_from(["1234", "123456"]) | st.text("0123456789A", max_size=10),
        "kind": st.sampled_from(["shop", "stall", "cart", "van", "trolley"]),
    },
    optional={
        "note": st.text("ab", max_size=62),
        "level": st.one_of(st.integers(-1, 12), st.none(), st.just("1")),
        "floor": st.one_of(st.integers(0, 2), st.none()),
        "open": st.sampled_from([True, "yes"]),
        "goods": st.lists(st.one_of(st.text("ab", max_size=31), st.integers()), max_size=10),
        "place": st.fixed_dictionaries(
            {}, optional={"street": st.text("s", max_size=91), "floor": st.integers(), "room": st.just("1")}
        ),
        "added": st.text("a", max_size=9),
        "size": st.sampled_from(["s", "l"]),
    },
)


# A condition on a member that is there, may be absent, or is a definition; what follows; where it stands.
TESTS = st.sampled_from(
    [("kind", "shop"), ("kind", "van"), ("level", 1), ("level", 9), ("size", "s"), ("size", "xl"), ("note", "a")]
)
DEMANDS = st.sampled_from(
    [
        {"required": ["note"]},
        {"required": ["kind"]},
        {"properties": {"note": {"maxLength": 1}}},
        {"properties": {"note": {"$ref": "#/$defs/short"}}},
        {"properties": {"level": {"minimum": 1}}},
    ]
)
DEFINITIONS = st.sampled_from([{"type": "string", "maxLength": most} for most in (1, 50)])


@st.composite
def conditioned(draw: st.DrawFn) -> dict[str, Any]:
    """A schema of the table with conditions, a definition that they may lead to, and codes that may be absent."""
    schema = changed(VECTORS["schema"], draw(st.sampled_from(CHANGES))["schema"])
    return {
        **schema,
        **draw(conditions()),
        "properties": {**schema["properties"], "size": {"type": "string", "enum": ["s", "l"]}},
        "allOf": draw(st.lists(conditions(), max_size=2)),
        "$defs": {**schema.get("$defs", {}), "short": draw(DEFINITIONS)},
    }


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    name, value = draw(TESTS)
    demanded = {"required": [name]} if draw(st.booleans()) else {}
    tested = {"if": {"properties": {name: {"const": value}}, **demanded}}
    return draw(st.sampled_from([{}, tested])) | {
        key: draw(DEMANDS) for key in draw(st.sets(st.sampled_from(["then", "else"])))
    }


SCHEMAS = st.sampled_from([changed(VECTORS["schema"], one["schema"]) for one in CHANGES]) | conditioned()


@given(SCHEMAS, SCHEMAS, VALUES)
def test_what_is_called_wider_is_wider(reader: dict[str, Any], writer: dict[str, Any], value: dict[str, Any]) -> None:
    """jsonschema as the oracle: where `narrower` finds nothing, no value is valid for the writer alone."""
    if not narrower(reader, writer):
        asserted = jsonschema.FormatChecker(formats=())
        for name, accepts in FORMATS.items():
            asserted.checks(name)(accepts)
        if jsonschema.Draft202012Validator(writer, format_checker=asserted).is_valid(value):
            assert jsonschema.Draft202012Validator(reader, format_checker=asserted).is_valid(value)


@given(conditioned(), VALUES)
def test_a_condition_added_to_a_schema_is_judged_soundly(reader: dict[str, Any], value: dict[str, Any]) -> None:
    """As above, with a writer that differs by the conditions only: the usual change."""
    writer = {key: part for key, part in reader.items() if key not in ("if", "then", "else", "allOf")}
    if not narrower(reader, writer) and jsonschema.Draft202012Validator(writer).is_valid(value):
        assert jsonschema.Draft202012Validator(reader).is_valid(value)


X: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": {"x": {"type": "integer"}}}
SAME_WORDS = {"allOf": [{"if": {"required": ["x"]}, "then": {"properties": {"x": {"$ref": "#/$defs/d"}}}}]}
OPEN = {"type": "object"}


def bounded(most: int) -> dict[str, Any]:
    return {**X, **SAME_WORDS, "$defs": {"d": {"type": "integer", "maximum": most}}}


# Asks for something if x is 9; a writer's x is 1, or absent.
IS_NINE: dict[str, Any] = {"properties": {"x": {"const": 9}}}
NINE: dict[str, Any] = {
    **X,
    "type": ["object", "null"],
    "allOf": [{"if": IS_NINE, "then": {"type": "object", "required": ["y"]}}],
}
NINE_THERE = {**NINE, "allOf": [{**NINE["allOf"][0], "if": {**IS_NINE, "required": ["x"]}}]}
ONE: dict[str, Any] = {**X, "properties": {"x": {"type": "integer", "const": 1}}}


# (reader, writer, whether the reader accepts less)
PAIRS: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    (bounded(1), bounded(1), False),
    (bounded(1), bounded(2), True),
    ({**bounded(1), "allOf": [{**SAME_WORDS["allOf"][0], "title": "a note"}]}, bounded(1), False),
    ({**X, "if": {"properties": {"x": {"const": 1}}}, "then": {"required": ["x"]}}, X, True),
    ({**X, "allOf": [{"const": 1}]}, {**X, "allOf": [{"const": True}]}, True),
    (NINE, ONE, True),
    (NINE, {**ONE, "required": ["x"]}, False),
    (NINE_THERE, ONE, False),
    (NINE, {**ONE, "type": ["object", "null"], "required": ["x"]}, True),
    ({"type": "object", "properties": {"x": {"type": "integer"}}}, OPEN, True),
    ({"type": "object", "properties": {"x": {}}}, OPEN, False),
    (X, OPEN, True),
    ({"type": "string", "enum": ["a", "b"], "const": "a"}, {"type": "string", "enum": ["a", "b"]}, True),
    ({"type": "string", "enum": ["a", "b"]}, {"enum": ["a", "c"], "const": "a"}, False),
    ({"type": "integer", "enum": ["a"]}, {"enum": ["a"]}, True),
    ({"const": "a"}, {"type": ["string", "null"], "const": "a"}, False),
]


@pytest.mark.parametrize(("reader", "writer", "less"), PAIRS)
def test_pairs_of_schemas(reader: dict[str, Any], writer: dict[str, Any], less: bool) -> None:
    assert bool(narrower(reader, writer)) == less
