"""Lists that auditors bring."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.search.analysing import own_pairs
from audit.search.tokens import token_keys
from contracts.errors import UserError

KEYS = token_keys(b"s" * 32, *(X25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2)))


def test_a_roster_from_a_spreadsheet_may_have_marks() -> None:
    marked = "clerk,scheme,id\n'0412,cn.ric,'430102198703162829\n"
    (pair,) = own_pairs(marked, "roster.csv", KEYS)
    assert list(own_pairs(marked.replace("'", ""), "roster.csv", KEYS)) == [pair]


def test_white_space_around_cells_is_no_part_of_them() -> None:
    plain = "clerk,scheme,id\n0412,cn.ric,430102198703162829\n"
    spaced = "clerk,scheme,id\n0412 , cn.ric, 430102198703162829 \n"
    assert list(own_pairs(spaced, "roster.csv", KEYS)) == list(own_pairs(plain, "roster.csv", KEYS))


@pytest.mark.parametrize(
    "row", ["0412,cn.ric,43010219870316282", "0412,CN.RIC,430102198703162829", "0412,licence_number,9", "0412,cn.ric,"]
)
def test_a_roster_that_could_find_nobody_is_refused_with_its_line(row: str) -> None:
    text = f"clerk,scheme,id\n0411,cn.ric,430102198703162829\n{row}\n"
    with pytest.raises(UserError) as caught:
        list(own_pairs(text, "roster.csv", KEYS))
    assert caught.value.where == "roster.csv:3"
