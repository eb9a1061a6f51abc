"""Erasures on a node: content, tokens and rejects leave every file of the store; a silent log is an alarm."""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from contracts import feeds
from contracts.edge.transport import Compacted
from contracts.edge.transport.embedded import EmbeddedTransport
from contracts.errors import ERRORS
from contracts.messages import ERASE
from contracts.rejects import rejects_topic
from contracts.streams import Position
from gateway.ingest.run import Ingest
from gateway.ingest.state import StreamState
from gateway.status import status
from gateway.status_view import print_table
from gateway.store.erasures import opened
from gateway.store.reader import Reader
from gateway.store.rows import ERASED, LIVE, Row, Write
from gateway.store.writer import Batch, Writer
from tests.integration.serve_world import IDENTITY, build_city, running, stream_of
from tests.integration.test_ingest import City
from tests.integration.test_serve import closing
from tests.integration.test_store import KEK, TYPE, put, stub
from tests.unit.gateway.ingest import world

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
AT = 1_700_000_000_000
REJECTS = rejects_topic("market-1")
CONTENTS = "SELECT rec, sealed, tokens FROM records r JOIN contents c ON c.record = r.id"


@dataclass(frozen=True, slots=True)
class Rolling(EmbeddedTransport):
    """The embedded log, told to be one that is cleaned only up to its last segment, as a log with servers is."""

    @property
    def rolls_after_ms(self) -> int | None:
        return Compacted().segment_ms


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    one = City(tmp_path)
    yield one
    one.writer.close()


def on_disk(directory: Path, *data: bytes) -> bool:
    """Whether 16 bytes from the beginning, the middle or the end of any `data` are in any file of a store."""
    files = b"\0".join(path.read_bytes() for path in directory.glob("store*"))
    return any(part[at : at + 16] in files for part in data for at in (0, len(part) // 2 - 8, len(part) - 16))


def select(path: Path, query: str, *bindings: int | str) -> list[tuple[Any, ...]]:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return list(db.execute(query, bindings))
    finally:
        db.close()


# --- the file ------------------------------------------------------------------------------------------------------


def written(record: str, seq: int, dice: random.Random) -> Write:
    row = Row(Position(1, seq), f"sha-256:1-{seq}", LIVE)
    lookups = (("holder:cn.ric", record), ("certificate_number", f"number of {record}"))
    return Write(record, row, f"urn:oncegate:{TYPE}:1", "valid", "", lookups, dice.randbytes(dice.randrange(40, 4000)))


def test_contents_and_tokens_leave_the_file_wherever_they_have_been(tmp_path: Path) -> None:
    """Written, superseded and erased in random order, so that pages split, join and are used again."""
    dice, path = random.Random(7), tmp_path / "store.db"  # without `scrubbing` this leaves one content on the disk
    names = [f"r{number}" for number in range(400)]
    seen: dict[str, list[bytes]] = {name: [] for name in names}
    writer, seq = Writer(path, KEK), 0
    for _ in range(8):
        some = dice.sample(names, 120)
        put(writer, *(written(name, seq := seq + 1, dice) for name in some))
        for name, sealed, tokens in select(
            path, "SELECT rec, sealed, tokens FROM records r JOIN contents c ON c.record = r.id"
        ):
            seen[str(name)] += [sealed[12:], tokens]
    erased = dice.sample([name for name in names if seen[name]], 150)
    for chunk in (erased[:50], erased[50:]):
        put(writer, *(stub(name, seq := seq + 1, ERASED) for name in chunk))
    assert writer.tidy()
    assert not on_disk(tmp_path, *(data for name in erased for data in seen[name]))
    assert on_disk(tmp_path, select(path, "SELECT sealed FROM contents LIMIT 1")[0][0])
    writer.close()


def test_a_reader_delays_the_erasure_and_does_not_stop_ingest(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    writer = Writer(path, KEK)
    put(writer, written("r1", 1, random.Random(1)), written("r2", 2, random.Random(2)))
    ((sealed,),) = select(path, "SELECT sealed FROM contents LIMIT 1")
    with Reader(path, KEK) as reader:
        rows = reader.logical_rows()
        next(rows)  # a snapshot from before the erasure
        started = time.monotonic()
        put(writer, stub("r1", 3, ERASED))
        assert time.monotonic() - started < 2
        assert not writer.tidy()
        assert on_disk(tmp_path, sealed)
        assert [one.message is not None for one in rows] == [True]
    assert writer.tidy()
    assert not on_disk(tmp_path, sealed)
    writer.close()


def test_ingest_empties_the_wal_as_soon_as_the_reader_is_gone(city: City) -> None:
    city.publish("r1")
    city.ingest("store.db")
    ((sealed,),) = select(city.directory / "store.db", "SELECT sealed FROM contents")
    ingest = Ingest(city.parts())
    with city.reader() as reader:
        rows = reader.logical_rows()
        next(rows)
        city.publish("r1", ERASE)
        ingest.step(0)
        assert on_disk(city.directory, sealed)
        list(rows)
    ingest.step(0)
    assert not on_disk(city.directory, sealed)
    ingest.close()


# --- rejects -------------------------------------------------------------------------------------------------------


def test_rejects_that_wait_go_with_their_record(city: City) -> None:
    with city.log.admin() as admin:
        admin.delete_topic(REJECTS)
    for record in ("r1", "r2"):
        city.publish(record, content=world.invalid_document())
    city.ingest()
    keys = "SELECT rec FROM rejects ORDER BY rec"
    assert select(city.directory / "store.db", keys) == [("r1",), ("r2",)]
    city.publish("r1", ERASE)
    city.ingest()
    assert select(city.directory / "store.db", keys) == [("r2",)]


def test_rejects_of_an_erased_record_carry_no_bytes(city: City) -> None:
    first = city.publish("r1")
    city.publish("r1", ERASE)
    city.write(b"r1", first)  # somebody writes the old message again
    city.write(b"r1", b"garbage")
    city.write(b"r2", b"garbage")
    city.publish("r1")  # and the department forgets that it was erased
    city.ingest()
    assert [(one["code"], one["value"]) for one in city.rejects(REJECTS)] == [("record_erased", None)]
    assert [one["value"] is None for one in city.rejects("rejects.unverified")] == [True, False]
    assert city.conditions()["r1"] == "rejected"


# --- the alarm -----------------------------------------------------------------------------------------------------


def write_at(city: City, at: int, entries: Sequence[tuple[bytes, bytes]]) -> None:
    """As if written at `at` (Unix ms) by the log's clock."""
    file = city.log.open(world.STREAM.topic)
    file.append([(key, world.enveloped(data)) for key, data in entries], (), at)
    file.close()


def erased_at(city: City, at: int) -> None:
    write_at(city, at - 1, [(b"r1", world.message("r1", 1, 1))])
    data = world.message("r1", 1, 2, ERASE)
    write_at(city, at, [(b"r1", data), (b"@erased/r1", data)])


def heartbeat(city: City, at: int) -> None:
    told = world.statement(1, 2, [], False, at // 1000)
    write_at(city, at, [(told.log_key, feeds.seal(told, world.ADAPTER_KEY))])


def alarms(city: City, at: int) -> list[int | None]:
    with city.reader() as reader:
        return [
            one.erasure_due for one in status(reader, city.registry, at // 1000).streams if one.stream == world.STREAM
        ]


def test_an_erasure_that_the_log_cannot_act_upon_is_an_alarm(
    city: City, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "en")
    city.log = Rolling(city.log.directory)
    erased_at(city, AT)
    now = AT
    ingest = Ingest(replace(city.parts(), clock=lambda: now))
    ingest.step(0)
    assert alarms(city, AT + 4 * DAY_MS) == [None]
    now = AT + 4 * DAY_MS + 30 * HOUR_MS
    (due,) = alarms(city, now)
    assert due is not None
    assert AT + 4 * DAY_MS <= due * 1000 <= AT + 4 * DAY_MS + 2 * HOUR_MS
    ingest.step(0)
    assert ingest.counts.alarms == {"erasure_held_up": 1}
    with city.reader() as reader:
        print_table(status(reader, city.registry, now // 1000))
    assert ERRORS["erasure_held_up"].title.en in capsys.readouterr().out.replace("\n", "")
    # A record that is too early ends no segment; the next one does.
    heartbeat(city, AT + 3 * DAY_MS)
    ingest.step(0)
    assert alarms(city, now) == [due]
    heartbeat(city, now)
    ingest.step(0)
    assert alarms(city, now + 100 * DAY_MS) == [None]
    ingest.close()


def test_the_alarm_is_in_readiness_and_metrics(tmp_path: Path) -> None:
    served = build_city(tmp_path / "city")
    name = 'oncegate_erasure_held_up{adapter="'
    with running(served), closing(served.client()) as client:
        assert "erasure_held_up" not in client.send("GET", "/readyz", None, {})[2]["warnings"]
        assert name not in client.send("GET", "/metrics", None, {})[2].decode()
        writer = Writer(served.store.path, KEK)
        stream = writer.stream(stream_of(IDENTITY))
        writer.apply(Batch(open_erasures=[(stream.id, opened(AT, 4 * DAY_MS))]))
        ready = client.send("GET", "/readyz", None, {})[2]
        assert (ready["status"], "erasure_held_up" in ready["warnings"]) == ("ready", True)
        (line,) = (one for one in client.send("GET", "/metrics", None, {})[2].decode().splitlines() if name in one)
        assert (stream.stream.adapter in line, line.endswith(" 1.0")) == (True, True)
        writer.apply(Batch(heard={stream.id: AT + 5 * DAY_MS}))
        assert name not in client.send("GET", "/metrics", None, {})[2].decode()
        writer.close()


def test_statements_keep_the_alarm_away(city: City) -> None:
    city.log = Rolling(city.log.directory)
    erased_at(city, AT)
    for day in range(1, 8):
        heartbeat(city, AT + day * DAY_MS)
    city.ingest()
    assert alarms(city, AT + 7 * DAY_MS) == [None]


def test_the_embedded_log_needs_no_heartbeat(city: City) -> None:
    """Its own cleaning destroys the sealed bytes, however silent the adapter is."""
    erased_at(city, AT)
    city.ingest()
    assert alarms(city, AT + 100 * DAY_MS) == [None]
    sealed = world.enveloped(world.message("r1", 1, 1)).split(b".")[3]

    def in_log() -> bool:
        files = [path.read_bytes() for path in city.log.directory.iterdir()]
        return any(sealed[at : at + 48] in file for file in files for at in range(0, len(sealed), 48))

    with city.log.admin() as admin:
        admin.maintain(AT + 7 * DAY_MS - HOUR_MS)
        assert in_log()
        admin.maintain(AT + 7 * DAY_MS + 1)
    assert not in_log()
    assert city.conditions() == {"r1": ERASED}
    assert city.ingest("fresh.db").accepted == 1
    assert city.conditions("fresh.db") == {"r1": ERASED}


def test_states_without_an_erasure_leave_nothing_to_watch(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "store.db", KEK)
    number = put(writer, written("r1", 1, random.Random(1)))
    writer.apply(Batch(states={number: (StreamState(), 1)}, heard={number: AT}))
    assert writer.erasures_held_up(AT + 1000 * DAY_MS) == {}
    writer.close()
