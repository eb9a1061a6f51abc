"""Lists that auditors bring."""

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.search.analysing import own_pairs
from audit.search.tokens import token_keys

KEYS = token_keys(b"s" * 32, *(X25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2)))


def test_a_roster_from_a_spreadsheet_may_have_marks() -> None:
    marked = "clerk,scheme,id\n'0412,cn.ric,'430102198703162829\n"
    (pair,) = own_pairs(marked, "roster.csv", KEYS)
    assert list(own_pairs(marked.replace("'", ""), "roster.csv", KEYS)) == [pair]
