"""Cosignatures: the form that the specification gives, and what is kept of them."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import checkpoints, notes
from audit.checkpoints import Checkpoint
from audit.cosignatures import Cosigner, merged, of_note
from contracts.errors import Fault

LOG = notes.NoteSigner.of("example.test/log", Ed25519PrivateKey.from_private_bytes(b"\1" * 32))
FIRST = Cosigner.of("witness.test/first", Ed25519PrivateKey.from_private_bytes(b"\3" * 32))
SECOND = Cosigner.of("witness.test/second", Ed25519PrivateKey.from_private_bytes(b"\4" * 32))
KEYS = (FIRST.public, SECOND.public)
HEAD = Checkpoint("example.test/log", 7, b"r" * 32)
NOTE = checkpoints.sign(HEAD, LOG)


def test_the_signed_message_is_the_one_of_the_specification() -> None:
    line = FIRST.line(HEAD.text(), 1679315147).decode()
    dash, name, encoded = line.removesuffix("\n").split(" ")
    value = base64.b64decode(encoded)
    assert (dash, name) == ("\u2014", "witness.test/first")
    assert value[:4] == FIRST.public.key_id
    assert int.from_bytes(value[4:12], "big") == 1679315147
    message = b"cosignature/v1\ntime 1679315147\n" + HEAD.text()
    FIRST.key.public_key().verify(value[12:], message)


def test_a_cosigned_checkpoint_counts_its_witnesses() -> None:
    note = NOTE + FIRST.line(HEAD.text(), 5) + SECOND.line(HEAD.text(), 6)
    assert checkpoints.open_note(note, LOG.public, KEYS) == (HEAD, 2)
    assert checkpoints.open_note(note, LOG.public, KEYS[:1]) == (HEAD, 1)
    assert checkpoints.open_note(note, LOG.public) == (HEAD, 0)


def test_a_cosignature_alone_is_no_checkpoint() -> None:
    note = HEAD.text() + b"\n" + FIRST.line(HEAD.text(), 5)
    with pytest.raises(Fault, match="note_signature_invalid"):
        checkpoints.open_note(note, LOG.public, KEYS)


@pytest.mark.parametrize("seconds", [0, -1, 1 << 63])
def test_the_time_is_never_left_out(seconds: int) -> None:
    with pytest.raises(ValueError, match="has a time"):
        FIRST.line(HEAD.text(), seconds)


def test_the_newest_line_of_each_witness_stays() -> None:
    lines = [FIRST.line(HEAD.text(), 9), SECOND.line(HEAD.text(), 6), FIRST.line(HEAD.text(), 5)]
    found = of_note(NOTE + b"".join(lines), KEYS)
    assert [one.time for one in found] == [9, 6, 5]
    assert merged(NOTE, found) == NOTE + lines[0] + lines[1]


def test_strangers_are_dropped_and_forgers_refused() -> None:
    note = NOTE + SECOND.line(HEAD.text(), 6)
    assert of_note(note, [FIRST.public]) == []
    forged = Cosigner.of("witness.test/second", FIRST.key)
    line = forged.line(HEAD.text(), 6)
    value = base64.b64decode(line.split(b" ")[2])
    renamed = notes.signature_line(SECOND.public, value[4:])
    with pytest.raises(Fault, match="note_signature_invalid"):
        of_note(NOTE + renamed, KEYS)


def test_a_name_that_could_not_stand_on_a_line() -> None:
    with pytest.raises(Fault, match="vkey_invalid"):
        Cosigner.of("a b", FIRST.key)
