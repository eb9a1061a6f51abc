import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.edge.toml_lines import Place, line_numbers, line_of

TEXT = """\
name = "a"   # line 1
list = [
  "x = 1",
]
words = \"\"\"
fake = 1
[not.a.table]
\"\"\"

[zone]  # line 10
"key id" = 1
sub.deep = 2

[[apps]]
id = "first"
[apps.grant]
item = 1
[[apps]]
id = "second"
"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("name",), 1),
        (("list",), 2),
        (("words",), 5),
        (("fake",), None),
        (("not", "a", "table"), None),
        (("zone",), 10),
        (("zone", "key id"), 11),
        (("zone", "sub"), 12),
        (("zone", "sub", "deep"), 12),
        (("apps", 0), 14),
        (("apps", 0, "id"), 15),
        (("apps", 0, "grant", "item"), 17),
        (("apps", 1), 18),
        (("apps", 1, "id"), 19),
    ],
)
def test_each_key_has_its_line(place: Place, line: int | None) -> None:
    assert line_numbers(TEXT).get(place) == line


def test_what_is_not_there_has_the_line_around_it() -> None:
    lines = line_numbers(TEXT)
    assert line_of(lines, ("apps", 1, "missing")) == 18
    assert line_of(lines, ("nothing",)) is None


NAMES = st.text("abc-_", min_size=1, max_size=3)


@given(st.dictionaries(NAMES, st.dictionaries(NAMES, st.integers(0, 9), max_size=3), max_size=4))
def test_the_line_found_is_where_tomllib_finds_the_value(tables: dict[str, dict[str, Any]]) -> None:
    text = "".join(f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in table.items()) for name, table in tables.items())
    assert tomllib.loads(text) == tables
    lines = text.splitlines()
    for place, number in line_numbers(text).items():
        expected = f"[{place[0]}]" if len(place) == 1 else f"{place[1]} = {tables[str(place[0])][str(place[1])]}"
        assert lines[number - 1] == expected
