"""The call `add-checkpoint` (https://c2sp.org/tlog-witness): its bytes, and the witness's decision. Pure.

1. A request is `old SIZE`, at most 63 hashes in base64, an empty line, and a checkpoint. One spelling each.
2. `decide` follows the specification in its order: unknown origin 404; no valid signature of the log 403; an old size
   above the checkpoint's 400; one that is not the size last cosigned 409 with that size; a root or proof that does
   not hold 422. Otherwise the checkpoint is accepted; it counts once it is durable.
3. What the log's own key signed and was not shown to extend what was cosigned is worth keeping. Another tree of the
   very size is proof of a fork. Any other head may be one; but anybody can send an honest head with a wrong proof, so
   it is told apart, and the head that was cosigned last, or one before there was any, is nothing to tell of.
4. An answer is read as strictly: the cosignature must be the pinned witness's, over this very checkpoint.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from audit import checkpoints, notes
from audit.cosignatures import Cosignature, of_note
from audit.merkle import EMPTY_ROOT, HASH_SIZE, verify_consistency
from contracts.errors import Fault

MAX_PROOF: Final = 63
MAX_REQUEST: Final = notes.MAX_NOTE + 64 * (MAX_PROOF + 2)
FORKED: Final = "log_forked"
NOT_CONSISTENT: Final = "checkpoint_not_consistent"
SIZE_TYPE: Final = "text/x.tlog.size"
TEXT_TYPE: Final = "text/plain; charset=utf-8"

_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")


@dataclass(frozen=True, slots=True)
class Request:
    """A parsed, not yet verified request. `proof`: 32-byte hashes."""

    old: int
    proof: tuple[bytes, ...]
    note: bytes

    def encode(self) -> bytes:
        """The body (rule 1)."""
        lines = (f"old {self.old}", *map(notes.base64_text, self.proof), "", "")
        return "\n".join(lines).encode() + self.note


@dataclass(frozen=True, slots=True)
class Head:
    """What a witness cosigned last for a log; nothing yet is the empty tree."""

    size: int = 0
    root: bytes = EMPTY_ROOT


@dataclass(frozen=True, slots=True)
class Accepted:
    """The checkpoint that is to be recorded and cosigned. `text` is what is signed."""

    checkpoint: checkpoints.Checkpoint
    text: bytes
    note: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer. `signed`, of a refusal: the log's own key signed that checkpoint (rule 3)."""

    status: int
    body: bytes
    content_type: str = TEXT_TYPE
    signed: checkpoints.Checkpoint | None = None


@dataclass(frozen=True, slots=True)
class Behind:
    """A witness's 409: the size that it cosigned last."""

    size: int


@dataclass(frozen=True, slots=True)
class Declined:
    """Any other answer: not a cosignature that counts. `why` is a word for logs."""

    status: int
    why: str


def origin_hash(origin: str) -> str:
    """How a log is called in a witness's URLs and files: SHA-256 of its origin in hexadecimal."""
    return sha256(origin.encode()).hexdigest()


def parse_request(body: bytes) -> Request:
    """Strict inverse of `Request.encode` (rule 1); raises `Fault` `witness_request_malformed`."""
    head, blank, note = body.partition(b"\n\n")
    try:
        first, *rest = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise Fault("witness_request_malformed") from None
    match = _OLD.fullmatch(first)
    if match is None or not blank or len(rest) > MAX_PROOF:
        raise Fault("witness_request_malformed")
    proof = tuple(notes.unbase64(line, "witness_request_malformed") for line in rest)
    if any(len(value) != HASH_SIZE for value in proof):
        raise Fault("witness_request_malformed")
    return Request(int(match[1]), proof, note)


def origin_of(request: Request) -> str:
    """The origin that the checkpoint names, unverified; raises `Fault` `note_malformed` or `checkpoint_malformed`."""
    return checkpoints.parse_text(notes.parse(request.note).text).origin


def decide(request: Request, log: notes.NoteKey | None, head: Head) -> Accepted | Reply:
    """What a witness does that knows `log` under this key and last cosigned `head` (rule 2)."""
    if log is None:
        return _refused(404, "the origin is not one of this witness")
    try:
        checkpoint, _ = checkpoints.open_note(request.note, log)
    except Fault as fault:
        malformed = fault.code in {"note_malformed", "checkpoint_malformed"}
        return _refused(400 if malformed else 403, fault.row.title.en)
    if request.old > checkpoint.size:
        return _refused(400, "the old size is above that of the checkpoint")
    if request.old != head.size:
        return Reply(409, b"%d\n" % head.size, SIZE_TYPE, checkpoint)
    if not _consistent(request, checkpoint, head):
        return _refused(422, "the checkpoint does not extend the one that was cosigned", checkpoint)
    return Accepted(checkpoint, notes.parse(request.note).text, request.note)


def is_fork(signed: checkpoints.Checkpoint, head: Head) -> bool:
    """Whether `signed` and `head` cannot be of one history: a proof that stands without anybody's word."""
    return signed.size == head.size and signed.root != head.root


def suspicion(refused: Reply, head: Head) -> str | None:
    """What a refusal found, as the name of an alarm (rule 3); None for what every log and every stranger may send."""
    signed = refused.signed
    if signed is None:
        return None
    if is_fork(signed, head):
        return FORKED
    is_new = head.size > 0 and signed.size != head.size
    return NOT_CONSISTENT if refused.status == 422 and is_new else None


def read_answer(
    status: int, headers: Mapping[str, str], body: bytes, note: bytes, witness: notes.NoteKey
) -> Cosignature | Behind | Declined:
    """What came back for the checkpoint `note` (rule 4). Header names in lower case."""
    if status == 409 and headers.get("content-type", "").partition(";")[0].strip() == SIZE_TYPE:
        match = _SIZE.fullmatch(body)
        return Declined(status, "conflict without a size") if match is None else Behind(int(match[1]))
    if status != 200:
        return Declined(status, _REASONS.get(status, "unexpected answer"))
    try:
        found = of_note(note + body, [witness])
    except Fault as fault:
        return Declined(status, fault.code)
    return found[-1] if found else Declined(status, "no cosignature of the pinned key")


_REASONS: Final[Mapping[int, str]] = {
    400: "the witness calls the request malformed",
    403: "the witness has another key for this log",
    404: "the witness does not know this log",
    422: "the witness holds a head that this one does not extend",
}


def _consistent(request: Request, checkpoint: checkpoints.Checkpoint, head: Head) -> bool:
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        return False
    if request.old == 0:  # every tree extends the empty one
        return not request.proof
    return verify_consistency(request.old, checkpoint.size, request.proof, head.root, checkpoint.root)


def _refused(status: int, why: str, signed: checkpoints.Checkpoint | None = None) -> Reply:
    return Reply(status, f"{why}\n".encode(), TEXT_TYPE, signed)
