"""An order about openings: a signed note of the auditor, countersigned by the log. Pure.

1. The text has exactly these lines:

       oncegate openings order v1
       log <origin>
       action restrict|lift|erase
       number <1, 2, 3, … of this log>
       time <UTC, YYYY-MM-DDTHH:MM:SSZ>
       positions <ranges.py: 5,7-9>
       reason <a code of REASONS>
       basis <the clause it rests on>

   The first line has spaces, which no origin may have: an order is never taken for a checkpoint, nor the other way.
2. It counts when two different keys signed it (type 0x01): the auditor's, that the registry lists, and that of the log
   whose notice says that it is carried out: the log's own, or of one that goes on from it (`chain`).
3. It is named by the SHA-256 of its text, without signatures, which can come in any order.
4. Nothing personal is in it: positions, a code, and the clause of a law. A basis with a long number (somebody's id, a
   case, a telephone) is refused.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from audit import notes, ranges
from audit.notes import NoteKey, NoteSigner
from audit.ranges import Ranges
from contracts.errors import Fault
from contracts.text import Text

FORMAT: Final = "oncegate openings order v1"
RESTRICT, LIFT, ERASE = "restrict", "lift", "erase"
MAX_BASIS: Final = 200
MAX_NUMBER: Final = 10**9

ACTIONS: Mapping[str, Text] = {
    RESTRICT: Text("限制处理", "restrict"),
    LIFT: Text("解除限制", "lift the restriction of"),
    ERASE: Text("销毁", "erase"),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an order is made. `actions`: those that it can be a reason for."""

    actions: frozenset[str]
    name: Text


_GONE = frozenset({RESTRICT, ERASE})
# The first five are those of article 47 of the Personal Information Protection Law (个人信息保护法).
REASONS: Mapping[str, Reason] = {
    "purpose_fulfilled": Reason(_GONE, Text("处理目的已实现、无法实现或不再必要", "the purpose is fulfilled or void")),
    "retention_expired": Reason(_GONE, Text("保存期限已届满", "the time of retention is over")),
    "consent_withdrawn": Reason(_GONE, Text("个人撤回同意", "consent was withdrawn")),
    "unlawful": Reason(_GONE, Text("违反法律、行政法规或约定处理", "it was processed against law or agreement")),
    "other_law": Reason(_GONE, Text("法律、行政法规规定的其他情形", "another case that a law names")),
    "accuracy_disputed": Reason(frozenset({RESTRICT}), Text("准确性存在争议", "its accuracy is disputed")),
    "authority": Reason(frozenset({RESTRICT, LIFT}), Text("有权机关要求", "an authority demands it")),
    "ground_ended": Reason(frozenset({LIFT}), Text("限制事由已消除", "the ground of the restriction is gone")),
}

_TIME = "%Y-%m-%dT%H:%M:%SZ"
_NUMBER = re.compile(r"[1-9][0-9]{0,9}")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_LONG_NUMBER = re.compile(r"[0-9](?:[ \-]?[0-9]){6}")
_NAMES = ("log", "action", "number", "time", "positions", "reason", "basis")


@dataclass(frozen=True, slots=True)
class Order:
    """What is ordered. `time` in Unix seconds."""

    origin: str
    action: str
    number: int
    time: int
    positions: Ranges
    reason: str
    basis: str

    def text(self) -> bytes:
        """The note's text (rule 1); raises `Fault` `order_malformed`."""
        _check(self)
        when = datetime.fromtimestamp(self.time, UTC).strftime(_TIME)
        values = (self.origin, self.action, self.number, when, self.positions.text(), self.reason, self.basis)
        lines = (f"{name} {value}" for name, value in zip(_NAMES, values, strict=True))
        return "\n".join((FORMAT, *lines, "")).encode()

    @property
    def digest(self) -> str:
        """Rule 3, in hex."""
        return sha256(self.text()).hexdigest()


def parse(text: bytes) -> Order:
    """The order in a note's text; raises `Fault` `order_malformed`."""
    lines = text.decode().removesuffix("\n").split("\n")
    if len(lines) != len(_NAMES) + 1 or lines[0] != FORMAT:
        raise Fault("order_malformed")
    words = [line.partition(" ") for line in lines[1:]]
    if tuple(name for name, _, _ in words) != _NAMES:
        raise Fault("order_malformed")
    origin, action, number, time, positions, reason, basis = (value for _, _, value in words)
    if _NUMBER.fullmatch(number) is None:
        raise Fault("order_malformed", pointer="/number")
    try:
        found = Order(origin, action, int(number), _seconds(time), ranges.parse(positions), reason, basis)
    except Fault:
        raise Fault("order_malformed", pointer="/positions") from None
    if found.text() != text:  # exactly one spelling
        raise Fault("order_malformed")
    return found


def sign(order: Order, auditor: NoteSigner) -> bytes:
    """The note, with the auditor's signature."""
    return auditor.sign(order.text())


def countersign(note: bytes, log: NoteSigner) -> bytes:
    """The note with the log's signature after the others; raises `Fault` `note_malformed`."""
    text = notes.parse(note).text
    return note + notes.signature_line(log.public, log.key.sign(text))


def signed_by(note: bytes, keys: Sequence[NoteKey]) -> tuple[Order, frozenset[NoteKey]]:
    """The order in a note, and which of `keys` signed it: at least one.

    Raises `Fault` `note_malformed`, `note_signature_invalid`, `order_malformed`.
    """
    parsed = notes.parse(note)
    signed = notes.verified_keys(parsed, [key for key in keys if key.kind == notes.ED25519])
    return parse(parsed.text), frozenset(signed)


def check(note: bytes, auditor: NoteKey, log: NoteKey, origin: str = "") -> Order:
    """The order, signed by both (rule 2). `origin`: the closed log that it is about; "": the log that signed.

    Raises `Fault`: those of `signed_by`, `order_keys_same`, `order_not_signed_twice`, `order_of_another_log`.
    """
    if auditor.raw == log.raw:
        raise Fault("order_keys_same")
    order, signed = signed_by(note, (auditor, log))
    if not {auditor, log} <= signed:
        raise Fault("order_not_signed_twice")
    if order.origin != (origin or log.name):
        raise Fault("order_of_another_log")
    return order


def is_digest(text: str) -> bool:
    """Whether this could name an order."""
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None


def _seconds(text: str) -> int:
    try:
        if _INSTANT.fullmatch(text) is not None:
            return round(datetime.strptime(text, _TIME).replace(tzinfo=UTC).timestamp())
    except ValueError:
        pass
    raise Fault("order_malformed", pointer="/time")


def _check(order: Order) -> None:
    """What an order must be to be written at all."""
    reason = REASONS.get(order.reason)
    wrong = {
        "/log": not order.origin or any(char.isspace() or char == "+" for char in order.origin),
        "/action": order.action not in ACTIONS,
        "/number": not 1 <= order.number <= MAX_NUMBER,
        "/time": not 0 <= order.time < 1 << 35,
        "/positions": not order.positions or len(order.positions.text()) > ranges.MAX_TEXT,
        "/reason": reason is None or order.action not in reason.actions,
        "/basis": not is_basis(order.basis),
    }
    for pointer, is_wrong in wrong.items():
        if is_wrong:
            raise Fault("order_malformed", pointer=pointer)


def is_basis(text: str) -> bool:
    """Whether this may stand as a basis (rule 4)."""
    return 0 < len(text) <= MAX_BASIS and text.isprintable() and text == text.strip() and not _LONG_NUMBER.search(text)
