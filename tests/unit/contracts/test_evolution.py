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
from contracts.evolution import BACKWARD, FORWARD, breaks, incompatible
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
    assert len(CHANGES) >= 60


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change["why"])
def test_a_change_breaks_what_the_table_says(change: dict[str, Any]) -> None:
    found = breaks(FORMER, formed(change))
    assert {BACKWARD, FORWARD} - {one.direction for one in found} == {
        direction for direction in (BACKWARD, FORWARD) if change[direction]
    }, found


@pytest.mark.parametrize("mode", ["BACKWARD", "FORWARD", "FULL", "NONE"])
def test_the_mode_says_which_direction_counts(mode: str) -> None:
    wanted = {"BACKWARD": {BACKWARD}, "FORWARD": {FORWARD}, "FULL": {BACKWARD, FORWARD}, "NONE": set()}[mode]
    new = formed({"why": mode, "schema": {"/properties/number/pattern": "^[A-Z]*$"}, "table": {"/compatibility": mode}})
    assert {one.direction for one in incompatible([FORMER], new)} == wanted
    assert incompatible([], new) == ()


@pytest.mark.parametrize(("mode", "breaking"), [("BACKWARD", False), ("BACKWARD_TRANSITIVE", True)])
def test_transitive_modes_compare_with_every_former_form(mode: str, breaking: bool) -> None:
    wider = formed({"why": "wider", "schema": {"/properties/note/maxLength": 90}, "table": {}})
    narrow = formed({"why": "back", "schema": {"/properties/note/maxLength": 50}, "table": {"/compatibility": mode}})
    assert (incompatible([wider, FORMER], narrow) != ()) == breaking


def test_a_break_is_said_in_words() -> None:
    new = formed({"why": "shorter", "schema": {"/properties/place/properties/street/maxLength": 9}, "table": {}})
    (one,) = [one for one in breaks(FORMER, new) if one.direction == BACKWARD]
    assert (one.pointer, one.keyword) == ("/place/street", "maxLength")
    assert "9" in one.words.zh
    assert "tighter" in one.words.en


VALUES = st.fixed_dictionaries(
    {},
    optional={
        "number": st.text("0123456789A", max_size=10),
        "kind": st.sampled_from(["shop", "stall", "cart", "van", "trolley"]),
        "note": st.text("ab", max_size=62),
        "level": st.one_of(st.integers(-1, 12), st.none(), st.just("1")),
        "floor": st.one_of(st.integers(0, 2), st.none()),
        "open": st.sampled_from([True, "yes"]),
        "goods": st.lists(st.one_of(st.text("ab", max_size=31), st.integers()), max_size=10),
        "place": st.fixed_dictionaries(
            {}, optional={"street": st.text("s", max_size=91), "floor": st.integers(), "room": st.just("1")}
        ),
        "added": st.text("a", max_size=9),
    },
)


@given(st.sampled_from(CHANGES), st.sampled_from(CHANGES), VALUES)
def test_what_is_called_wider_is_wider(one: dict[str, Any], other: dict[str, Any], value: dict[str, Any]) -> None:
    """jsonschema as the oracle: where `narrower` finds nothing, no value is valid for the writer alone."""
    reader, writer = changed(VECTORS["schema"], one["schema"]), changed(VECTORS["schema"], other["schema"])
    if not narrower(reader, writer):
        asserted = jsonschema.FormatChecker(formats=())
        for name, accepts in FORMATS.items():
            asserted.checks(name)(accepts)
        if jsonschema.Draft202012Validator(writer, format_checker=asserted).is_valid(value):
            assert jsonschema.Draft202012Validator(reader, format_checker=asserted).is_valid(value)
