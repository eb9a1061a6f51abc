"""Signed notes and checkpoints against vectors that others made."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from audit import checkpoints, notes
from audit.checkpoints import Checkpoint
from contracts.errors import Fault

# The example of the documentation of golang.org/x/mod/sumdb/note.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
PETER_TEXT = b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_NOTE = (
    PETER_TEXT
    + (
        "\n\u2014 PeterNeumann "
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    ).encode()
)

# The example of c2sp.org/tlog-checkpoint (its key is not given: only the form can be checked).
SOFA = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\u2014 example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "\u2014 witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
).encode()

LOG = notes.NoteSigner.of("example.test/log", Ed25519PrivateKey.from_private_bytes(b"\1" * 32))
OTHER = notes.NoteSigner.of("example.test/log", Ed25519PrivateKey.from_private_bytes(b"\2" * 32))
WITNESS_KEY = Ed25519PrivateKey.from_private_bytes(b"\3" * 32)
WITNESS = notes.note_key("witness.test/w", notes.COSIGNATURE, WITNESS_KEY.public_key().public_bytes_raw())
HEAD = Checkpoint("example.test/log", 7, b"r" * 32)


def cosign(note: bytes, seconds: int) -> bytes:
    text = notes.parse(note).text
    signature = WITNESS_KEY.sign(b"cosignature/v1\ntime %d\n" % seconds + text)
    return note + notes.signature_line(WITNESS, seconds.to_bytes(8, "big") + signature)


def test_the_go_example_is_reproduced_to_the_byte() -> None:
    signer = notes.NoteSigner.of("PeterNeumann", Ed25519PrivateKey.from_private_bytes(PETER_SEED))
    assert signer.public.vkey == PETER
    assert signer.sign(PETER_TEXT) == PETER_NOTE
    key = notes.parse_vkey(PETER)
    assert notes.verified_keys(notes.parse(PETER_NOTE), [key]) == [key]


def test_the_form_of_the_checkpoint_example() -> None:
    note = notes.parse(SOFA)
    head = checkpoints.parse_text(note.text)
    assert (head.origin, head.size, head.root.hex()[:8]) == ("example.com/behind-the-sofa", 20852163, "0ac5186a")
    assert head.text() == note.text
    assert [(s.name, s.key_id.hex()) for s in note.signatures] == [
        ("example.com/behind-the-sofa", "033de0ae"),
        ("witness.example.com/w1", "8d66cf3f"),
    ]


@pytest.mark.parametrize(
    "vkey",
    [
        PETER.replace("c74f20a3", "c74f20a4"),
        PETER.replace("PeterNeumann", "Peter Neumann"),
        PETER.replace("PeterNeumann", "PeterNeuman"),
        PETER[:-1],
        PETER + "=",
        PETER.replace("+ARpc", "+AhpC"),
        "a+00000000+AQ==",
        "",
    ],
)
def test_bad_verifier_keys(vkey: str) -> None:
    with pytest.raises(Fault, match="vkey_invalid"):
        notes.parse_vkey(vkey)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u3000b", "a\nb"])
def test_bad_names(name: str) -> None:
    with pytest.raises(Fault, match="vkey_invalid"):
        notes.NoteSigner.of(name, LOG.key)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"text\n",
        PETER_TEXT,
        PETER_NOTE[:-1],
        PETER_NOTE + b"\n",
        PETER_NOTE.replace(b"\n\n", b"\n\r\n"),
        PETER_NOTE.replace("\u2014".encode(), b"-"),
        PETER_NOTE.replace(b"x08g", b"x08*"),
        PETER_NOTE.replace(b"AM=", b"AN="),
        PETER_NOTE.replace(b"If", b"\xff"),
        PETER_NOTE.replace(b"If", b"\x00"),
        b"text\n\n\xe2\x80\x94 a AAAA\n",
        b"x" * 262_144 + PETER_NOTE,
        PETER_NOTE + b"\xe2\x80\x94 a AAAAAAA=\n" * 64,
    ],
)
def test_malformed_notes(note: bytes) -> None:
    with pytest.raises(Fault, match="note_malformed"):
        notes.parse(note)


def test_a_text_without_newline_is_not_signed() -> None:
    with pytest.raises(ValueError, match="newline"):
        LOG.sign(b"text")


def test_a_checkpoint_comes_back_and_counts_its_witnesses() -> None:
    note = checkpoints.sign(HEAD, LOG)
    assert checkpoints.open_note(note, LOG.public) == (HEAD, 0)
    assert checkpoints.open_note(cosign(note, 1679315147), LOG.public, [WITNESS]) == (HEAD, 1)
    twice = cosign(cosign(note, 1679315147), 1679315148)
    assert checkpoints.open_note(twice, LOG.public, [WITNESS]) == (HEAD, 1)


def test_unknown_signatures_are_ignored_and_known_bad_ones_refuse() -> None:
    note = checkpoints.sign(HEAD, LOG)
    unknown = note + notes.signature_line(OTHER.public, b"x" * 64)
    assert checkpoints.open_note(unknown, LOG.public) == (HEAD, 0)
    bad = note + notes.signature_line(WITNESS, b"x" * 72)
    assert checkpoints.open_note(bad, LOG.public) == (HEAD, 0)
    with pytest.raises(Fault, match="note_signature_invalid"):
        checkpoints.open_note(bad, LOG.public, [WITNESS])


@pytest.mark.parametrize(("seconds", "counts"), [(0, True), (2**63 - 1, True), (2**63, False), (2**64 - 1, False)])
def test_the_time_of_a_cosignature_is_below_two_to_the_63rd(seconds: int, counts: bool) -> None:
    note = notes.parse(cosign(checkpoints.sign(HEAD, LOG), seconds))
    assert WITNESS.verifies(note.text, note.signatures[-1].value) is counts


def test_the_example_of_the_standard() -> None:
    key = notes.parse_vkey("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
    signature = "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM="
    note = f"This is an example message.\n\n\u2014 example.com/foo {signature}\n".encode()
    assert notes.verified_keys(notes.parse(note), [key]) == [key]


def test_a_witness_alone_is_not_the_log() -> None:
    cosigned = cosign(checkpoints.sign(HEAD, OTHER), 5)
    with pytest.raises(Fault, match="note_signature_invalid"):
        checkpoints.open_note(cosigned, LOG.public, [WITNESS])


def test_a_plain_signature_is_no_cosignature() -> None:
    text = HEAD.text()
    plain = notes.note_key(WITNESS.name, notes.ED25519, WITNESS.raw)
    note = text + b"\n" + notes.signature_line(plain, WITNESS_KEY.sign(text))
    assert notes.verified_keys(notes.parse(note), [plain]) == [plain]
    with pytest.raises(Fault, match="note_signature_invalid"):
        notes.verified_keys(notes.parse(note), [WITNESS])


def test_another_origin_under_the_same_key_is_refused() -> None:
    note = checkpoints.sign(Checkpoint("example.test/other", 7, b"r" * 32), LOG)
    with pytest.raises(Fault, match="checkpoint_origin_wrong"):
        checkpoints.open_note(note, LOG.public)


@pytest.mark.parametrize(
    "text",
    [
        b"o\n7\n",
        b"o\n07\ncnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnI=\n",
        b"o\n-7\ncnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnI=\n",
        b"o\n7\ncnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnJy\n",
        b"o\n7\ncnJycnJy\n",
        b"\n7\ncnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnI=\n",
        b"o\n7\ncnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnI=\n\nx\n",
    ],
)
def test_malformed_checkpoints(text: bytes) -> None:
    with pytest.raises(Fault, match="checkpoint_malformed"):
        checkpoints.parse_text(text)


def test_extension_lines_are_accepted() -> None:
    assert checkpoints.parse_text(HEAD.text() + b"more\n") == HEAD


@given(st.integers(0, len(checkpoints.sign(HEAD, LOG)) - 1), st.integers(1, 255))
def test_no_changed_byte_survives(at: int, change: int) -> None:
    note = bytearray(checkpoints.sign(HEAD, LOG))
    note[at] ^= change
    with pytest.raises(Fault):
        checkpoints.open_note(bytes(note), LOG.public)
