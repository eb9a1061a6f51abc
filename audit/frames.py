"""The write-ahead frame: everything that one group commit makes durable, in one piece.

    magic 4 | body length u32 | first index u64 | count u32 | root 32 | key length u16 | CRC-32 of all these u32
    body: day key | count entries, each after a uint16 length | count opening rows, likewise | CRC-32 of body u32

1. All numbers are big-endian. The root is that of the tree after these entries.
2. The frame names its day key itself, so that its rows stay readable whatever else is lost.
3. Decoding is strict: everything must fit exactly. What does not is either a torn tail (nothing whole follows)
   or corruption (something does): a frame is only written after the one before it is durable.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

from audit.merkle import HASH_SIZE
from audit.tiles import split_entries
from contracts.errors import Corrupt

MAGIC = b"OGF1"
_HEAD = struct.Struct(f">4sIQI{HASH_SIZE}sH")
_CRC = struct.Struct(">I")
HEAD_SIZE = _HEAD.size + _CRC.size


@dataclass(frozen=True, slots=True)
class Frame:
    """One group commit. `entries` and `rows` (sealed openings) are of equal number, without their lengths."""

    first: int
    root: bytes
    key: bytes
    entries: Sequence[bytes]
    rows: Sequence[bytes]

    @property
    def end(self) -> int:
        """The size of the log after this frame."""
        return self.first + len(self.entries)


def encode(first: int, root: bytes, key: bytes, entries: Sequence[bytes], rows: Sequence[bytes]) -> bytes:
    """Frame bytes of entries and rows that are `prefixed` already (the tiles need them so, too)."""
    body = b"".join((key, *entries, *rows))
    head = _HEAD.pack(MAGIC, len(body), first, len(entries), root, len(key))
    return b"".join((head, _CRC.pack(crc32(head)), body, _CRC.pack(crc32(body))))


def decode(data: bytes, at: int = 0) -> tuple[Frame, int] | None:
    """The frame that begins at `at`, and where it ends; None when there is no whole and sound frame."""
    body_at = at + HEAD_SIZE
    head = data[at : at + _HEAD.size]
    if body_at > len(data) or crc32(head) != _CRC.unpack_from(data, at + _HEAD.size)[0]:
        return None
    magic, length, first, count, root, key_size = _HEAD.unpack(head)
    end = body_at + length
    if magic != MAGIC or end + _CRC.size > len(data):
        return None
    body = data[body_at:end]
    if crc32(body) != _CRC.unpack_from(data, end)[0]:
        return None
    items = split_entries(body[key_size:], 2 * count)
    return Frame(first, root, body[:key_size], items[:count], items[count:]), end + _CRC.size


def decode_all(data: bytes) -> tuple[list[Frame], int]:
    """All sound frames from the start of a segment, and where they end. What follows is a torn tail.

    Raises `Corrupt` when a sound frame follows an unsound place (rule 3).
    """
    frames: list[Frame] = []
    end = 0
    while (found := decode(data, end)) is not None:
        frame, end = found
        frames.append(frame)
    if any(_sound_after(data, end)):
        raise Corrupt(f"an audit frame at byte {end} is damaged, and whole frames follow it")
    return frames, end


def _sound_after(data: bytes, at: int) -> Iterator[bool]:
    while (at := data.find(MAGIC, at + 1)) >= 0:
        yield _sound_head(data, at)


def _sound_head(data: bytes, at: int) -> bool:
    head = data[at : at + _HEAD.size]
    return at + HEAD_SIZE <= len(data) and crc32(head) == _CRC.unpack_from(data, at + _HEAD.size)[0]
