"""Frozen dataclasses to JSON values and back, by their type hints.

One rule for every part of the registry: a dataclass is an object with exactly its fields, a tuple is an array,
a mapping is an object, a `Text` is `{"zh-CN", "en"}`. An unknown or missing name, or a value of another type,
is a `Fault` `part_invalid` with the JSON pointer of the place. Fields with a default may be missing.
"""

import dataclasses
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from contracts.encoding import Json
from contracts.errors import Fault
from contracts.text import Text

T = TypeVar("T")


def to_plain(value: Any) -> Json:
    """The JSON value of a frozen dataclass (or of what it is made of)."""
    if isinstance(value, Text):
        return value.as_json()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    return value


def from_plain(cls: type[T], data: Json, pointer: str = "") -> T:
    """The `cls` that `data` describes; raises `Fault` `part_invalid`."""
    return cast("T", _read(cls, data, pointer))


def _read(hint: Any, data: Json, at: str) -> Any:
    origin = get_origin(hint)
    if hint is Text:
        return _text(data, at)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _dataclass(hint, data, at)
    if origin is tuple:
        item = get_args(hint)[0]
        return tuple(_read(item, value, f"{at}/{i}") for i, value in enumerate(_expect(data, list, at)))
    if origin in (dict, Mapping):
        item = get_args(hint)[1]
        return {key: _read(item, value, f"{at}/{_escaped(key)}") for key, value in _expect(data, dict, at).items()}
    if origin in (Union, types.UnionType):
        options = [option for option in get_args(hint) if option is not types.NoneType]
        return None if data is None else _read(options[0], data, at)
    return data if hint is Any else _expect(data, hint, at)


def _escaped(name: str) -> str:
    """A reference token (RFC 6901 §3)."""
    return name.replace("~", "~0").replace("/", "~1")


def _expect(data: Json, kind: type, at: str) -> Any:
    if type(data) is not kind:
        raise Fault("part_invalid", at, f"{kind.__name__} expected")
    return data


def _text(data: Json, at: str) -> Text:
    members = _expect(data, dict, at)
    if members.keys() != {"zh-CN", "en"}:
        raise Fault("part_invalid", at, "a sentence has zh-CN and en")
    return Text(_expect(members["zh-CN"], str, at), _expect(members["en"], str, at))


def _dataclass(cls: Any, data: Json, at: str) -> Any:
    members = _expect(data, dict, at)
    hints, required = _shape(cls)
    if unknown := members.keys() - hints.keys():
        raise Fault("part_invalid", f"{at}/{_escaped(min(unknown))}", "unknown name")
    if missing := required - members.keys():
        raise Fault("part_invalid", f"{at}/{min(missing)}", "missing")
    return cls(**{name: _read(hints[name], value, f"{at}/{name}") for name, value in members.items()})


@cache
def _shape(cls: Any) -> tuple[dict[str, Any], frozenset[str]]:
    fields = dataclasses.fields(cls)
    hints = get_type_hints(cls)
    required = frozenset(
        f.name for f in fields if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    )
    return {f.name: hints[f.name] for f in fields}, required
