"""Correction requests on disk, one small file each: written before the access record, so that none is lost after it.

1. A file is replaced as a whole and durable on return. Its name is the request's id, a transaction id of ours.
2. `record` is opaque and the file has no holder, clerk or case; it is for its owner alone all the same.
3. One that cannot be read hides no other. At most `MAX_OPEN` are open: no more are taken then.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType
from typing import Final

from contracts.corrections import from_json, to_json
from contracts.edge.files import sync_directory, write_atomic
from contracts.encoding import canonical, parse_object
from contracts.errors import Corrupt, Fault
from contracts.streams import Position
from gateway.corrections.judge import Open

MAX_OPEN: Final = 10_000
STUCK_S: Final = 120.0
_TYPES: Mapping[str, tuple[type, ...]] = {
    "after": (int,),
    "recorded": (bool,),
    "sent_at": (int,),
    "late": (bool,),
    "telling": (int, NoneType),
}


@dataclass(slots=True)
class Carrying:
    """Why requests are not all carried, and since when (s, monotonic); None: they are. Told by one thread, for any."""

    trouble: str | None = None
    since: float = 0.0

    def tell(self, why: str | None) -> None:
        if self.trouble is None:
            self.since = time.monotonic()
        self.trouble = why

    def stuck(self, for_s: float = STUCK_S) -> bool:
        """Long enough to be warned of."""
        return self.trouble is not None and time.monotonic() - self.since > for_s


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a serving process puts requests: its spool, the node's name, in how many days departments answer, and how
    it stands with carrying them."""

    spool: "Spool"
    node: str
    days: int
    carrying: Carrying = field(default_factory=Carrying)


class Spool:
    """The open requests of one slot. Safe from any thread; a file is changed by one thread at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def keep(self, one: Open) -> None:
        """Durable on return; raises OSError."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        form = {**one._asdict(), "correction": to_json(one.correction), "position": list(one.position)}
        write_atomic(self._path(one.correction.id), canonical(form), 0o600)

    def drop(self, one: Open) -> None:
        """It is done with; raises OSError."""
        self._path(one.correction.id).unlink(missing_ok=True)
        sync_directory(self._directory)

    def all(self) -> Iterator[Open]:
        """Every request that is open, oldest first; after the last one raises `Corrupt` if there was a bad one."""
        bad = None
        for path in sorted(self._directory.glob("[0-9a-f]*.json")):
            try:
                yield _read(path.read_bytes())
            except (Fault, KeyError, TypeError):
                bad = path
        if bad is not None:
            raise Corrupt(f"{bad} is not a correction request that was written here")

    @property
    def full(self) -> bool:
        """Rule 3; raises OSError."""
        with suppress(FileNotFoundError), os.scandir(self._directory) as files:
            return sum(1 for _ in files) >= MAX_OPEN
        return False

    def _path(self, identifier: str) -> Path:
        return self._directory / f"{identifier}.json"


def _read(data: bytes) -> Open:
    """Raises `Fault`, KeyError, TypeError."""
    form = parse_object(data)
    correction, place = from_json(form.pop("correction")), form.pop("position")
    one = Open(correction, Position(*place), **form)
    if any(type(value) not in _TYPES[name] for name, value in form.items()) or {type(number) for number in place} != {
        int
    }:
        raise TypeError
    return one
