"""Evidence types: what an author may write, each mistake with its place and remedy, and the two forms."""

import copy
import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from typing import Any

import pytest

from contracts.documents import check, check_property
from contracts.encoding import Json, canonical
from contracts.errors import Fault, UserError
from contracts.evidence_types import EvidenceType, vct_of
from contracts.life_cycle import COMMON_LABELS
from contracts.schema_lint import DIALECT
from contracts.text import Text

TABLE = tomllib.loads("""
id = "cn.dog-licence"
version = 2
in_force = 2024-05-01
names = { zh-CN = "犬证", en = "Dog licence" }
department = { zh-CN = "公安机关", en = "Police" }
sharing = "conditional"
sharing_basis = { zh-CN = "办理犬只事项时", en = "For a service about dogs" }
secrecy = "none"
holder_schemes = ["cn.ric", "passport"]
key_fields = ["number"]
always = ["dangerous"]
[fields]
number = { label = { zh-CN = "证号", en = "Number" }, sensitivity = "personal" }
breed.label = { zh-CN = "品种", en = "Breed" }
breed.sensitivity = "public"
breed.codes.poodle = { zh-CN = "贵宾", en = "Poodle" }
breed.codes.other = { zh-CN = "其他", en = "Other" }
dangerous = { label = { zh-CN = "烈性犬", en = "Dangerous" }, sensitivity = "public" }
chips = { label = { zh-CN = "芯片", en = "Chips" }, sensitivity = "public" }
""")
SCHEMA: dict[str, Any] = {
    "$schema": DIALECT,
    "type": "object",
    "properties": {
        "number": {"type": "string", "pattern": "^[0-9]{6}$", "maxLength": 6},
        "breed": {"type": "string", "enum": ["poodle", "other"]},
        "dangerous": {"type": "boolean"},
        "chips": {"type": "array", "maxItems": 2, "items": {"type": "integer"}},
    },
    "required": ["number", "dangerous"],
    "additionalProperties": False,
}
DOCUMENT: dict[str, Json] = {
    "status": "valid",
    "validity": {"from": "2024-05-02", "until": "2025-05-01"},
    "holders": [{"scheme": "cn.ric", "id": "11010519491231002X"}, {"scheme": "passport", "id": "C01X00T47"}],
    "number": "000123",
    "breed": "poodle",
    "dangerous": False,
}
Change = Callable[[dict[str, Any], dict[str, Any]], object]


def authored(change: Change = lambda *_: None) -> EvidenceType:
    table, schema = copy.deepcopy(TABLE), copy.deepcopy(SCHEMA)
    change(table, schema)
    return EvidenceType.from_author(table, schema, "dog.toml")


def own(schema: dict[str, Any], name: str, value: Json) -> None:
    schema["properties"][name] = value


# (the mistake, where it is said to be, a word of what is said)
MISTAKES: tuple[tuple[Change, str, str], ...] = (
    (lambda t, _: t.update(colour="red"), "dog.toml: colour", "unknown key colour"),
    (lambda t, _: t.pop("id"), "dog.toml: id", "missing"),
    (lambda t, _: t.update(id="Dog"), "dog.toml: id", "right form"),
    (lambda t, _: t.update(id="cn." + "x" * 70), "dog.toml: id", "right form"),
    (lambda t, _: t.update(version=0), "dog.toml: version", "from 1"),
    (lambda t, _: t.update(version=True), "dog.toml: version", "from 1"),
    (lambda t, _: t.update(in_force="2024-02-30"), "dog.toml: in_force", "date"),
    (lambda t, _: t["names"].pop("en"), "dog.toml: names.en", "no en text"),
    (lambda t, _: t["names"].update(fr="Chien"), "dog.toml: names.fr", "unknown key fr"),
    (lambda t, _: t.update(names="Dog"), "dog.toml: names", "text is missing"),
    (lambda t, _: t.update(department={"zh-CN": " ", "en": "x"}), "dog.toml: department.zh-CN", "no zh-CN"),
    (lambda t, _: t.update(sharing="maybe"), "dog.toml: sharing", "choices"),
    (lambda t, _: t.update(holder_schemes=[]), "dog.toml: holder_schemes", "no holder scheme"),
    (lambda t, _: t.update(holder_schemes=["vin"]), "dog.toml: holder_schemes", "unknown"),
    (lambda t, _: t.update(holder_schemes=["cn.ric", "cn.ric"]), "dog.toml: holder_schemes", "different"),
    (lambda t, _: t.update(key_fields=["chip"]), "dog.toml: key_fields", "chip is not a property"),
    (lambda t, _: t.update(key_fields=["dangerous"]), "dog.toml: key_fields", "not a string"),
    (lambda t, _: t.update(always=["chip"]), "dog.toml: always", "chip is not a property"),
    (lambda t, _: t.update(always=["status"]), "dog.toml: always", "status is not a property"),
    (lambda t, _: t["fields"].pop("breed"), "dog.toml: fields.breed", "missing"),
    (lambda t, _: t["fields"].update(colour={}), "dog.toml: fields.colour", "unknown key colour"),
    (lambda t, _: t["fields"]["number"].pop("label"), "dog.toml: fields.number.label", "missing"),
    (lambda t, _: t["fields"]["number"]["label"].pop("zh-CN"), "dog.toml: fields.number.label.zh-CN", "zh-CN"),
    (lambda t, _: t["fields"]["number"].pop("sensitivity"), "dog.toml: fields.number.sensitivity", "missing"),
    (lambda t, _: t["fields"]["number"].update(mask="*"), "dog.toml: fields.number.mask", "number of visible"),
    (lambda t, _: t["fields"]["breed"]["codes"].pop("other"), "dog.toml: fields.breed.codes", "code list"),
    (lambda t, _: t["fields"]["number"].update(codes={"1": {}}), "dog.toml: fields.number.codes", "code list"),
    (lambda t, _: t.pop("fields"), "dog.toml: fields", "missing"),
    (lambda _, s: s.pop("$schema"), "dog.toml: schema", "2020-12"),
    (lambda _, s: s.update(type="array"), "dog.toml: schema", "2020-12"),
    (lambda _, s: s.pop("properties"), "dog.toml: schema.properties", "missing"),
    (lambda _, s: s.update(additionalProperties=True), "dog.toml: schema.additionalProperties", "false closes"),
    (lambda _, s: s.update(required=["number", "colour"]), "dog.toml: schema.required", "colour is not among"),
    (
        lambda _, s: s.update({"$defs": {"x": {"$ref": "#/$defs/x"}}}),
        "dog.toml: schema.$defs.x.$ref",
        "does not lead",
    ),
    (lambda _, s: s.update({"$id": "https://example.org/x"}), "dog.toml: schema", "$id is not allowed"),
    (lambda _, s: s.update({"$defs": []}), "dog.toml: schema.$defs", "an object"),
    (lambda _, s: own(s, "chips", {"$ref": "#/$defs/none"}), "dog.toml: schema.properties.chips.$ref", "not lead"),
    (
        lambda _, s: own(s, "chips", {"type": "string", "maxLength": "9"}),
        "dog.toml: schema.properties.chips.maxLength",
        "another value",
    ),
    (
        lambda _, s: own(s, "chips", {"type": "string", "maxLength": 9, "pattern": r"^\d+$"}),
        "dog.toml: schema.properties.chips.pattern",
        "no pattern",
    ),
    (lambda _, s: s.pop("additionalProperties"), "dog.toml: schema", "open"),
    (lambda _, s: own(s, "status", {"type": "string", "maxLength": 3}), "dog.toml: schema.properties.status", "model"),
    (lambda _, s: own(s, "holders", {"type": "boolean"}), "dog.toml: schema.properties.holders", "model"),
    (lambda _, s: own(s, "number", {"type": "string"}), "dog.toml: schema.properties.number", "no upper bound"),
    (lambda _, s: own(s, "chips", {"type": "array"}), "dog.toml: schema.properties.chips", "no upper bound"),
    (lambda _, s: own(s, "chips", {"type": "number"}), "dog.toml: schema.properties.chips.type", "number"),
    (lambda _, s: own(s, "chips", {"oneOf": []}), "dog.toml: schema.properties.chips", "oneOf"),
    (lambda _, s: own(s, "chips", True), "dog.toml: schema.properties.chips", "a schema object"),
    (lambda _, s: own(s, "chips", {"type": "object"}), "dog.toml: schema.properties.chips", "open"),
    (
        lambda _, s: own(s, "chips", {"type": "array", "maxItems": 1, "items": {"type": "string"}}),
        "dog.toml: schema.properties.chips.items",
        "no upper bound",
    ),
    (
        lambda _, s: own(s, "chips", {"type": "string", "maxLength": 9, "format": "email"}),
        "dog.toml: schema.properties.chips.format",
        "unknown format email",
    ),
    (
        lambda _, s: own(s, "chips", {"$ref": "https://example.org/x"}),
        "dog.toml: schema.properties.chips.$ref",
        "does not lead",
    ),
    (
        lambda _, s: own(s, "chips", {"type": "string", "maxLength": 9, "pattern": r"^(?=a)(b)\1$"}),
        "dog.toml: schema.properties.chips.pattern",
        "back-references",
    ),
    (
        lambda _, s: own(s, "chips", {"type": "string", "maxLength": 9, "pattern": "("}),
        "dog.toml: schema.properties.chips.pattern",
        "no pattern",
    ),
    (lambda _, s: own(s, "_sd", {"type": "boolean"}), "dog.toml: schema", "_sd is reserved"),
    (lambda _, s: own(s, "...", {"type": "boolean"}), "dog.toml: schema", "... is reserved"),
    (
        lambda _, s: s.update({"$defs": {"x": {"type": "string"}}}),
        "dog.toml: schema.$defs.x",
        "no upper bound",
    ),
)


def test_what_an_author_wrote_is_there() -> None:
    one = authored()
    assert one.vct == "urn:oncegate:cn.dog-licence:2"
    assert one.disclosable == ("breed", "chips", "number")
    assert list(one.fields) == ["number", "breed", "dangerous", "chips"]
    assert one.fields["breed"].codes["poodle"] == Text("贵宾", "Poodle")
    assert one.label("number").zh == "证号"
    assert one.label("holders") == COMMON_LABELS["holders"]
    assert one.in_force == "2024-05-01"
    assert set(one.schema["required"]) == {"status", "validity", "holders", "number", "dangerous"}


@pytest.mark.parametrize(("change", "where", "word"), MISTAKES)
def test_each_mistake_is_told(change: Change, where: str, word: str) -> None:
    with pytest.raises(UserError) as told:
        authored(change)
    assert told.value.where == where
    assert told.value.remedy is not None
    assert word in f"{told.value.what.en} {told.value.remedy.en}"
    assert told.value.what.zh != told.value.what.en


def test_the_author_s_schema_is_left_alone() -> None:
    before = copy.deepcopy(SCHEMA)
    EvidenceType.from_author(TABLE, SCHEMA)
    assert before == SCHEMA


def test_the_canonical_form_goes_both_ways() -> None:
    one = authored()
    again = EvidenceType.from_json(json.loads(canonical(one.to_json())))
    assert again == one
    assert hash(again) == hash(one)
    assert list(again.fields) == list(one.fields)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda form: form.pop("schema"),
        lambda form: form.update(extra=1),
        lambda form: form.update(fields={}),
        lambda form: form.update(fields=[1]),
        lambda form: form["fields"].append(form["fields"][0]),
        lambda form: form.update(vct="urn:x"),
        lambda form: form["schema"]["properties"]["status"].update(enum=["valid"]),
        lambda form: form["schema"]["required"].remove("holders"),
        lambda form: form["schema"]["properties"].update(status={"type": "boolean"}),
        lambda form: form.update(holder_schemes=["cn.ric"]),
        lambda form: form.update(names={"en": "x"}),
        lambda form: form["schema"].update(additionalProperties=True),
    ],
)
def test_a_spoilt_form_is_refused(spoil: Callable[[Any], object]) -> None:
    form = json.loads(canonical(authored().to_json()))
    spoil(form)
    with pytest.raises(Fault) as refused:
        EvidenceType.from_json(form)
    assert refused.value.code == "evidence_type_invalid"


@pytest.mark.parametrize("form", [None, [], "x", 1])
def test_what_is_no_object_is_refused(form: Json) -> None:
    with pytest.raises(Fault):
        EvidenceType.from_json(form)


def test_a_good_document_has_no_fault() -> None:
    assert check(authored(), DOCUMENT) == ()
    assert check(authored(), {**DOCUMENT, "validity": {"from": "2024-05-02", "until": None}}) == ()


@pytest.mark.parametrize(
    ("change", "pointer", "english"),
    [
        ({"number": "12"}, "/number", "Number (/number) does not have the form ^[0-9]{6}$"),
        ({"status": "fine"}, "/status", "Status (/status) is not one of: valid, "),
        ({"chips": [1, "2"]}, "/chips/1", "Chips (/chips/1) is of another type than integer"),
        ({"name": "x"}, "", "the document has a field that is not defined"),
        (
            {"validity": {"from": "2024-05-02", "until": "2024-05-01"}},
            "/validity/until",
            "Validity (/validity/until) is before its beginning",
        ),
        (
            {"holders": [{"scheme": "passport", "id": "11010519491231002x"}]},
            "/holders/0/id",
            "Holders (/holders/0/id) is not a valid passport",
        ),
        ({"holders": [{"scheme": "cn.ric", "id": "C01X00T47"}]}, "/holders/0/id", "is not a valid cn.ric"),
    ],
)
def test_faults_are_in_words(change: dict[str, Json], pointer: str, english: str) -> None:
    faults = check(authored(), {**DOCUMENT, **change})
    assert [fault.pointer for fault in faults] == [pointer]
    assert english in faults[0].words.en


def test_one_property_alone() -> None:
    assert check_property(authored(), "number", "000123") == ()
    assert [fault.pointer for fault in check_property(authored(), "number", "x")] == ["/number"]
    assert [fault.keyword for fault in check_property(authored(), "chips", [1.0])] == ["type"]


def test_the_name_of_a_version() -> None:
    assert vct_of("cn.dog-licence", 2) == "urn:oncegate:cn.dog-licence:2"
    assert vct_of(authored().id, authored().version) == authored().vct


def test_reading_types_needs_no_validator() -> None:
    without = "import sys; sys.modules['jsonschema_rs'] = None"
    code = f"{without}; import contracts.catalogue; print(len(contracts.catalogue.evidence_types()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 8
