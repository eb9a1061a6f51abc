"""The node under `tests.bench.streams`: `python -m tests.bench.stream_node LOG.toml STORE STREAMS`, until SIGTERM."""

import sys
from pathlib import Path

from contracts.edge.config import read_toml
from contracts.edge.transport import open_transport
from gateway.ingest.run import run_ingest
from gateway.roles import configure_logging, stop_signals
from tests.bench import town
from tests.bench.ingest import parts_of


def main() -> None:
    """Ingest the town's streams."""
    config, store, streams = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    configure_logging()
    registry = town.registry(streams)
    with stop_signals() as stop:
        run_ingest(parts_of(open_transport(read_toml(config)), store, registry), stop)


if __name__ == "__main__":
    main()
