"""Record batches as a broker hands them out (message format 2): their heads, and the records in them.

1. The heads alone tell where to read on; batches of which compaction has left nothing, or only marks of transactions,
   count too.
2. Every batch's CRC-32C is checked before anything in it is believed.
3. Records of an aborted transaction are left out, as are the marks themselves.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kafka import errors
from kafka.record import MemoryRecords

from contracts.edge.transport.interface import Record

_HEAD = struct.Struct(">qii")  # base offset, length of what follows these two, leader epoch
_FRAME = 12  # base offset and length
_LAST_DELTA = struct.Struct(">i")
_LAST_DELTA_AT = 23


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer's bytes of one topic: whole batches, of which records below `start` were not asked for."""

    start: int
    data: bytes
    aborted: tuple[tuple[int, int], ...]  # (producer id, first offset)
    end: int  # where to read on


def heads(data: bytes, start: int, epoch: int) -> tuple[int, int]:
    """The offset after the last whole batch in `data`, and its leader epoch; as given if there is none."""
    at = 0
    while at + _LAST_DELTA_AT + 4 <= len(data):
        base, length, leader = _HEAD.unpack_from(data, at)
        if at + _FRAME + length > len(data):
            break
        start = max(start, base + _LAST_DELTA.unpack_from(data, at + _LAST_DELTA_AT)[0] + 1)
        epoch = leader
        at += _FRAME + length
    return start, epoch


def unpack(topic: str, fetched: Fetched) -> list[Record]:
    """The records from `start` on. Raises kafka-python's `CorruptRecordError`, `UnsupportedCodecError`."""
    return [
        Record(topic, item.offset, item.timestamp, item.key or b"", item.value, _headers(item.headers))
        for batch in _committed(fetched)
        for item in batch
        if item.offset >= fetched.start
    ]


def _headers(headers: list[tuple[str, bytes | None]]) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, value or b"") for name, value in headers) if headers else ()


def _committed(fetched: Fetched) -> Iterator[Any]:
    begun = sorted(fetched.aborted, key=lambda transaction: transaction[1])
    aborted: set[int] = set()
    for batch in _checked(fetched.data):
        while begun and begun[0][1] <= batch.last_offset:
            aborted.add(begun.pop(0)[0])
        if batch.is_control_batch:
            if next(batch).abort:
                aborted.discard(batch.producer_id)
        elif not (batch.is_transactional and batch.producer_id in aborted):
            yield batch


def _checked(data: bytes) -> Iterator[Any]:
    batches = MemoryRecords(data)
    while (batch := batches.next_batch()) is not None:
        if not batch.validate_crc():
            raise errors.CorruptRecordError(f"batch at offset {batch.base_offset}")
        yield batch
