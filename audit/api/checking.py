"""Whether a JSON value is as a schema says: the part of JSON Schema 2020-12 that our requests use. Pure.

The audit extra has no JSON Schema library, and the OpenAPI document wants the same objects that check; so these few
keywords are decided here, and the tests hold them against a full implementation.

1. `KEYWORDS` is the table; another keyword in a schema is a mistake of ours (`supported` says so). Annotations say
   nothing.
2. A breach says where and why, never what stood there.
3. `pattern` is anchored at both ends. Integers are written as integers.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from contracts.encoding import Json
from contracts.text import Text

Schema = Mapping[str, Any]

MAX_BREACHES = 20
ANNOTATIONS = frozenset(("description", "title", "default", "examples", "contentMediaType"))


@dataclass(frozen=True, slots=True)
class Breach:
    """`pointer` (RFC 6901) into the value, the schema's `keyword`, a `message` without values."""

    pointer: str
    keyword: str
    message: Text


def breaches(schema: Schema, value: Json) -> tuple[Breach, ...]:
    """What is wrong with `value`, at most `MAX_BREACHES`; empty if nothing."""
    return tuple(islice(_within(schema, value, ""), MAX_BREACHES))


def supported(schema: Schema) -> bool:
    """Whether every keyword of a schema is one that is checked (rule 1), and every pattern anchored (rule 3)."""
    if set(schema) - KEYWORDS.keys() - ANNOTATIONS or not _is_anchored(schema.get("pattern", "^$")):
        return False
    inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    return schema.get("additionalProperties", False) is False and all(map(supported, inner))


def _within(schema: Schema, value: Json, at: str) -> Iterator[Breach]:
    kind = schema.get("type")
    if kind is not None and not _TYPES[kind](value):
        yield Breach(at, "type", _WORDS["type"].fill(fact=kind))
        return
    for keyword, fact in schema.items():
        if keyword in KEYWORDS:
            yield from KEYWORDS[keyword](fact, value, at)


def _is_anchored(pattern: str) -> bool:
    return pattern.startswith("^") and pattern.endswith("$")


@lru_cache
def _anchored(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern[1:-1])


_TYPES: Mapping[str, Callable[[Json], bool]] = {
    "object": lambda value: type(value) is dict,
    "array": lambda value: type(value) is list,
    "string": lambda value: type(value) is str,
    "integer": lambda value: type(value) is int,
    "boolean": lambda value: type(value) is bool,
}
_WORDS: Mapping[str, Text] = {
    "type": Text("类型不符, 应为 {fact}", "is of another type than {fact}"),
    "enum": Text("不在可选值之内, 可选值: {fact}", "is not one of: {fact}"),
    "pattern": Text("含不允许的字符或形式不符", "does not have the form that is asked for"),
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
# What a keyword demands of a value of its own type; others it does not concern.
_DEMANDS: Mapping[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "pattern": ("string", lambda fact, value: _anchored(fact).fullmatch(value) is not None),
    "minLength": ("string", lambda fact, value: len(value) >= fact),
    "maxLength": ("string", lambda fact, value: len(value) <= fact),
    "minimum": ("integer", lambda fact, value: value >= fact),
    "maximum": ("integer", lambda fact, value: value <= fact),
    "minItems": ("array", lambda fact, value: len(value) >= fact),
    "maxItems": ("array", lambda fact, value: len(value) <= fact),
    "uniqueItems": ("array", lambda _, value: all(one not in value[:at] for at, one in enumerate(value))),
}


def _simple(keyword: str) -> Callable[[Any, Json, str], Iterator[Breach]]:
    kind, holds = _DEMANDS[keyword]

    def check(fact: Any, value: Json, at: str) -> Iterator[Breach]:
        if _TYPES[kind](value) and not holds(fact, value):
            yield Breach(at, keyword, _WORDS[keyword].fill(fact=fact))

    return check


def _enum(fact: Any, value: Json, at: str) -> Iterator[Breach]:
    if value not in fact or type(value) is not str:
        yield Breach(at, "enum", _WORDS["enum"].fill(fact=", ".join(fact)))


def _required(fact: Any, value: Json, at: str) -> Iterator[Breach]:
    for name in fact if type(value) is dict else ():
        if name not in value:
            yield Breach(at, "required", _WORDS["required"].fill(fact=name))


def _properties(fact: Any, value: Json, at: str) -> Iterator[Breach]:
    if type(value) is not dict:
        return
    for name, inner in value.items():
        if name in fact:
            yield from _within(fact[name], inner, f"{at}/{name}")
    if value.keys() - fact.keys():  # our objects are closed; the stranger's name is not repeated
        yield Breach(at, "additionalProperties", _WORDS["additionalProperties"])


def _items(fact: Any, value: Json, at: str) -> Iterator[Breach]:
    for index, inner in enumerate(value if type(value) is list else ()):
        yield from _within(fact, inner, f"{at}/{index}")


def _nothing(fact: Any, value: Json, at: str) -> Iterator[Breach]:
    del fact, value, at  # `type` went before; `additionalProperties` belongs to `properties`
    return iter(())


KEYWORDS: Mapping[str, Callable[[Any, Json, str], Iterator[Breach]]] = {
    "type": _nothing,
    "enum": _enum,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _nothing,
    "items": _items,
    **{keyword: _simple(keyword) for keyword in _DEMANDS},
}
