"""Signature lines that are none of ours, limits, and extension lines, after the words of the C2SP documents.

signed-note: "Verifiers MUST ignore signatures from unknown keys, even if they share a name or ID (but not both) with a
known key." "MUST accept at least up to 16 signatures. Remember that post-quantum signatures can be up to nearly 5kB."
"""

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import checkpoints, notes
from audit.checkpoints import Checkpoint
from audit.cosignatures import Cosigner, merged, of_note
from audit.merkle import EMPTY_ROOT, leaf_hash
from audit.receipts import Level, Proof, Receipt, parse_proof, verify_proof
from audit.witness.protocol import Accepted, Head, Request, decide, parse_request, read_answer
from contracts.errors import Fault

LOG = notes.NoteSigner.of("example.test/log", Ed25519PrivateKey.from_private_bytes(b"\1" * 32))
WITNESS = Cosigner.of("witness.test/first", Ed25519PrivateKey.from_private_bytes(b"\3" * 32))
LEAF = leaf_hash(b"the only entry")
HEAD = Checkpoint("example.test/log", 1, LEAF)
NOTE = checkpoints.sign(HEAD, LOG)
OWN = WITNESS.line(HEAD.text(), 1679315147)
LEVEL_2, LEVEL_5 = 2420, 4627  # bytes of a signature: ML-DSA-44, ML-DSA-87
TIME = (1679315147).to_bytes(8, "big")


def line(name: str, key_id: bytes, value: bytes) -> bytes:
    """Any line, made without our code."""
    return f"\u2014 {name} {notes.base64_text(key_id + value)}\n".encode()


def key_id(name: str, kind: int, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


LOG_ID, OWN_ID = LOG.public.key_id, WITNESS.public.key_id
RAW = LOG.public.raw
OF_STRANGERS = {
    "an ML-DSA-44 cosignature": line(
        "witness.test/pq", key_id("witness.test/pq", 0x06, b"p" * 1312), TIME + b"s" * LEVEL_2
    ),
    "ML-DSA-44 of the log itself": line(LOG.public.name, key_id(LOG.public.name, 0x06, b"p" * 1312), b"s" * LEVEL_2),
    "the witness's second key, ML-DSA-44": line(
        WITNESS.public.name, key_id(WITNESS.public.name, 0x06, b"p" * 1312), TIME + b"s" * LEVEL_2
    ),
    "ECDSA": line("witness.test/ec", key_id("witness.test/ec", 0x02, b"der"), b"s" * 71),
    "an RFC 6962 tree head": line(LOG.public.name, key_id(LOG.public.name, 0x05, b"spki"), TIME + b"s" * 75),
    "a type with a longer identifier": line("x.test", key_id("x.test", 0xFF, b"example.test/own"), b"s"),
    "the log's key as another type": line(LOG.public.name, key_id(LOG.public.name, notes.COSIGNATURE, RAW), b"s" * 72),
    "the log's name, another key": line(LOG.public.name, b"\0\0\0\1", b"s" * 64),
    "the log's id, another name": line("example.test/log2", LOG_ID, b"s" * 64),
    "the witness's name, another key": line(WITNESS.public.name, b"\0\0\0\1", b"s" * 72),
    "the witness's id, another name": line("witness.test/second", OWN_ID, b"s" * 72),
    "one byte": line("x.test", b"\0\0\0\0", b"s"),
    "a name in another script": line("见证者.test", b"\0\0\0\2", b"s" * 64),
    "the same line twice": line("x.test", b"\0\0\0\3", b"s" * 64) * 2,
}
ALL = b"".join(OF_STRANGERS.values())


@pytest.mark.parametrize("stranger", [*OF_STRANGERS.values(), ALL], ids=[*OF_STRANGERS, "all of them"])
@pytest.mark.parametrize("place", ["before", "between", "behind"])
def test_lines_of_strangers_are_ignored(stranger: bytes, place: str) -> None:
    log = NOTE.removeprefix(HEAD.text() + b"\n")
    lines = {"before": stranger + log + OWN, "between": log + stranger + OWN, "behind": log + OWN + stranger}[place]
    note = HEAD.text() + b"\n" + lines
    assert checkpoints.open_note(note, LOG.public, [WITNESS.public]) == (HEAD, 1)
    assert merged(NOTE, of_note(note, [WITNESS.public])) == NOTE + OWN
    proof = parse_proof(Proof(0, (), note).encode())
    assert verify_proof(proof, Receipt(HEAD.origin, 0, LEAF, b""), LOG.public, [WITNESS.public]) is Level.WITNESSED
    accepted = decide(parse_request(Request(0, (), note).encode()), LOG.public, Head())
    assert isinstance(accepted, Accepted)
    assert accepted.text == HEAD.text()


@pytest.mark.parametrize("body", [OWN, ALL + OWN, OWN + ALL], ids=["alone", "last", "first"])
def test_a_witness_may_answer_with_further_lines(body: bytes) -> None:
    """tlog-witness: one or more lines; "the client MUST ignore any cosignatures from unknown keys"."""
    found = read_answer(200, {}, body, NOTE, WITNESS.public)
    assert getattr(found, "line", None) == OWN


def test_strangers_alone_are_nobody() -> None:
    note = HEAD.text() + b"\n" + ALL
    with pytest.raises(Fault, match="note_signature_invalid"):
        checkpoints.open_note(note, LOG.public)
    assert of_note(note, [WITNESS.public]) == []
    assert getattr(read_answer(200, {}, ALL, NOTE, WITNESS.public), "why", "") == "no cosignature of the pinned key"


@pytest.mark.parametrize("length", [1, 8, 63, 65, 71, 73, LEVEL_2 + 8])
@pytest.mark.parametrize(("name", "known"), [("example.test/log", LOG_ID), ("witness.test/first", OWN_ID)])
def test_a_known_key_with_a_signature_of_any_length_that_is_not_its_own_refuses(
    name: str, known: bytes, length: int
) -> None:
    with pytest.raises(Fault, match="note_signature_invalid"):
        checkpoints.open_note(NOTE + line(name, known, b"s" * length), LOG.public, [WITNESS.public])


def test_a_right_signature_with_a_byte_behind_it_refuses() -> None:
    value = notes.parse(NOTE + OWN).signatures[1].value
    with pytest.raises(Fault, match="note_signature_invalid"):
        of_note(NOTE + line(WITNESS.public.name, OWN_ID, value + b"\0"), [WITNESS.public])


# --- limits ----------------------------------------------------------------------------------------------------------


def test_sixteen_post_quantum_signatures_have_room() -> None:
    long = b"".join(line(f"w{number}.test", b"\0\0\0\1", b"s" * LEVEL_5) for number in range(15))
    assert checkpoints.open_note(NOTE + long, LOG.public) == (HEAD, 0)
    request = Request(0, (b"h" * 32,) * 63, NOTE + long)
    assert parse_request(request.encode()) == request


def test_the_number_of_lines_is_limited() -> None:
    more = line("w.test", b"\0\0\0\1", b"s" * LEVEL_2)
    full = NOTE + more * (notes.MAX_SIGNATURES - 1)
    assert checkpoints.open_note(full, LOG.public) == (HEAD, 0)
    with pytest.raises(Fault, match="note_malformed"):
        notes.parse(full + more)


def test_the_size_is_limited() -> None:
    full = LOG.sign(b"x" * (notes.MAX_NOTE - len(LOG.sign(b"\n"))) + b"\n")
    assert notes.verified_keys(notes.parse(full), [LOG.public]) == [LOG.public]
    with pytest.raises(Fault, match="note_malformed"):
        notes.parse(b"x" + full)


# --- text ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "extension", ["x\n", "见证\n", "\u2014 not a signature\n", "key=value\nanother line\n", " \n", "=" * 5000 + "\n"]
)
def test_extension_lines_are_opaque_and_signed(extension: str) -> None:
    """tlog-checkpoint: opaque, not empty. tlog-cosignature: "if present MUST be included in the cosigned message"."""
    text = HEAD.text() + extension.encode()
    note = LOG.sign(text) + WITNESS.line(text, 5)
    assert checkpoints.open_note(note, LOG.public, [WITNESS.public]) == (HEAD, 1)
    decided = decide(Request(0, (), note), LOG.public, Head())
    assert isinstance(decided, Accepted)
    assert decided.text == text
    without = note.replace(extension.encode() + b"\n", b"\n", 1)
    with pytest.raises(Fault, match="note_signature_invalid"):
        checkpoints.open_note(without, LOG.public)


@pytest.mark.parametrize("extension", [b"\n", b"x\n\n", b"\nx\n"])
def test_extension_lines_are_not_empty(extension: bytes) -> None:
    with pytest.raises(Fault, match="checkpoint_malformed"):
        checkpoints.open_note(LOG.sign(HEAD.text() + extension), LOG.public)


def test_the_text_ends_at_the_last_empty_line() -> None:
    """The example of signed-note: a text that has an empty line, and a signature of 4 + 64 bytes."""
    poem = (
        "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
        "\u2014 quasimodo.example/salvatore "
        "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
    )
    note = notes.parse(poem.encode())
    assert note.text.decode().endswith(":\n\ned è subito sera.\n")
    [signature] = note.signatures
    assert (signature.name, signature.key_id.hex()) == ("quasimodo.example/salvatore", "367ba04b")
    assert len(signature.value) == 64


@pytest.mark.parametrize("size", [0, 1, 2**63 - 1, 10**19 - 1])
def test_sizes_as_they_stand(size: int) -> None:
    head = Checkpoint(HEAD.origin, size, EMPTY_ROOT)
    assert checkpoints.open_note(checkpoints.sign(head, LOG), LOG.public) == (head, 0)


@pytest.mark.parametrize("size", ["", "00", "01", "+1", "1 ", " 1", "1_0", "\u0661", "0x1", "1e3", "1.0", "9" * 30])
def test_sizes_have_one_spelling(size: str) -> None:
    text = f"{HEAD.origin}\n{size}\n{notes.base64_text(EMPTY_ROOT)}\n".encode()
    with pytest.raises(Fault, match="checkpoint_malformed"):
        checkpoints.open_note(LOG.sign(text), LOG.public)
