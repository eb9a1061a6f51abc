"""A subschema in words: what may stand in a field, for people who do not read JSON Schema. Pure.

1. Every keyword that `contracts.schema_lint` knows is told, but `allOf` and `if`: the reader is sent to the schema.
2. Codes are labelled: by the field's own labels, or, where the model defines the enumeration, by the model's.
3. A `$ref` is followed once on each way down, so that a schema that contains itself ends.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from contracts.identifiers import HOLDER_SCHEMES
from contracts.life_cycle import RESTRICTIONS, STATUSES
from contracts.pages import words
from contracts.pages.markup import Html, code, join, tag
from contracts.text import Text

Schema = Mapping[str, Any]

_KINDS: Mapping[str, Text] = {
    "string": Text("文字", "text"),
    "integer": Text("整数", "whole number"),
    "boolean": Text("是或否(true / false)", "yes or no (true / false)"),
    "array": Text("列表", "list"),
    "object": Text("组合", "group"),
    "null": Text("空(null)", "empty (null)"),
}
_ONE_OF = Text("代码", "code")
_ALWAYS = Text("固定为 {value}", "always {value}")
_OR_NULL = Text("可为空(null)", "may be empty (null)")
_DISTINCT = Text("不得重复", "nothing twice")
_CONDITIONS = Text("另有规则见 JSON Schema", "further rules: see the JSON Schema")
_UNLABELLED = Text("", "")
_ITEMS = Text("每项:", "each item: ")
_COLON = Text(":", ": ")
_OPTIONAL = Text("(可选)", " (optional)")
_FORM = Text("形式", "form")
_RANGES: tuple[tuple[str, str, Text], ...] = (
    ("minLength", "maxLength", Text("{range} 个字符", "{range} characters")),
    ("minItems", "maxItems", Text("{range} 项", "{range} items")),
    ("minimum", "maximum", Text("{range}", "{range}")),
)
_BETWEEN = Text("{low} 至 {high}", "{low} to {high}")
_AT_MOST = Text("至多 {high}", "at most {high}")
_AT_LEAST = Text("至少 {low}", "at least {low}")


def value(schema: Schema, definitions: Schema, codes: Mapping[str, Text], language: str) -> Html:
    """What may stand there; `codes` are the labels of an enumeration, `definitions` the `$defs` of the whole schema."""
    own, rest = _resolved(schema, definitions)
    return join(
        (
            tag("p", kind(own, language)),
            _pattern(own, language),
            join(_inside(own, rest, codes, language)),
            code_list(codes or _labels(own.get("enum", ())), language),
        )
    )


def kind(schema: Schema, language: str) -> str:
    """Type, format, bounds: one line."""
    written = schema.get("type", [])
    types = [written] if isinstance(written, str) else list(written)
    said = [_kind(schema, name) for name in types if name != "null" or len(types) == 1]
    said += _bounds(schema)
    if "null" in types and len(types) > 1:
        said.append(_OR_NULL)
    if schema.get("uniqueItems"):
        said.append(_DISTINCT)
    if {"allOf", "if", "$ref"} & schema.keys():
        said.append(_CONDITIONS)
    return ", ".join(text.pick(language) for text in said)


def _kind(schema: Schema, name: str) -> Text:
    if "const" in schema:
        return _ALWAYS.fill(value=schema["const"])
    if "enum" in schema:
        return _ONE_OF
    if name == "string" and "format" in schema:
        form = schema["format"]
        return words.FORMATS.get(form, Text(form, form))
    return _KINDS[name]


def _bounds(schema: Schema) -> Iterator[Text]:
    for least, most, unit in () if schema.get("format") == "date" or "enum" in schema else _RANGES:
        low, high = schema.get(least), schema.get(most)
        if low is None and high is None:
            continue
        if low == high:
            yield unit.fill(range=low)
        else:
            between = _AT_LEAST if high is None else _AT_MOST if low in (None, 0) and most != "maximum" else _BETWEEN
            yield unit.fill(range=(_AT_MOST if low is None else between).fill(low=low, high=high))


def _pattern(schema: Schema, language: str) -> Html:
    if "pattern" not in schema:
        return Html()
    return tag("p", _FORM.pick(language), " ", code(schema["pattern"]))


def _inside(schema: Schema, definitions: Schema, codes: Mapping[str, Text], language: str) -> Iterator[Html]:
    """The members of an object, the items of a list."""
    if "description" in schema:
        yield tag("p", schema["description"])
    if "items" in schema:
        inner = schema["items"] if not codes else {**schema["items"], "enum": []}  # labelled once, outside
        yield tag("div", _ITEMS.pick(language), value(inner, definitions, {}, language), class_="inner")
    if "properties" in schema:
        required = schema.get("required", ())
        members = (
            tag("li", code(name), "" if name in required else _OPTIONAL.pick(language), _COLON.pick(language), inner)
            for name, own in schema["properties"].items()
            for inner in (value(own, definitions, {}, language),)
        )
        yield tag("ul", join(members), class_="inner")


def code_list(codes: Mapping[str, Text], language: str) -> Html:
    """An enumeration: each code with its label."""
    if not codes:
        return Html()
    shown = (tag("li", code(name), " ", label.pick(language)) for name, label in codes.items())
    return tag("ul", join(shown), class_="codes")


def _labels(enumeration: Sequence[str]) -> Mapping[str, Text]:
    """Rule 2."""
    for known in (STATUSES, RESTRICTIONS):
        if tuple(known) == tuple(enumeration):
            return known
    schemes = set(enumeration) <= set(HOLDER_SCHEMES)
    return {one: words.FORMATS[one] if schemes else _UNLABELLED for one in enumeration}


def _resolved(schema: Schema, definitions: Schema) -> tuple[Schema, Schema]:
    """The subschema with what its `$ref` names, and the definitions that are left (rule 3)."""
    name = schema.get("$ref", "").removeprefix("#/$defs/")
    if name not in definitions:
        return schema, definitions
    rest = {key: held for key, held in definitions.items() if key != name}
    beside = {key: held for key, held in schema.items() if key != "$ref"}
    return _resolved({**definitions[name], **beside}, rest)
