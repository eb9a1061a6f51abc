"""Evidence messages: what is sealed opens, what is withheld does not show, what is changed is refused."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.algorithms import SUITES
from contracts.encoding import Json, b64url_decode
from contracts.errors import Fault
from contracts.messages import (
    ERASE,
    MAX_MESSAGE,
    WITHDRAW,
    Evidence,
    MessageFault,
    assemble,
    filtered,
    open_message,
    read_verified,
    seal,
)
from contracts.streams import Position
from tests.vectors.world import (
    ALGS,
    CO_OWNED,
    EPOCH,
    ISSUED_AT,
    OTHER_TYPE,
    PERMIT,
    RECORD,
    SOURCE_TIME,
    SPARSE,
    WHOLE,
    change_of,
    fixed_key,
    fixed_salts,
    registry_of,
    sealed,
    stream_of,
)

REGISTRY = registry_of()


def _opened(message: bytes) -> Evidence:
    opened = open_message(message, REGISTRY)
    assert isinstance(opened, Evidence), opened
    return opened


def _seal(document: dict[str, Json], alg: str = "ES256", **changes: Any) -> bytes:
    change = replace(change_of(alg, document), **changes)
    return seal(change, PERMIT, fixed_key(alg), fixed_salts(), ISSUED_AT)


HOLDERS = st.fixed_dictionaries({"scheme": st.sampled_from(["cn.ric", "cn.uscc"]), "id": st.text(max_size=20)})
DOCUMENTS = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["valid", "revoked"]),
        "validity": st.fixed_dictionaries({"from": st.text(max_size=10), "until": st.none() | st.text(max_size=10)}),
        "suspended": st.booleans(),
        "number": st.text(max_size=32),
        "premises": st.text(max_size=60),
        "holders": st.lists(HOLDERS, min_size=1, max_size=4),
    },
    optional={
        "seats": st.integers(-(2**53) + 1, 2**53 - 1),
        "conditions": st.lists(
            st.dictionaries(st.sampled_from(["code", "text"]), st.text(max_size=8), max_size=2), max_size=3
        ),
        "remarks": st.text(max_size=60),
    },
)


@pytest.mark.parametrize("alg", ALGS)
@settings(max_examples=60)
@given(document=DOCUMENTS)
def test_what_is_sealed_opens(alg: str, document: dict[str, Json]) -> None:
    opened = _opened(_seal(document, alg))
    assert opened.whole
    assert opened.document() == document


@pytest.mark.parametrize("alg", ALGS)
def test_the_claims_are_what_was_said(alg: str) -> None:
    message = sealed(alg, seq=5)
    claims = _opened(message).claims
    token = message.split(b"~")[0]
    assert (claims.stream, claims.type, claims.record) == (stream_of(alg), PERMIT, RECORD)
    assert (claims.operation, claims.position) == ("put", Position(EPOCH, 5))
    assert (claims.issued_at, claims.source_time) == (ISSUED_AT, SOURCE_TIME)
    assert claims.identity == SUITES[alg].digest_text(token.rpartition(b".")[0])
    assert claims.published_digest == SUITES[alg].digest_text(message[len(token) + 1 :])


@settings(max_examples=60)
@given(document=DOCUMENTS, data=st.data())
def test_any_subset_verifies_and_shows_exactly_itself(document: dict[str, Json], data: st.DataObject) -> None:
    message = _seal(document)
    every = _opened(message).disclosures
    kept = [item for item in every if data.draw(st.booleans())]
    shown = filtered(message, kept)
    opened = _opened(shown)
    assert opened.disclosures == tuple(kept)
    assert opened.whole is (len(kept) == len(every))
    names = {item.name for item in kept} | {"status", "validity", "suspended"}
    holders = [item.value for item in kept if item.name is None]
    expected = {name: value for name, value in document.items() if name in names} | {"holders": holders}
    assert opened.document() == expected == assemble(opened.claims.visible, kept)
    hidden = [item.text for item in every if item not in kept]
    assert not any(text in shown for text in hidden)


def test_with_everything_withheld_the_bare_jws_is_left() -> None:
    message = sealed("ES256")
    bare = filtered(message, ())
    assert bare == message.split(b"~")[0] + b"~"
    assert _opened(bare).document() == {name: WHOLE[name] for name in ("status", "validity", "suspended")} | {
        "holders": []
    }


@pytest.mark.parametrize("document", [WHOLE, SPARSE])
def test_no_changed_byte_means_anything_else(document: dict[str, Json]) -> None:
    """Refused wherever it stands: in the signed part, because nothing else has the signature; in a disclosure,
    because its digest is not listed. Never another document."""
    message = sealed("EdDSA", document)
    for place in range(len(message)):
        for change in (0x01, 0x02, 0x20, 0x80):
            altered = message[:place] + bytes((message[place] ^ change,)) + message[place + 1 :]
            assert isinstance(open_message(altered, REGISTRY), MessageFault), place


def test_no_removed_or_doubled_byte_means_anything_else() -> None:
    message = sealed("EdDSA", SPARSE)
    for place in range(len(message)):
        for altered in (message[:place] + message[place + 1 :], message[: place + 1] + message[place:]):
            assert isinstance(open_message(altered, REGISTRY), MessageFault), place


@given(st.binary(max_size=200))
def test_noise_is_a_value_never_an_exception(data: bytes) -> None:
    assert isinstance(open_message(data, REGISTRY), MessageFault)
    assert isinstance(open_message(data + b"~", REGISTRY), MessageFault)


@settings(max_examples=200)
@given(st.data())
def test_spliced_messages_are_refused_or_mean_the_same(data: st.DataObject) -> None:
    """Two messages of one sender, their pieces in any mixture."""
    first, second = sealed("EdDSA"), sealed("EdDSA", CO_OWNED, 2)
    pieces = [*first.split(b"~")[:-1], *second.split(b"~")[:-1]]
    mixed = b"~".join([*data.draw(st.lists(st.sampled_from(pieces), min_size=1, max_size=8)), b""])
    opened = open_message(mixed, REGISTRY)
    if isinstance(opened, Evidence):
        whole = _opened(first if opened.claims.position.seq == 1 else second)
        assert opened.claims == whole.claims
        assert set(map(repr, opened.disclosures)) <= set(map(repr, whole.disclosures))


@pytest.mark.parametrize("operation", [WITHDRAW, ERASE])
@pytest.mark.parametrize("alg", ALGS)
def test_withdrawals_and_erasures_have_no_content(alg: str, operation: str) -> None:
    message = sealed(alg, None, 2, operation)
    opened = _opened(message)
    assert message.endswith(b"~")
    assert message.count(b"~") == 1
    assert (opened.claims.operation, opened.claims.visible, opened.disclosures) == (operation, {}, ())
    assert opened.whole


def _digests(message: bytes) -> list[str]:
    digests: list[str] = read_verified(message)[0]["doc"]["_sd"]
    return digests


def test_absence_does_not_show() -> None:
    whole, sparse = filtered(sealed("ES256", WHOLE), ()), filtered(sealed("ES256", SPARSE), ())
    assert len(_digests(whole)) == len(_digests(sparse)) == len(PERMIT.disclosable)
    assert {len(item) for item in _digests(sparse)} == {43}
    assert _digests(sparse) == sorted(_digests(sparse))
    assert len(whole) == len(sparse)


def test_nothing_hidden_stands_in_the_signed_part() -> None:
    token = sealed("ES256").split(b"~")[0]
    payload = b64url_decode(token.split(b".")[1]).decode()
    for name in PERMIT.disclosable:
        assert f'"{name}"' not in payload
    assert str(WHOLE["holders"][0]["id"]) not in payload


def test_equal_values_have_unequal_digests() -> None:
    twice = {**WHOLE, "holders": [WHOLE["holders"][0]] * 2}
    payload, disclosures = read_verified(_seal(twice))
    assert len({item["..."] for item in payload["doc"]["holders"]}) == 2
    assert len({json.loads(b64url_decode(item.text))[0] for item in disclosures}) == len(disclosures)


@pytest.mark.parametrize("alg", ALGS)
def test_reading_again_is_reading(alg: str) -> None:
    for document in (WHOLE, SPARSE, CO_OWNED):
        message = sealed(alg, document)
        payload, disclosures = read_verified(message)
        opened = _opened(message)
        assert payload["doc"] == opened.claims.visible
        assert disclosures == opened.disclosures
    assert read_verified(sealed(alg, None, 2, ERASE))[1] == ()


def test_what_nobody_would_accept_is_not_sealed() -> None:
    """Each code is the one that opening would give."""
    cases: tuple[tuple[str, dict[str, Json]], ...] = (
        ("name_unknown", {**WHOLE, "owner": "x"}),
        ("name_reserved", {**WHOLE, "conditions": [{"_sd": ["x"]}]}),
        ("name_reserved", {**WHOLE, "validity": {"...": "x"}}),
        ("disclosures_too_many", {**WHOLE, "holders": WHOLE["holders"] * 256}),
        ("message_too_large", {**WHOLE, "premises": "x" * MAX_MESSAGE}),
    )
    for code, document in cases:
        with pytest.raises(Fault, match=code):
            _seal(document)
    for record in ("", "r" * 129, "a b", "a\n", "@feed", "é"):
        with pytest.raises(Fault, match="claims_invalid"):
            _seal(WHOLE, record=record)


def test_a_change_that_contradicts_itself_is_a_mistake_of_ours() -> None:
    salts, key = fixed_salts(), fixed_key("ES256")
    for change, evidence_type in (
        (change_of("ES256", None), PERMIT),
        (change_of("ES256", WHOLE, operation=WITHDRAW), PERMIT),
        (change_of("ES256"), OTHER_TYPE),
    ):
        with pytest.raises(ValueError, match="belongs"):
            seal(change, evidence_type, key, salts, ISSUED_AT)
