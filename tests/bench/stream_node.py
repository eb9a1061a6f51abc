"""The node under `tests.bench.streams`: `python -m tests.bench.stream_node LOG.toml STORE STREAMS`, until SIGTERM."""

import sys
import time
from pathlib import Path

from contracts.edge.config import read_toml
from contracts.edge.transport import open_transport
from gateway.ingest.run import IngestParts, run_ingest
from gateway.roles import configure_logging, stop_signals
from tests.bench import town
from tests.unit.gateway.ingest import world


def main() -> None:
    """Ingest the town's streams."""
    config, store, streams = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    configure_logging()
    registry = town.registry(streams)
    with stop_signals() as stop:
        run_ingest(
            IngestParts(
                transport=open_transport(read_toml(config)),
                store=store,
                store_kek=town.KEK,
                zone=world.ZONE,
                zone_keys=(world.ZONE_KEY,),
                node_id="node-1",
                node_key=world.NODE_KEY,
                registry=lambda: registry,
                clock=lambda: time.time_ns() // 1_000_000,
            ),
            stop,
        )


if __name__ == "__main__":
    main()
