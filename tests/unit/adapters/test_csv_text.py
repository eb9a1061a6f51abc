"""CSV lines to cells: what is split how, and that a broken row costs only itself."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sources.csv_text import MAX_JOINED_LINES, Splitter

Split = list[tuple[int, list[str] | None]]


def _split(text: str, delimiter: str = ",") -> Split:
    lines = enumerate(text.split("\n"), 1)
    return [(one.line, one.cells) for one in Splitter(delimiter).split(lines)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b", [(1, ["a", "b"])]),
        ("a,", [(1, ["a", ""])]),
        (",a", [(1, ["", "a"])]),
        ('"a","b"', [(1, ["a", "b"])]),
        ('"a,b",c', [(1, ["a,b", "c"])]),
        ('"a ""b""",c', [(1, ['a "b"', "c"])]),
        ('"",""', []),
        (",,", []),
        ("", []),
        ('a,5"管', [(1, ["a", '5"管'])]),
        ('a,"b\nc",d', [(1, ["a", "b\nc", "d"])]),
        ('a,"b\n\nc"\nd,e', [(1, ["a", "b\n\nc"]), (4, ["d", "e"])]),
        ('"a"b,c', [(1, None)]),
        ('a,"b\nc,d', [(1, None), (2, ["c", "d"])]),
        ('a,"b\nc,"d"\ne,f', [(1, None), (2, ["c", "d"]), (3, ["e", "f"])]),
        ('a,"b\nc,d"e\ne,f', [(1, None), (2, ["c", 'd"e']), (3, ["e", "f"])]),
        ('x\n"', [(1, ["x"]), (2, None)]),
    ],
)
def test_lines(text: str, expected: Split) -> None:
    assert _split(text) == expected


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "]"])
def test_delimiters(delimiter: str) -> None:
    assert _split(f'a{delimiter}"b{delimiter}c"', delimiter) == [(1, ["a", f"b{delimiter}c"])]


def test_a_quote_that_never_closes_costs_one_row_however_long_the_file() -> None:
    rows = [f"{number},x" for number in range(3 * MAX_JOINED_LINES)]
    found = _split('1,"open\n' + "\n".join(rows))
    assert found[0] == (1, None)
    assert [cells for _, cells in found[1:]] == [row.split(",") for row in rows]


CELLS = st.text(st.sampled_from('ab张,"\n; '), max_size=6)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=5))
def test_what_the_standard_library_writes_is_read_back(rows: list[list[str]]) -> None:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    found = [cells for _, cells in _split(file.getvalue().removesuffix("\n"))]
    assert found == [row for row in rows if any(row)]


@given(st.lists(st.text(st.sampled_from('a,"\n'), max_size=8), max_size=8))
def test_every_line_is_in_exactly_one_row(lines: list[str]) -> None:
    text = "\n".join(lines)
    found = list(Splitter(",").split(enumerate(text.split("\n"), 1)))
    covered = [one.line + offset for one in found for offset in range(one.text.count("\n") + 1)]
    assert len(covered) == len(set(covered))
    blank = {number for number, line in enumerate(text.split("\n"), 1) if not line.strip(',"')}
    assert set(range(1, text.count("\n") + 2)) - set(covered) <= blank
