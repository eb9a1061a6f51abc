"""Orders about openings at a node: the operator's side of them.

1. `apply` looks at the auditor's signature under the key that the registry lists, decides (`audit.orders.decide`),
   signs with the log's own key, and puts the order where the serving process finds it. It writes nothing else: a log
   has one writer.
2. The serving process looks at both signatures and decides again (`audit.orders.carrier`).
"""

from pathlib import Path

from audit import notes
from audit.closed_logs import ClosedLogs
from audit.disk import Disk
from audit.log import AuditLog
from audit.notes import NoteSigner
from audit.orders import closed, files
from audit.orders.authority import Authority, authority_of
from audit.orders.carrier import Carrier
from audit.orders.decide import Refused, decide
from audit.orders.order import Order, countersign, signed_by
from audit.orders.situation import situation
from audit.orders.state import state_of
from audit.reader import LogReader
from contracts.edge import clock, keys
from contracts.errors import Fault, UserError
from contracts.text import Text
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
_OTHER_KEY = Text("审计日志密钥与注册库登记的不符", "The audit log's key is not the one that the registry lists")


def carrier(node: Node, serving: ServeConfig, log: AuditLog) -> Carrier:
    """Rule 2, for the log that this process writes."""
    return Carrier(log, serving.audit_dir, lambda: _authority(node, serving))


def finish_closed(node: Node, logs: ClosedLogs) -> None:
    """What a closed log began is ended, once its process has stopped; raises `Corrupt`, OSError."""
    for one in logs.there():
        authority = authority_of(node.registry.current(), one.slot)
        if authority is not None:
            closed.finish(one.reader, authority)


def apply(node: Node, note: bytes) -> tuple[Order, Path]:
    """Rule 1; the order, and where it waits. Raises `UserError`, `Fault`, `Corrupt`, OSError."""
    serving = node.config.serve
    if serving is None:
        raise UserError(_NO_SERVE)
    authority = _authority(node, serving)
    if authority is None:
        raise UserError(_NO_ORDERS.fill(slot=serving.slot), "", _LIST_KEY)
    order = _ordered(note, authority)
    reader = LogReader(serving.audit_dir, authority.log)
    if not (serving.audit_dir / "checkpoint").is_file():
        raise UserError(_NO_LOG, str(serving.audit_dir), _START)
    refused = _decide(order, reader, authority)
    if refused is not None:
        raise UserError(refused.what, order.digest, refused.remedy)
    path = files.pending_path(serving.audit_dir, order.digest)
    Disk().replace(path, countersign(_bare(note, authority), _signer(serving, authority)))
    return order, path


def _authority(node: Node, serving: ServeConfig) -> Authority | None:
    try:
        return authority_of(node.registry.current(), serving.slot)
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


def _decide(order: Order, reader: LogReader, authority: Authority) -> Refused | None:
    size = reader.checkpoint().size
    state = state_of(reader, size, authority.auditor)
    here = situation(order, reader, size, state, authority.auditor, authority.retention_days)
    return decide(order, here, clock.now_ms())


def _signer(serving: ServeConfig, authority: Authority) -> NoteSigner:
    signer = NoteSigner.of(authority.log.name, keys.load_signing_key(serving.log_key, "EdDSA").key)
    if signer.public != authority.log:
        raise UserError(_OTHER_KEY, str(serving.log_key))
    return signer
