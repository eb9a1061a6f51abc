"""Record batches: what is in them comes out, what was altered does not, and the heads alone tell where to read on."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.errors import CorruptRecordError
from kafka.record import MemoryRecords, MemoryRecordsBuilder

from contracts.edge.transport.kafka_batches import Fetched, heads, unpack

Entry = tuple[bytes, bytes | None]

COMMIT, ABORT = b"\x00\x00\x00\x01", b"\x00\x00\x00\x00"
CONTROL, BASE_OFFSET, CRC_FROM = 0x20, slice(0, 8), 21


def batch(base: int, entries: list[Entry], producer: int = -1, codec: int = 0) -> bytearray:
    """A batch as a broker would have stored it at offset `base`; transactional if there is a producer."""
    transactional = producer >= 0
    builder = MemoryRecordsBuilder(2, codec, 1 << 20, transactional=transactional, **_producer(producer))
    for key, value in entries:
        builder.append(1_000, key, value, [("h", b"1")])
    builder.close()
    data = bytearray(builder.buffer())
    data[BASE_OFFSET] = base.to_bytes(8, "big")
    return data


def _producer(producer: int) -> dict[str, int]:
    return {"producer_id": producer, "producer_epoch": 0, "base_sequence": 0} if producer >= 0 else {}


def mark(base: int, producer: int, kind: bytes) -> bytes:
    """The end of a transaction, as a broker writes it."""
    data = batch(base, [(kind, b"\x00" * 6)], producer)
    data[22] |= CONTROL
    return _with_crc(data)


def _with_crc(data: bytearray) -> bytes:
    from crc32c import crc32c

    data[17:21] = crc32c(bytes(data[CRC_FROM:])).to_bytes(4, "big")
    return bytes(data)


def _unpack(data: bytes, start: int = 0, aborted: tuple[tuple[int, int], ...] = ()) -> list[tuple[int, bytes]]:
    records = unpack("t", Fetched(start, data, aborted, heads(data, start, -1)[0]))
    return [(record.offset, record.key) for record in records]


@given(
    batches=st.lists(
        st.lists(st.tuples(st.binary(max_size=20), st.none() | st.binary(max_size=300)), min_size=1, max_size=5),
        min_size=1,
        max_size=4,
    ),
    hole=st.integers(0, 5),
    codec=st.sampled_from([0, 1]),
)
def test_what_was_written_is_read(batches: list[list[Entry]], hole: int, codec: int) -> None:
    data, base, written = b"", 7, []
    for entries in batches:
        data += batch(base, entries, codec=codec)
        written += [(base + index, key, value) for index, (key, value) in enumerate(entries)]
        base += len(entries) + hole
    end = written[-1][0] + 1
    assert heads(data, 7, -1) == (end, 0)
    records = unpack("t", Fetched(7, data, (), end))
    assert [(record.offset, record.key, record.value) for record in records] == written
    assert {record.headers for record in records} == {(("h", b"1"),)}


@given(
    entries=st.lists(
        st.tuples(
            st.integers(0, 2**42),
            st.none() | st.binary(max_size=200),
            st.none() | st.binary(max_size=20_000),
            st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=200)), max_size=70),
        ),
        min_size=1,
        max_size=3,
    ),
    appended=st.booleans(),
)
def test_plain_batches_say_what_kafka_python_says(entries: list[Any], appended: bool) -> None:
    builder = MemoryRecordsBuilder(2, 0, 1 << 24)
    for entry in entries:
        builder.append(*entry)
    builder.close()
    data = bytearray(builder.buffer())
    data[22] |= 8 * appended  # the broker's clock counts
    fetched = Fetched(0, _with_crc(data), (), len(entries))
    theirs: Any = MemoryRecords(fetched.data).next_batch()
    expected = [
        (
            "t",
            one.offset,
            one.timestamp,
            one.key or b"",
            one.value,
            tuple((name, at or b"") for name, at in one.headers),
        )
        for one in theirs
    ]
    assert unpack("t", fetched) == expected


@pytest.mark.parametrize("place", [61, 65, 69, 75])
def test_a_batch_of_records_that_do_not_fit_is_refused(place: int) -> None:
    data = batch(0, [(b"key", b"value")])
    data[place] += 2  # a length or a count, one more than there is
    with pytest.raises(CorruptRecordError):
        unpack("t", Fetched(0, _with_crc(data), (), 1))


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_an_altered_bit_is_noticed(place: int, bit: int) -> None:
    data = batch(0, [(b"key", b"value" * 20)])
    place = CRC_FROM - 4 + place % (len(data) - CRC_FROM + 4)
    data[place] ^= 1 << bit
    with pytest.raises(CorruptRecordError):
        unpack("t", Fetched(0, bytes(data), (), 1))


def test_records_before_the_place_asked_for_are_left_out() -> None:
    assert _unpack(bytes(batch(10, [(b"a", b""), (b"b", b""), (b"c", b"")])), 11) == [(11, b"b"), (12, b"c")]


@given(cut=st.integers(1, 100))
def test_a_batch_that_is_cut_off_waits_for_the_next_fetch(cut: int) -> None:
    whole, half = batch(0, [(b"a", b"")]), batch(1, [(b"b", b"x" * 100)])
    data = bytes(whole + half)[:-cut]
    assert heads(data, 0, -1)[0] == 1
    assert _unpack(data) == [(0, b"a")]


def test_an_aborted_transaction_is_not_read() -> None:
    data = b"".join(
        (
            bytes(batch(0, [(b"aborted", b"")], producer=1)),
            bytes(batch(1, [(b"committed", b"")], producer=2)),
            bytes(batch(2, [(b"plain", b"")])),
            mark(3, 1, ABORT),
            bytes(batch(4, [(b"again", b"")], producer=1)),
            mark(5, 2, COMMIT),
            mark(6, 1, COMMIT),
        )
    )
    assert _unpack(data, aborted=((1, 0),)) == [(1, b"committed"), (2, b"plain"), (4, b"again")]
    assert heads(data, 0, -1)[0] == 7
