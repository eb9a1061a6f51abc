"""Receipts, seen by a client that trusts nobody."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import checkpoints, notes
from audit.checkpoints import Checkpoint
from audit.merkle import inclusion_proof, leaf_hash
from audit.receipts import Known, Level, Proof, Receipt, check_record, parse_proof, parse_receipt, verify_proof
from audit.record import opening_text, record
from contracts.errors import Fault
from tests.unit.audit import naive
from tests.unit.audit.test_notes import LOG, OTHER, WITNESS, cosign
from tests.unit.audit.test_record import FACTS, SALT

RELEASED = [b"jws~disclosure~"]
LEAF = record(FACTS, RELEASED, SALT)[0]
ENTRIES = [b"0", b"1", LEAF, b"3", b"4"]
HEAD = Checkpoint(LOG.public.name, 5, naive.mth(ENTRIES))
NOTE = checkpoints.sign(HEAD, LOG)
RECEIPT = Receipt(LOG.public.name, 2, leaf_hash(LEAF), SALT)
PROOF = Proof(2, tuple(naive.path(2, ENTRIES)), NOTE)
OPENING = opening_text(FACTS.holder, FACTS.clerk, FACTS.terminal, FACTS.case, FACTS.records)
KNOWN = Known({"transaction": FACTS.transaction, "app": "approval-window", "reason": None}, RELEASED, OPENING)

# The example of c2sp.org/tlog-proof, with whole signature lines in place of its elided ones.
EXAMPLE = (
    "c2sp.org/tlog-proof@v1\n"
    "extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6\n"
    "index 73894\n"
    "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\n"
    "B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=\n"
    "EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=\n"
    "RoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=\n"
    "AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=\n"
    "\n"
    "example.com/fancylog\n109482\nsFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=\n\n"
    "\u2014 example.com/fancylog "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
).encode()


def test_the_example_of_the_specification_comes_back_to_the_byte() -> None:
    proof = parse_proof(EXAMPLE)
    assert (proof.index, len(proof.hashes), proof.extra) == (73894, 5, b"age-v1.2.1-darwin-arm64.tar.gz")
    assert checkpoints.parse_text(notes.parse(proof.note).text).size == 109482
    assert proof.encode() == EXAMPLE


@pytest.mark.parametrize("proof", [PROOF, replace(PROOF, extra=b""), replace(PROOF, extra=b"more"), Proof(0, (), NOTE)])
def test_every_proof_comes_back(proof: Proof) -> None:
    assert parse_proof(proof.encode()) == proof


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"c2sp.org/tlog-proof@v1",
        b"c2sp.org/tlog-proof@v1\n\n" + NOTE,
        b"c2sp.org/tlog-proof@v2\nindex 0\n\n" + NOTE,
        b"c2sp.org/tlog-proof@v1\nindex 00\n\n" + NOTE,
        b"c2sp.org/tlog-proof@v1\nindex -1\n\n" + NOTE,
        b"c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\n" + NOTE,
        b"c2sp.org/tlog-proof@v1\nextra *\nindex 1\n\n" + NOTE,
        b"c2sp.org/tlog-proof@v1\nextra AAAA\n\n" + NOTE,
        b"c2sp.org/tlog-proof@v1\nindex 1\nextra AAAA\n\n" + NOTE,
        b"c2sp.org/tlog-proof@v1\r\nindex 1\r\n\r\n" + NOTE,
        b"c2sp.org/tlog-proof@v1\nindex 1\n" + b"cnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnI=\n" * 64 + b"\n" + NOTE,
        "c2sp.org/tlog-proof@v1\nindex \u0661\n\n".encode() + NOTE,
    ],
)
def test_malformed_proofs(text: bytes) -> None:
    with pytest.raises(Fault, match="proof_malformed"):
        parse_proof(text)


def test_levels_of_trust() -> None:
    assert verify_proof(PROOF, RECEIPT, LOG.public) is Level.PUBLISHED
    cosigned = replace(PROOF, note=cosign(NOTE, 1679315147))
    assert verify_proof(cosigned, RECEIPT, LOG.public) is Level.PUBLISHED
    assert verify_proof(cosigned, RECEIPT, LOG.public, [WITNESS]) is Level.WITNESSED
    assert Level.DURABLE < Level.PUBLISHED < Level.WITNESSED < Level.ANCHORED
    assert [level.text for level in Level] == ["durable", "published", "witnessed", "anchored"]


@pytest.mark.parametrize(
    ("proof", "receipt", "code"),
    [
        (replace(PROOF, index=3), RECEIPT, "proof_invalid"),
        (replace(PROOF, index=3), replace(RECEIPT, index=3), "proof_invalid"),
        (PROOF, replace(RECEIPT, log="example.test/other"), "proof_invalid"),
        (PROOF, replace(RECEIPT, leaf_hash=leaf_hash(b"3")), "proof_invalid"),
        (replace(PROOF, hashes=PROOF.hashes[:-1]), RECEIPT, "proof_invalid"),
        (replace(PROOF, hashes=()), RECEIPT, "proof_invalid"),
        (replace(PROOF, note=checkpoints.sign(HEAD, OTHER)), RECEIPT, "note_signature_invalid"),
        (replace(PROOF, note=b"x"), RECEIPT, "note_malformed"),
    ],
)
def test_proofs_that_do_not_hold(proof: Proof, receipt: Receipt, code: str) -> None:
    found = verify_proof(proof, receipt, LOG.public)
    assert isinstance(found, Fault)
    assert found.code == code


@given(st.integers(0, len(PROOF.encode()) - 1), st.integers(1, 255))
def test_no_changed_byte_of_a_proof_holds(at: int, change: int) -> None:
    text = bytearray(PROOF.encode())
    text[at] ^= change
    try:
        proof = parse_proof(bytes(text))
    except Fault:
        return
    assert isinstance(verify_proof(proof, RECEIPT, LOG.public), Fault)


def test_a_record_that_says_what_the_client_knows() -> None:
    assert check_record(RECEIPT, LEAF, KNOWN) is None


@pytest.mark.parametrize(
    ("known", "pointer"),
    [
        (replace(KNOWN, released=[]), "/released"),
        (replace(KNOWN, released=[b"jws~disclosure~", b"more"]), "/released"),
        (replace(KNOWN, opening=opening_text(None, None, None, None, ())), "/commit"),
        (replace(KNOWN, members={"app": "another"}), "/app"),
        (replace(KNOWN, members={"holder": None}), "/holder"),
    ],
)
def test_a_record_that_says_something_else(known: Known, pointer: str) -> None:
    found = check_record(RECEIPT, LEAF, known)
    assert isinstance(found, Fault)
    assert (found.code, found.pointer) == ("receipt_mismatch", pointer)


def test_another_record_than_the_receipts() -> None:
    found = check_record(RECEIPT, LEAF + b" ", KNOWN)
    assert isinstance(found, Fault)
    assert found.code == "receipt_mismatch"


def test_without_the_opening_the_rest_is_still_checked() -> None:
    assert check_record(RECEIPT, LEAF, replace(KNOWN, opening=None)) is None


def test_a_receipt_comes_back_through_json() -> None:
    assert parse_receipt(json.loads(json.dumps(RECEIPT.as_json()))) == RECEIPT


GOOD = RECEIPT.as_json()


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {**GOOD, "more": 1},
        {**GOOD, "index": -1},
        {**GOOD, "index": True},
        {**GOOD, "index": "2"},
        {**GOOD, "leaf_hash": "sha-256:00"},
        {**GOOD, "leaf_hash": GOOD["leaf_hash"].upper()},
        {**GOOD, "salt": None},
        {**GOOD, "salt": "AAAA="},
    ],
)
def test_malformed_receipts(value: object) -> None:
    with pytest.raises(Fault):
        parse_receipt(value)


def test_proofs_built_by_the_library_are_the_naive_ones() -> None:
    def nodes(height: int, index: int) -> bytes:
        return naive.mth(ENTRIES[index << height : (index + 1) << height])

    assert tuple(inclusion_proof(2, 5, nodes)) == PROOF.hashes
