"""Correction requests on disk, one small file each: written before the access record, so that none is lost after it.

1. A file is replaced as a whole and durable on return. Its name is the request's id, a transaction id of ours.
2. `record` is opaque and the file has no holder, clerk or case; it is for its owner alone all the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contracts.corrections import from_json, to_json
from contracts.edge.files import sync_directory, write_atomic
from contracts.encoding import canonical, parse_object
from contracts.errors import Corrupt, Fault
from gateway.corrections.judge import Open


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a serving process puts requests: its spool, the node's name, in how many days departments answer."""

    spool: "Spool"
    node: str
    days: int


class Spool:
    """The open requests of one slot. Safe from any thread; a file is changed by one thread at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def keep(self, one: Open) -> None:
        """Durable on return; raises OSError."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        form = {**one._asdict(), "correction": to_json(one.correction)}
        write_atomic(self._path(one.correction.id), canonical(form), 0o600)

    def drop(self, one: Open) -> None:
        """It is done with; raises OSError."""
        self._path(one.correction.id).unlink(missing_ok=True)
        sync_directory(self._directory)

    def all(self) -> Iterator[Open]:
        """Every request that is open, oldest first; raises `Corrupt`."""
        for path in sorted(self._directory.glob("[0-9a-f]*.json")):
            try:
                form = parse_object(path.read_bytes())
                yield Open(from_json(form.pop("correction")), **form)
            except (Fault, KeyError, TypeError):
                raise Corrupt(f"{path} is not a correction request that was written here") from None

    def _path(self, identifier: str) -> Path:
        return self._directory / f"{identifier}.json"
