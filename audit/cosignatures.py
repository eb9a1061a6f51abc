"""Cosignatures (https://c2sp.org/tlog-cosignature, Ed25519 form, type 0x04): made, and moved from note to note.

1. A witness signs `cosignature/v1`, the time, and the whole text of the checkpoint; the line holds time and signature.
2. A line counts only if it verifies under the key of a known witness; what others added is dropped, not kept.
3. Lines are merged by key: the newest of each witness stays.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import notes
from contracts.errors import Fault

_TIME_BYTES = 8


@dataclass(frozen=True, slots=True)
class Cosigner:
    """The private key of a witness."""

    public: notes.NoteKey
    key: Ed25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def of(cls, name: str, key: Ed25519PrivateKey) -> "Cosigner":
        """Raises `Fault` `vkey_invalid` for a name with spaces or `+`."""
        return cls(notes.note_key(name, notes.COSIGNATURE, key.public_key().public_bytes_raw()), key)

    def line(self, text: bytes, seconds: int) -> bytes:
        """The cosignature line over a checkpoint's `text` at Unix time `seconds`, above 0 (rule 1)."""
        if not 0 < seconds < 1 << 63:
            raise ValueError("a cosignature has a time")
        signature = self.key.sign(b"cosignature/v1\ntime %d\n" % seconds + text)
        return notes.signature_line(self.public, seconds.to_bytes(_TIME_BYTES, "big") + signature)


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A verified line. `time` in Unix seconds."""

    key: notes.NoteKey
    time: int
    value: bytes

    @property
    def line(self) -> bytes:
        """As it stands in a note."""
        return notes.signature_line(self.key, self.value)


def of_note(note: bytes, witnesses: Sequence[notes.NoteKey]) -> list[Cosignature]:
    """The cosignatures of known witnesses on `note`, oldest key first; raises `Fault` as `notes.verified_keys`, but
    not when there are none."""
    parsed = notes.parse(note)
    keys = {(key.name, key.key_id): key for key in witnesses if key.kind == notes.COSIGNATURE}
    found = []
    for line in parsed.signatures:
        key = keys.get((line.name, line.key_id))
        if key is None:
            continue
        if not key.verifies(parsed.text, line.value):
            raise Fault("note_signature_invalid")
        found.append(Cosignature(key, int.from_bytes(line.value[:_TIME_BYTES], "big"), line.value))
    return found


def merged(note: bytes, others: Iterable[Cosignature]) -> bytes:
    """`note` (the log's own) with these cosignatures on the same text after it (rule 3)."""
    newest: dict[bytes, Cosignature] = {}
    for one in others:
        before = newest.get(one.key.key_id)
        if before is None or before.time <= one.time:
            newest[one.key.key_id] = one
    return note + b"".join(one.line for one in newest.values())
