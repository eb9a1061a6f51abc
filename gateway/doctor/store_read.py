"""The states of the streams in a store, for checks that need them."""

from pathlib import Path
from typing import Final

from contracts.edge.doctor.sqlite import reading
from contracts.streams import Stream
from gateway.ingest.state import StreamState
from gateway.store import database

_STREAMS: Final = "SELECT organisation, adapter, evidence_type, state FROM streams ORDER BY id"


def states(path: Path) -> dict[Stream, StreamState]:
    """Every stream that ingest has met; raises `StoreAbsent`, `UserError`, `Corrupt`."""
    if not path.exists():
        raise database.StoreAbsent(path)
    with reading(path) as db:
        return {Stream(*names): StreamState.from_json(state) for *names, state in db.execute(_STREAMS)}
