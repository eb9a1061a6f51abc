"""Orders about openings at a node: the operator's side of them.

1. `apply` looks at the auditor's signature under the key that the registry lists, decides (`audit.orders.decide`),
   signs with the log's own key, and puts the order where the serving process finds it. It writes nothing else: a log
   has one writer.
2. The serving process looks at both signatures and decides again (`audit.orders.carrier`).
3. About a closed log before it the key of the log that is written now signs, and that log gets the notice
   (`audit.orders.closed`): the closed one's key may be gone. The auditor, and how long, are those of the closed slot.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from audit import notes
from audit.closed_logs import ClosedLogs
from audit.disk import Disk
from audit.log import AuditLog
from audit.notes import NoteSigner
from audit.orders import files
from audit.orders.authority import Authority, authority_of, listed_keys
from audit.orders.carrier import Carrier
from audit.orders.chain import Chain, at_hand
from audit.orders.closed import Closed
from audit.orders.decide import Refused, decide
from audit.orders.order import Order, countersign, parse, signed_by
from audit.orders.situation import situation
from audit.orders.state import state_of
from audit.reader import LogReader
from contracts.edge import clock, keys
from contracts.errors import Fault, UserError
from contracts.registry.succession import predecessors
from contracts.text import Text
from gateway.audit_logs import directory_of
from gateway.config import ServeConfig
from gateway.node import Node

_NO_SERVE = Text("配置中没有 [serve]", "The configuration has no [serve]")
_NO_ORDERS = Text(
    "注册库没有登记 {slot} 的审计员指令公钥", "The registry lists no key for orders of the auditor of {slot}"
)
_LIST_KEY = Text(
    "请在 [[auditors]] 登记 vkey_file 后重新发布。", "Give its [[auditors]] a vkey_file and publish again."
)
_NO_LOG = Text("该日志尚未开始", "That log has not begun yet")
_START = Text("请先启动 oncegate serve。", "Start oncegate serve first.")
_NOT_SIGNED = Text("指令没有审计员的有效签名", "The order is not signed by the auditor of this log")
_COMPARE = Text("请与注册库中该审计员的 vkey 核对。", "Compare with the vkey of that auditor in the registry.")
_BROKEN = Text(
    "从该日志到当前日志的接续不完整,缺少 {origin}", "The logs that go on from it are not all here: {origin} is missing"
)
_BRING = Text("请移回其目录或从备份恢复。", "Bring its directory back, or restore it.")
_OTHER_KEY = Text("审计日志密钥与注册库登记的不符", "The audit log's key is not the one that the registry lists")


def carrier(node: Node, serving: ServeConfig, log: AuditLog, closed: ClosedLogs) -> Carrier:
    """Rule 2, for the log that this process writes and the closed ones that it serves."""
    logs = [
        Closed(one.reader, partial(_authority, node, one.slot), lambda: listed_keys(node.registry.current()))
        for one in closed.there()
    ]
    return Carrier(log, serving.audit_dir, lambda: _authority(node, serving.slot), closed=logs)


def apply(node: Node, note: bytes) -> tuple[Order, Path]:
    """Rules 1 and 3; the order, and where it waits. Raises `UserError`, `Fault`, `Corrupt`, OSError."""
    serving = node.config.serve
    if serving is None:
        raise UserError(_NO_SERVE)
    about = _about(node, serving, parse(notes.parse(note).text).origin)
    order = _ordered(note, about.authority)
    refused = _decide(order, about)
    if refused is not None:
        raise UserError(refused.what, order.digest, refused.remedy)
    path = files.pending_path(about.reader.directory, order.digest)
    Disk().replace(path, countersign(_bare(note, about.authority), _signer(serving, about.authority)))
    return order, path


@dataclass(frozen=True, slots=True)
class _About:
    """The log that an order is about, what goes on from it, and whose signatures it needs."""

    reader: LogReader
    chain: Chain
    authority: Authority


def _about(node: Node, serving: ServeConfig, origin: str) -> _About:
    """Rule 3: a closed log before the one that is written, if the order names one of these."""
    registry = node.registry.current()
    own = registry.audit_slots.get(serving.slot)
    before = () if own is None else predecessors(registry.audit_slots, own)
    slot = next((one.slot for one in before if one.origin == origin), serving.slot)
    authority = _authority(node, slot)
    open_key = listed_keys(registry).get("" if own is None else own.origin)
    if authority is None or open_key is None:
        raise UserError(_NO_ORDERS.fill(slot=slot), "", _LIST_KEY)
    reader = LogReader(directory_of(serving, slot), authority.log)
    if not (reader.directory / "checkpoint").is_file():
        raise UserError(_NO_LOG, str(reader.directory), _START)
    if slot == serving.slot:
        return _About(reader, Chain(), authority)
    chain = at_hand(reader, listed_keys(registry))
    if chain.missing or open_key not in chain.keys[-1:]:
        raise UserError(_BROKEN.fill(origin=chain.missing or origin), slot, _BRING)
    return _About(reader, chain, replace(authority, log=open_key))


def _authority(node: Node, slot: str) -> Authority | None:
    try:
        return authority_of(node.registry.current(), slot)
    except Fault:
        return None  # no registry in force: nobody's orders count


def _ordered(note: bytes, authority: Authority) -> Order:
    if authority.auditor.raw == authority.log.raw:
        raise Fault("order_keys_same")
    try:
        return signed_by(note, (authority.auditor,))[0]
    except Fault as fault:
        if fault.code != "note_signature_invalid":
            raise
        raise UserError(_NOT_SIGNED, authority.auditor.name, _COMPARE) from None


def _bare(note: bytes, authority: Authority) -> bytes:
    """With the auditor's signature only."""
    parsed, key = notes.parse(note), authority.auditor
    line = next(one for one in parsed.signatures if (one.name, one.key_id) == (key.name, key.key_id))
    return parsed.text + b"\n" + notes.signature_line(key, line.value)


def _decide(order: Order, about: _About) -> Refused | None:
    size, authority = about.reader.checkpoint().size, about.authority
    state = state_of(about.reader, size, authority.auditor, about.chain)
    here = situation(order, about.reader, size, state, authority.retention_days)
    return decide(order, here, clock.now_ms())


def _signer(serving: ServeConfig, authority: Authority) -> NoteSigner:
    signer = NoteSigner.of(authority.log.name, keys.load_signing_key(serving.log_key, "EdDSA").key)
    if signer.public != authority.log:
        raise UserError(_OTHER_KEY, str(serving.log_key))
    return signer
