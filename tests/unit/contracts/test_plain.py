"""Dataclasses to JSON and back: exactly their fields, exactly their types."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.encoding import canonical, parse_strict
from contracts.errors import Fault
from contracts.plain import from_plain, to_plain
from contracts.text import Text


@dataclass(frozen=True, slots=True)
class Inner:
    name: str
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Outer:
    title: Text
    count: int
    flag: bool
    inner: Inner
    inners: tuple[Inner, ...]
    by_name: Mapping[str, Inner]
    maybe: tuple[int, ...] | None = None
    free: Any = None
    labels: Mapping[str, str] = field(default_factory=dict)


INNERS = st.builds(Inner, st.text(max_size=4), st.lists(st.integers(-9, 9), max_size=3).map(tuple))
OUTERS = st.builds(
    Outer,
    st.builds(Text, st.text(max_size=4), st.text(max_size=4)),
    st.integers(-9, 9),
    st.booleans(),
    INNERS,
    st.lists(INNERS, max_size=2).map(tuple),
    st.dictionaries(st.text(max_size=3), INNERS, max_size=2),
    st.none() | st.just((1, 2)),
    st.none() | st.just({"a": [1]}),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
)


@given(OUTERS)
def test_there_and_back(value: Outer) -> None:
    assert from_plain(Outer, parse_strict(canonical(to_plain(value)))) == value


GOOD = to_plain(Outer(Text("甲", "a"), 1, True, Inner("x"), (Inner("y"),), {"a/b": Inner("z")}))


def _without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


BAD: tuple[tuple[str, str, Any], ...] = (
    ("a list", "", []),
    ("nothing", "", None),
    ("unknown name", "/more", GOOD | {"more": 1}),
    ("missing name", "/count", _without("count")),
    ("true for a number", "/count", GOOD | {"count": True}),
    ("a number for true", "/flag", GOOD | {"flag": 1}),
    ("a float", "/count", GOOD | {"count": 1.0}),
    ("null for a value", "/count", GOOD | {"count": None}),
    ("sentence in one language", "/title", GOOD | {"title": {"en": "a"}}),
    ("sentence in three", "/title", GOOD | {"title": {"en": "a", "zh-CN": "b", "fr": "c"}}),
    ("sentence a number", "/title", GOOD | {"title": {"en": 1, "zh-CN": "b"}}),
    ("inside", "/inner/name", GOOD | {"inner": {"name": 1}}),
    ("inside an array", "/inners/1/name", GOOD | {"inners": [{"name": "x"}, {"name": []}]}),
    ("an object for an array", "/inners", GOOD | {"inners": {}}),
    ("a string for an array", "/maybe", GOOD | {"maybe": "12"}),
    ("inside a mapping, its key escaped", "/by_name/a~1b~0/name", GOOD | {"by_name": {"a/b~": {"name": 0}}}),
    ("an array for a mapping", "/labels", GOOD | {"labels": []}),
)


@pytest.mark.parametrize(("pointer", "data"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_anything_else_is_refused_with_its_place(pointer: str, data: Any) -> None:
    with pytest.raises(Fault) as caught:
        from_plain(Outer, data)
    assert (caught.value.code, caught.value.pointer) == ("part_invalid", pointer)


def test_fields_with_a_default_may_be_missing() -> None:
    for name in ("maybe", "free", "labels"):
        assert from_plain(Outer, _without(name)) == from_plain(Outer, GOOD)
