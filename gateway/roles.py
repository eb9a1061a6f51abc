"""The roles of a node as processes: each reads the configuration, builds the parts, connects them, decides nothing."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from contracts.edge.clock import now_ms
from gateway.ingest.run import IngestParts, run_ingest
from gateway.node import Node, following, opened

_log = structlog.get_logger("oncegate")


def configure_logging(level: int = logging.INFO) -> None:
    """JSON lines on stderr: time, level, event and facts. No room logs personal data.

    Where stderr is a file on a full disk, lines are lost and nothing else is: what a line is about matters more.
    """
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Lines(),
    )


class _Lines:
    """Writes each line at once, in one piece, or not at all."""

    def msg(self, line: str) -> None:
        with suppress(OSError):
            os.write(sys.stderr.fileno(), f"{line}\n".encode())

    debug = info = warning = error = critical = msg


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set, for the length of a `with`."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ingest(config_path: Path) -> None:
    """Verify, validate and store what departments publish, until a stop signal."""
    configure_logging()
    with opened(config_path, patient=True) as node, stop_signals() as stop, following(node):
        while not stop.is_set():
            _ingest_current(node, stop)


def _ingest_current(node: Node, stop: threading.Event) -> None:
    """Ingest into the store that is the current one, for as long as it is."""
    stores, parts = node.stores(), ingest_parts(node)
    _log.info("ingest_started", node=node.config.node_id, store=parts.store.name)
    run_ingest(parts, stop, replaced=lambda: stores.current_path() != parts.store)


def ingest_parts(node: Node, store: Path | None = None) -> IngestParts:
    """What ingest works with, from an opened node. `store`: the current one unless given; made if there is none."""
    stores = node.stores()
    return IngestParts(
        transport=node.transport,
        store=stores.first() if store is None else store,
        store_kek=stores.keys(),
        zone=node.config.zone,
        zone_keys=node.zone_keys(),
        node_id=node.config.node_id,
        node_key=node.signing_key(),
        registry=node.registry.current,
        clock=now_ms,
        evidence_types=node.evidence_types(),
    )
