"""Rejects: what a node seals, a department that pins the node's key opens; nothing else."""

from collections.abc import Callable
from typing import Any

import pytest

from contracts import jws
from contracts.algorithms import SigningKey
from contracts.encoding import canonical, parse_object
from contracts.envelope import MAX_ENVELOPE
from contracts.errors import Fault
from contracts.rejects import TYP, NodeKeys, Refused, reject_key, seal_reject

NODE, OTHER = (SigningKey.generate("ES256") for _ in range(2))
KEYS = NodeKeys([("node-1", NODE.public)])
REFUSED = Refused("evidence.t.a", 7, "document_invalid", "/name", "sha-256:ab", b"r1", b"\x00sealed")


def forged(change: Callable[[dict[str, Any]], object]) -> bytes:
    payload = parse_object(jws.parse(seal_reject(REFUSED, "node-1", NODE), TYP).verified_payload(NODE.public))
    change(payload)
    return jws.sign(TYP, canonical(payload), NODE)


@pytest.mark.parametrize(
    "refused", [REFUSED, REFUSED._replace(identity=None, value=None, pointer=""), REFUSED._replace(value=b"")]
)
def test_what_is_sealed_opens(refused: Refused) -> None:
    assert KEYS.open(seal_reject(refused, "node-1", NODE)) == ("node-1", refused)
    assert reject_key(refused) == b"evidence.t.a@7"


def test_a_value_that_is_too_large_is_left_out() -> None:
    huge = REFUSED._replace(value=bytes(MAX_ENVELOPE + 1))
    assert KEYS.open(seal_reject(huge, "node-1", NODE))[1] == huge._replace(value=None)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (seal_reject(REFUSED, "node-1", OTHER), "key_unknown"),
        (seal_reject(REFUSED, "node-2", NODE), "issuer_mismatch"),
        (seal_reject(REFUSED, "node-1", NODE)[:-3] + b"AAA", "signature_invalid"),
        (jws.sign("feed+jwt", b"{}", NODE), "typ_wrong"),
        (jws.sign(TYP, b"{}", NODE), "claims_invalid"),
        (forged(lambda p: p.update(offset="7")), "claims_invalid"),
        (forged(lambda p: p.update(more=1)), "claims_invalid"),
        (forged(lambda p: p.update(key="a b")), "base64_invalid"),
        (b"no token", "jws_malformed"),
    ],
)
def test_anything_else_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(Fault) as caught:
        KEYS.open(data)
    assert caught.value.code == code
