"""What takes and carries correction requests in a serving process, from its node and configuration."""

from collections.abc import Iterator
from contextlib import contextmanager

from audit.log import AuditLog
from contracts.edge.clock import now_ms
from contracts.streams import Stream
from gateway.config import ServeConfig
from gateway.corrections.run import Around, Carrier
from gateway.corrections.spool import Desk, Spool
from gateway.node import Node
from gateway.store.rows import Row
from gateway.web.evidence import Evidence
from gateway.web.parts import ServeParts


def desk(node: Node, serving: ServeConfig) -> Desk:
    """Where the web puts requests."""
    return Desk(_spool(node, serving.slot), node.config.node_id, serving.correction_days)


@contextmanager
def requests_carried(node: Node, serving: ServeConfig, log: AuditLog, parts: ServeParts) -> Iterator[None]:
    """Correction requests are carried to departments for the length of a `with`."""
    evidence = Evidence(parts.open_store, parts.current_store)

    def row(stream: Stream, record: str) -> Row | None:
        evidence.look()
        return evidence.row(stream, record)

    around = Around(
        log=log,
        spool=_spool(node, serving.slot),
        transport=node.transport,
        node=node.config.node_id,
        key=node.signing_key(),
        registry=node.registry.current,
        rows=row,
        done=evidence.close,
        clock=now_ms,
        former=tuple((one.reader, one.ending.head.size, _spool(node, one.slot)) for one in parts.closed.there()),
    )
    carrier = Carrier(around) if parts.corrections is None else Carrier(around, carrying=parts.corrections.carrying)
    carrier.start()
    try:
        yield
    finally:
        carrier.close()


def _spool(node: Node, slot: str) -> Spool:
    return Spool(node.config.data_dir / "corrections" / slot)
