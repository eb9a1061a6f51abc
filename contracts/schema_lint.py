"""Which JSON Schemas an evidence type may carry. Pure.

1. Known keywords only, with values of the right kind: what a validator does not know it ignores, and an ignored rule
   is no rule. A schema that passes here compiles (`contracts.schemas`); a node never meets one that does not.
2. Every value has a type (`type`, `enum`, `const`, or a reference to what has one): a schema that says nothing lets
   everything in. Conditions (`if`, `then`, `else`, `allOf`) only add to what is declared elsewhere and need none.
   Objects are closed, strings and arrays bounded: nothing unforeseen and nothing endless passes.
3. Types are string, integer, boolean, array, object, and null beside another; never number.
4. References lead to the schema's own `$defs`, which refer no further; beside one stand annotations only. Patterns are
   what all dialects read alike, in linear time: no look-around, no back-reference, escapes of punctuation only
   (`[0-9]`, not `\\d`), no counted groups.
5. No property is called `_sd` or `...`: RFC 9901 §4.1 keeps these names.
6. `format` is one that is asserted: an identifier format or `date`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches

from contracts.authoring import Place, mistake
from contracts.encoding import Json
from contracts.identifiers import FORMATS

MAX_PATTERN = 200
MAX_REPEATS = 1000
MAX_BOUNDS: Mapping[str, int] = {"maxLength": 65_536, "maxItems": 10_000}
DIALECT = "https://json-schema.org/draft/2020-12/schema"
TYPES = frozenset(("string", "integer", "boolean", "array", "object", "null"))
ASSERTED_FORMATS = frozenset((*FORMATS, "date"))

ANNOTATIONS = frozenset(("title", "description", "$comment"))
_ROOT_ONLY = frozenset(("$schema", "$defs"))
_DECLARES = frozenset(("type", "enum", "const", "$ref"))


def _whole(value: Json) -> bool:
    return type(value) is int and value >= 0


def _names(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value) and len(set(value)) == len(value)


_VALUES_OF: Mapping[str, Callable[[Json], bool]] = {
    "type": lambda value: isinstance(value, str) or (_names(value) and bool(value)),
    "enum": lambda value: _names(value) and bool(value),
    "const": lambda value: isinstance(value, str | bool) or type(value) is int,
    "format": lambda value: isinstance(value, str),
    "pattern": lambda value: isinstance(value, str),
    "minLength": _whole,
    "maxLength": _whole,
    "minItems": _whole,
    "maxItems": _whole,
    "minimum": lambda value: type(value) is int,
    "maximum": lambda value: type(value) is int,
    "uniqueItems": lambda value: isinstance(value, bool),
    "items": lambda value: isinstance(value, Mapping),
    "properties": lambda value: isinstance(value, Mapping),
    "required": _names,
    "additionalProperties": lambda value: value is False,
    "allOf": lambda value: isinstance(value, list) and bool(value),
    "if": lambda value: isinstance(value, Mapping),
    "then": lambda value: isinstance(value, Mapping),
    "else": lambda value: isinstance(value, Mapping),
    "$ref": lambda value: isinstance(value, str),
    "title": lambda value: isinstance(value, str),
    "description": lambda value: isinstance(value, str),
    "$comment": lambda value: isinstance(value, str),
}
KEYWORDS = frozenset((*_VALUES_OF, *_ROOT_ONLY)) - {"$schema"}
_RESERVED = frozenset(("_sd", "...", "_sd_alg"))
_ESCAPED = r"\\[-.^$*+?()\[\]{}|/\\]"
_CLASS = rf"\[\^?(?:(?:[^\\\[\]^&~|-]|{_ESCAPED})(?:-(?:[^\\\[\]^&~|-]|{_ESCAPED}))?)+-?\]"
_ONE = rf"\.|[^\\()\[\]{{}}^$.|*+?]|{_ESCAPED}|{_CLASS}"
_TIMES = r"[*+?]|\{[0-9]{1,4}(?:,(?:[0-9]{1,4})?)?\}"
_PLAIN = re.compile(rf"(?:\^|\$|\||\((?:\?:)?|\)[*+?]?|(?:{_ONE})(?:{_TIMES})?)*")
_COUNTS = re.compile(r"([0-9]+),?\}")
_REMEDY_BOUND = ("请加上 {0}", "add {0}")


def check(schema: Mapping[str, Json], place: Place) -> None:
    """Raise `UserError` at the first breach of the rules above."""
    if schema.get("$schema") != DIALECT or schema.get("type") != "object":
        mistake(
            place,
            ("应为 JSON Schema 2020-12 的对象", "a JSON Schema 2020-12 of an object is expected"),
            (f'"$schema": "{DIALECT}", "type": "object"', f'"$schema": "{DIALECT}", "type": "object"'),
        )
    definitions = schema.get("$defs", {})
    if not isinstance(definitions, Mapping):
        mistake(place.at("$defs"), ("应为对象", "an object is expected"), ('"$defs": {}', '"$defs": {}'))
    root = {name: value for name, value in schema.items() if name not in _ROOT_ONLY}
    _check_all(root, definitions, place)
    for name, definition in definitions.items():
        _check_all(definition, {}, place.at("$defs", name))  # no chains, so no circles


def _check_all(schema: Json, definitions: Mapping[str, Json], place: Place) -> None:
    for where, subschema, declares in _subschemas(schema, place, declares=True):
        for rule in _RULES:
            rule(subschema, where)
        _inside(subschema, definitions, where)
        if declares:
            _declared(subschema, where)


def _subschemas(schema: Json, place: Place, declares: bool) -> Iterator[tuple[Place, Mapping[str, Json], bool]]:
    """Each subschema with its place, and whether it declares a value or only adds a condition to one."""
    if not isinstance(schema, Mapping):
        mistake(place, ("应为 Schema 对象", "a schema object is expected"), ('例如 {"type": "string"}', "an object"))
    yield place, schema, declares
    for name, inner in schema.get("properties", {}).items():
        yield from _subschemas(inner, place.at("properties", name), declares)
    if "items" in schema:
        yield from _subschemas(schema["items"], place.at("items"), declares)
    for key in ("if", "then", "else"):
        if key in schema:
            yield from _subschemas(schema[key], place.at(key), declares=False)
    for index, inner in enumerate(schema.get("allOf", ())):
        yield from _subschemas(inner, place.at("allOf", str(index)), declares=False)


def _known_keywords(schema: Mapping[str, Json], place: Place) -> None:
    for keyword, value in schema.items():
        if keyword not in _VALUES_OF:
            listed = ", ".join(get_close_matches(keyword, _VALUES_OF, 1) or sorted(_VALUES_OF))
            mistake(
                place,
                (f"不允许的关键字 {keyword}", f"keyword {keyword} is not allowed"),
                (f"可用: {listed}", f"allowed: {listed}"),
            )
        if not _VALUES_OF[keyword](value):
            mistake(
                place.at(keyword),
                ("关键字的值不合规定", "the keyword has another value than is allowed"),
                (
                    "对象用 false 封闭; 代码与类型用字符串; 上下限用整数",
                    "false closes objects; codes are strings; bounds are integers",
                ),
            )


def _required_there(schema: Mapping[str, Json], place: Place) -> None:
    missing = [name for name in schema.get("required", ()) if name not in schema.get("properties", {})]
    if missing:
        mistake(
            place.at("required"),
            (f"{missing[0]} 不在 properties 中", f"{missing[0]} is not among the properties"),
            ("请在 properties 中加上它, 或从 required 删除", "add it to properties, or remove it from required"),
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


def _declared(schema: Mapping[str, Json], place: Place) -> None:
    if not schema.keys() & _DECLARES:
        mistake(place, ("没有声明类型", "no type is declared"), _fill('"type"'))


def _closed(schema: Mapping[str, Json], place: Place) -> None:
    if "object" in _types(schema) and schema.get("additionalProperties") is not False:
        mistake(place, ("对象未封闭", "the object is open"), _fill('"additionalProperties": false'))


def _bounded(schema: Mapping[str, Json], place: Place) -> None:
    types = _types(schema)
    if "string" in types and not schema.keys() & {"maxLength", "enum", "const"}:
        mistake(place, ("字符串没有长度上限", "the string has no upper bound"), _fill("maxLength"))
    if "array" in types and not schema.keys() >= {"maxItems", "items"}:
        mistake(place, ("数组没有上限或元素定义", "the array has no upper bound or no items"), _fill("maxItems, items"))


def _capped(schema: Mapping[str, Json], place: Place) -> None:
    for keyword, most in MAX_BOUNDS.items():
        if schema.get(keyword, 0) > most:
            mistake(
                place.at(keyword),
                (f"{keyword} 过大", f"{keyword} is too large"),
                (f"至多 {most}", f"at most {most}"),
            )


def _fill(keyword: str) -> tuple[str, str]:
    return _REMEDY_BOUND[0].format(keyword), _REMEDY_BOUND[1].format(keyword)


def _inside(schema: Mapping[str, Json], definitions: Mapping[str, Json], place: Place) -> None:
    if "$ref" not in schema:
        return
    reference = schema["$ref"]
    if not reference.startswith("#/$defs/") or reference[8:] not in definitions:
        mistake(
            place.at("$ref"),
            ("引用不在本 Schema 的 $defs 中", "the reference does not lead to this schema's $defs"),
            ('"#/$defs/…"', '"#/$defs/…"'),
        )


def _reference_alone(schema: Mapping[str, Json], place: Place) -> None:
    beside = sorted(schema.keys() - ANNOTATIONS - {"$ref"})
    if "$ref" in schema and beside:
        mistake(
            place,
            (f"$ref 旁不允许 {beside[0]}", f"{beside[0]} is not allowed beside $ref"),
            ("请写入 $defs 中的定义", "write it into the definition in $defs"),
        )


def _linear(schema: Mapping[str, Json], place: Place) -> None:
    pattern = schema.get("pattern", "")
    try:
        good = _plain(pattern) and bool(re.compile(pattern))
    except re.error:
        good = False
    if not good:
        mistake(
            place.at("pattern"),
            (
                "正则表达式无效, 或含环视、反向引用、\\d 之类",
                "no pattern, or with look-around, back-references, or \\d and such",
            ),
            ("请改写为普通正则, 例如 ^[0-9]{9}$", "write a plain one, such as ^[0-9]{9}$"),
        )


def _plain(pattern: str) -> bool:
    small = len(pattern) <= MAX_PATTERN and sum(map(int, _COUNTS.findall(pattern))) <= MAX_REPEATS
    return small and _PLAIN.fullmatch(pattern) is not None


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
    _required_there,
    _closed,
    _bounded,
    _capped,
    _reference_alone,
    _linear,
    _names_free,
    _asserted_format,
)
