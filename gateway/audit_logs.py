"""The audit logs of a serving process: the one that it writes, and the closed ones before it that it still serves.

1. The log's slot, origin and auditor come from the registry. A log whose key is not the registered one is not opened:
   its checkpoints would verify nowhere.
2. Where the registry names a predecessor, that one is closed before this log begins (`audit.shards`), with its own key
   if it is still open. Whatever is missing for that ends the start: no log begins beside an open one.
3. Served are the closed logs that this one goes on from, as far back as they are here. They only end by retention.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog

from audit.closed_logs import ClosedLogs, served
from audit.log import AuditLog, Limits, LogSettings
from audit.notes import NoteKey, NoteSigner, parse_vkey
from audit.reader import LogReader
from audit.shards import Former, open_after
from audit.start import MIRRORED_LIMITS
from audit.witness.cosigning import held_by
from contracts.algorithms import SigningKey
from contracts.edge import keys
from contracts.edge.system_errors import why
from contracts.encoding import b64url_decode
from contracts.errors import Corrupt, Unavailable, UserError
from contracts.hpke import KEMS
from contracts.registry import AuditSlot, Snapshot
from contracts.registry.succession import predecessors
from contracts.text import Text
from gateway.config import ServeConfig
from gateway.node import Node

_NO_SLOT = Text("注册库中没有审计日志 {slot}", "The registry lists no audit log {slot}")
_REGISTER = Text("请登记后重新发布。", "Register it and publish again.")
_OTHER_KEY = Text("审计日志密钥与注册库登记的不符", "The audit log's key is not the one that the registry lists")
_COMPARE = Text("请核对 {option} 与注册库中的 vkey。", "Compare {option} with the slot's vkey in the registry.")

_log = structlog.get_logger("oncegate.serve")


def open_log(node: Node, serving: ServeConfig) -> AuditLog:
    """Open the log of the slot for writing (1 and 2). Raises `UserError`, `Corrupt`, `Unavailable`, OSError."""
    registry = node.registry.current()
    slot = _slot(node, serving)
    settings = _settings(registry, slot, serving, _key(slot, serving.log_key, "log_key"), serving.audit_dir)
    before = next(predecessors(registry.audit_slots, slot), None)
    if before is None:
        return AuditLog.open(settings, _on_fatal)
    return open_after(settings, _former(registry, before, serving), _on_fatal)


def closed_logs(node: Node, serving: ServeConfig) -> ClosedLogs:
    """Those before the log of the slot (rule 3); raises `Corrupt` for a damaged file of a retired one."""
    registry = node.registry.current()
    slot = registry.audit_slots[serving.slot]
    before = predecessors(registry.audit_slots, slot)
    candidates = ((one.slot, directory_of(serving, one.slot), parse_vkey(one.vkey)) for one in before)
    written = LogReader(serving.audit_dir, parse_vkey(slot.vkey))
    return ClosedLogs(served(written, candidates), node.config.retired_dir)


def directory_of(serving: ServeConfig, slot: str) -> Path:
    """Where a log of this node is."""
    return serving.audit_dir.parent / slot


def _former(registry: Snapshot, slot: AuditSlot, serving: ServeConfig) -> Former:
    directory, option = directory_of(serving, slot.slot), "predecessor_key"
    reader = LogReader(directory, parse_vkey(slot.vkey))
    path = serving.predecessor_key
    if path is None or not path.exists():  # it may be gone once the log is closed
        return Former(reader, None)
    return Former(reader, _settings(registry, slot, serving, _key(slot, path, option), directory))


def _key(slot: AuditSlot, path: Path, option: str) -> SigningKey:
    """Rule 1."""
    key = keys.load_signing_key(path, "EdDSA")
    if NoteSigner.of(slot.origin, key.key).public.vkey != slot.vkey:
        raise UserError(_OTHER_KEY, str(path), _COMPARE.fill(option=option))
    return key


def _settings(
    registry: Snapshot, slot: AuditSlot, serving: ServeConfig, key: SigningKey, directory: Path
) -> LogSettings:
    auditor = registry.auditors[slot.auditor]
    public = KEMS[auditor.alg].load_public(b64url_decode(auditor.public.encode()))
    heads = tuple(_heads(serving, parse_vkey(slot.vkey)))
    limits = Limits() if serving.mirror_wait_s is None else MIRRORED_LIMITS
    return LogSettings(directory, slot.origin, key, public, serving.head_dir, limits, heads)


def _heads(serving: ServeConfig, key: NoteKey) -> Iterator[bytes]:
    """What witnesses hold of the log. One that is away is told of; its first answer later is compared, too."""
    for witness in serving.witnesses:
        try:
            held = held_by(witness, key)
        except Unavailable as error:
            _log.warning("witness_unavailable", reason=str(error))
            continue
        if held is not None:
            yield held


def _on_fatal(error: BaseException) -> None:
    facts: dict[str, Any] = {}
    if isinstance(error, OSError):
        facts = {"reason": why(error).en, "file": error.filename}
    elif isinstance(error, Corrupt):  # its words are sizes and names of files: a second writer, another history
        facts = {"reason": str(error)}
    _log.error("audit_log_failed", error=type(error).__name__, **facts)


def _slot(node: Node, serving: ServeConfig) -> AuditSlot:
    slot = node.registry.current().audit_slots.get(serving.slot)
    if slot is None:
        section = node.config.file.section("serve")
        raise section.mistake(_NO_SLOT.fill(slot=serving.slot), "slot", _REGISTER)
    return slot
