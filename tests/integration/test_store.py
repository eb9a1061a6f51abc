"""The store on a real file: what goes in comes out, sealed, found, superseded, covered, erased from the disk."""

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from contracts import catalogue
from contracts.errors import Corrupt, UserError
from contracts.evidence_types import EvidenceType
from contracts.streams import Position, Stream
from gateway.ingest.state import StreamState
from gateway.store import database
from gateway.store.reader import Reader
from gateway.store.rows import ERASED, LIVE, REJECTED, WITHDRAWN, Lookups, Row, Write
from gateway.store.writer import MAX_SUPERSEDED, Batch, Change, Reject, Writer

KEK = bytes(range(32))
TYPE = "cn.business-licence"
STREAM = Stream("market", "market-1", TYPE)
HOLDER = (("holder:cn.uscc", "91110000MA001234X5"),)
MESSAGE = b"SECRET-CONTENT-" * 20


@pytest.fixture
def business_licence() -> EvidenceType:
    return next(one for one in catalogue.evidence_types() if one.id == TYPE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    one = Writer(path, KEK)
    yield one
    one.close()


@pytest.fixture
def reader(writer: Writer, path: Path) -> Iterator[Reader]:
    with Reader(path, KEK) as one:
        yield one


def live(record: str, seq: int, epoch: int = 1, lookups: Lookups = HOLDER, message: bytes = MESSAGE) -> Write:
    row = Row(Position(epoch, seq), f"sha-256:{epoch}-{seq}", LIVE)
    return Write(record, row, f"urn:oncegate:{TYPE}:1", "valid", lookups=lookups, message=message)


def stub(record: str, seq: int, condition: str) -> Write:
    row = Row(Position(1, seq), f"sha-256:1-{seq}", condition, condition == ERASED)
    return Write(record, row, f"urn:oncegate:{TYPE}:1")


def rejected(record: str, seq: int, lookups: Lookups = HOLDER) -> Write:
    row = Row(Position(1, seq), f"sha-256:1-{seq}", REJECTED)
    return Write(record, row, f"urn:oncegate:{TYPE}:1", code="document_invalid", lookups=lookups)


def put(writer: Writer, *writes: Write) -> int:
    number = writer.stream(STREAM).id
    writer.apply(
        Batch([Change(number, STREAM, writer.known(number, [one.record]).get(one.record), one) for one in writes])
    )
    return number


def find(reader: Reader, field: str = "holder:cn.uscc", value: str = "91110000MA001234X5") -> list[tuple[str, str]]:
    token = reader._sealer.token(TYPE, field, value)
    return [(one.record, one.condition) for one in reader.find(TYPE, token)]


def test_a_live_record_is_found_with_its_bytes(writer: Writer, reader: Reader, business_licence: EvidenceType) -> None:
    put(writer, live("r1", 1))
    token = reader.token_for_holder(business_licence, "cn.uscc", " 91110000ma001234x5 ")
    (found,) = reader.find(TYPE, token)
    assert (found.stream, found.record, found.position, found.message) == (STREAM, "r1", Position(1, 1), MESSAGE)
    assert (found.status, found.condition, found.identity) == ("valid", LIVE, "sha-256:1-1")
    assert reader.find("cn.other", token) == ()


def test_a_key_field_finds_too(writer: Writer, reader: Reader, business_licence: EvidenceType) -> None:
    put(writer, live("r1", 1, lookups=(("unified_social_credit_code", "91110000MA001234X5"),)))
    token = reader.token_for_field(business_licence, "unified_social_credit_code", "91110000ma001234x5")
    assert [one.record for one in reader.find(TYPE, token)] == ["r1"]


def test_superseding_moves_what_finds_it(writer: Writer, reader: Reader) -> None:
    put(writer, live("r1", 1))
    put(writer, live("r1", 2, lookups=(("holder:cn.ric", "X"),), message=b"second"))
    assert find(reader) == []
    assert find(reader, "holder:cn.ric", "X") == [("r1", LIVE)]
    assert [row.message for row in reader.logical_rows()] == [b"second"]


@pytest.mark.parametrize("condition", [WITHDRAWN, ERASED])
def test_a_stub_is_found_by_nothing(writer: Writer, reader: Reader, condition: str) -> None:
    put(writer, live("r1", 1))
    put(writer, stub("r1", 2, condition))
    assert find(reader) == []
    (row,) = reader.logical_rows()
    assert (row.row.condition, row.tokens, row.message) == (condition, 0, None)


def test_a_rejected_state_is_found_without_content(writer: Writer, reader: Reader) -> None:
    put(writer, live("r1", 1))
    put(writer, rejected("r1", 2))
    assert find(reader) == [("r1", REJECTED)]
    assert [row.message for row in reader.logical_rows()] == [None]


def test_covering_an_epoch_withdraws_the_older_ones(writer: Writer, reader: Reader) -> None:
    number = put(writer, live("old", 1), live("kept", 1, epoch=2), rejected("bad", 2))
    writer.apply(Batch(covered=[(number, 2)]))
    conditions = {row.record: (row.row.condition, row.tokens, row.code) for row in reader.logical_rows()}
    assert conditions == {"old": (WITHDRAWN, 0, ""), "kept": (LIVE, 1, ""), "bad": (WITHDRAWN, 0, "")}
    assert find(reader) == [("kept", LIVE)]


def test_nothing_readable_is_in_the_files(writer: Writer, reader: Reader, path: Path) -> None:
    put(writer, live("r1", 1))
    for file in path.parent.iterdir():
        assert b"SECRET-CONTENT" not in file.read_bytes()
        assert b"91110000MA001234X5" not in file.read_bytes()


def sealed_content(path: Path) -> bytes:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        found: bytes = db.execute("SELECT sealed FROM contents").get
        return found
    finally:
        db.close()


def test_an_erased_content_leaves_the_disk(writer: Writer, path: Path) -> None:
    put(writer, live("r1", 1))
    sealed = sealed_content(path)
    assert any(sealed in file.read_bytes() for file in path.parent.iterdir())
    put(writer, stub("r1", 2, ERASED))
    assert not any(sealed[:64] in file.read_bytes() for file in path.parent.iterdir())


def test_an_altered_or_moved_content_is_corrupt(writer: Writer, reader: Reader, path: Path) -> None:
    put(writer, live("r1", 1), live("r2", 2))
    db = apsw.Connection(str(path))
    db.execute("UPDATE contents SET sealed = (SELECT sealed FROM contents WHERE record = 1) WHERE record = 2")
    db.close()
    with pytest.raises(Corrupt):
        list(reader.logical_rows())


def test_states_and_offsets_stand_in_the_same_transaction(writer: Writer, reader: Reader) -> None:
    number = writer.stream(STREAM).id
    assert writer.stream(STREAM).next is None
    assert reader.stream_states(TYPE) == ((STREAM, StreamState()),)
    state = StreamState(head=Position(1, 7), gaps=((2, 3),), live=4, mismatch=(1, 2), as_of=5)
    writer.apply(Batch(states={number: (state, 42)}))
    assert writer.stream(STREAM)[2:] == (42, "", state)
    assert reader.stream_states(TYPE) == ((STREAM, state),)
    assert reader.stream_states("cn.other") == ()


def test_the_topic_that_offsets_are_of_stands_beside_them(writer: Writer) -> None:
    number = writer.stream(STREAM).id
    writer.begin(number, 3, "topic-1")
    assert writer.stream(STREAM)[2:] == (3, "topic-1", StreamState())
    writer.apply(Batch(states={number: (StreamState(live=1), 9)}))
    assert writer.stream(STREAM)[2:] == (9, "topic-1", StreamState(live=1))


def test_a_batch_is_all_or_nothing(writer: Writer, reader: Reader) -> None:
    number = writer.stream(STREAM).id
    twice = [Change(number, STREAM, None, live("r1", 1)), Change(number, STREAM, None, live("r1", 2))]
    with pytest.raises(apsw.ConstraintError):
        writer.apply(Batch(twice, states={number: (StreamState(live=2), 9)}, rejects=[Reject("t", b"", b"")]))
    assert list(reader.logical_rows()) == []
    assert writer.stream(STREAM).next is None
    assert writer.reject_topics() == []


def test_numbers_are_remembered(writer: Writer) -> None:
    number = put(writer, live("r1", 1))
    writer.apply(Batch(superseded=[(number, 1, seq, f"i{seq}") for seq in range(10, MAX_SUPERSEDED + 20)]))
    assert writer.holder_of(number, Position(1, 1)) == "sha-256:1-1"
    assert writer.holder_of(number, Position(1, MAX_SUPERSEDED)) == f"i{MAX_SUPERSEDED}"
    assert writer.holder_of(number, Position(1, 19)) is None
    assert writer.holder_of(number, Position(1, 20)) == "i20"


def test_rejects_wait_until_they_are_sent(writer: Writer, reader: Reader) -> None:
    writer.apply(Batch(rejects=[Reject("rejects.a", b"k", b"v"), Reject("rejects.b", b"k", b"v")]))
    assert reader.rejects_pending() == 2
    assert writer.reject_topics() == ["rejects.a", "rejects.b"]
    ((number, key, value),) = writer.pending_rejects("rejects.a")
    assert (key, value) == (b"k", b"v")
    writer.rejects_sent([number])
    assert writer.reject_topics() == ["rejects.b"]


def test_refusals_are_counted(writer: Writer, reader: Reader) -> None:
    number = writer.stream(STREAM).id
    writer.apply(Batch(refusals={(number, "replayed"): 2}))
    writer.apply(Batch(refusals={(number, "replayed"): 1, (number, "key_unknown"): 1}))
    assert reader.refusals() == ((STREAM, "key_unknown", 1), (STREAM, "replayed", 3))


def test_one_writer_only(writer: Writer, path: Path) -> None:
    with pytest.raises(UserError, match="Another ingest"):
        Writer(path, KEK)


def test_everything_is_there_after_opening_again(path: Path) -> None:
    first = Writer(path, KEK)
    put(first, live("r1", 1))
    first.close()
    second = Writer(path, KEK)
    put(second, live("r2", 2))
    second.close()
    with Reader(path, KEK) as reader:
        assert [row.record for row in reader.logical_rows()] == ["r1", "r2"]


def test_another_key_is_refused(writer: Writer, path: Path) -> None:
    with pytest.raises(UserError, match="not the one of this store"):
        Reader(path, bytes(32))


def test_no_store_yet(tmp_path: Path) -> None:
    with pytest.raises(database.StoreAbsent):
        Reader(tmp_path / "none.db", KEK)


def test_a_newer_format_is_refused(writer: Writer, path: Path) -> None:
    db = apsw.Connection(str(path))
    db.pragma("user_version", database.FORMAT + 1)
    db.close()
    with pytest.raises(UserError, match="newer than this program"):
        Reader(path, KEK)


def test_a_file_that_is_no_store_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(Corrupt):
        Reader(path, KEK)
