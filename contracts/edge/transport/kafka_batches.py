"""Record batches as a broker hands them out (message format 2): their heads, and the records in them.

1. The heads alone tell where to read on; batches of which compaction has left nothing, or only marks of transactions,
   count too.
2. Every batch's CRC-32C is checked before anything in it is believed.
3. Records of an aborted transaction are left out, as are the marks themselves.
4. What nodes and adapters write, batches without compression outside of transactions, is taken apart here: from the
   bytes as they came, with one copy of each value, at half of what kafka-python's objects cost. All else it unpacks.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kafka import errors
from kafka.record import MemoryRecords

from contracts.edge.transport.interface import Headers, Record

_HEAD = struct.Struct(">qii")  # base offset, length of what follows these two, leader epoch
_FRAME = 12  # base offset and length
_LAST_DELTA = struct.Struct(">i")
_LAST_DELTA_AT = 23
_RECORDS_AT = 61
_NOT_PLAIN = 0b110111  # of a batch's attributes: compression, transaction, control


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
    records: list[Record] = []
    for batch in _committed(fetched):
        records += _plain(topic, batch) if not batch.attributes & _NOT_PLAIN else _any(topic, batch)
    first = fetched.start
    return records if not records or records[0].offset >= first else [one for one in records if one.offset >= first]


def _any(topic: str, batch: Any) -> Iterator[Record]:
    for item in batch:
        headers = tuple((name, value or b"") for name, value in item.headers)
        yield Record(topic, item.offset, item.timestamp, item.key or b"", item.value, headers)


# --- plain records (rule 4) ----------------------------------------------------------------------------------------


def _plain(topic: str, batch: Any) -> list[Record]:
    try:
        return _taken_apart(topic, batch, bytes(batch._buffer))
    except (IndexError, UnicodeDecodeError) as error:
        raise errors.CorruptRecordError(f"batch at offset {batch.base_offset}: {error}") from None


def _taken_apart(topic: str, batch: Any, data: bytes) -> list[Record]:
    base, began, appended = batch.base_offset, batch.first_timestamp, batch.timestamp_type
    at, records = _RECORDS_AT, []
    for _ in range(batch.records_count):
        length, at = _varint(data, at)
        end = at + length
        later, at = _varint(data, at + 1)  # after the attributes, which say nothing yet
        offset, at = _varint(data, at)
        key, at = _field(data, at)
        value, at = _field(data, at)
        headers, at = _headers(data, at) if data[at] else ((), at + 1)
        if at != end:
            raise errors.CorruptRecordError(f"batch at offset {base}: a record of another length than it says")
        timestamp = batch.max_timestamp if appended else began + later
        records.append(Record(topic, base + offset, timestamp, key or b"", value, headers))
    return records


def _headers(data: bytes, at: int) -> tuple[Headers, int]:
    count, at = _varint(data, at)
    headers = []
    for _ in range(count):
        name, at = _field(data, at)
        value, at = _field(data, at)
        headers.append(((name or b"").decode(), value or b""))
    return tuple(headers), at


def _field(data: bytes, at: int) -> tuple[bytes | None, int]:
    """A length and as many bytes; None for a negative one."""
    size, at = _varint(data, at)
    return (None, at) if size < 0 else (data[at : at + size], at + size)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag number of seven bits a byte, and where it ends."""
    byte = data[at]
    if byte < 128:
        return byte >> 1 ^ -(byte & 1), at + 1
    number, shift = byte & 127, 7
    while (byte := data[at := at + 1]) > 127:
        number |= (byte & 127) << shift
        shift += 7
    number |= byte << shift
    return number >> 1 ^ -(number & 1), at + 1


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
