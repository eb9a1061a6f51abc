"""The registry: who may publish, ask, sign and audit; signed by control, the same on every node.

`model` is what it says, `manifest` how it is signed and split into parts, `snapshot` how a node asks it.
"""

from contracts.registry.model import (
    DEFAULT_RETENTION_DAYS,
    MIN_RETENTION_DAYS,
    Adapter,
    AdapterKey,
    App,
    AppKey,
    Auditor,
    AuditSlot,
    Grant,
    Node,
    Organisation,
    Span,
    Unit,
    Zone,
    ZoneKey,
)
from contracts.registry.snapshot import Snapshot

__all__ = [
    "DEFAULT_RETENTION_DAYS",
    "MIN_RETENTION_DAYS",
    "Adapter",
    "AdapterKey",
    "App",
    "AppKey",
    "AuditSlot",
    "Auditor",
    "Grant",
    "Node",
    "Organisation",
    "Snapshot",
    "Span",
    "Unit",
    "Zone",
    "ZoneKey",
]
