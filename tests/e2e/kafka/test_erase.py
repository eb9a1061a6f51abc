"""An erasure end to end on a real broker: department, node, audit log; then every byte in every file of all of them.

The topic's lags are seconds instead of days; everything else is as in an installation.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.cli import app
from audit.log import AuditLog
from audit.record import record as access_record
from contracts.algorithms import SigningKey
from contracts.edge.clock import now_ms
from contracts.edge.config import parse_toml
from contracts.edge.keys import load_hpke_private
from contracts.edge.output import execute
from contracts.edge.transport import Compacted, Expiring, open_transport
from contracts.edge.transport.kafka import KafkaTransport
from contracts.feeds import FULL_KEY, KEY
from contracts.hpke import DEFAULT_KEM, UnwrapKey
from contracts.rejects import rejects_topic
from gateway.ingest.run import IngestParts, ingest_once
from gateway.ingest.state import COMPLETE, feed_state
from gateway.store.reader import Reader
from gateway.store.rows import ERASED, LIVE, LogicalRow
from tests.e2e.kafka.broker import Broker
from tests.integration.adapter_city import STREAM, Department, configuration, department, row
from tests.integration.audit_support import open_log
from tests.unit.audit.test_record import FACTS
from tests.waiting import until

LAG = Compacted(min_lag_ms=0, max_lag_ms=1500)
PATIENCE_S = 60
KEK = bytes(range(32))
NAMES = ("周晓兰", "陈建军", "欧阳若琳", "司马长风")
IDS = ("430102198703162829", "420106197808092512", "11010119900307803X", "440101198502291239")
ERASE_ME = 2


class Installation:
    """A department and a node that share a Kafka topic; `files`: every file that they and the broker keep."""

    def __init__(self, broker: Broker, root: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.broker, self.root, self.capture = broker, root, capture
        log = broker.section("erase.")
        transport = open_transport(parse_toml(log, root / "node.toml"))
        assert isinstance(transport, KafkaTransport)
        self.log = replace(transport, rolls_after_ms=LAG.segment_ms)
        with self.log.admin() as admin:
            admin.create_topic(STREAM.topic, LAG)
            for topic in (rejects_topic("market-1"), "rejects.unverified"):
                admin.create_topic(topic, Expiring())
        (root / "department").mkdir()
        self.city: Department = department(root / "department")
        toml = configuration().replace('kind = "embedded"\ndirectory = "log"\n', log)
        self.city.config.write_text(toml, "utf-8")
        self.node_key = SigningKey.generate("ES256")

    def adapter(self, *arguments: str) -> str:
        """What the command printed; it must have done its work."""
        self.capture.readouterr()
        code = execute(app, [*arguments, "--json"])
        out, err = self.capture.readouterr()
        assert code in (0, 3), err
        assert not any(word in out + err for word in (*NAMES, *IDS))
        return out

    def parts(self, store: str) -> IngestParts:
        zone = UnwrapKey(DEFAULT_KEM, load_hpke_private(self.city.root / "zone.pem"))
        return IngestParts(
            self.log,
            self.root / store,
            KEK,
            "zone",
            (zone,),
            "node-1",
            self.node_key,
            lambda: self.city.registry,
            now_ms,
        )

    def ingest(self, store: str = "store.db") -> list[LogicalRow]:
        ingest_once(self.parts(store))
        with Reader(self.root / store, KEK) as reader:
            return list(reader.logical_rows())

    def held_up(self) -> bool:
        with Reader(self.root / "store.db", KEK) as reader:
            return STREAM in reader.erasures_held_up(now_ms() // 1000)

    def audit(self, holder: str, records: tuple[str, ...]) -> None:
        """An access to this person's records, in a real audit log."""
        facts = replace(FACTS, holder={"scheme": "cn.ric", "id": holder}, records=records)
        log = open_log(self.root / "audit")
        leaf, opening = access_record(facts, (), bytes(16))
        assert asyncio.run(appended(log, leaf, opening)) == 0
        log.close()

    def sealed(self) -> dict[str, bytes]:
        """The ciphertext of each message in the topic, by record, as published."""
        with self.log.reader() as reader:
            reader.assign({STREAM.topic: reader.earliest(STREAM.topic)})
            found = {}
            while reader.position(STREAM.topic) < reader.end(STREAM.topic):
                for one in reader.read(1000, 1.0):
                    if one.key not in (KEY, FULL_KEY) and one.value is not None:
                        found[one.key.decode()] = one.value.split(b".")[3]
        return found

    def holds(self, data: bytes, *places: Path) -> bool:
        """Whether any file below `places` has any 48 bytes of `data` at one of eight places in it."""
        step = max(len(data) // 8, 1)
        parts = [data[at : at + 48] for at in range(0, max(len(data) - 48, 1), step)]
        return any(part in file for file in contents(places) for part in parts)


async def appended(log: AuditLog, leaf: bytes, opening: bytes) -> int:
    return await log.append(leaf, opening)


def contents(places: tuple[Path, ...]) -> Iterator[bytes]:
    """Every file below `places`; one that the broker just deletes is gone."""
    for path in (path for place in places for path in place.rglob("*")):
        with suppress(FileNotFoundError):
            if path.is_file():
                yield path.read_bytes()


@pytest.fixture
def city(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Installation:
    made = Installation(broker, tmp_path, capfd)
    monkeypatch.chdir(made.city.root)
    monkeypatch.setenv("ONCEGATE_LANG", "en")
    return made


def rows() -> list[tuple[str, ...]]:
    """Four certificates of four people."""
    plain = [row(number + 1, name=NAMES[number]) for number in range(len(NAMES))]
    return [(*cells[:3], IDS[number], *cells[4:]) for number, cells in enumerate(plain)]


def test_an_erased_record_leaves_stores_at_once_and_kafka_after_compaction(city: Installation) -> None:
    city.city.write(rows()[: ERASE_ME + 1])
    city.adapter("run")
    before = {one.record: one.message for one in city.ingest()}
    sealed = city.sealed()
    named = city.city.root / "named.txt"
    named.write_text(f"holder cn.ric {IDS[ERASE_ME]}", "utf-8")
    city.adapter("erase", "--reason", "court order", "--from", str(named))
    (record,) = {name for name in before if f'"{name}"' in city.adapter("journal")}
    city.audit(IDS[ERASE_ME], (record,))
    kafka, store, outbox = city.broker.directory, city.root / "store.db", city.city.root / "outbox.db"
    (topic,) = kafka.rglob(f"erase.{STREAM.topic}-0")
    assert city.holds(sealed[record], topic)

    city.adapter("approve-erase", "1")
    conditions = {one.record: one.row.condition for one in city.ingest()}
    assert conditions == {name: ERASED if name == record else LIVE for name in before}
    assert not city.holds(sealed[record], *files(store), *files(outbox))
    assert not any((before[record] or b"") in data for data in contents((*files(store),)))

    # Nothing is appended: the segment cannot end, the bytes stay, and that is an alarm.
    until(city.held_up, what="no alarm")
    assert city.holds(sealed[record], topic)

    # A feed statement is the heartbeat; the row, still in the source, does not come back.
    city.adapter("run", "--full")
    until(lambda: not city.holds(sealed[record], topic), what="the sealed bytes are still there")
    old = city.ingest()
    assert not city.held_up()
    kept = next(name for name in before if name != record)
    assert city.holds(city.sealed()[kept], topic)
    assert not city.holds(sealed[record], kafka)

    fresh = city.ingest("fresh.db")
    assert fresh == old
    with Reader(city.root / "fresh.db", KEK) as reader:
        state = dict(reader.all_streams())[STREAM]
    assert feed_state(state, 0).state == COMPLETE

    everything = [city.root / "audit", *files(store), *files(city.root / "fresh.db"), *files(outbox), kafka]
    assert not in_the_clear(contents(tuple(everything)))
    (city.root / "audit" / "planted").write_bytes(f"…{NAMES[1]}…".encode())
    assert in_the_clear(contents((city.root / "audit",)))


def files(database: Path) -> list[Path]:
    """A SQLite file with what belongs to it, as places to search."""
    place = database.parent / f"{database.name}.found"
    place.mkdir(exist_ok=True)
    for path in database.parent.glob(f"{database.name}*"):
        if path.is_file():
            (place / path.name).write_bytes(path.read_bytes())
    return [place]


def in_the_clear(found: Iterable[bytes]) -> bool:
    texts = [name.encode(encoding) for name in NAMES for encoding in ("utf-8", "gb18030", "utf-16-le")]
    texts += [identifier.encode() for identifier in IDS]
    texts += [cell.encode() for cell in ("云州市疾病预防控制中心", "00000000000003")]
    return any(text in data for data in found for text in texts)
