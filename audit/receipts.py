"""Receipts: what an answer carries, the proof that its record is in the log, and how a client checks both.

1. An answer carries `{log, index, leaf_hash, salt}`. With it the client recomputes the leaf's `released` (over the
   strings that it received) and `commit` (over what it asked about), and compares every member that it knows.
2. The proof is a `c2sp.org/tlog-proof@v1` text: index, inclusion proof and a signed checkpoint.
3. Trust rises in steps: durable (the gateway says so), published (in a signed head), witnessed (a known witness
   cosigned that head), anchored (a time authority did, which no text of this form can show).
A check ends in a `Fault` that names what does not fit; nothing is believed before it fits.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from audit import notes
from audit.checkpoints import open_note
from audit.merkle import HASH_SIZE, leaf_hash, verify_inclusion
from audit.record import commit_digest, digest_text, released_digest
from contracts.encoding import Json, b64url_decode, b64url_encode, parse_object
from contracts.errors import Fault

MAX_HASHES = 63

_FIRST_LINE = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")
_DIGEST = re.compile(r"sha-256:([0-9a-f]{64})")
_RECEIPT_NAMES = {"log", "index", "leaf_hash", "salt"}


class Level(IntEnum):
    """How far a record is out of the gateway's hands (rule 3)."""

    DURABLE = 0
    PUBLISHED = 1
    WITNESSED = 2
    ANCHORED = 3

    @property
    def text(self) -> str:
        """The written form."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an answer carries. `log` is the origin, `leaf_hash` 32 bytes."""

    log: str
    index: int
    leaf_hash: bytes
    salt: bytes

    def as_json(self) -> dict[str, Json]:
        """The member `receipt` of an answer."""
        salt = b64url_encode(self.salt).decode()
        return {"log": self.log, "index": self.index, "leaf_hash": digest_text(self.leaf_hash), "salt": salt}


@dataclass(frozen=True, slots=True)
class Proof:
    """A parsed, not yet verified proof. `extra` is not authenticated."""

    index: int
    hashes: tuple[bytes, ...]
    note: bytes
    extra: bytes | None = None

    def encode(self) -> bytes:
        """The text (rule 2)."""
        extra = () if self.extra is None else (f"extra {notes.base64_text(self.extra)}",)
        lines = (_FIRST_LINE, *extra, f"index {self.index}", *map(notes.base64_text, self.hashes), "", "")
        return "\n".join(lines).encode() + self.note


@dataclass(frozen=True, slots=True)
class Known:
    """What the client knows by itself.

    `members`: leaf members by name. `released`: the strings received, in answer order. `opening`: the result of
    `record.opening_text`, or None when the client does not know all of it.
    """

    members: Mapping[str, Json]
    released: Sequence[bytes]
    opening: bytes | None = None


def parse_receipt(value: Json) -> Receipt:
    """The receipt in an answer; raises `Fault` `receipt_malformed`."""
    if type(value) is not dict or value.keys() != _RECEIPT_NAMES:
        raise Fault("receipt_malformed")
    log, index, digest, salt = value["log"], value["index"], value["leaf_hash"], value["salt"]
    if type(log) is not str or type(index) is not int or index < 0 or type(digest) is not str or type(salt) is not str:
        raise Fault("receipt_malformed")
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise Fault("receipt_malformed")
    return Receipt(log, index, bytes.fromhex(match[1]), b64url_decode(salt.encode()))


def parse_proof(text: bytes) -> Proof:
    """Strict inverse of `Proof.encode`; raises `Fault` `proof_malformed`."""
    head, blank, note = text.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise Fault("proof_malformed") from None
    if not blank or lines.pop(0) != _FIRST_LINE or not lines:
        raise Fault("proof_malformed")
    extra = notes.unbase64(lines.pop(0)[6:], "proof_malformed") if lines[0].startswith("extra ") else None
    match = _INDEX.fullmatch(lines.pop(0)) if lines else None
    hashes = tuple(notes.unbase64(line, "proof_malformed") for line in lines)
    if match is None or len(hashes) > MAX_HASHES or any(len(value) != HASH_SIZE for value in hashes):
        raise Fault("proof_malformed")
    return Proof(int(match[1]), hashes, note, extra)


def verify_proof(
    proof: Proof, receipt: Receipt, log: notes.NoteKey, witnesses: Sequence[notes.NoteKey] = ()
) -> Level | Fault:
    """Whether the receipt's leaf is in the log under a signed head, and how far to trust that."""
    try:
        checkpoint, cosigned = open_note(proof.note, log, witnesses)
    except Fault as fault:
        return fault
    if receipt.log != checkpoint.origin or receipt.index != proof.index:
        return Fault("proof_invalid", detail="of another log or entry than the receipt")
    if not verify_inclusion(proof.index, checkpoint.size, receipt.leaf_hash, proof.hashes, checkpoint.root):
        return Fault("proof_invalid", detail="the hashes do not lead to the root")
    return Level.WITNESSED if cosigned else Level.PUBLISHED


def check_record(receipt: Receipt, leaf: bytes, known: Known) -> Fault | None:
    """The first thing in the access record that differs from what the client knows (rule 1), or None."""
    if leaf_hash(leaf) != receipt.leaf_hash:
        return Fault("receipt_mismatch", detail="the record is not the one of the receipt")
    try:
        members = parse_object(leaf)
    except Fault as fault:
        return fault
    expected = {**known.members, "released": released_digest(receipt.salt, known.released)}
    if known.opening is not None:
        expected["commit"] = commit_digest(receipt.salt, known.opening)
    for name, value in expected.items():
        if name not in members or members[name] != value:
            return Fault("receipt_mismatch", pointer=f"/{name}")
    return None
