"""Identifiers and names by the table in tests/vectors/identifiers.json; what holds of all names, by property."""

import json
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.iso7064 import mod_37_36

from contracts import identifiers, names
from contracts.names import MATCH, MISMATCH, NOT_SURE

TABLE = json.loads((Path(__file__).parents[2] / "vectors" / "identifiers.json").read_text("utf-8"))
CHARACTERS = st.one_of(
    st.sampled_from("张伟張阿依古丽䶮𠮷·•・ㆍ◦.-/○〇 \u3000AaＡÜueß\u0390\u0345\u0301?〓\ue123\ufe00⼀"),
    st.characters(exclude_categories=["Cs"]),
)
UNUSED = ("Cn", "Co", "Cs")  # unassigned, private use, surrogates: nothing is done to them
NAMES = st.text(CHARACTERS, max_size=12)


def test_the_table_is_long_enough() -> None:
    assert len(TABLE["identifiers"]) + len(TABLE["names"]) >= 80


@pytest.mark.parametrize("row", TABLE["identifiers"], ids=lambda row: f"{row['format']}: {row['why']}")
def test_an_identifier_of_the_table(row: dict[str, Any]) -> None:
    normal = identifiers.normalise(row["format"], row["input"])
    if row["normal"] is not None:
        assert normal == row["normal"]
    judged = row["input"] if row["format"] == "cn.name" else normal  # names are kept as they are published
    assert identifiers.check(row["format"], judged) == row["valid"]
    if row["valid"]:
        assert list(identifiers.warnings(row["format"], judged)) == row["warnings"]
        assert all(code in identifiers.WARNINGS for code in row["warnings"])


@pytest.mark.parametrize("row", TABLE["names"], ids=lambda row: row["why"])
def test_two_names_of_the_table(row: dict[str, str]) -> None:
    assert names.compare(row["one"], row["other"]) == row["verdict"]
    assert names.compare(row["other"], row["one"]) == row["verdict"]


@given(NAMES)
def test_a_normal_form_is_its_own(name: str) -> None:
    once = names.normalise(name)
    assert names.normalise(once) == once


def test_a_normal_form_is_its_own_with_every_character() -> None:
    used = (one for one in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(one) not in UNUSED)
    once = {names.normalise(one) for one in used}
    assert [hex(ord(name[0])) for name in once if names.normalise(name) != name] == []


@given(NAMES)
def test_a_name_never_mismatches_itself(name: str) -> None:
    assert names.compare(name, name) in (MATCH, NOT_SURE)


@given(NAMES, NAMES)
def test_the_order_of_two_names_does_not_matter(one: str, other: str) -> None:
    assert names.compare(one, other) == names.compare(other, one)


@given(st.text("张王李赵伟芳娜敏静丽", min_size=2, max_size=4), st.text("张王李赵伟芳娜敏静丽", min_size=2, max_size=4))
def test_ordinary_names_match_only_when_equal(one: str, other: str) -> None:
    assert names.compare(one, other) == (MATCH if one == other else MISMATCH)


@given(NAMES, st.integers(0, 12), st.sampled_from("䶮㛃𠮷?〓\ue123"))
def test_a_lost_rare_character_is_no_mismatch(name: str, at: int, rare: str) -> None:
    assert names.compare(name[:at] + rare + name[at:], name) != MISMATCH


@given(st.text("张王李赵伟芳", min_size=1, max_size=4), st.text("张王李赵伟芳", min_size=1, max_size=4))
def test_a_rare_character_excuses_only_itself(one: str, other: str) -> None:
    expected = NOT_SURE if other.startswith(one) else MISMATCH
    assert names.compare(one + "䶮", other) == expected


@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=21, max_size=21), st.integers(0, 10**9))
def test_the_licence_check_character_is_stdnums(kind: str, serial: int) -> None:
    identifier = f"1.2.156.3005.2.{kind}.11110000000021135M.{serial}.001.0"
    expected = mod_37_36.calc_check_digit(f"{kind}11110000000021135M{serial}001")
    assert identifiers.licence_check_character(identifier) == expected
