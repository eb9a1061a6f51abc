"""Which JSON Schemas an evidence type may carry. Pure.

1. Known keywords only: what a validator does not know it ignores, and an ignored rule is no rule.
2. Objects are closed, strings and arrays bounded: nothing unforeseen and nothing endless passes.
3. Types are string, integer, boolean, array, object, and null beside another; never number.
4. References stay inside the schema; patterns are linear-time (no look-around, no back-reference).
5. No property is called `_sd` or `...`: RFC 9901 §4.1 keeps these names.
6. `format` is one that is asserted: an identifier format or `date`.
"""

import re
from collections.abc import Callable, Iterator, Mapping

from contracts.authoring import Place, mistake
from contracts.encoding import Json
from contracts.identifiers import FORMATS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TYPES = frozenset(("string", "integer", "boolean", "array", "object", "null"))
ASSERTED_FORMATS = frozenset((*FORMATS, "date"))

_ROOT_ONLY = frozenset(("$schema", "$id", "$defs"))
_KEYWORDS = frozenset(
    (
        *("type", "enum", "const", "format", "pattern", "minLength", "maxLength", "minimum", "maximum"),
        *("minItems", "maxItems", "uniqueItems", "items", "properties", "required", "additionalProperties"),
        *("allOf", "if", "then", "else", "title", "description", "$ref", "$comment"),
    )
)
_RESERVED = frozenset(("_sd", "...", "_sd_alg"))
_NOT_LINEAR = re.compile(r"\(\?(?:<?[=!]|P=)|\\[1-9]")
_REMEDY_BOUND = ("请加上 {0}", "add {0}")


def check(schema: Mapping[str, Json], place: Place) -> None:
    """Raise `UserError` at the first breach of the rules above."""
    if schema.get("$schema") != DIALECT or schema.get("type") != "object":
        mistake(
            place,
            ("应为 JSON Schema 2020-12 的对象", "a JSON Schema 2020-12 of an object is expected"),
            (f'"$schema": "{DIALECT}", "type": "object"', f'"$schema": "{DIALECT}", "type": "object"'),
        )
    for where, subschema in _subschemas({k: v for k, v in schema.items() if k not in _ROOT_ONLY}, place):
        for rule in _RULES:
            rule(subschema, where)
    for name, definition in schema.get("$defs", {}).items():
        for where, subschema in _subschemas(definition, place.at("$defs", name)):
            for rule in _RULES:
                rule(subschema, where)


def _subschemas(schema: Json, place: Place) -> Iterator[tuple[Place, Mapping[str, Json]]]:
    if not isinstance(schema, Mapping):
        mistake(place, ("应为 Schema 对象", "a schema object is expected"), ('例如 {"type": "string"}', "an object"))
    yield place, schema
    for name, inner in schema.get("properties", {}).items():
        yield from _subschemas(inner, place.at("properties", name))
    for key in ("items", "if", "then", "else"):
        if key in schema:
            yield from _subschemas(schema[key], place.at(key))
    for index, inner in enumerate(schema.get("allOf", ())):
        yield from _subschemas(inner, place.at("allOf", str(index)))


def _known_keywords(schema: Mapping[str, Json], place: Place) -> None:
    for keyword in schema:
        if keyword not in _KEYWORDS:
            listed = ", ".join(sorted(_KEYWORDS))
            mistake(
                place,
                (f"不允许的关键字 {keyword}", f"keyword {keyword} is not allowed"),
                (f"可用: {listed}", f"allowed: {listed}"),
            )


def _types(schema: Mapping[str, Json]) -> frozenset[str]:
    declared = schema.get("type", ())
    return frozenset((declared,) if isinstance(declared, str) else declared)


def _known_types(schema: Mapping[str, Json], place: Place) -> None:
    unknown = _types(schema) - TYPES
    if unknown:
        mistake(
            place.at("type"),
            (f"不允许的类型 {', '.join(sorted(unknown))}", f"type {', '.join(sorted(unknown))} is not allowed"),
            ("小数请用字符串, 或用带单位的整数", "write decimals as strings, or as integers with the unit in the name"),
        )


def _closed(schema: Mapping[str, Json], place: Place) -> None:
    if "object" in _types(schema) and schema.get("additionalProperties") is not False:
        mistake(place, ("对象未封闭", "the object is open"), _fill('"additionalProperties": false'))


def _bounded(schema: Mapping[str, Json], place: Place) -> None:
    types = _types(schema)
    if "string" in types and not schema.keys() & {"maxLength", "enum", "const"}:
        mistake(place, ("字符串没有长度上限", "the string has no upper bound"), _fill("maxLength"))
    if "array" in types and not schema.keys() >= {"maxItems", "items"}:
        mistake(place, ("数组没有上限或元素定义", "the array has no upper bound or no items"), _fill("maxItems, items"))


def _fill(keyword: str) -> tuple[str, str]:
    return _REMEDY_BOUND[0].format(keyword), _REMEDY_BOUND[1].format(keyword)


def _inside(schema: Mapping[str, Json], place: Place) -> None:
    reference = schema.get("$ref", "#/$defs/")
    if not isinstance(reference, str) or not reference.startswith("#/$defs/"):
        mistake(
            place.at("$ref"), ("引用了外部 Schema", "the reference leaves the schema"), ('"#/$defs/…"', '"#/$defs/…"')
        )


def _linear(schema: Mapping[str, Json], place: Place) -> None:
    pattern = schema.get("pattern", "")
    try:
        good = isinstance(pattern, str) and _NOT_LINEAR.search(pattern) is None and bool(re.compile(pattern))
    except re.error:
        good = False
    if not good:
        mistake(
            place.at("pattern"),
            ("正则表达式无效, 或含环视、反向引用", "not a pattern, or one with look-around or back-references"),
            ("请改写为普通正则, 例如 ^[0-9]{9}$", "write a plain one, such as ^[0-9]{9}$"),
        )


def _names_free(schema: Mapping[str, Json], place: Place) -> None:
    for name in schema.get("properties", {}):
        if name in _RESERVED:
            mistake(place, (f"字段名 {name} 是保留字", f"the name {name} is reserved"), ("请改名", "choose another"))


def _asserted_format(schema: Mapping[str, Json], place: Place) -> None:
    name = schema.get("format", "date")
    if name not in ASSERTED_FORMATS:
        listed = ", ".join(sorted(ASSERTED_FORMATS))
        mistake(
            place.at("format"),
            (f"未知的格式 {name}", f"unknown format {name}"),
            (f"可用: {listed}", f"known: {listed}"),
        )


_RULES: tuple[Callable[[Mapping[str, Json], Place], None], ...] = (
    _known_keywords,
    _known_types,
    _closed,
    _bounded,
    _inside,
    _linear,
    _names_free,
    _asserted_format,
)
