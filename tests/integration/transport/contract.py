"""What every message log must do. A new implementation inherits `TransportContract` and supplies `harness`.

Nothing here assumes offsets without holes, nor that a log is cleaned at once: `Harness.clean` does and waits for it.
"""

import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from contracts.edge.transport import (
    MAX_RECORD_BYTES,
    Expiring,
    OffsetOutOfRange,
    Reader,
    Record,
    TopicNameInvalid,
    TopicReplaced,
    TopicUnknown,
    Transport,
)
from contracts.errors import Fault

ROOT = Path(__file__).parents[3]
PATIENCE_S = 60.0


class Harness(Protocol):
    """What the suite needs from an implementation."""

    @property
    def transport(self) -> Transport: ...

    @property
    def config(self) -> Path:
        """A TOML file whose table `log` opens the same log in another process."""

    @property
    def wake_s(self) -> float:
        """How soon a waiting reader has a record that another process wrote."""

    def clean(self, topic: str) -> None:
        """Take every record written so far as older than the lag, and return when the topic is cleaned."""


def read_count(reader: Reader, count: int) -> list[Record]:
    """Read until there are `count` records."""
    records: list[Record] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(records) < count and time.monotonic() < deadline:
        records += reader.read(count - len(records), 1.0)
    return records


def read_all(transport: Transport, topic: str, offset: int | None = None) -> list[Record]:
    """Every record of a topic, from `offset` or its start."""
    records: list[Record] = []
    with transport.reader() as reader:
        reader.assign({topic: reader.earliest(topic) if offset is None else offset})
        deadline = time.monotonic() + PATIENCE_S
        while reader.position(topic) < reader.end(topic) and time.monotonic() < deadline:
            records += reader.read(100, 0.1)
    return records


@contextmanager
def child(harness: Harness, command: str, *args: str) -> Iterator["subprocess.Popen[str]"]:
    """Another process at work on the same log."""
    line = [sys.executable, "-m", "tests.integration.transport.child", command, str(harness.config), *args]
    with subprocess.Popen(line, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


class TransportContract:
    """Inherit, name it `Test…`, and supply the fixture `harness`."""

    # --- what is written is what is read ---------------------------------------------------------------------

    def test_records_come_back_in_order_with_the_offsets_given(self, harness: Harness) -> None:
        harness.transport.admin().create_topic("t")
        entries = [(f"k{number}".encode(), f"v{number}".encode()) for number in range(1000)]
        with harness.transport.writer() as writer:
            offsets = list(writer.write_many("t", entries[:990]))
            offsets += [writer.write("t", key, value) for key, value in entries[990:]]
        records = read_all(harness.transport, "t")
        assert [(record.key, record.value) for record in records] == entries
        assert [record.offset for record in records] == offsets
        assert offsets == sorted(set(offsets))

    def test_binary_keys_headers_and_time(self, harness: Harness) -> None:
        harness.transport.admin().create_topic("t")
        key, value = bytes(range(256)), b"\x00\xff" * 10
        headers = (("content-type", b"application/jose"), ("traceparent", b"\x00\xfe"))
        before = time.time_ns() // 1_000_000
        with harness.transport.writer() as writer:
            writer.write("t", key, value, headers)
            writer.write("t", b"", b"")
        first, second = read_all(harness.transport, "t")
        assert (first.topic, first.key, first.value, first.headers) == ("t", key, value, headers)
        assert (second.key, second.value, second.headers) == (b"", b"", ())
        assert before - 1000 <= first.timestamp_ms <= time.time_ns() // 1_000_000 + 1000

    def test_largest_record_passes_and_a_larger_one_takes_nothing_with_it(self, harness: Harness) -> None:
        harness.transport.admin().create_topic("t")
        largest = b"x" * (MAX_RECORD_BYTES - 3)
        with harness.transport.writer() as writer:
            writer.write("t", b"key", largest)
            with pytest.raises(Fault) as refused:
                writer.write_many("t", [(b"small", b"x"), (b"key", largest + b"x")])
            writer.write("t", b"after", b"x")
        assert refused.value.code == "log_record_too_large"
        assert "entry 1" in refused.value.detail
        assert [(record.key, record.value) for record in read_all(harness.transport, "t")] == [
            (b"key", largest),
            (b"after", b"x"),
        ]

    def test_an_empty_batch_writes_nothing(self, harness: Harness) -> None:
        harness.transport.admin().create_topic("t")
        with harness.transport.writer() as writer:
            assert list(writer.write_many("t", [])) == []
            offset = writer.write("t", b"k", b"v")
        assert [record.offset for record in read_all(harness.transport, "t")] == [offset]

    # --- topics ----------------------------------------------------------------------------------------------

    def test_a_topic_that_nobody_created_is_refused_and_not_made(self, harness: Harness) -> None:
        transport = harness.transport
        transport.admin().create_topic("known")
        with transport.writer() as writer, transport.reader() as reader:
            for call in (
                lambda: writer.write("unknown", b"k", b"v"),
                lambda: reader.assign({"unknown": 0}),
                lambda: reader.add("unknown", 0),
                lambda: reader.end("unknown"),
                lambda: reader.earliest("unknown"),
                lambda: transport.admin().delete_topic("unknown"),
            ):
                with pytest.raises(TopicUnknown):
                    call()
        assert set(transport.admin().topics()) == {"known"}

    @pytest.mark.parametrize("name", ["", "a/b", "../a", "a b", "证照", "x" * 250])
    def test_names_that_not_every_log_takes_are_refused(self, harness: Harness, name: str) -> None:
        with pytest.raises(TopicNameInvalid):
            harness.transport.admin().create_topic(name)

    def test_creating_again_changes_nothing(self, harness: Harness) -> None:
        admin = harness.transport.admin()
        assert admin.create_topic("t")
        with harness.transport.writer() as writer:
            writer.write("t", b"k", b"v")
        identity = admin.topics()["t"]
        assert not admin.create_topic("t", Expiring())
        assert admin.topics()["t"] == identity
        assert len(read_all(harness.transport, "t")) == 1

    # --- several at once -------------------------------------------------------------------------------------

    def test_processes_write_one_topic_at_once(self, harness: Harness) -> None:
        harness.transport.admin().create_topic("t")
        names = ("a", "b", "c")
        with ExitStack() as stack:
            work = [stack.enter_context(child(harness, "batches", "t", name, "20")) for name in names]
            assert [process.wait(PATIENCE_S) for process in work] == [0, 0, 0]
        records = read_all(harness.transport, "t")
        assert len({record.offset for record in records}) == len(records) == 3 * 20 * 25
        for name in names:
            own = [record.value for record in records if record.key.startswith(name.encode())]
            assert own == [b"%d" % number for number in range(500)]

    def test_threads_share_a_writer(self, harness: Harness) -> None:
        harness.transport.admin().create_topic("t")
        with harness.transport.writer() as writer:
            work = [
                threading.Thread(target=lambda: [writer.write("t", b"k", b"v") for _ in range(25)]) for _ in range(4)
            ]
            for thread in work:
                thread.start()
            for thread in work:
                thread.join(PATIENCE_S)
        assert len(read_all(harness.transport, "t")) == 100

    def test_a_waiting_reader_wakes_when_another_process_writes(self, harness: Harness) -> None:
        harness.transport.admin().create_topic("t")
        with child(harness, "on_demand", "t") as process, harness.transport.reader() as reader:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            reader.assign({"t": reader.end("t")})
            delays = [_delay_of_one(reader, process) for _ in range(7)]
        assert statistics.median(delays) <= harness.wake_s, delays

    # --- positions -------------------------------------------------------------------------------------------

    def test_a_new_reader_goes_on_where_the_old_one_stopped(self, harness: Harness) -> None:
        harness.transport.admin().create_topic("t")
        with harness.transport.writer() as writer:
            writer.write_many("t", [(b"%d" % number, b"v") for number in range(100)])
        with harness.transport.reader() as reader:
            reader.assign({"t": 0})
            first = read_count(reader, 40)
            position = reader.position("t")
        rest = read_all(harness.transport, "t", position)
        assert [record.key for record in first + rest] == [b"%d" % number for number in range(100)]

    def test_nothing_new_gives_an_empty_list_after_the_time_given(self, harness: Harness) -> None:
        harness.transport.admin().create_topic("t")
        with harness.transport.reader() as reader:
            reader.assign({"t": reader.end("t")})
            started = time.monotonic()
            assert reader.read(10, 0.2) == []
            assert time.monotonic() - started >= 0.2
            assert reader.position("t") == reader.end("t")

    def test_every_topic_gets_its_share(self, harness: Harness) -> None:
        admin = harness.transport.admin()
        sizes = {"long": 3000, "short": 5, "brief": 5}
        with harness.transport.writer() as writer:
            for topic, size in sizes.items():
                admin.create_topic(topic)
                writer.write_many(topic, [(b"k", b"v")] * size)
        with harness.transport.reader() as reader:
            reader.assign(dict.fromkeys(sizes, 0))
            records = read_count(reader, 1500)
            assert len(records) == 1500
            topics = [record.topic for record in records]
            assert topics.count("short") == topics.count("brief") == 5

    def test_removed_topics_are_read_no_longer(self, harness: Harness) -> None:
        with harness.transport.writer() as writer, harness.transport.reader() as reader:
            for topic in ("a", "b"):
                harness.transport.admin().create_topic(topic)
                reader.add(topic, 0)
            reader.remove("a")
            writer.write("a", b"k", b"a")
            writer.write("b", b"k", b"b")
            assert [record.value for record in read_count(reader, 1)] == [b"b"]
            reader.assign({"a": 0})
            assert [record.value for record in read_count(reader, 1)] == [b"a"]

    def test_a_position_past_the_end_is_out_of_range_and_loses_nothing_else(self, harness: Harness) -> None:
        transport = harness.transport
        with transport.writer() as writer, transport.reader() as reader:
            for topic in ("good", "bad"):
                transport.admin().create_topic(topic)
                writer.write(topic, b"k", b"v")
            end = reader.end("bad")
            reader.assign({"good": 0, "bad": end + 5})
            found = _out_of_range(reader)
            assert (found.topic, found.asked, found.end) == ("bad", end + 5, end)
            assert found.earliest == reader.earliest("bad")
            reader.add("bad", found.earliest)
            assert sorted(record.topic for record in read_count(reader, 2)) == ["bad", "good"]

    def test_a_deleted_topic_is_out_of_range_for_ever(self, harness: Harness) -> None:
        transport, admin = harness.transport, harness.transport.admin()
        admin.create_topic("t")
        identity = admin.topics()["t"]
        with transport.writer() as writer, transport.reader() as reader:
            writer.write("t", b"k", b"old")
            reader.assign({"t": 0})
            assert len(read_count(reader, 1)) == 1
            position = reader.position("t")
            admin.delete_topic("t")
            assert _out_of_range(reader).topic == "t"
            assert "t" not in admin.topics()
            with pytest.raises(TopicUnknown):
                reader.end("t")
            with pytest.raises(TopicUnknown):
                writer.write("t", b"k", b"lost")
            assert admin.create_topic("t")
            assert admin.topics()["t"] != identity
            reader.assign({"t": position})
            assert _out_of_range(reader).topic == "t"
            writer.write("t", b"k", b"new")
        assert [record.value for record in read_all(transport, "t")] == [b"new"]

    def test_identities_tell_topics_apart_from_all_others_of_their_name(self, harness: Harness) -> None:
        admin = harness.transport.admin()
        admin.create_topic("a")
        admin.create_topic("b")
        with harness.transport.reader() as reader:
            first = reader.identities(["a", "b", "absent"])
            assert first == dict(admin.topics())
            assert first["a"] != first["b"]
            admin.delete_topic("a")
            assert reader.identities(["a", "b"]) == {"b": first["b"]}
            admin.create_topic("a")
            assert reader.identities(["a"])["a"] not in first.values()

    def test_a_topic_made_anew_while_nobody_read_is_noticed_and_others_go_on(self, harness: Harness) -> None:
        transport, admin = harness.transport, harness.transport.admin()
        with transport.writer() as writer, transport.reader() as reader:
            for topic in ("kept", "anew"):
                admin.create_topic(topic)
                writer.write(topic, b"k", b"first")
            identities = reader.identities(["kept", "anew"])
            positions = {topic: reader.earliest(topic) for topic in identities}
            admin.delete_topic("anew")
            admin.create_topic("anew")
            writer.write_many("anew", [(b"k", b"second")] * 100)
            reader.assign({"kept": positions["kept"], "anew": reader.earliest("anew")}, identities)
            found = _out_of_range(reader)
            assert (type(found), found.topic) == (TopicReplaced, "anew")
            reader.remove("anew")
            assert [record.value for record in read_count(reader, 1)] == [b"first"]
            reader.add("anew", reader.earliest("anew"), reader.identities(["anew"])["anew"])
            assert [record.value for record in read_count(reader, 1)] == [b"second"]

    def test_a_topic_made_anew_while_it_is_read_is_noticed(self, harness: Harness) -> None:
        transport, admin = harness.transport, harness.transport.admin()
        admin.create_topic("t")
        with transport.writer() as writer, transport.reader() as reader:
            writer.write("t", b"k", b"first")
            reader.assign({"t": reader.earliest("t")})
            assert len(read_count(reader, 1)) == 1
            admin.delete_topic("t")
            admin.create_topic("t")
            writer.write_many("t", [(b"k", b"second")] * 100)
            assert type(_out_of_range(reader)) is TopicReplaced

    # --- cleaning --------------------------------------------------------------------------------------------

    def test_cleaning_keeps_the_newest_record_of_each_key_at_its_offset(self, harness: Harness) -> None:
        transport = harness.transport
        transport.admin().create_topic("t")
        with transport.writer() as writer:
            keys = [b"a", b"b", b"a", b"c", b"b", b"a"]
            offsets = [writer.write("t", key, b"%d" % index) for index, key in enumerate(keys)]
            harness.clean("t")
            late = writer.write("t", b"late", b"6")
        assert late > offsets[-1]
        kept = [
            (record.offset, record.value) for record in read_all(transport, "t") if record.key in {b"a", b"b", b"c"}
        ]
        assert kept == [(offsets[3], b"3"), (offsets[4], b"4"), (offsets[5], b"5")]

    def test_a_position_that_was_cleaned_away_goes_on_with_the_next_record(self, harness: Harness) -> None:
        transport = harness.transport
        transport.admin().create_topic("t")
        with transport.writer() as writer, transport.reader() as reader:
            offsets = writer.write_many("t", [(b"a", b"0"), (b"a", b"1"), (b"b", b"2"), (b"a", b"3")])
            harness.clean("t")
            reader.assign({"t": offsets[1]})
            assert [record.value for record in read_count(reader, 2)] == [b"2", b"3"]

    # --- a process that dies ---------------------------------------------------------------------------------

    def test_many_topics_are_made_found_and_read_at_once(self, harness: Harness) -> None:
        transport, names = harness.transport, [f"m{number}" for number in range(20)]
        with transport.admin() as admin:
            admin.create_topic("m3")
            created = admin.create_topics(dict.fromkeys(names, Expiring()))
            assert sorted(created) == sorted(set(names) - {"m3"})
            assert admin.create_topics(dict.fromkeys(names, Expiring())) in ([], ())
        with transport.writer() as writer, transport.reader() as reader:
            for name in names:
                writer.write(name, b"k", name.encode())
            starts, ends = reader.starts([*names, "nowhere"]), reader.ends([*names, "nowhere"])
            assert starts == {name: reader.earliest(name) for name in names}
            assert ends == {name: reader.end(name) for name in names}
            with pytest.raises(TopicUnknown):
                reader.extend({"m0": starts["m0"], "nowhere": 0})
            assert reader.read(10, 0.0) == []
            reader.extend({"m0": starts["m0"]})
            reader.extend({name: starts[name] for name in names}, reader.identities(names))
            assert sorted(record.value or b"" for record in read_count(reader, 20)) == sorted(map(str.encode, names))
            assert {name: reader.position(name) for name in names} == ends

    def test_what_was_acknowledged_survives_kill_9(self, harness: Harness) -> None:
        harness.transport.admin().create_topic("t")
        acknowledged: list[str] = []
        for attempt in range(3):
            with child(harness, "for_ever", "t", f"w{attempt}") as process:
                assert process.stdout is not None
                acknowledged += [process.stdout.readline().strip() for _ in range(500 + 333 * attempt)]
                process.kill()
                acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
                assert process.wait(PATIENCE_S) == -9
        with harness.transport.writer() as writer:
            writer.write("t", b"after", b"v")
        found = [record.key.decode() for record in read_all(harness.transport, "t")]
        assert set(acknowledged) <= set(found)
        assert len(set(found)) == len(found)
        assert found[-1] == "after"


def _delay_of_one(reader: Reader, process: "subprocess.Popen[str]") -> float:
    """Seconds from before a record's writing until a reader that had been waiting has it."""
    got: list[tuple[Record, int]] = []
    waiting = threading.Thread(target=lambda: got.append((read_count(reader, 1)[0], time.monotonic_ns())))
    waiting.start()
    waiting.join(0.15)
    assert waiting.is_alive()
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    waiting.join(PATIENCE_S)
    [(record, at)] = got
    return (at - int(record.value or b"0")) / 1e9


def _out_of_range(reader: Reader) -> OffsetOutOfRange:
    """The refusal of the next reads; what comes before it must be nothing."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            assert reader.read(100, 0.5) == []
        except OffsetOutOfRange as found:
            return found
    raise AssertionError("never refused")
