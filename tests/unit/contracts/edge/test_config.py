from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.edge.config import Section, parse_toml
from contracts.errors import UserError
from contracts.text import Text

FILE = Path("/etc/oncegate/node.toml")

Getter = Callable[[Section], Any]


def _section(text: str) -> Section:
    return parse_toml(text, FILE)


@pytest.mark.parametrize(
    ("text", "get", "value"),
    [
        ('a = "x"', lambda s: s.text("a"), "x"),
        ("", lambda s: s.text("a", default=None), None),
        ("", lambda s: s.text("a", default="d"), "d"),
        ("a = 5", lambda s: s.integer("a", low=5, high=5), 5),
        ("", lambda s: s.integer("a", default=0, low=1), 0),
        ("a = 2", lambda s: s.number("a"), 2.0),
        ("a = 2.5", lambda s: s.number("a", low=2.5), 2.5),
        ("a = false", lambda s: s.flag("a", default=True), False),
        ('a = ["x", "y"]', lambda s: s.texts("a"), ("x", "y")),
        ("a = []", lambda s: s.texts("a"), ()),
        ('a = "y"', lambda s: s.choice("a", ["x", "y"]), "y"),
        ('a = "k/z.pem"', lambda s: s.path("a"), Path("/etc/oncegate/k/z.pem")),
        ('a = "/k.pem"', lambda s: s.path("a"), Path("/k.pem")),
        ('a = "1970-01-01T08:00:01.5+08:00"', lambda s: s.instant("a"), 1500),
        ("a = 1970-01-01 00:00:01Z", lambda s: s.instant("a"), 1000),
        ("[a]\nb = 1", lambda s: s.section("a").integer("b"), 1),
        ("", lambda s: s.section("a", default=None), None),
        ("[[a]]\nb = 1\n[[a]]\nb = 2", lambda s: [a.integer("b") for a in s.sections("a")], [1, 2]),
        ("", lambda s: s.sections("a", default=()), ()),
        ('"姓名" = "name"', lambda s: s.plain(), {"姓名": "name"}),
        ("a = 1", lambda s: (s.has("a"), s.has("b")), (True, False)),
    ],
)
def test_values_are_read_with_their_type(text: str, get: Getter, value: object) -> None:
    section = _section(text)
    assert get(section) == value
    section.done()


@pytest.mark.parametrize(
    ("text", "get", "what", "where"),
    [
        ("b = 1", lambda s: s.text("a"), "a is missing", f"{FILE}: a"),
        ("\na = 1", lambda s: s.text("a"), "a must be a text in quotes", f"{FILE}:2: a"),
        ('a = " "', lambda s: s.text("a"), "a must not be empty", f"{FILE}:1: a"),
        ('a = ""', lambda s: s.path("a"), "a must not be empty", f"{FILE}:1: a"),
        ("a = true", lambda s: s.integer("a"), "a must be a whole number", f"{FILE}:1: a"),
        ("a = 1.0", lambda s: s.integer("a"), "a must be a whole number", f"{FILE}:1: a"),
        ("a = 6", lambda s: s.integer("a", low=1, high=5), "a is out of bounds", f"{FILE}:1: a"),
        ("a = 0", lambda s: s.integer("a", default=3, low=1), "a is out of bounds", f"{FILE}:1: a"),
        ("a = inf", lambda s: s.number("a"), "a must be a number", f"{FILE}:1: a"),
        ("a = nan", lambda s: s.number("a"), "a must be a number", f"{FILE}:1: a"),
        ("a = 1", lambda s: s.flag("a"), "a must be true or false", f"{FILE}:1: a"),
        ("a = [1]", lambda s: s.texts("a"), 'a must be a list of texts, like ["a", "b"]', f"{FILE}:1: a"),
        ('a = "x"', lambda s: s.texts("a"), 'a must be a list of texts, like ["a", "b"]', f"{FILE}:1: a"),
        ('a = "z"', lambda s: s.choice("a", ["x"]), "a cannot be 'z'", f"{FILE}:1: a"),
        ("a = 1", lambda s: s.section("a"), "a must be a table, like [a]", f"{FILE}:1: a"),
        ("[a]", lambda s: s.sections("a"), "a must be an array of tables, like [[a]]", f"{FILE}:1: a"),
        ("[a]\n[a.b]\n", lambda s: s.section("a").section("b").text("c"), "c is missing", f"{FILE}:2: a.b.c"),
        ("[[a]]\n[[a]]\nb = 1", lambda s: s.sections("a")[1].flag("b"), "b must be true or false", f"{FILE}:3: a[1].b"),
    ],
)  # fmt: skip
def test_a_mistake_says_what_and_where(text: str, get: Getter, what: str, where: str) -> None:
    with pytest.raises(UserError) as mistake:
        get(_section(text))
    assert (mistake.value.what.en, mistake.value.where) == (what, where)
    assert mistake.value.what.zh != what
    assert mistake.value.remedy is not None


@pytest.mark.parametrize(
    "value",
    ["2026-01-31", "2026-01-31T08:00:00", '"2026-01-31T08:00:00"', '"2026-02-31T08:00:00Z"', '"yesterday"', "5"],
)
def test_an_instant_needs_a_real_date_a_time_and_an_offset(value: str) -> None:
    with pytest.raises(UserError, match="a must be a time with its offset"):
        _section(f"a = {value}").instant("a")


def test_an_unknown_key_is_refused_with_the_closest_known_one() -> None:
    section = _section('adress = "x"')
    section.text("address", default="")
    with pytest.raises(UserError) as mistake:
        section.done()
    assert mistake.value.where == f"{FILE}:1: adress"
    assert mistake.value.remedy is not None
    assert mistake.value.remedy.en == "Did you mean address?"


def test_an_unknown_key_without_a_neighbour_lists_what_is_known() -> None:
    section = _section("zzz = 1")
    section.text("address", default="")
    with pytest.raises(UserError) as mistake:
        section.done()
    assert mistake.value.remedy is not None
    assert "address" in mistake.value.remedy.en


def test_unknown_keys_of_inner_tables_are_found_from_the_outermost() -> None:
    section = _section("[[a]]\nb = 1\n[[a]]\nc = 1")
    for inner in section.sections("a"):
        inner.integer("b", default=0)
    with pytest.raises(UserError, match="c is not an option here"):
        section.done()


def test_a_table_that_nobody_read_is_unknown() -> None:
    with pytest.raises(UserError, match="a is not an option here"):
        _section("[a]\nb = 1").done()


@pytest.mark.parametrize(("text", "line"), [("a = 1\nb = = 2\n", 2), ("a = 1\na = 2\n", 2), ("[x", 0)])
def test_broken_toml_names_the_line(text: str, line: int) -> None:
    with pytest.raises(UserError, match="Not valid TOML") as mistake:
        _section(text)
    assert mistake.value.where == (f"{FILE}:{line}" if line else str(FILE))


def test_a_callers_own_rule_is_placed_like_all_others() -> None:
    section = _section("[tls]\ncert = 1\n").section("tls")
    mistake = section.mistake(Text("证书与私钥不符", "Certificate and key do not match"), "cert")
    assert mistake.where == f"{FILE}:2: tls.cert"
    assert section.mistake(Text("缺", "none")).where == f"{FILE}:1: tls"
