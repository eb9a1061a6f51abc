"""Checkpoints (https://c2sp.org/tlog-checkpoint): origin, size and root of a log, as the text of a signed note.

1. Three lines: origin, size in decimal without leading zeros, root in base64. We write no extension lines and
   accept them when they are not empty.
2. A checkpoint counts only when the log's own key signed it and the origin is the expected one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from audit import notes
from audit.merkle import HASH_SIZE
from contracts.errors import Fault

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log."""

    origin: str
    size: int
    root: bytes

    def text(self) -> bytes:
        """The note text (rule 1)."""
        return f"{self.origin}\n{self.size}\n{notes.base64_text(self.root)}\n".encode()


def parse_text(text: bytes) -> Checkpoint:
    """The head in a note's text; raises `Fault` `checkpoint_malformed`."""
    lines = text.decode().removesuffix("\n").split("\n")
    if len(lines) < 3 or not all(lines) or _SIZE.fullmatch(lines[1]) is None:
        raise Fault("checkpoint_malformed")
    root = notes.unbase64(lines[2], "checkpoint_malformed")
    if len(root) != HASH_SIZE:
        raise Fault("checkpoint_malformed")
    return Checkpoint(lines[0], int(lines[1]), root)


def sign(checkpoint: Checkpoint, signer: notes.NoteSigner) -> bytes:
    """The signed note of `checkpoint`."""
    return signer.sign(checkpoint.text())


def open_note(note: bytes, log: notes.NoteKey, witnesses: Sequence[notes.NoteKey] = ()) -> tuple[Checkpoint, int]:
    """The verified head, and how many of `witnesses` cosigned it (rule 2). The log's key name is its origin.

    Raises `Fault` `note_malformed`, `note_signature_invalid`, `checkpoint_malformed` or `checkpoint_origin_wrong`.
    """
    parsed = notes.parse(note)
    signed = notes.verified_keys(parsed, (log, *witnesses))
    if log not in signed:
        raise Fault("note_signature_invalid")
    checkpoint = parse_text(parsed.text)
    if checkpoint.origin != log.name:
        raise Fault("checkpoint_origin_wrong")
    return checkpoint, len(set(signed) - {log})
