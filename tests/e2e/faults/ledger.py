"""The audit log as a stranger reads it: signed head, entries, root, by the published specifications only.

Checkpoint: https://c2sp.org/tlog-checkpoint in a signed note (Ed25519). Entries: https://c2sp.org/tlog-tiles bundles.
Root: RFC 6962 §2.1, recursively over all entries, whatever the hash tiles say.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

WIDTH = 256
TRIES = 50


@dataclass(frozen=True, slots=True)
class Log:
    """A log under its published head; `wrong`: what does not fit (empty: it verifies)."""

    origin: str
    leaves: tuple[bytes, ...]
    wrong: tuple[str, ...]


def published_size(directory: Path) -> int:
    """The size in the head; 0 before the first."""
    try:
        return int((directory / "checkpoint").read_text("utf-8").split("\n")[1])
    except FileNotFoundError:
        return 0


def read_log(directory: Path, vkey: str) -> Log:
    """Everything under the head; read again when a newer head takes the place of partial files meanwhile."""
    origin = vkey.split("+", maxsplit=1)[0]
    missing: OSError | None = None
    for _ in range(TRIES):
        try:
            note = (directory / "checkpoint").read_bytes()
            leaves = _entries(directory, int(note.split(b"\n")[1]))
        except FileNotFoundError as error:
            missing = error
            continue
        except ValueError as error:
            return Log(origin, (), (f"{origin}: {error}",))
        return Log(origin, tuple(leaves), tuple(_wrong(note, leaves, vkey)))
    return Log(origin, (), (f"{origin}: {missing}",))


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 6962 §2.1."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """RFC 6962 §2.1: the Merkle tree hash, level by level; a last one without a neighbour goes up as it is."""
    level = list(hashes)
    if not level:
        return hashlib.sha256(b"").digest()
    while len(level) > 1:
        pairs = [hashlib.sha256(b"\x01" + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


def _entries(directory: Path, size: int) -> list[bytes]:
    found: list[bytes] = []
    for index in range(-(-size // WIDTH)):
        width = min(WIDTH, size - WIDTH * index)
        found += _split(_bundle(directory / "tile" / "entries" / _numbered(index), width))[:width]
    if len(found) != size:
        raise ValueError(f"{len(found)} entries instead of {size}")
    return found


def _bundle(whole: Path, width: int) -> bytes:
    if width == WIDTH:
        return whole.read_bytes()
    try:
        return whole.with_name(f"{whole.name}.p").joinpath(str(width)).read_bytes()
    except FileNotFoundError:
        return whole.read_bytes()


def _numbered(index: int) -> str:
    digits = f"{index:09d}"
    groups = [digits[at : at + 3] for at in range(0, 9, 3)]
    while len(groups) > 1 and groups[0] == "000":
        groups.pop(0)
    return "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])


def _split(data: bytes) -> list[bytes]:
    found: list[bytes] = []
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 2], "big")
        found.append(data[at + 2 : at + 2 + length])
        if len(found[-1]) != length:
            raise ValueError("an entry bundle ends within an entry")
        at += 2 + length
    return found


def _wrong(note: bytes, leaves: Sequence[bytes], vkey: str) -> list[str]:
    """What does not fit between head, key and entries."""
    text, _, signatures = note.rpartition(b"\n\n")
    origin, key_id, key = vkey.split("+", 2)
    lines = (text + b"\n").decode().split("\n")
    wrong = [] if lines[0] == origin else [f"{origin}: the head is of {lines[0]}"]
    if base64.b64decode(lines[2]) != root_of([leaf_hash(leaf) for leaf in leaves]):
        wrong.append(f"{origin}: the entries do not lead to the root of the head")
    try:
        dash, name, encoded = signatures.decode().removesuffix("\n").split(" ")
        value = base64.b64decode(encoded, validate=True)
        if (dash, name, value[:4].hex()) != ("—", origin, key_id):
            wrong.append(f"{origin}: the head is signed by {name}")
        Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:]).verify(value[4:], text + b"\n")
    except (InvalidSignature, ValueError):
        wrong.append(f"{origin}: the head's signature does not verify")
    return wrong
