"""An evidence type: the contract for one kind of certificate or licence. Pure.

1. A document is one JSON object: `status`, `validity`, `holders`, and the type's own top-level fields. Values are
   strings, integers, booleans, and arrays and objects of these; never floats (an area is a decimal string, or an
   integer with its unit in the name).
2. The three common members belong to the model. An author writes the own fields only; `from_author` adds the rest,
   so that no type can define them otherwise. The schema that a type carries is the whole one.
3. `status`, `validity` and the `always` fields stay visible in messages. Each element of `holders` is one disclosure,
   and so is each other top-level property (`disclosable`).
4. The schema is one that a stranger's validator and ours read alike (`contracts.schema_lint`): known keywords, closed
   objects, bounds on every string and array, no reference outside.
5. Everything a person sees has a label in every language.
6. `from_author` raises `UserError` (what, where, remedy); `from_json` takes the canonical form, which is inside the
   registry's parts, and raises `Fault` `evidence_type_invalid`. Both check the same.
7. `check` names what is wrong with a document, in words without its values.
"""

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from contracts import schema_lint
from contracts.authoring import (
    Place,
    choice_at,
    date_at,
    known_keys,
    mistake,
    positive_at,
    refused,
    string_at,
    strings_at,
    table_at,
    text_at,
)
from contracts.encoding import Json
from contracts.errors import UserError
from contracts.identifiers import HOLDER_SCHEMES
from contracts.text import Text

STATUSES: Mapping[str, Text] = {
    "valid": Text("有效", "Valid"),
    "not_yet_valid": Text("未生效", "Not yet valid"),
    "expired": Text("过期", "Expired"),
    "suspended": Text("暂扣", "Suspended"),
    "withdrawn": Text("撤回", "Withdrawn"),
    "rescinded": Text("撤销", "Rescinded"),
    "revoked": Text("吊销", "Revoked"),
    "cancelled": Text("注销", "Cancelled"),
    "transferred_out": Text("转出", "Transferred out"),
    "void": Text("作废", "Void"),
    "other": Text("其他", "Other"),
}
COMMON_LABELS: Mapping[str, Text] = {
    "status": Text("状态", "Status"),
    "validity": Text("有效期", "Validity"),
    "holders": Text("持证主体", "Holders"),
}
SENSITIVITIES = ("public", "personal", "sensitive")  # the last two: PIPL art. 4 and art. 28
SHARING = ("unconditional", "conditional", "none")  # 无条件共享, 有条件共享, 不予共享
MAX_HOLDERS = 32

_ENDS_EARLY = Text("早于起始日期", "is before its beginning")

_ID = re.compile(r"[a-z][a-z0-9]*(\.[a-z0-9]+(-[a-z0-9]+)*)+")
_NAMES = ("id", "version", "names", "department", "in_force", "sharing", "holder_schemes", "key_fields", "always")


@dataclass(frozen=True, slots=True)
class Field:
    """One top-level field. `codes` labels the values of an enumerated field; empty for all others."""

    label: Text
    sensitivity: str
    codes: Mapping[str, Text]

    def to_json(self) -> dict[str, Json]:
        form: dict[str, Json] = {"label": self.label.as_json(), "sensitivity": self.sensitivity}
        if self.codes:
            form["codes"] = {code: text.as_json() for code, text in self.codes.items()}
        return form


@dataclass(frozen=True, slots=True)
class EvidenceType:
    """One version of a type. `schema` is the JSON Schema (2020-12) of whole documents; treat it as read-only.

    `vct` is the URI in messages; `disclosable` the sorted names of the properties that become disclosures.
    """

    id: str
    version: int
    names: Text
    department: Text
    in_force: str
    sharing: str
    holder_schemes: tuple[str, ...]
    key_fields: tuple[str, ...]
    always: tuple[str, ...]
    fields: Mapping[str, Field]
    schema: Mapping[str, Any]
    vct: str = field(init=False)
    disclosable: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "vct", vct_of(self.id, self.version))
        hidden = self.fields.keys() - set(self.always)
        object.__setattr__(self, "disclosable", tuple(sorted(hidden)))

    def __hash__(self) -> int:
        return hash(self.vct)

    def label(self, name: str) -> Text:
        """The label of an own field or a common member; `KeyError` for anything else."""
        return COMMON_LABELS[name] if name in COMMON_LABELS else self.fields[name].label

    def key_format(self, name: str) -> str:
        """The identifier format of a key field, "" if it has none: what `identifiers.normalise` takes."""
        return str(self.schema["properties"][name].get("format", ""))

    def to_json(self) -> dict[str, Json]:
        """The canonical form; equal types, equal JSON."""
        return {
            "id": self.id,
            "version": self.version,
            "names": self.names.as_json(),
            "department": self.department.as_json(),
            "in_force": self.in_force,
            "sharing": self.sharing,
            "holder_schemes": list(self.holder_schemes),
            "key_fields": list(self.key_fields),
            "always": list(self.always),
            "fields": [{"name": name, **own.to_json()} for name, own in self.fields.items()],
            "schema": dict(self.schema),
        }

    @classmethod
    def from_author(cls, table: Mapping[str, Json], schema: Mapping[str, Json], where: str = "") -> "EvidenceType":
        """The type of an author's TOML table and JSON Schema; raises `UserError`. `where` is the TOML file's name."""
        place = Place(where)
        known_keys(table, (*_NAMES, "fields"), place)
        schemes = _holder_schemes(table, place)
        return _read(table, _with_common_members(schema, schemes, place), place)

    @classmethod
    def from_json(cls, form: Json) -> "EvidenceType":
        """The inverse of `to_json`; raises `Fault` `evidence_type_invalid`."""
        place = Place("evidence type")
        try:
            if not isinstance(form, Mapping):
                mistake(place, ("应为对象", "an object is expected"), ("", ""))
            known_keys(form, (*_NAMES, "fields", "schema"), place)
            table = {**form, "fields": _by_name(form.get("fields"), place.at("fields"))}
            return _read(table, table_at(form, "schema", place), place)
        except UserError as error:
            raise refused("evidence_type_invalid", error) from None


def vct_of(type_name: str, version: int) -> str:
    """The `vct` of a type's version: the one place that writes it."""
    return f"urn:oncegate:{type_name}:{version}"


def type_id(text: str) -> bool:
    """Whether `text` has the form of a type's id."""
    return len(text) <= 64 and _ID.fullmatch(text) is not None


def common_members(holder_schemes: tuple[str, ...]) -> dict[str, Json]:
    """The subschemas of `status`, `validity` and `holders` (rule 2)."""
    date = {"type": "string", "format": "date", "maxLength": 10}
    return {
        "status": {"type": "string", "enum": list(STATUSES)},
        "validity": {
            "type": "object",
            "properties": {"from": date, "until": {**date, "type": ["string", "null"]}},
            "required": ["from", "until"],
            "additionalProperties": False,
        },
        "holders": {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_HOLDERS,
            "uniqueItems": True,
            "items": _holder_schema(holder_schemes),
        },
    }


def _holder_schema(schemes: tuple[str, ...]) -> dict[str, Json]:
    identifier: dict[str, Json] = {"type": "string", "minLength": 1, "maxLength": 64}
    holder: dict[str, Json] = {
        "type": "object",
        "properties": {"scheme": {"type": "string", "enum": list(schemes)}, "id": identifier},
        "required": ["scheme", "id"],
        "additionalProperties": False,
    }
    if len(schemes) == 1:
        identifier["format"] = schemes[0]
    else:  # if/then, not oneOf: a fault then points at the id
        holder["allOf"] = [
            {"if": {"properties": {"scheme": {"const": name}}}, "then": {"properties": {"id": {"format": name}}}}
            for name in schemes
        ]
    return holder


def _with_common_members(schema: Mapping[str, Json], schemes: tuple[str, ...], place: Place) -> dict[str, Json]:
    inner = Place(place.file, ("schema",))
    own = table_at(schema, "properties", inner)
    for name in COMMON_LABELS:
        if name in own:
            mistake(
                inner.at("properties", name),
                (f"{name} 由系统统一定义", f"{name} is defined by the model"),
                ("请从 Schema 中删除它", "remove it from the schema"),
            )
    required = strings_at(schema, "required", inner)
    return {
        **schema,
        "properties": {**common_members(schemes), **own},
        "required": [*COMMON_LABELS, *required],
    }


def _read(table: Mapping[str, Json], schema: Mapping[str, Json], place: Place) -> EvidenceType:
    schemes = _holder_schemes(table, place)
    schema_lint.check(schema, place.at("schema"))
    own = _own_properties(schema, schemes, place.at("schema"))
    return EvidenceType(
        id=string_at(table, "id", place, type_id, "cn.business-licence"),
        version=positive_at(table, "version", place),
        names=text_at(table, "names", place),
        department=text_at(table, "department", place),
        in_force=date_at(table, "in_force", place),
        sharing=choice_at(table, "sharing", place, SHARING),
        holder_schemes=schemes,
        key_fields=_key_fields(table, own, place),
        always=_own_names(table, "always", own, place),
        fields=_fields(table, own, place),
        schema=schema,
    )


def _holder_schemes(table: Mapping[str, Json], place: Place) -> tuple[str, ...]:
    schemes = strings_at(table, "holder_schemes", place)
    if not schemes or any(scheme not in HOLDER_SCHEMES for scheme in schemes):
        listed = ", ".join(HOLDER_SCHEMES)
        mistake(
            place.at("holder_schemes"),
            ("缺少持证主体标识方案, 或其中有未知的方案", "no holder scheme, or an unknown one"),
            (f"可选值: {listed}", f"choices: {listed}"),
        )
    return schemes


def _own_properties(schema: Mapping[str, Json], schemes: tuple[str, ...], place: Place) -> dict[str, Json]:
    properties = schema["properties"]
    common = common_members(schemes)
    missing = [name for name in COMMON_LABELS if name not in schema["required"]]
    if missing or any(properties.get(name) != common[name] for name in common):
        mistake(
            place,
            ("status、validity、holders 的定义与系统不符", "status, validity or holders differ from the model's"),
            ("请用 from_author 生成", "build the type with from_author"),
        )
    return {name: own for name, own in properties.items() if name not in common}


def _own_names(table: Mapping[str, Json], key: str, own: Mapping[str, Json], place: Place) -> tuple[str, ...]:
    names = strings_at(table, key, place)
    for name in names:
        if name not in own:
            mistake(
                place.at(key),
                (f"{name} 不在 Schema 的 properties 中", f"{name} is not a property of the schema"),
                ("请在 Schema 中加上它, 或从此处删除", "add it to the schema, or remove it here"),
            )
    return names


def _key_fields(table: Mapping[str, Json], own: Mapping[str, Json], place: Place) -> tuple[str, ...]:
    names = _own_names(table, "key_fields", own, place)
    for name in names:
        if own[name].get("type") != "string":
            mistake(
                place.at("key_fields"),
                (f"{name} 不是字符串, 不能作为查询键", f"{name} is not a string, so nobody can look it up"),
                ('请选 "type": "string" 的字段', 'choose a field with "type": "string"'),
            )
    return names


def _by_name(fields: Json, place: Place) -> dict[str, Json]:
    if not isinstance(fields, list) or not all(isinstance(one, dict) and "name" in one for one in fields):
        mistake(place, ("应为字段列表", "a list of fields is expected"), ("", ""))
    tables = {str(one["name"]): {key: value for key, value in one.items() if key != "name"} for one in fields}
    if len(tables) != len(fields):
        mistake(place, ("字段重复", "a field is there twice"), ("", ""))
    return tables


def _fields(table: Mapping[str, Json], own: Mapping[str, Json], place: Place) -> dict[str, Field]:
    labels = table_at(table, "fields", place)
    known_keys(labels, own, place.at("fields"))
    ordered = [*labels, *(name for name in own if name not in labels)]  # the author's order is the one people see
    return {name: _field(labels, name, own[name], place.at("fields")) for name in ordered}


def _field(labels: Mapping[str, Json], name: str, subschema: Mapping[str, Json], place: Place) -> Field:
    table = table_at(labels, name, place)
    inner = place.at(name)
    known_keys(table, ("label", "sensitivity", "codes"), inner)
    return Field(
        text_at(table, "label", inner),
        choice_at(table, "sensitivity", inner, SENSITIVITIES),
        _codes(table, subschema, inner),
    )


def _codes(table: Mapping[str, Json], subschema: Mapping[str, Json], place: Place) -> dict[str, Text]:
    codes = table_at(table, "codes", place) if "codes" in table else {}
    values = subschema.get("items", subschema).get("enum", [])
    if set(codes) != set(values):
        mistake(
            place.at("codes"),
            ("代码表与 Schema 的 enum 不一致", "the code list is not the enum of the schema"),
            ("请为 enum 的每个值写中英文名称", "label every value of the enum, and no other"),
        )
    return {code: text_at(codes, code, place.at("codes")) for code in values}


@dataclass(frozen=True, slots=True)
class DocumentFault:
    """What is wrong with a document: `pointer` (RFC 6901), the schema's `keyword`, and words without its values."""

    pointer: str
    keyword: str
    words: Text


def check(evidence_type: EvidenceType, document: Json) -> tuple[DocumentFault, ...]:
    """The faults of a whole document under its type; empty if there are none."""
    faults = compiled(evidence_type).faults(document)
    if faults:
        return tuple(_in_words(evidence_type, fault.pointer, fault.keyword, fault.message) for fault in faults)
    validity = document["validity"]
    if validity["until"] is None or validity["from"] <= validity["until"]:
        return ()
    return (_in_words(evidence_type, "/validity/until", "order", _ENDS_EARLY),)


def check_property(evidence_type: EvidenceType, name: str, value: Json) -> tuple[DocumentFault, ...]:
    """As `check`, for one top-level property alone: what a node behind a border can see. `KeyError` if unknown."""
    faults = compiled(evidence_type).faults_of(name, value)
    return tuple(_in_words(evidence_type, fault.pointer, fault.keyword, fault.message) for fault in faults)


@lru_cache(maxsize=4096)
def compiled(evidence_type: EvidenceType) -> Any:
    """The `contracts.schemas.Compiled` of a type.

    Loaded on first use: the validator comes with the gateway and adapter extras only, and programs that merely read
    types do without.
    """
    return importlib.import_module("contracts.schemas").Compiled(evidence_type.schema)


def _in_words(evidence_type: EvidenceType, pointer: str, keyword: str, message: Text) -> DocumentFault:
    name = pointer[1:].partition("/")[0]
    if name not in evidence_type.schema["properties"]:
        return DocumentFault(pointer, keyword, Text(f"数据{message.zh}", f"the document {message.en}"))
    label = evidence_type.label(name)
    words = Text(f"{label.zh}({pointer}){message.zh}", f"{label.en} ({pointer}) {message.en}")
    return DocumentFault(pointer, keyword, words)
