"""add-checkpoint: the specification's example to the byte, and the decision row by row."""

from dataclasses import dataclass, replace
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from audit import checkpoints, merkle
from audit.checkpoints import Checkpoint
from audit.cosignatures import Cosignature, Cosigner
from audit.merkle import EMPTY_ROOT, HASH_SIZE, Tree, leaf_hash
from audit.notes import NoteSigner
from audit.witness.protocol import (
    FORKED,
    NOT_CONSISTENT,
    SIZE_TYPE,
    Accepted,
    Behind,
    Declined,
    Head,
    Reply,
    Request,
    decide,
    is_fork,
    origin_hash,
    origin_of,
    parse_request,
    read_answer,
    suspicion,
)
from contracts.errors import Fault
from tests.unit.audit.naive import mth

# The example of c2sp.org/tlog-witness.
EXAMPLE = (
    "old 20852014\n"
    "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
    "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
    "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n"
    "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n"
    "\n"
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "\u2014 example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "\u2014 example.com/behind-the-sofa "
    "opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n"
).encode()

ORIGIN = "example.test/log"
LOG = NoteSigner.of(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"\1" * 32))
STRANGER = NoteSigner.of(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"\2" * 32))
WITNESS = Cosigner.of("witness.test/w", Ed25519PrivateKey.from_private_bytes(b"\3" * 32))
LEAVES = [leaf_hash(b"%d" % number) for number in range(12)]


def root(size: int, leaves: list[bytes] = LEAVES) -> bytes:
    return Tree().extend(leaves[:size])[0].root()


def proof(old: int, new: int) -> tuple[bytes, ...]:
    def node(height: int, index: int) -> bytes:
        return root(1 << height, LEAVES[index << height : (index + 1) << height])

    return tuple(merkle.consistency_proof(old, new, node)) if old else ()


def request(old: int, size: int, signer: NoteSigner = LOG, root_hash: bytes | None = None) -> Request:
    checkpoint = Checkpoint(ORIGIN, size, root(size) if root_hash is None else root_hash)
    note = checkpoints.sign(checkpoint, signer)
    return Request(old, proof(old, size) if old <= size else (), note)


def head(size: int) -> Head:
    return Head(size, root(size))


def test_the_example_of_the_specification() -> None:
    parsed = parse_request(EXAMPLE)
    assert (parsed.old, len(parsed.proof), origin_of(parsed)) == (20852014, 4, "example.com/behind-the-sofa")
    assert parsed.encode() == EXAMPLE


@given(st.integers(0, 10**18), st.lists(st.binary(min_size=32, max_size=32), max_size=63), st.binary(max_size=300))
def test_every_request_is_read_back(old: int, hashes: list[bytes], note: bytes) -> None:
    one = Request(old, tuple(hashes), note)
    assert parse_request(one.encode()) == one


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 1\n",
        b"old 01\n\nx",
        b"old -1\n\nx",
        b"old +1\n\nx",
        b"OLD 1\n\nx",
        b"old  1\n\nx",
        b"old 1 \n\nx",
        b"old 1\r\n\r\nx",
        b"old 1\nAAAA\n\nx",
        b"old 1\n" + b"A" * 43 + b"\n\nx",
        b"old 1\n" + b"A" * 42 + b"B=\n\nx",  # not the one spelling of its bytes
        b"old 1\n" + (b"A" * 43 + b"=\n") * 64 + b"\nx",
        "old 1\n\u00e9\n\nx".encode(),
        b"old 99999999999999999999\n\nx",
    ],
)
def test_one_spelling_only(body: bytes) -> None:
    with pytest.raises(Fault, match="witness_request_malformed"):
        parse_request(body)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        parsed = parse_request(body)
    except Fault:
        return
    assert parsed.encode() == body


@dataclass(frozen=True)
class Row:
    held: Head
    sent: Request
    status: int
    known: bool = True


SIX = request(0, 6)
ROWS = {
    "a first checkpoint": Row(Head(), SIX, 200),
    "an empty first one": Row(Head(), request(0, 0), 200),
    "growth": Row(head(3), request(3, 7), 200),
    "growth from a power of two": Row(head(8), request(8, 11), 200),
    "the same again": Row(head(7), request(7, 7), 200),
    "unknown origin": Row(Head(), SIX, 404, known=False),
    "another key under the name": Row(Head(), request(0, 6, STRANGER), 403),
    "a changed text": Row(Head(), replace(SIX, note=SIX.note.replace(b"\n6\n", b"\n7\n")), 403),
    "a cut signature": Row(Head(), replace(SIX, note=SIX.note[:-4] + b"\n"), 400),
    "no note": Row(Head(), replace(SIX, note=b"hello\n"), 400),
    "old above new": Row(head(7), request(7, 6), 400),
    "nothing held, another old size": Row(Head(), request(3, 7), 409),
    "old too small": Row(head(5), request(3, 7), 409),
    "old too large": Row(head(3), request(5, 7), 409),
    "old zero though something is held": Row(head(3), request(0, 7), 409),
    "rollback": Row(head(7), request(3, 5), 409),
    "an empty tree with another root": Row(Head(), request(0, 0, root_hash=b"r" * HASH_SIZE), 422),
    "a proof where none is needed": Row(Head(), replace(SIX, proof=(b"h" * 32,)), 422),
    "no proof": Row(head(3), replace(request(3, 7), proof=()), 422),
    "a wrong proof": Row(head(3), replace(request(3, 7), proof=proof(2, 7)), 422),
    "a proof too long": Row(head(3), replace(request(3, 7), proof=(*proof(3, 7), b"h" * 32)), 422),
    "another tree of that size": Row(head(7), request(7, 7, root_hash=b"r" * HASH_SIZE), 422),
    "another tree, larger": Row(head(3), request(3, 7, root_hash=b"r" * HASH_SIZE), 422),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_decisions(row: Row) -> None:
    decision = decide(row.sent, LOG.public if row.known else None, row.held)
    if row.status == 200:
        assert isinstance(decision, Accepted)
        assert decision.note == row.sent.note
        assert decision.text == decision.checkpoint.text()
    else:
        assert isinstance(decision, Reply)
        assert decision.status == row.status
        assert (decision.signed is not None) == (row.status in (409, 422))


def test_a_conflict_says_the_size_held() -> None:
    decision = decide(request(3, 7), LOG.public, head(5))
    assert isinstance(decision, Reply)
    assert (decision.body, decision.content_type) == (b"5\n", "text/x.tlog.size")


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_only_what_extends_the_head_is_accepted(held: int, old: int, size: int) -> None:
    decision = decide(request(old, size), LOG.public, head(held))
    assert isinstance(decision, Accepted) == (held == old <= size)


def test_the_naive_tree_agrees() -> None:
    assert root(7) == mth([b"%d" % number for number in range(7)])


def test_a_fork_is_another_root_of_the_same_size() -> None:
    signed = Checkpoint(ORIGIN, 3, b"r" * HASH_SIZE)
    assert is_fork(signed, head(3))
    assert not is_fork(signed, head(4))
    assert not is_fork(Checkpoint(ORIGIN, 3, root(3)), head(3))
    assert not is_fork(Checkpoint(ORIGIN, 0, EMPTY_ROOT), Head())


@pytest.mark.parametrize(
    ("held", "sent", "expected"),
    [
        (head(7), request(7, 7, root_hash=b"r" * HASH_SIZE), FORKED),
        (head(7), request(3, 7, root_hash=b"r" * HASH_SIZE), FORKED),  # a 409
        (head(3), request(3, 7, root_hash=b"r" * HASH_SIZE), NOT_CONSISTENT),
        (head(3), replace(request(3, 7), proof=()), NOT_CONSISTENT),
        (head(7), replace(request(7, 7), proof=(b"h" * 32,)), None),
        (Head(), replace(SIX, proof=(b"h" * 32,)), None),
        (head(7), request(3, 5), None),
        (head(5), request(3, 7), None),
        (Head(), request(0, 6, STRANGER), None),
    ],
)
def test_what_is_worth_an_alarm(held: Head, sent: Request, expected: str | None) -> None:
    decision = decide(sent, LOG.public, held)
    assert isinstance(decision, Reply)
    assert suspicion(decision, held) == expected


def test_the_hash_of_an_origin_is_lower_case_hexadecimal() -> None:
    assert origin_hash(ORIGIN) == sha256(b"example.test/log").hexdigest()


# --- answers ---------------------------------------------------------------------------------------------------------

NOTE = SIX.note
TEXT = Checkpoint(ORIGIN, 6, root(6)).text()
LINE = WITNESS.line(TEXT, 1_700_000_000)
OTHER = Cosigner.of("witness.test/other", Ed25519PrivateKey.from_private_bytes(b"\4" * 32))
SIZE = {"content-type": SIZE_TYPE}


@pytest.mark.parametrize("body", [LINE, OTHER.line(TEXT, 5) + LINE, LINE + OTHER.line(TEXT, 5)])
def test_the_pinned_cosignature_counts_and_no_other(body: bytes) -> None:
    found = read_answer(200, {}, body, NOTE, WITNESS.public)
    assert isinstance(found, Cosignature)
    assert (found.time, found.line) == (1_700_000_000, LINE)


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected"),
    [
        (409, SIZE, b"12\n", Behind(12)),
        (409, {"content-type": "text/x.tlog.size; charset=utf-8"}, b"0\n", Behind(0)),
        (409, SIZE, b"012\n", Declined(409, "conflict without a size")),
        (409, SIZE, b"12", Declined(409, "conflict without a size")),
        (409, SIZE, b"-1\n", Declined(409, "conflict without a size")),
        (409, {}, b"12\n", Declined(409, "unexpected answer")),
        (302, {}, b"", Declined(302, "unexpected answer")),
        (404, {}, b"", Declined(404, "the witness does not know this log")),
        (200, {}, b"", Declined(200, "no cosignature of the pinned key")),
        (200, {}, OTHER.line(TEXT, 5), Declined(200, "no cosignature of the pinned key")),
        (200, {}, WITNESS.line(TEXT + b"more\n", 5), Declined(200, "note_signature_invalid")),
        (200, {}, b"<html>\n", Declined(200, "note_malformed")),
        (200, {}, LINE[:-1], Declined(200, "note_malformed")),
    ],
)
def test_other_answers(status: int, headers: dict[str, str], body: bytes, expected: Behind | Declined) -> None:
    assert read_answer(status, headers, body, NOTE, WITNESS.public) == expected
