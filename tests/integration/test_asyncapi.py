"""The AsyncAPI document is valid by the official schema of AsyncAPI 3.0, and says what the program does."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from contracts.corrections import replies_topic, requests_topic
from contracts.messages import OPERATIONS
from contracts.rejects import rejects_topic
from contracts.streams import Stream
from gateway.control.build import MANIFEST_KEY, REGISTRY_TOPIC
from gateway.supervision import SUPERVISION_TOPIC
from gateway.topics import UNVERIFIED_TOPIC
from gateway.web.asyncapi import document

SPECS = Path(__file__).parent / "interop" / "node_modules" / "@asyncapi" / "specs" / "schemas"
DOCUMENT = document("1.0.0")


@pytest.fixture(scope="module")
def official() -> Any:
    schema = json.loads((SPECS / "3.0.0.json").read_text("utf-8"))
    return jsonschema.Draft7Validator(schema)


def test_valid_by_the_official_schema(official: Any) -> None:
    assert [error.message for error in official.iter_errors(DOCUMENT)] == []


SPOILS: tuple[Callable[[dict[str, Any]], object], ...] = (
    lambda form: form.pop("info"),
    lambda form: form["operations"]["reject"].update(action="throw"),
    lambda form: form["channels"]["evidence"].update(address=1),
)


@pytest.mark.parametrize("spoil", SPOILS)
def test_the_official_schema_refuses_a_spoilt_one(official: Any, spoil: Callable[[dict[str, Any]], object]) -> None:
    form = copy.deepcopy(DOCUMENT)
    spoil(form)
    assert not official.is_valid(form)


def test_every_reference_meets_something() -> None:
    def references(value: Any) -> Any:
        if isinstance(value, dict):
            yield from ([value["$ref"]] if "$ref" in value else [])
            yield from (found for inner in value.values() for found in references(inner))

    for reference in references(DOCUMENT):
        place: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_the_addresses_are_those_of_the_program() -> None:
    names = {"type": "cn.dog", "adapter": "dogs-1", "node": "node-1"}
    filled = {one["address"].format(**names) for one in DOCUMENT["channels"].values()}
    assert filled == {
        Stream("dogs", "dogs-1", "cn.dog").topic,
        REGISTRY_TOPIC,
        rejects_topic("dogs-1"),
        UNVERIFIED_TOPIC,
        SUPERVISION_TOPIC,
        requests_topic("dogs-1"),
        replies_topic("node-1"),
    }
    assert all(operation in DOCUMENT["components"]["messages"]["evidence"]["x-content"] for operation in OPERATIONS)
    manifest = DOCUMENT["components"]["messages"]["registryManifest"]
    assert manifest["bindings"]["kafka"]["key"]["description"].encode() == MANIFEST_KEY
