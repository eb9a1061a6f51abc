"""Is every value that one schema accepts accepted by another? For the keywords that `schema_lint` allows. Pure.

1. `narrower(reader, writer)` names every place where a value may be valid for `writer` and invalid for `reader`. An
   empty answer is a proof: each rule of `reader` follows from a rule of `writer`.
2. What cannot be decided by comparing rules one by one (two different patterns; conditions that differ) counts as
   narrower: nothing is called compatible that has not been shown to be.
3. References are first replaced by the definitions of their own schema, and annotations dropped: rules are compared by
   what they say. `schema_lint` sees to it that nothing else stands beside a reference, and that there are no chains.
4. `properties` says nothing about an absent member, nor about what is no object: a condition on a member is never met
   only if the member must be there.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from contracts.encoding import Json, canonical
from contracts.schema_lint import ANNOTATIONS
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
    """A reader's and a writer's subschema of the same place, both expanded."""

    reader: Mapping[str, Json]
    writer: Mapping[str, Json]
    pointer: str

    def at(self, step: str, reader: Json, writer: Json) -> "_Pair":
        return _Pair(reader, writer, f"{self.pointer}/{step}")

    def says(self, keyword: str, words: Text, fact: object = "") -> Narrowing:
        return Narrowing(self.pointer, keyword, words.fill(keyword=keyword, fact=fact))


def narrower(reader: Mapping[str, Json], writer: Mapping[str, Json]) -> tuple[Narrowing, ...]:
    """Rule 1, for whole schemas; empty if every value valid for `writer` is valid for `reader`."""
    return tuple(_narrower(_Pair(expanded(reader), expanded(writer), "")))


def expanded(schema: Mapping[str, Json]) -> dict[str, Json]:
    """A whole schema without references, `$defs` and annotations (rule 3)."""
    return _expanded({key: value for key, value in schema.items() if key != "$defs"}, schema.get("$defs", {}))


def _expanded(schema: Mapping[str, Json], definitions: Mapping[str, Json]) -> dict[str, Json]:
    if "$ref" in schema:
        return _expanded(definitions[schema["$ref"].removeprefix("#/$defs/")], {})
    return {
        key: _EXPAND[key](value, definitions) if key in _EXPAND else value
        for key, value in schema.items()
        if key not in ANNOTATIONS
    }


_EXPAND: Mapping[str, Callable[[Json, Mapping[str, Json]], Json]] = {
    "properties": lambda members, definitions: {name: _expanded(one, definitions) for name, one in members.items()},
    "allOf": lambda several, definitions: [_expanded(one, definitions) for one in several],
    **dict.fromkeys(("items", "if", "then", "else"), _expanded),
}


def _narrower(pair: _Pair) -> Iterator[Narrowing]:
    for rule in _RULES:
        yield from rule(pair)


def _kinds(schema: Mapping[str, Json]) -> frozenset[str]:
    """The types that a schema can have; all of them if it says nothing."""
    values = _values(schema)
    return _declared(schema) if values is None else frozenset(_KINDS[type(value)] for value in values)


def _declared(schema: Mapping[str, Json]) -> frozenset[str]:
    declared = schema.get("type", _ALL)
    return frozenset((declared,) if isinstance(declared, str) else declared)


def _values(schema: Mapping[str, Json]) -> list[Json] | None:
    """The values that a schema lists and has a type for; None if it lists none."""
    lists = [[schema["const"]]] if "const" in schema else []
    if "enum" in schema:
        lists.append(schema["enum"])
    if not lists:
        return None
    kinds = _declared(schema)
    return [one for one in lists[0] if _KINDS[type(one)] in kinds and all(one in other for other in lists[1:])]


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
    if pair.writer.get("additionalProperties") is not False:
        yield from _unforeseen(pair, [name for name in known if name not in written])
    for name in pair.reader.get("required", ()):
        if name not in pair.writer.get("required", ()):
            yield pair.says("required", _REQUIRED, name)


def _unforeseen(pair: _Pair, names: Sequence[str]) -> Iterator[Narrowing]:
    """Where the writer is open: any member may come, with any value."""
    if pair.reader.get("additionalProperties") is False:
        yield pair.says("additionalProperties", _UNKNOWN, "*")
    for name in names:
        yield from _narrower(pair.at(name, pair.reader["properties"][name], {}))


def _conditions(pair: _Pair) -> Iterator[Narrowing]:
    given = frozenset(map(canonical, _demands(pair.writer)))  # bytes: to Python, 1 and true are equal
    if not all(canonical(one) in given or _implied(pair, one) for one in _demands(pair.reader)):
        yield pair.says("if", _CONDITION)


def _demands(schema: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """The schema's own condition and each of its `allOf`: what is compared as a whole."""
    own = {key: schema[key] for key in _BRANCHES if key in schema}
    return [*([own] if own else ()), *schema.get("allOf", ())]


def _implied(pair: _Pair, one: Mapping[str, Json]) -> bool:
    """Whether the writer's values fulfil one of the reader's demands: they never meet the condition (the usual case: a
    code that is not listed) and fulfil `else`, or they fulfil in any case what both branches ask."""
    wanted = [{key: value for key, value in one.items() if key not in _BRANCHES}]
    if "if" in one:
        reached = ("else",) if _never(one["if"], pair.writer) else ("then", "else")
        wanted += [one[key] for key in reached if key in one]
    return not any(any(_narrower(_Pair(each, pair.writer, pair.pointer))) for each in wanted)


def _never(condition: Mapping[str, Json], writer: Mapping[str, Json]) -> bool:
    """Rule 4."""
    if _kinds(writer) != {"object"}:
        return False
    there = {*writer.get("required", ()), *condition.get("required", ())}
    return any(
        name in there and _excluded(wanted, writer.get("properties", {}).get(name, {}))
        for name, wanted in condition.get("properties", {}).items()
    )


def _excluded(wanted: Mapping[str, Json], member: Mapping[str, Json]) -> bool:
    values = _values(member)
    return values is not None and "const" in wanted and wanted["const"] not in values


_BRANCHES = ("if", "then", "else")
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
