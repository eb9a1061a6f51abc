"""The lines of a package's files: records and openings as NDJSON, proofs one after the other. Pure.

1. `records.ndjson`: canonical JSON; `leaf` is the exact text of the entry, so that its hash can be computed from it.
2. `openings.ndjson`, one line for each record in the same order: granted ones with the exact text that `commit` is over
   and the salt (base64); of others only what became of them.
3. `proofs.txt`: a `c2sp.org/tlog-proof@v1` text for each record in the same order. Each begins with that line.
4. Readers are strict inverses: a line that this program would not have written is refused.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from audit.merkle import leaf_hash
from audit.notes import base64_text, unbase64
from audit.package.table import GRANTED, STATES, Item, Opening
from audit.receipts import Proof
from audit.tiles import MAX_ENTRY
from contracts.encoding import MAX_INTEGER, Json, canonical, parse_object
from contracts.errors import Fault

MAX_LINE: Final = 8 * MAX_ENTRY  # an entry, escaped at the worst
MAX_PROOF: Final = 128 * 1024  # a note, and 63 hashes

_PROOF_BEGINS = b"c2sp.org/tlog-proof@v1\n"
_RECORD = {"leaf", "log", "number", "position"}
_GRANTED = {"number", "opening", "salt", "state"}
_OTHER = {"number", "state"}


def record_line(item: Item) -> bytes:
    """Rule 1."""
    members = {"leaf": item.leaf.decode(), "log": item.origin, "number": item.number, "position": item.position}
    return canonical(members) + b"\n"


def parse_record(line: bytes) -> Item:
    """Inverse of `record_line`, without an opening; raises `Fault` `package_line_malformed`."""
    found = _object(line)
    if found.keys() != _RECORD or type(found["leaf"]) is not str or type(found["log"]) is not str:
        raise Fault("package_line_malformed")
    leaf = found["leaf"].encode()
    try:
        members = parse_object(leaf)
    except Fault as fault:
        raise Fault("package_line_malformed", detail=fault.code) from None
    return Item(_count(found["number"]), found["log"], _count(found["position"]), leaf, leaf_hash(leaf), members)


def opening_line(number: int, opening: Opening) -> bytes:
    """Rule 2."""
    if opening.text is None or opening.salt is None:
        return canonical({"number": number, "state": opening.state}) + b"\n"
    text, salt = opening.text.decode(), base64_text(opening.salt)
    return canonical({"number": number, "opening": text, "salt": salt, "state": opening.state}) + b"\n"


def parse_opening(line: bytes) -> tuple[int, Opening]:
    """Inverse of `opening_line`; raises `Fault` `package_line_malformed`."""
    found = _object(line)
    state = found.get("state")
    if type(state) is not str or state not in STATES or found.keys() != (_GRANTED if state == GRANTED else _OTHER):
        raise Fault("package_line_malformed")
    if state != GRANTED:
        return _count(found["number"]), Opening(state)
    if type(found["opening"]) is not str or type(found["salt"]) is not str:
        raise Fault("package_line_malformed")
    text = found["opening"].encode()
    try:
        opening = Opening(state, text, unbase64(found["salt"], "package_line_malformed"), parse_object(text))
    except Fault as fault:
        raise Fault("package_line_malformed", detail=fault.detail) from None
    return _count(found["number"]), opening


def proof_texts(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The proofs in a file of them (rule 3); raises `Fault` `proof_malformed` for one beyond any size."""
    text: list[bytes] = []
    size = 0
    for line in lines:
        if line == _PROOF_BEGINS and text:
            yield b"".join(text)
            text, size = [], 0
        text.append(line)
        size += len(line)
        if size > MAX_PROOF:
            raise Fault("proof_malformed", detail="too long")
    if text:
        yield b"".join(text)


def proof_text(item: Item, hashes: tuple[bytes, ...], note: bytes) -> bytes:
    """The proof of a record under the signed head `note`."""
    return Proof(item.position, hashes, note).encode()


def _object(line: bytes) -> dict[str, Json]:
    try:
        found = parse_object(line.removesuffix(b"\n"))
    except Fault as fault:
        raise Fault("package_line_malformed", detail=fault.detail) from None
    if canonical(found) + b"\n" != line:
        raise Fault("package_line_malformed", detail="not canonical")
    return found


def _count(value: Json) -> int:
    if type(value) is not int or not 0 <= value <= MAX_INTEGER:
        raise Fault("package_line_malformed")
    return value
