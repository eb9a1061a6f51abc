"""The registry as it stands in the log, read and verified like a node does it, but not taken into force.

`gateway.registry_source` accepts a version by writing it down; whoever only looks must not.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.algorithms import VerifyKey
from contracts.edge.transport import LogUnavailable, Record, Transport
from contracts.encoding import parse_object
from contracts.errors import Corrupt, Fault
from contracts.plain import from_plain
from contracts.registry import manifest
from contracts.registry.manifest import Seen
from contracts.registry.snapshot import Snapshot
from gateway.control.build import MANIFEST_KEY, PART_PREFIX, REGISTRY_TOPIC

READ_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Found:
    """What the log holds. `refused`: the code with which a node would refuse it ("" if it would not), whatever its
    time; `issued_at`, `appended_at`: Unix ms by control's clock and by the log's."""

    snapshot: Snapshot | None
    refused: str
    seen: int | None
    offered: int | None
    issued_at: int | None
    appended_at: int | None


def read_registry(transport: Transport, root: VerifyKey, state_dir: Path) -> Found:
    """The newest registry of the log. Raises `TopicUnknown`, `LogUnavailable`, `UserError`, `Corrupt`."""
    seen = read_seen(state_dir / "registry-seen.json")
    parts: dict[str, bytes] = {}
    offered: Record | None = None
    for record in _records(transport):
        if record.key == MANIFEST_KEY and record.value is not None:
            offered = record
        elif record.key.startswith(PART_PREFIX) and record.value is not None:
            _keep(parts, record.key.removeprefix(PART_PREFIX).decode("ascii", "replace"), record.value, root)
    version = None if seen is None else seen.version
    if offered is None or offered.value is None:
        return Found(None, "registry_absent", version, None, None, None)
    return _judged(offered.value, parts, root, seen, offered.timestamp_ms)


def _judged(data: bytes, parts: dict[str, bytes], root: VerifyKey, seen: Seen | None, appended_at: int) -> Found:
    version = None if seen is None else seen.version
    try:
        stated = manifest.read(data, root)
    except Fault as fault:
        return Found(None, fault.code, version, None, None, appended_at)
    try:
        snapshot, _ = manifest.accept(data, parts, root, seen, 0)  # times are another question
    except Fault as fault:
        return Found(None, fault.code, version, stated.version, stated.issued_at, appended_at)
    return Found(snapshot, "", version, stated.version, stated.issued_at, appended_at)


def _keep(parts: dict[str, bytes], digest: str, value: bytes, root: VerifyKey) -> None:
    # Only what is what its name says may take up memory.
    if len(value) <= manifest.MAX_PART and root.suite.digest_text(value) == digest:
        parts[digest] = value


def _records(transport: Transport) -> Iterator[Record]:
    deadline = time.monotonic() + READ_SECONDS
    with transport.reader() as reader:
        reader.assign({REGISTRY_TOPIC: reader.earliest(REGISTRY_TOPIC)})
        end = reader.end(REGISTRY_TOPIC)
        while reader.position(REGISTRY_TOPIC) < end:
            if time.monotonic() > deadline:
                raise LogUnavailable(f"{REGISTRY_TOPIC}: not read to its end in {READ_SECONDS:.0f} s")
            yield from reader.read(500, 0.5)


def read_seen(path: Path) -> Seen | None:
    """The highest registry that this node has accepted; raises `Corrupt`."""
    try:
        return from_plain(Seen, parse_object(path.read_bytes()))
    except FileNotFoundError:
        return None
    except Fault:
        raise Corrupt(f"{path} does not say which registry version was seen last") from None
