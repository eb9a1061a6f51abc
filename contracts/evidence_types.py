"""An evidence type: the contract for one kind of certificate or licence. Pure.

1. A document is one JSON object: the common members (`contracts.life_cycle`) and the type's own top-level fields.
   Values are strings, integers, booleans, and arrays and objects of these; never floats (an area is a decimal string,
   or an integer with its unit in the name).
2. The common members belong to the model. An author writes the own fields only; `from_author` adds the rest, so that
   no type can define them otherwise. The schema that a type carries is the whole one.
3. `life_cycle.VISIBLE` and the `always` fields stay visible in messages. Each element of `holders` is one disclosure,
   and so is each other top-level property (`disclosable`).
4. The schema is one that a stranger's validator and ours read alike (`contracts.schema_lint`): known keywords, closed
   objects, bounds on every string and array, no reference outside.
5. Everything a person sees has a label in every language.
6. Who may have it is declared: the sharing class, with its condition or the law that forbids. State secrets and work
   secrets are refused here, whatever the rest says: they may not be on this network at all.
7. A version is in force from a day; it may be deprecated (a better one is there) and, later, end (sunset). Two versions
   may be in force at once.
8. `from_author` raises `UserError` (what, where, remedy); `from_json` takes the canonical form, which is inside the
   registry's parts, and raises `Fault` `evidence_type_invalid`. Both check the same.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts import schema_lint
from contracts.authoring import (
    Place,
    choice_at,
    date_at,
    flag_at,
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
from contracts.evidence_fields import Field, by_name, read_fields
from contracts.identifiers import HOLDER_SCHEMES
from contracts.life_cycle import (
    COMMON_LABELS,
    OPEN_ENDED,
    REQUIRED,
    VALIDITY_RULES,
    common_members,
)
from contracts.text import Text

UNCONDITIONAL, CONDITIONAL, NOT_SHARED = "unconditional", "conditional", "none"
SHARING: Mapping[str, Text] = {
    UNCONDITIONAL: Text("无条件共享", "Shared without condition"),
    CONDITIONAL: Text("有条件共享", "Shared on condition"),
    NOT_SHARED: Text("不予共享", "Not shared"),
}
CLEARED = "none"
SECRETS: Mapping[str, Text] = {
    "work_secret": Text("工作秘密", "a work secret"),
    "state_secret": Text("国家秘密", "a state secret"),
}
COMPATIBILITIES = (
    "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE", "NONE",
)  # fmt: skip
FULL_TRANSITIVE = "FULL_TRANSITIVE"
ANNOUNCED, IN_FORCE, DEPRECATED, ENDED = "announced", "in_force", "deprecated", "ended"
HOME_OFFSET = "+08:00"
FRESHNESS_HOURS = 24

_ID = re.compile(r"[a-z][a-z0-9]*(\.[a-z0-9]+(-[a-z0-9]+)*)+")
_ENDS = ("deprecated_on", "sunset_on")
_OFFSET = re.compile(r"[+-](0[0-9]|1[0-4]):(00|15|30|45)")
_NAMES = (
    "id", "version", "names", "department", "in_force", "deprecated_on", "sunset_on", "sharing", "sharing_basis",
    "secrecy", "holder_schemes", "key_fields", "always", "validity_rule", "utc_offset", "supersession",
    "freshness_hours", "retention_years", "compatibility",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class EvidenceType:
    """One version of a type. `schema` is the JSON Schema (2020-12) of whole documents; treat it as read-only.

    Days are `YYYY-MM-DD`, "" where there is none. `freshness_hours`: how old data may be before the department breaks
    its promise. `retention_years`: how long after the end of its validity a record may still be supplied; 0: no limit.
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
    sharing_basis: Text | None = None
    deprecated_on: str = ""
    sunset_on: str = ""
    validity_rule: str = OPEN_ENDED
    utc_offset: str = HOME_OFFSET
    supersession: bool = False
    freshness_hours: int = FRESHNESS_HOURS
    retention_years: int = 0
    compatibility: str = FULL_TRANSITIVE
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

    def phase(self, day: str) -> str:
        """ANNOUNCED, IN_FORCE, DEPRECATED or ENDED on a local `day`: rule 7."""
        if self.sunset_on and day >= self.sunset_on:
            return ENDED
        if self.deprecated_on and day >= self.deprecated_on:
            return DEPRECATED
        return IN_FORCE if day >= self.in_force else ANNOUNCED

    def to_json(self) -> dict[str, Json]:
        """The canonical form; equal types, equal JSON. What has its default value is left out."""
        form: dict[str, Json] = {
            "id": self.id,
            "version": self.version,
            "names": self.names.as_json(),
            "department": self.department.as_json(),
            "in_force": self.in_force,
            "sharing": self.sharing,
            "secrecy": CLEARED,
            "holder_schemes": list(self.holder_schemes),
            "key_fields": list(self.key_fields),
            "always": list(self.always),
            "fields": [{"name": name, **own.to_json()} for name, own in self.fields.items()],
            "schema": dict(self.schema),
        }
        if self.sharing_basis is not None:
            form["sharing_basis"] = self.sharing_basis.as_json()
        return form | {
            name: getattr(self, name) for name, default in _DEFAULTS.items() if getattr(self, name) != default
        }

    @classmethod
    def from_author(cls, table: Mapping[str, Json], schema: Mapping[str, Json], where: str = "") -> "EvidenceType":
        """The type of an author's TOML table and JSON Schema; raises `UserError`. `where` is the TOML file's name."""
        place = Place(where)
        known_keys(table, (*_NAMES, "fields"), place)
        return _read(table, _with_common_members(table, schema, place), place)

    @classmethod
    def from_json(cls, form: Json) -> "EvidenceType":
        """The inverse of `to_json`; raises `Fault` `evidence_type_invalid`."""
        place = Place("evidence type")
        try:
            if not isinstance(form, Mapping):
                mistake(place, ("应为对象", "an object is expected"), ("", ""))
            known_keys(form, (*_NAMES, "fields", "schema"), place)
            table = {**form, "fields": by_name(form.get("fields"), place.at("fields"))}
            return _read(table, table_at(form, "schema", place), place)
        except UserError as error:
            raise refused("evidence_type_invalid", error) from None


_DEFAULTS: Mapping[str, Json] = {
    "deprecated_on": "",
    "sunset_on": "",
    "validity_rule": OPEN_ENDED,
    "utc_offset": HOME_OFFSET,
    "supersession": False,
    "freshness_hours": FRESHNESS_HOURS,
    "retention_years": 0,
    "compatibility": FULL_TRANSITIVE,
}


def vct_of(type_name: str, version: int) -> str:
    """The `vct` of a type's version: the one place that writes it."""
    return f"urn:oncegate:{type_name}:{version}"


def type_id(text: str) -> bool:
    """Whether `text` has the form of a type's id."""
    return len(text) <= 64 and _ID.fullmatch(text) is not None


def _common(table: Mapping[str, Json], place: Place) -> dict[str, Json]:
    """The common members that this type's schema has to define (rule 2)."""
    return common_members(
        _holder_schemes(table, place),
        choice_at({**_DEFAULTS, **table}, "validity_rule", place, VALIDITY_RULES),
        flag_at(table, "supersession", place),
    )


def _with_common_members(table: Mapping[str, Json], schema: Mapping[str, Json], place: Place) -> dict[str, Json]:
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
        "properties": {**_common(table, place), **own},
        "required": [*REQUIRED, *required],
    }


def _read(table: Mapping[str, Json], schema: Mapping[str, Json], place: Place) -> EvidenceType:
    _no_secret(table, place)
    schema_lint.check(schema, place.at("schema"))
    own = _own_properties(table, schema, place)
    filled = {**_DEFAULTS, **table}
    sharing = choice_at(table, "sharing", place, SHARING)
    in_force, deprecated_on, sunset_on = _days(table, place)
    return EvidenceType(
        id=string_at(table, "id", place, type_id, "cn.business-licence"),
        version=positive_at(table, "version", place),
        names=text_at(table, "names", place),
        department=text_at(table, "department", place),
        in_force=in_force,
        sharing=sharing,
        holder_schemes=_holder_schemes(table, place),
        key_fields=_key_fields(table, own, place),
        always=_own_names(table, "always", own, place),
        fields=read_fields(table, own, place),
        schema=schema,
        sharing_basis=_sharing_basis(table, sharing, place),
        deprecated_on=deprecated_on,
        sunset_on=sunset_on,
        validity_rule=choice_at(filled, "validity_rule", place, VALIDITY_RULES),
        utc_offset=string_at(filled, "utc_offset", place, _OFFSET.fullmatch, HOME_OFFSET),
        supersession=flag_at(table, "supersession", place),
        freshness_hours=positive_at(filled, "freshness_hours", place),
        retention_years=positive_at(table, "retention_years", place) if "retention_years" in table else 0,
        compatibility=choice_at(filled, "compatibility", place, COMPATIBILITIES),
    )


def _no_secret(table: Mapping[str, Json], place: Place) -> None:
    """Rule 6."""
    secrecy = choice_at(table, "secrecy", place, (CLEARED, *SECRETS))
    if secrecy != CLEARED:
        secret = SECRETS[secrecy]
        mistake(
            place.at("secrecy"),
            (f"{secret.zh}不得登记、共享", f"{secret.en} may not be registered or shared"),
            (
                "请勿在本网络中处理该数据;经依法解密或去除涉密字段后再登记",
                "keep it off this network; register it once it is declassified, or without its secret fields",
            ),
        )


def _sharing_basis(table: Mapping[str, Json], sharing: str, place: Place) -> Text | None:
    """Rule 6: a condition has to be stated, and so has the law that forbids."""
    if sharing == UNCONDITIONAL and "sharing_basis" not in table:
        return None
    return text_at(table, "sharing_basis", place)


def _days(table: Mapping[str, Json], place: Place) -> tuple[str, str, str]:
    """In force, deprecated, sunset: in this order (rule 7)."""
    in_force = date_at(table, "in_force", place)
    deprecated, sunset = (date_at(table, name, place) if table.get(name) else "" for name in _ENDS)
    given = [day for day in (in_force, deprecated, sunset) if day]
    if given != sorted(given) or (sunset and not deprecated):
        mistake(
            place.at("sunset_on" if sunset else "deprecated_on"),
            ("日期次序不对", "the days are not in order"),
            (
                "须为 in_force ≤ deprecated_on ≤ sunset_on, 且有 sunset_on 时须有 deprecated_on",
                "in_force ≤ deprecated_on ≤ sunset_on, and no sunset_on without deprecated_on",
            ),
        )
    return in_force, deprecated, sunset


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


def _own_properties(table: Mapping[str, Json], schema: Mapping[str, Json], place: Place) -> dict[str, Json]:
    properties = schema["properties"]
    common = _common(table, place)
    missing = [name for name in REQUIRED if name not in schema["required"]]
    if missing or any(properties.get(name) != subschema for name, subschema in common.items()):
        mistake(
            place.at("schema"),
            ("公共成员的定义与系统不符", "the common members differ from the model's"),
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
