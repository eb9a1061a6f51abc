"""The embedded log keeps the contract, and what it promises beyond it."""

from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.edge.clock import now_ms
from contracts.edge.config import parse_toml
from contracts.edge.transport import Compacted, Expiring, LogUnavailable, OffsetOutOfRange, TopicUnknown, open_transport
from contracts.edge.transport.embedded import EmbeddedTransport, embedded
from contracts.edge.transport.interface import DAY_MS, MAX_RECORD_BYTES, MAX_TOPIC_LENGTH
from contracts.edge.transport.topic_file import FETCH_BYTES, TopicFile, require_sqlite
from contracts.errors import Corrupt, UserError
from tests.integration.transport.contract import TransportContract, read_all, read_count

LAG = Compacted().min_lag_ms


@dataclass(frozen=True, slots=True)
class EmbeddedHarness:
    transport: EmbeddedTransport
    config: Path
    wake_s: float = 0.05

    def clean(self, topic: str) -> None:
        self.transport.admin().compact(topic, now_ms() + LAG + 1000)


@pytest.fixture
def harness(tmp_path: Path) -> EmbeddedHarness:
    config = tmp_path / "node.toml"
    config.write_text('[log]\nkind = "embedded"\ndirectory = "log"\nprefix = "oncegate."\n')
    return EmbeddedHarness(embedded(tmp_path / "log", "oncegate."), config)


@pytest.fixture
def log(tmp_path: Path) -> EmbeddedTransport:
    return embedded(tmp_path / "log")


class TestEmbedded(TransportContract):
    """The contract."""


# --- cleaning, with a clock of its own -----------------------------------------------------------------------


def _write_at(log: EmbeddedTransport, topic: str, at: int, *entries: tuple[bytes, bytes]) -> None:
    file = log.open(topic)
    file.append(entries, (), at)
    file.close()


def _offsets(log: EmbeddedTransport, topic: str) -> list[int]:
    return [record.offset for record in read_all(log, topic)]


def test_only_the_prefix_older_than_the_lag_is_cleaned(log: EmbeddedTransport) -> None:
    log.admin().create_topic("t", Compacted(min_lag_ms=100))
    for at in (0, 10, 200, 20, 300):  # offset 3 is old, but stands behind a young one
        _write_at(log, "t", at, (b"k", b"v"))
    assert log.admin().compact("t", 150) == 1
    assert _offsets(log, "t") == [1, 2, 3, 4]
    assert log.admin().compact("t", 299) == 0
    assert log.admin().compact("t", 350) == 2
    assert _offsets(log, "t") == [3, 4]


def _cleaned(keys: list[bytes], prefix: int) -> list[int]:
    newest = {key: offset for offset, key in enumerate(keys[:prefix])}
    return sorted([*newest.values(), *range(prefix, len(keys))])


@settings(max_examples=25, deadline=None)
@given(
    keys=st.lists(st.sampled_from([b"a", b"b", b"c", b"d"]), min_size=1, max_size=30),
    cuts=st.lists(st.integers(0, 31), min_size=1, max_size=3),
)
def test_cleaning_agrees_with_its_rule(
    tmp_path_factory: pytest.TempPathFactory, keys: list[bytes], cuts: list[int]
) -> None:
    log = embedded(tmp_path_factory.mktemp("log"))
    log.admin().create_topic("t", Compacted(min_lag_ms=0))
    for at, key in enumerate(keys):
        _write_at(log, "t", at, (key, b"v"))
    done = 0
    for cut in cuts:
        log.admin().compact("t", cut)
        done = max(done, min(cut + 1, len(keys)))
        assert _offsets(log, "t") == _cleaned(keys, done)
    with log.reader() as reader:
        assert reader.end("t") == len(keys)


def test_offsets_are_not_used_again_when_the_end_was_cleaned(log: EmbeddedTransport) -> None:
    log.admin().create_topic("t", Expiring(100))
    _write_at(log, "t", 0, (b"a", b"v"), (b"b", b"v"))
    assert log.admin().compact("t", 1000) == 2
    with log.reader() as reader, log.writer() as writer:
        assert (reader.earliest("t"), reader.end("t")) == (2, 2)
        reader.assign({"t": 1})
        with pytest.raises(OffsetOutOfRange):
            reader.read(1, 0)
        reader.assign({"t": 2})
        assert writer.write("t", b"c", b"v") == 2
        assert [record.key for record in reader.read(10, 1)] == [b"c"]


def test_a_record_without_a_value_stays_and_supersedes_nothing(log: EmbeddedTransport, tmp_path: Path) -> None:
    log.admin().create_topic("t", Compacted(min_lag_ms=0))
    _write_at(log, "t", 0, (b"k", b"0"), (b"k", b"1"), (b"k", b"2"))
    db = apsw.Connection(str(tmp_path / "log" / "t.t"))
    db.execute("UPDATE records SET value = NULL WHERE offset = 2")
    db.close()
    log.admin().compact("t", 10)
    assert [(record.offset, record.value) for record in read_all(log, "t")] == [(1, b"1"), (2, None)]


def test_cleaned_content_leaves_the_disk(log: EmbeddedTransport, tmp_path: Path) -> None:
    log.admin().create_topic("t", Compacted(min_lag_ms=0))
    secret = b"very personal content" * 50
    _write_at(log, "t", 0, (b"k", secret), (b"other", b"x"))
    _write_at(log, "t", 0, (b"k", b"erased"))
    assert _on_disk(tmp_path, secret)
    log.admin().compact("t", 10)
    assert not _on_disk(tmp_path, secret[:21])
    assert _on_disk(tmp_path, b"erased")
    log.admin().delete_topic("t")
    assert not _on_disk(tmp_path, b"erased")


def _on_disk(directory: Path, content: bytes) -> bool:
    return any(content in path.read_bytes() for path in directory.rglob("*") if path.is_file())


def test_maintenance_cleans_what_is_due_and_only_that(log: EmbeddedTransport) -> None:
    admin = log.admin()
    admin.create_topic("evidence")
    admin.create_topic("rejects", Expiring(DAY_MS))
    for topic in ("evidence", "rejects"):
        _write_at(log, topic, 0, (b"k", b"0"), (b"k", b"1"))
    admin.maintain(DAY_MS)
    assert (_offsets(log, "evidence"), _offsets(log, "rejects")) == ([0, 1], [0, 1])
    admin.maintain(2 * DAY_MS)
    assert (_offsets(log, "evidence"), _offsets(log, "rejects")) == ([0, 1], [])
    admin.maintain(7 * DAY_MS + 1)
    assert _offsets(log, "evidence") == [1]
    admin.maintain(30 * DAY_MS)
    assert _offsets(log, "evidence") == [1]


# --- files ---------------------------------------------------------------------------------------------------


def test_prefixes_share_a_directory_without_seeing_each_other(tmp_path: Path) -> None:
    ours, theirs = embedded(tmp_path, "ours."), embedded(tmp_path, "theirs.")
    ours.admin().create_topic("t")
    assert set(ours.admin().topics()) == {"t"}
    assert not theirs.admin().topics()
    with pytest.raises(TopicUnknown):
        theirs.writer().write("t", b"k", b"v")


def test_the_longest_name_fits_the_file_system(log: EmbeddedTransport) -> None:
    name = "x" * MAX_TOPIC_LENGTH
    log.admin().create_topic(name)
    with log.writer() as writer:
        writer.write(name, b"k", b"v")
    assert len(read_all(log, name)) == 1


def test_a_file_removed_by_hand_is_noticed(log: EmbeddedTransport, tmp_path: Path) -> None:
    log.admin().create_topic("t")
    with log.writer() as writer, log.reader() as reader:
        writer.write("t", b"k", b"v")
        reader.assign({"t": 0})
        assert len(read_count(reader, 1)) == 1
        assert reader.read(1, 0) == []
        (tmp_path / "log" / "t.t").unlink()
        with pytest.raises(TopicUnknown):
            writer.write("t", b"k", b"lost")
        with pytest.raises(OffsetOutOfRange):
            reader.read(1, 0)


def test_what_a_removed_file_left_behind_does_not_come_back(log: EmbeddedTransport, tmp_path: Path) -> None:
    wal = tmp_path / "log" / "t.t-wal"
    wal.write_bytes(b"changes of another file")
    with pytest.raises(UserError) as refused:
        log.admin().create_topic("t")
    assert refused.value.where == str(wal)


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100])
def test_a_file_that_is_no_topic_is_corrupt(log: EmbeddedTransport, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "log" / "t.t").write_bytes(content)
    with pytest.raises(Corrupt):
        log.reader().add("t", 0)


def test_a_writer_that_dies_before_it_rings_is_still_heard(log: EmbeddedTransport) -> None:
    log.admin().create_topic("t")
    file = TopicFile(log.path_of("t"), "t")
    with log.reader() as reader:
        reader.assign({"t": 0})
        assert reader.read(1, 0) == []
        file.append([(b"k", b"v")], (), 0)
        assert len(read_count(reader, 1)) == 1
    file.close()


def test_large_records_come_in_several_reads(log: EmbeddedTransport) -> None:
    log.admin().create_topic("t")
    value = bytes(MAX_RECORD_BYTES - 1)
    with log.writer() as writer, log.reader() as reader:
        writer.write_many("t", [(b"k", value)] * 20)
        reader.assign({"t": 0})
        first = reader.read(100, 0)
        assert sum(len(record.value or b"") for record in first) <= FETCH_BYTES + MAX_RECORD_BYTES
        assert [record.offset for record in first + reader.read(100, 0)] == list(range(20))


def test_a_full_disk_takes_nothing_of_a_batch(log: EmbeddedTransport) -> None:
    log.admin().create_topic("t")
    file = TopicFile(log.path_of("t"), "t")
    file._db.pragma("max_page_count", 20)  # SQLite says "full" as it does on a full disk
    with pytest.raises(LogUnavailable):
        file.append([(b"%d" % number, b"v" * 1000) for number in range(1000)], (), 0)
    assert list(file.append([(b"k", b"v")], (), 0)) == [0]
    file.close()
    assert [record.key for record in read_all(log, "t")] == [b"k"]


# --- opening -------------------------------------------------------------------------------------------------


def test_configuration_opens_it(tmp_path: Path) -> None:
    text = 'kind = "embedded"\ndirectory = "data/log"\nprefix = "city."\n'
    section = parse_toml(text, tmp_path / "node.toml")
    assert open_transport(section) == EmbeddedTransport(tmp_path / "data" / "log", "city.")
    section.done()
    assert (tmp_path / "data" / "log").is_dir()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('directory = "log"', "kind is missing"),
        ('kind = "embeded"\ndirectory = "log"', "kind cannot be 'embeded'"),
        ('kind = "embedded"', "directory is missing"),
        ('kind = "embedded"\ndirectory = "log"\nprefix = "a/b"', "Not a topic name"),
        ('kind = "embedded"\ndirectory = "node.toml/log"', "The log directory cannot be made"),
    ],
)
def test_mistakes_in_the_configuration_are_told(tmp_path: Path, text: str, what: str) -> None:
    file = tmp_path / "node.toml"
    file.write_text(text)
    with pytest.raises(UserError) as refused:
        open_transport(parse_toml(text, file))
    assert what in refused.value.what.en


def test_an_old_sqlite_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    require_sqlite()
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(UserError):
        require_sqlite()
