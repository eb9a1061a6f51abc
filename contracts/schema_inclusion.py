"""Is every value that one schema accepts accepted by another? For the keywords that `schema_lint` allows. Pure.

1. `narrower(reader, writer)` names every place where a value may be valid for `writer` and invalid for `reader`. An
   empty answer is a proof: each rule of `reader` follows from a rule of `writer`.
2. What cannot be decided by comparing rules one by one (two different patterns; conditions that differ) counts as
   narrower: nothing is called compatible that has not been shown to be.
3. References are followed into the `$defs` of their own schema.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from contracts.encoding import Json
from contracts.text import Text

_UPPER = {"maxLength": "maxLength", "maxItems": "maxItems", "maximum": "maximum"}
_LOWER = {"minLength": "minLength", "minItems": "minItems", "minimum": "minimum"}
_MORE_TYPES = Text("类型收窄: 不再接受 {fact}", "the type is narrower: {fact} is not accepted")
_VALUES = Text("取值收窄: 不再接受 {fact}", "fewer values: {fact} is not accepted")
_FORMAT = Text("新增或更改了格式 {fact}", "another format, or one more: {fact}")
_PATTERN = Text("新增或更改了正则表达式", "another pattern, or one more")
_BOUND = Text("{keyword} 收紧为 {fact}", "{keyword} is tighter: {fact}")
_UNIQUE = Text("新要求不得重复", "items must be unique")
_REQUIRED = Text("{fact} 不一定有, 却被要求", "{fact} may be absent, but is required")
_UNKNOWN = Text("没有字段 {fact}", "there is no field {fact}")
_CONDITION = Text("条件规则不同", "conditions differ")


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Where the reader accepts less: `pointer` (RFC 6901) into the document, the `keyword`, and why in words."""

    pointer: str
    keyword: str
    words: Text


@dataclass(frozen=True, slots=True)
class _Pair:
    """A reader's and a writer's subschema of the same place, with the `$defs` of each."""

    reader: Mapping[str, Json]
    writer: Mapping[str, Json]
    pointer: str
    reader_defs: Mapping[str, Json]
    writer_defs: Mapping[str, Json]

    def at(self, step: str, reader: Json, writer: Json) -> "_Pair":
        return _pair(reader, writer, f"{self.pointer}/{step}", self.reader_defs, self.writer_defs)

    def says(self, keyword: str, words: Text, fact: object = "") -> Narrowing:
        return Narrowing(self.pointer, keyword, words.fill(keyword=keyword, fact=fact))


def narrower(reader: Mapping[str, Json], writer: Mapping[str, Json]) -> tuple[Narrowing, ...]:
    """Rule 1, for whole schemas; empty if every value valid for `writer` is valid for `reader`."""
    return tuple(_narrower(_pair(reader, writer, "", reader.get("$defs", {}), writer.get("$defs", {}))))


def _pair(
    reader: Json, writer: Json, pointer: str, reader_defs: Mapping[str, Json], writer_defs: Mapping[str, Json]
) -> _Pair:
    return _Pair(_resolved(reader, reader_defs), _resolved(writer, writer_defs), pointer, reader_defs, writer_defs)


def _resolved(schema: Mapping[str, Json], definitions: Mapping[str, Json]) -> Mapping[str, Json]:
    """The schema with the definition that it refers to; what both say, the reference says too."""
    if "$ref" not in schema:
        return schema
    target: Mapping[str, Json] = definitions[schema["$ref"].removeprefix("#/$defs/")]
    own = {key: value for key, value in schema.items() if key != "$ref"}
    clash = any(target.get(key, value) != value for key, value in own.items())
    return {**target, "allOf": [own, *target.get("allOf", ())]} if clash else {**target, **own}


def _narrower(pair: _Pair) -> Iterator[Narrowing]:
    for rule in _RULES:
        yield from rule(pair)


def _kinds(schema: Mapping[str, Json]) -> frozenset[str]:
    """The types that a schema can have; all of them if it says nothing."""
    values = _values(schema)
    if values is not None:
        return frozenset(_KINDS[type(value)] for value in values)
    declared = schema.get("type", _ALL)
    return frozenset((declared,) if isinstance(declared, str) else declared)


def _values(schema: Mapping[str, Json]) -> list[Json] | None:
    """The values that a schema lists; None if it lists none."""
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _types(pair: _Pair) -> Iterator[Narrowing]:
    missing = _kinds(pair.writer) - _kinds(pair.reader)
    if missing:
        yield pair.says("type", _MORE_TYPES, ", ".join(sorted(missing)))


def _listed(pair: _Pair) -> Iterator[Narrowing]:
    reader, writer = _values(pair.reader), _values(pair.writer)
    if reader is None:
        return
    missing = ["*"] if writer is None else [str(value) for value in writer if value not in reader]
    if missing:
        yield pair.says("enum", _VALUES, ", ".join(missing))


def _texts(pair: _Pair) -> Iterator[Narrowing]:
    if _values(pair.writer) is not None and "pattern" not in pair.reader and "format" not in pair.reader:
        return
    for keyword, words in (("format", _FORMAT), ("pattern", _PATTERN)):
        wanted = pair.reader.get(keyword)
        if wanted is not None and wanted != pair.writer.get(keyword) and "string" in _kinds(pair.writer):
            yield pair.says(keyword, words, wanted)


def _bounds(pair: _Pair) -> Iterator[Narrowing]:
    for keyword in (*_UPPER, *_LOWER):
        wanted = pair.reader.get(keyword)
        if wanted is not None and not _within(wanted, pair.writer, keyword):
            yield pair.says(keyword, _BOUND, wanted)


def _within(wanted: int, writer: Mapping[str, Json], keyword: str) -> bool:
    values = _values(writer)
    if values is not None:
        return all(_inside(_size(value, keyword), wanted, keyword) for value in values)
    if not _BOUNDED[keyword] & _kinds(writer):
        return True
    if keyword in _LOWER and keyword != "minimum" and wanted == 0:
        return True
    given = writer.get(keyword)
    return given is not None and _inside(given, wanted, keyword)


def _size(value: Json, keyword: str) -> int | None:
    if keyword in ("maximum", "minimum"):
        return value if type(value) is int else None
    return len(value) if isinstance(value, str) and keyword.endswith("Length") else None


def _inside(given: int | None, wanted: int, keyword: str) -> bool:
    return given is None or (given <= wanted if keyword in _UPPER else given >= wanted)


def _unique(pair: _Pair) -> Iterator[Narrowing]:
    if pair.reader.get("uniqueItems") and not pair.writer.get("uniqueItems") and "array" in _kinds(pair.writer):
        yield pair.says("uniqueItems", _UNIQUE)


def _items(pair: _Pair) -> Iterator[Narrowing]:
    if "items" in pair.reader and "array" in _kinds(pair.writer) and pair.writer.get("maxItems") != 0:
        yield from _narrower(pair.at("*", pair.reader["items"], pair.writer.get("items", {})))


def _members(pair: _Pair) -> Iterator[Narrowing]:
    if "object" not in _kinds(pair.writer):
        return
    known: Mapping[str, Json] = pair.reader.get("properties", {})
    written: Mapping[str, Json] = pair.writer.get("properties", {})
    closed = pair.reader.get("additionalProperties") is False
    for name, subschema in written.items():
        if name in known:
            yield from _narrower(pair.at(name, known[name], subschema))
        elif closed:
            yield pair.says("additionalProperties", _UNKNOWN, name)
    if closed and pair.writer.get("additionalProperties") is not False:
        yield pair.says("additionalProperties", _UNKNOWN, "*")
    for name in pair.reader.get("required", ()):
        if name not in pair.writer.get("required", ()):
            yield pair.says("required", _REQUIRED, name)


def _conditions(pair: _Pair) -> Iterator[Narrowing]:
    differing = any(key in pair.reader and pair.reader[key] != pair.writer.get(key) for key in ("if", "then", "else"))
    if differing or not all(_implied(pair, one) for one in pair.reader.get("allOf", ())):
        yield pair.says("if", _CONDITION)


def _implied(pair: _Pair, one: Mapping[str, Json]) -> bool:
    """Whether the writer's values fulfil one of the reader's `allOf`: it says the same; it never meets the condition
    (the usual case: a code that it does not list); or it fulfils in any case what the condition asks."""
    if one in pair.writer.get("allOf", ()):
        return True
    if _never(one.get("if", {}), pair.writer):
        return True
    wanted = one.get("then", {}) if "if" in one else one
    return "else" not in one and not any(
        _narrower(_pair(wanted, pair.writer, pair.pointer, pair.reader_defs, pair.writer_defs))
    )


def _never(condition: Mapping[str, Json], writer: Mapping[str, Json]) -> bool:
    for name, wanted in condition.get("properties", {}).items():
        values = _values(writer.get("properties", {}).get(name, {}))
        if values is not None and "const" in wanted and wanted["const"] not in values:
            return True
    return False


_KINDS: Mapping[type, str] = {str: "string", int: "integer", bool: "boolean"}
_ALL = ("array", "boolean", "integer", "null", "object", "string")
_BOUNDED: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("minLength", "maxLength"), frozenset(("string",))),
    **dict.fromkeys(("minItems", "maxItems"), frozenset(("array",))),
    **dict.fromkeys(("minimum", "maximum"), frozenset(("integer",))),
}
_RULES: Sequence[Callable[[_Pair], Iterator[Narrowing]]] = (
    _types, _listed, _texts, _bounds, _unique, _items, _members, _conditions,
)  # fmt: skip
