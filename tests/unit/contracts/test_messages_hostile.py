"""Every hostile message of the table is refused with its own code, and only known senders are named."""

from collections.abc import Mapping

import pytest

from contracts import feeds
from contracts.algorithms import sha256
from contracts.errors import ERRORS, Fault
from contracts.messages import Evidence, MessageFault, open_message
from tests.unit.contracts.forge import Draft
from tests.unit.contracts.hostile import BREACHED, LATE, NOBODY, REGISTRY, RETIRED, SENDER, Row, malleated, statement
from tests.vectors.world import ALGS, EPOCH, RECORD, WHOLE, sealed, stream_of

# What a message can be refused for, by the table of codes; the rest of it belongs to envelopes, statements, registries.
_CODES = {row.code for row in (*NOBODY, *SENDER)}
EXPECTED_CODES = {
    *("base64_invalid", "json_invalid", "json_duplicate_name", "jws_malformed", "jws_header_invalid", "typ_wrong"),
    *("alg_unknown", "alg_mismatch", "key_unknown", "key_not_for_stream", "key_out_of_range", "signature_invalid"),
    *("message_too_large", "message_malformed", "disclosures_too_many", "operation_unknown", "claims_invalid"),
    *("sd_alg_mismatch", "issuer_mismatch", "type_unknown", "epoch_revoked", "disclosure_unlisted"),
    *("disclosure_duplicate", "disclosure_malformed", "salt_too_short", "field_exposed", "digest_duplicate"),
    *("name_reserved", "name_duplicate", "name_unknown"),
}


def _bytes(row: Row) -> bytes:
    bent = row.bend(Draft())
    return bent if isinstance(bent, bytes) else bent.message()


def _refused(row: Row) -> MessageFault:
    opened = open_message(_bytes(row), REGISTRY)
    assert isinstance(opened, MessageFault)
    return opened


@pytest.mark.parametrize("row", NOBODY, ids=lambda row: row.name)
def test_refused_with_no_sender(row: Row) -> None:
    fault = _refused(row)
    assert fault.code == row.code
    assert fault.claims is None


@pytest.mark.parametrize("row", SENDER, ids=lambda row: row.name)
def test_refused_with_known_sender(row: Row) -> None:
    fault = _refused(row)
    assert fault.code == row.code
    assert fault.claims is not None
    token = _bytes(row).split(b"~")[0]
    assert fault.claims.identity == "sha-256:" + sha256(token.rpartition(b".")[0]).hex()
    assert (fault.claims.stream, fault.claims.record) == (stream_of("ES256"), RECORD)
    assert fault.claims.position == (EPOCH, 1)
    assert isinstance(fault.claims.visible, dict)


def test_the_table_covers_every_code_of_messages() -> None:
    assert _CODES == EXPECTED_CODES <= ERRORS.keys()
    names = [row.name for row in (*NOBODY, *SENDER)]
    assert len(set(names)) == len(names) >= 50


def test_pointers_name_places_never_values() -> None:
    values = [text for text in _texts(WHOLE) if len(text) > 2]
    for row in (*NOBODY, *SENDER):
        pointer = _refused(row).pointer
        assert not any(value in pointer for value in values)


def _texts(value: object) -> list[str]:
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) and value not in ("valid", "cn.uscc") else []


# --- the other side of each line: what is not hostile opens ---------------------------------------------------------


def _opened(message: bytes) -> Evidence:
    opened = open_message(message, REGISTRY)
    assert isinstance(opened, Evidence), opened
    return opened


@pytest.mark.parametrize("alg", ALGS)
def test_the_draft_itself_opens(alg: str) -> None:
    draft = Draft(alg)
    assert draft.message() == sealed(alg)
    assert _opened(draft.message()).document() == WHOLE


def test_malleated_signature_verifies_and_has_the_same_identity() -> None:
    draft = Draft()
    twin = draft.message(malleated(draft))
    assert twin != draft.message()
    assert _opened(twin).claims == _opened(draft.message()).claims


def test_disclosures_in_another_order_are_no_longer_what_was_published() -> None:
    draft = Draft()
    draft.texts.reverse()
    opened = _opened(draft.message())
    assert not opened.whole
    assert opened.document() == WHOLE


@pytest.mark.parametrize(
    "draft",
    [
        Draft().signed_by(RETIRED).claim(seq=20),
        Draft().signed_by(BREACHED).claim(seq=20),
        Draft().signed_by(LATE).claim(seq=10),
        Draft().claim(epoch=EPOCH - 100),
        Draft().claim(rec="r" * 128),
        Draft().claim(seq=2**53 - 1),
    ],
)
def test_the_last_good_place_is_good(draft: Draft) -> None:
    assert _opened(draft.message()).document() == WHOLE


def test_statement_and_message_are_never_taken_for_each_other() -> None:
    text = statement(Draft())[:-1]
    stream = stream_of("ES256")
    assert feeds.open_statement(text, stream, REGISTRY)[0].count == 1
    with pytest.raises(Fault, match="typ_wrong"):
        feeds.open_statement(sealed("ES256").split(b"~")[0], stream, REGISTRY)
