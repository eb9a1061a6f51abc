"""Compiled JSON Schemas (draft 2020-12) for the hot path. Pure, but comes with the gateway and adapter extras only.

1. A schema is compiled once; formats are asserted with our identifier checks; no reference outside is followed;
   patterns run in linear time.
2. `faults` first asks only "is it valid?"; reasons are looked for when it is not.
3. A fault says where and why, never what stood there: documents are personal data, and faults are logged and sent back.
   Facts in a message come from the schema.
4. An integer is written as one: 1.0 is refused, although JSON Schema takes it for an integer.
5. Behind a border each disclosed property meets its own subschema: `faults_of`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import jsonschema_rs

from contracts.encoding import Json
from contracts.identifiers import FORMATS
from contracts.schema_lint import DIALECT
from contracts.text import Text

MAX_FAULTS = 20  # of one document: enough to mend it, bounded for logs
MAX_LISTED = 20

_OTHER = Text("不符合规定({keyword})", "breaks the rule {keyword}")
_WORDS: Mapping[str, Text] = {
    "type": Text("类型不符, 应为 {fact}", "is of another type than {fact}"),
    "enum": Text("不在可选值之内, 可选值: {fact}", "is not one of: {fact}"),
    "const": Text("不是规定的值", "is not the prescribed value"),
    "format": Text("不符合格式 {fact}", "is not a valid {fact}"),
    "pattern": Text("不符合规定的形式 {fact}", "does not have the form {fact}"),
    "minLength": Text("长度不足 {fact} 个字符", "is shorter than {fact} characters"),
    "maxLength": Text("超过 {fact} 个字符", "is longer than {fact} characters"),
    "minimum": Text("小于 {fact}", "is less than {fact}"),
    "maximum": Text("大于 {fact}", "is more than {fact}"),
    "minItems": Text("少于 {fact} 项", "has fewer than {fact} items"),
    "maxItems": Text("多于 {fact} 项", "has more than {fact} items"),
    "uniqueItems": Text("含重复项", "has an item twice"),
    "required": Text("缺少 {fact}", "lacks {fact}"),
    "additionalProperties": Text("含未定义的字段", "has a field that is not defined"),
}
_FACTS: Mapping[str, Callable[[Any], object]] = {
    "type": lambda kind: ", ".join(kind.types),
    "enum": lambda kind: ", ".join(map(str, kind.options[:MAX_LISTED])),
    "format": lambda kind: kind.format,
    "pattern": lambda kind: kind.pattern,
    "required": lambda kind: kind.property,
}


@dataclass(frozen=True, slots=True)
class SchemaFault:
    """One breach: `pointer` (RFC 6901) into the document, the schema's `keyword`, a `message` without values."""

    pointer: str
    keyword: str
    message: Text


class Compiled:
    """A schema ready for use. Immutable but for subschema validators, which are compiled on first use."""

    __slots__ = ("_definitions", "_is_valid", "_properties", "_validator", "_validators", "_with_integers")

    def __init__(self, schema: Mapping[str, Json]) -> None:
        """Compile a schema that `schema_lint` passed; ValueError for one that is not a schema."""
        self._validator = _validator(dict(schema))
        self._is_valid = self._validator.is_valid
        self._properties: Mapping[str, Json] = schema.get("properties", {})
        self._definitions: Mapping[str, Json] = schema.get("$defs", {})
        self._validators: dict[str, jsonschema_rs.Draft202012Validator] = {}
        self._with_integers = tuple(name for name, own in self._properties.items() if "integer" in str(own))

    def faults(self, document: Json) -> tuple[SchemaFault, ...]:
        """The faults of a whole document, at most `MAX_FAULTS`; empty if it is valid."""
        if self._is_valid(document):
            return self._floats_in(document) if self._with_integers else ()
        return _faults(self._validator, document)

    def faults_of(self, name: str, value: Json) -> tuple[SchemaFault, ...]:
        """The faults of one top-level property (`KeyError` if the schema has none of this name).

        Pointers begin at the document: `/name/…`.
        """
        validator = self._validators.get(name) or self._compile(name)
        if validator.is_valid(value):
            return tuple(_floats(value, f"/{_escaped(name)}")) if name in self._with_integers else ()
        return _faults(validator, value, f"/{_escaped(name)}")

    def _floats_in(self, document: Json) -> tuple[SchemaFault, ...]:
        present = (name for name in self._with_integers if name in document)
        return tuple(fault for name in present for fault in _floats(document[name], f"/{_escaped(name)}"))

    def _compile(self, name: str) -> jsonschema_rs.Draft202012Validator:
        schema = {"$schema": DIALECT, "$defs": self._definitions, **self._properties[name]}
        return self._validators.setdefault(name, _validator(schema))


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"a schema may not refer to {uri}")


def _validator(schema: dict[str, Json]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        schema,
        formats=dict(FORMATS),
        validate_formats=True,
        ignore_unknown_formats=False,
        retriever=_refuse,
        pattern_options=jsonschema_rs.RegexOptions(),
    )


def _faults(validator: jsonschema_rs.Draft202012Validator, document: Json, prefix: str = "") -> tuple[SchemaFault, ...]:
    errors = zip(range(MAX_FAULTS), validator.iter_errors(document), strict=False)
    return tuple(_fault(error, prefix) for _, error in errors)


def _fault(error: jsonschema_rs.ValidationError, prefix: str) -> SchemaFault:
    keyword = error.kind.name
    pointer = prefix + "".join(f"/{_escaped(str(step))}" for step in error.instance_path)
    fact = _FACTS[keyword](error.kind) if keyword in _FACTS else getattr(error.kind, "limit", "")
    return SchemaFault(pointer, keyword, _WORDS.get(keyword, _OTHER).fill(keyword=keyword, fact=fact))


def _floats(value: Json, pointer: str) -> Iterator[SchemaFault]:
    kind = type(value)
    if kind is float:
        yield SchemaFault(pointer, "type", _WORDS["type"].fill(fact="integer"))
    elif kind is dict:
        for name, inner in value.items():
            yield from _floats(inner, f"{pointer}/{_escaped(name)}")
    elif kind is list:
        for index, inner in enumerate(value):
            yield from _floats(inner, f"{pointer}/{index}")


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")
