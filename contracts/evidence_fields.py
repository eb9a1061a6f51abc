"""The own top-level fields of an evidence type: what people see of them, and how they are read from an author. Pure.

1. Each field has a label in every language and a sensitivity; an enumerated field labels each of its codes.
2. A mask says how many characters of a string are shown where the value need not be read in full: on lists and screens
   that others can see. It protects nothing in an answer: what a grant does not allow is not there at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.authoring import Place, choice_at, known_keys, mistake, table_at, text_at
from contracts.encoding import Json
from contracts.text import Text

SENSITIVITIES = ("public", "personal", "sensitive")  # the last two: PIPL art. 4 and art. 28
MAX_MASK = 32


@dataclass(frozen=True, slots=True)
class Mask:
    """How a value is shown where it need not be read in full: the first and the last so many characters, else `*`."""

    first: int
    last: int

    def __call__(self, value: str) -> str:
        """The masked value; one that is too short to hide anything is hidden whole."""
        hidden = len(value) - self.first - self.last
        if hidden < 1:
            return "*" * len(value)
        return value[: self.first] + "*" * hidden + value[len(value) - self.last :]


@dataclass(frozen=True, slots=True)
class Field:
    """One top-level field. `codes` labels the values of an enumerated field; empty for all others."""

    label: Text
    sensitivity: str
    codes: Mapping[str, Text]
    mask: Mask | None = None

    def to_json(self) -> dict[str, Json]:
        form: dict[str, Json] = {"label": self.label.as_json(), "sensitivity": self.sensitivity}
        if self.codes:
            form["codes"] = {code: text.as_json() for code, text in self.codes.items()}
        if self.mask is not None:
            form["mask"] = {"first": self.mask.first, "last": self.mask.last}
        return form


def by_name(fields: Json, place: Place) -> dict[str, Json]:
    if not isinstance(fields, list) or not all(isinstance(one, dict) and "name" in one for one in fields):
        mistake(place, ("应为字段列表", "a list of fields is expected"), ("", ""))
    tables = {str(one["name"]): {key: value for key, value in one.items() if key != "name"} for one in fields}
    if len(tables) != len(fields):
        mistake(place, ("字段重复", "a field is there twice"), ("", ""))
    return tables


def read_fields(table: Mapping[str, Json], own: Mapping[str, Json], place: Place) -> dict[str, Field]:
    labels = table_at(table, "fields", place)
    known_keys(labels, own, place.at("fields"))
    ordered = [*labels, *(name for name in own if name not in labels)]  # the author's order is the one people see
    return {name: _field(labels, name, own[name], place.at("fields")) for name in ordered}


def _field(labels: Mapping[str, Json], name: str, subschema: Mapping[str, Json], place: Place) -> Field:
    table = table_at(labels, name, place)
    inner = place.at(name)
    known_keys(table, ("label", "sensitivity", "codes", "mask"), inner)
    return Field(
        text_at(table, "label", inner),
        choice_at(table, "sensitivity", inner, SENSITIVITIES),
        _codes(table, subschema, inner),
        _mask(table, subschema, inner),
    )


def _mask(table: Mapping[str, Json], subschema: Mapping[str, Json], place: Place) -> Mask | None:
    if "mask" not in table:
        return None
    mask = table["mask"]
    whole = isinstance(mask, Mapping) and mask.keys() == {"first", "last"} and subschema.get("type") == "string"
    if not whole or any(type(count) is not int or not 0 <= count <= MAX_MASK for count in mask.values()):
        mistake(
            place.at("mask"),
            ("应为字符串字段的首尾可见字数", "the number of visible characters of a string field is expected"),
            ("例如 mask = { first = 6, last = 4 }", "for example mask = { first = 6, last = 4 }"),
        )
    return Mask(mask["first"], mask["last"])


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
