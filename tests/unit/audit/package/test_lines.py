"""The lines of a package: strict inverses, whatever bytes a log holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.merkle import leaf_hash
from audit.package.lines import opening_line, parse_opening, parse_record, proof_text, proof_texts, record_line
from audit.package.table import ERASED, GRANTED, RESTRICTED, Item, Opening
from audit.receipts import parse_proof
from contracts.encoding import canonical
from contracts.errors import Fault
from tests.unit.audit.package.items import item

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
NOTE = b"a\n1\nAAAA\n\n\xe2\x80\x94 a AAAAAAAA\n"


@given(st.dictionaries(TEXTS, TEXTS | st.integers(-9, 9) | st.none()), st.integers(0, 2**53 - 1), TEXTS)
def test_records_there_and_back(members: dict[str, object], position: int, origin: str) -> None:
    leaf = canonical(members)
    one = Item(1, origin, position, leaf, leaf_hash(leaf), members)
    line = record_line(one)
    assert line.count(b"\n") == 1
    assert parse_record(line) == one


def test_a_leaf_with_white_space_of_its_own_keeps_it() -> None:
    leaf = b'{\r\n\t"unit" : "\xe7\xaa\x97\\u0031"}\n'
    one = Item(1, "a", 0, leaf, leaf_hash(leaf), {"unit": "窗1"})
    assert parse_record(record_line(one)) == one


@given(st.dictionaries(TEXTS, TEXTS), st.binary(min_size=16, max_size=40), st.integers(0, 2**53 - 1))
def test_openings_there_and_back(members: dict[str, str], salt: bytes, number: int) -> None:
    opening = Opening(GRANTED, canonical(members), salt, members)
    assert parse_opening(opening_line(number, opening)) == (number, opening)


@pytest.mark.parametrize("state", [ERASED, RESTRICTED])
def test_what_became_of_others(state: str) -> None:
    assert parse_opening(opening_line(5, Opening(state))) == (5, Opening(state))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}\n",
        b'{"number":1,"state":"erased"}',
        b'{"number":1, "state":"erased"}\n',
        b'{"number":-1,"state":"erased"}\n',
        b'{"number":1.0,"state":"erased"}\n',
        b'{"number":1,"state":"lost"}\n',
        b'{"number":1,"state":["erased"]}\n',
        b'{"number":1,"opening":"{}","salt":"AA==","state":"erased"}\n',
        b'{"number":1,"opening":"{}","salt":"AA","state":"granted"}\n',
        b'{"number":1,"opening":"[]","salt":"AA==","state":"granted"}\n',
        b'{"number":1,"opening":1,"salt":"AA==","state":"granted"}\n',
        b'{"number":1,"state":"granted"}\n',
        b'{"leaf":"[]","log":"a","number":1,"position":0}\n',
        b'{"leaf":1,"log":"a","number":1,"position":0}\n',
        b'{"leaf":"{}","log":null,"number":1,"position":0}\n',
        b'{"leaf":"{}","log":"a","number":1,"position":-1}\n',
        b'{"leaf":"{}","log":"a","number":1,"position":true}\n',
        b'{"leaf":"{}","log":"a","more":1,"number":1,"position":0}\n',
    ],
)
def test_lines_that_this_program_would_not_write(line: bytes) -> None:
    for parse in (parse_record, parse_opening):
        with pytest.raises(Fault, match="package_line_malformed"):
            parse(line)


def test_proofs_one_after_the_other() -> None:
    texts = [proof_text(item(position=at), (bytes([at]) * 32,) * at, NOTE) for at in range(4)]
    whole = b"".join(texts).splitlines(keepends=True)
    assert list(proof_texts(whole)) == texts
    assert [parse_proof(text).index for text in texts] == [0, 1, 2, 3]
    assert list(proof_texts([])) == []


def test_a_proof_beyond_any_size_is_refused_while_it_is_read() -> None:
    with pytest.raises(Fault, match="proof_malformed"):
        next(proof_texts(iter(lambda: b"x" * 1000 + b"\n", b"")))
