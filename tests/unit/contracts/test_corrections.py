"""Requests and replies: whole under the right key, refused in every other case."""

from typing import Any

import pytest

from contracts import jws
from contracts.algorithms import SigningKey
from contracts.corrections import (
    KEPT,
    REPLY_TYP,
    TYP,
    Correction,
    Reply,
    from_json,
    open_reply,
    open_request,
    seal_reply,
    seal_request,
    to_json,
)
from contracts.encoding import canonical
from contracts.errors import Fault

KEY, OTHER = SigningKey.generate("ES256"), SigningKey.generate("ES256")
ASKED = Correction(
    "id-1", "node-1", "market", "market-1", "cn.a", "rec-1", "sha-256:00", ("name",), "outdated", "cn.item", 1, 2
)
SAID = Reply("id-1", "market", "market-1", KEPT, 3)
NODES = {KEY.kid: ("node-1", KEY.public)}
ADAPTERS = {KEY.kid: ("market-1", KEY.public)}


def test_both_open_as_they_were_sealed() -> None:
    assert open_request(seal_request(ASKED, KEY), NODES) == ASKED == from_json(to_json(ASKED))
    assert open_reply(seal_reply(SAID, KEY), ADAPTERS) == SAID


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"node": "node-2"}, "issuer_mismatch"),
        ({"asked_at": "1"}, "claims_invalid"),
        ({"asked_at": True}, "claims_invalid"),
        ({"record": None}, "claims_invalid"),
        ({"fields": "name"}, "claims_invalid"),
        ({"fields": [1]}, "claims_invalid"),
        ({"fields": ["a"] * 65}, "claims_invalid"),
        ({"note": "Mr. Wang"}, "claims_invalid"),
    ],
)
def test_other_requests_are_refused(change: dict[str, Any], code: str) -> None:
    token = jws.sign(TYP, canonical({**to_json(ASKED), **change}), KEY)
    with pytest.raises(Fault, match=code):
        open_request(token, NODES)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"adapter": "market-2"}, "issuer_mismatch"),
        ({"answer": "never"}, "claims_invalid"),
        ({"at": 1.5}, "claims_invalid"),
    ],
)
def test_other_replies_are_refused(change: dict[str, Any], code: str) -> None:
    token = jws.sign(REPLY_TYP, canonical({**SAID._asdict(), **change}), KEY)
    with pytest.raises(Fault, match=code):
        open_reply(token, ADAPTERS)


def test_what_another_key_or_another_purpose_signed_is_refused() -> None:
    for token, code in (
        (seal_request(ASKED, OTHER), "key_unknown"),
        (seal_reply(SAID, KEY), "typ_wrong"),
        (b"x" * 70_000, "message_too_large"),
        (seal_request(ASKED, KEY)[:-4] + b"AAAA", "signature_invalid"),
    ):
        with pytest.raises(Fault, match=code):
            open_request(token, NODES)
