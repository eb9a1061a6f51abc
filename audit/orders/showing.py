"""An order, for people: what it says, and whose signatures on it hold."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from audit import notes
from audit.notes import NoteKey
from audit.orders.order import ACTIONS, REASONS, Order, parse
from contracts.edge.output import say
from contracts.text import Text

_LINES = Text(
    "指令 {digest}\n日志 {origin}\n动作 {action},编号 {number},时间 {time}\n条目 {positions}(共 {count} 条)\n"
    "事由 {reason}\n依据 {basis}",
    "Order {digest}\nLog {origin}\nAction {action}, number {number}, time {time}\nEntries {positions} ({count})\n"
    "Reason {reason}\nBasis {basis}",
)
_HOLDS = Text("签名有效:{name}", "Signature holds: {name}")
_UNKNOWN = Text("签名未核对(未给出公钥):{name}", "Signature not checked (its key was not given): {name}")
_BAD = Text("签名无效:{name}", "Signature does NOT hold: {name}")


def show(path: Path, keys: Sequence[NoteKey]) -> Order:
    """Print it; raises `Fault`, OSError."""
    note = notes.parse(path.read_bytes())
    order = parse(note.text)
    say(describe(order))
    known = {(key.name, key.key_id): key for key in keys}
    for line in note.signatures:
        key = known.get((line.name, line.key_id))
        found = _UNKNOWN if key is None else _HOLDS if key.verifies(note.text, line.value) else _BAD
        say(found.fill(name=line.name))
    return order


def describe(order: Order) -> Text:
    """All that it says."""
    when = datetime.fromtimestamp(order.time, UTC).isoformat(timespec="minutes")
    return _LINES.fill(
        digest=order.digest,
        origin=order.origin,
        action=ACTIONS[order.action],
        number=order.number,
        time=when,
        positions=order.positions.text(),
        count=order.positions.count,
        reason=REASONS[order.reason].name,
        basis=order.basis,
    )
