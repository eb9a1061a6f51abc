"""An adapter's backup: taken while it runs, brought back without giving a number twice or an erased record again."""

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from adapters import backup
from adapters.outbox import Outbox
from adapters.outbox_file import Lock
from contracts.edge import archive, backups
from contracts.edge.clock import now_ms
from contracts.edge.transport import TopicUnknown
from contracts.errors import Corrupt, UserError
from contracts.feeds import FULL_KEY
from contracts.streams import Position, Stream
from tests.integration.adapter_city import STREAM, Department, department, row


@pytest.fixture
def city(tmp_path: Path) -> Department:
    """A department that has published three certificates."""
    (tmp_path / "old").mkdir()
    one = department(tmp_path / "old")
    one.write([row(1), row(2), row(3)])
    assert one.run().code == 0
    return one


def back_up(city: Department) -> Path:
    return backup.make(city.config, city.root.parent / "made.backup", None).path


def restore(city: Department, file: Path, replace: bool = True) -> backup.Restored:
    return backup.restore(file, None, city.root, replace)


def test_a_restored_outbox_gives_no_number_twice_and_brings_nothing_erased_back(city: Department) -> None:
    file = back_up(city)
    erased = city.messages()[1].claims.record
    city.write([row(1), row(2), row(3, name="周晓梅"), row(4)])
    city.run()
    request = city.adapter("erase", "adapter.toml", "--reason", "test", "--json", "--record", erased).json["request"]
    assert city.adapter("approve-erase", str(request), "--json").code == 0
    before, old_epoch = len(city.records()), city.messages()[0].claims.position.epoch

    restored = restore(city, file)
    (epoch,) = restored.epochs.values()
    assert (restored.erased, epoch > old_epoch) == (1, True)
    again = city.run()
    assert (again.code, again.stream["refused"]) == (0, 1)

    numbers: dict[Position, str] = {}
    for message in city.messages():
        claims = message.claims
        assert numbers.setdefault(claims.position, claims.identity) == claims.identity
    assert all(record.key == FULL_KEY for record in city.records()[-1:])
    assert {message.claims.position.epoch for message in city.messages()} == {old_epoch, epoch}
    assert len(city.records()) > before
    live = city.live()
    assert (len(live), erased in live) == (3, False)
    assert {one.position.epoch for one in live.values()} == {epoch}
    assert city.statements()[-1].count == 3
    assert restored.aside is not None
    assert (restored.aside / "outbox.db").exists()


def test_it_is_taken_while_the_adapter_works_and_holds_no_content(city: Department) -> None:
    with Lock(city.root / "outbox.db"), closing(apsw.Connection(str(city.root / "outbox.db"))) as db:
        db.execute("INSERT INTO pending (stream, key, value) VALUES (1, x'00', ?)", (b"sealed content" * 100,))
        file = back_up(city)
        with pytest.raises(UserError, match="using this outbox"):
            restore(city, file)
    with archive.staging(city.root.parent / "look") as staged:
        manifest = archive.unpack(file, backup.KIND, None, staged)
        assert {one.name for one in manifest.files} == {"adapter.toml", "adapter.pem", "zone.pub.pem", "outbox.db"}
        assert b"sealed content" not in (staged / "outbox.db").read_bytes()
        with closing(apsw.Connection(str(staged / "outbox.db"))) as db:
            assert db.execute("SELECT count(*) FROM records").get == 3


def test_without_the_log_nothing_is_restored(city: Department) -> None:
    file = back_up(city)
    (city.root / "outbox.db").unlink()
    with city.transport.admin() as admin:
        admin.delete_topic(STREAM.topic)
    with pytest.raises(TopicUnknown):
        restore(city, file)
    assert not (city.root / "outbox.db").exists()
    assert not list(city.root.glob(".restore-*"))


def test_what_is_there_is_not_replaced_unless_asked(city: Department) -> None:
    file = back_up(city)
    with pytest.raises(UserError, match="1 files are there already"):
        restore(city, file, replace=False)
    assert city.run().code == 0


def test_a_clock_before_the_backup_is_refused(city: Department, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backups, "now_ms", lambda: now_ms() + 3_600_000)
    file = back_up(city)
    monkeypatch.undo()
    with pytest.raises(UserError, match="clock of this machine is before"):
        restore(city, file)


def test_a_damaged_outbox_is_not_brought_back(city: Department) -> None:
    facts = {"adapter": "market-1", "config": "adapter.toml", "outbox": "outbox.db", "base": str(city.root)}
    (city.root.parent / "garbage").write_bytes(b"not an outbox" * 1000)
    items = [
        *archive.names([city.root / name for name in ("adapter.toml", "adapter.pem", "zone.pub.pem")], city.root),
        archive.Item("outbox.db", city.root.parent / "garbage"),
    ]
    file = city.root.parent / "made.backup"
    archive.write(file, archive.Manifest(archive.VERSION, backup.KIND, 1, "test", facts, ()), items, None)
    with pytest.raises(Corrupt):
        restore(city, file)
    assert city.run().code == 0


@pytest.mark.parametrize("read", [False, True])
def test_rows_that_only_the_wal_has_are_kept_with_the_outbox_moved_aside(city: Department, read: bool) -> None:
    """`read`: somebody reads an older state, so the WAL cannot be emptied."""
    file, path = back_up(city), str(city.root / "outbox.db")
    with closing(apsw.Connection(path)) as reader, closing(apsw.Connection(path)) as writer:
        reader.execute("BEGIN; SELECT count(*) FROM records" if read else "SELECT 1").fetchall()
        writer.pragma("wal_autocheckpoint", 0)
        writer.execute("CREATE TABLE precious (a INTEGER) STRICT")
        assert (city.root / "outbox.db-wal").stat().st_size > 0
        aside = restore(city, file).aside
        assert aside is not None
        assert not (city.root / "outbox.db-wal").exists()
        assert ((aside / "outbox.db-wal").stat().st_size > 0) is read
    with closing(apsw.Connection(str(aside / "outbox.db"))) as db:
        assert db.execute("SELECT count(*) FROM precious").get == 0
    assert city.run().code == 0


def test_a_stream_that_the_configuration_no_longer_has_begins_a_new_epoch_too(city: Department) -> None:
    other = "cn.business-licence"
    with Outbox(city.root / "outbox.db", "market", "market-1") as outbox:
        former = outbox.stream(other, now_ms()).epoch
    file = back_up(city)
    with pytest.raises(TopicUnknown):
        restore(city, file)
    with city.transport.admin() as admin:
        admin.create_topic(Stream("market", "market-1", other).topic)
    epochs = restore(city, file).epochs
    assert epochs.keys() == {STREAM.evidence_type, other}
    assert epochs[other] > former


def test_the_new_epoch_is_above_those_that_only_the_log_knows(city: Department) -> None:
    file = back_up(city)
    far = now_ms() + 10_000_000_000  # a clock was wrong once
    with Outbox(city.root / "outbox.db", "market", "market-1") as outbox:
        state = outbox.known_stream(STREAM.evidence_type)
        assert state is not None
        outbox.begin_epoch(state, far)
    assert city.run().code == 0
    assert city.statements()[-1].position.epoch == far
    assert restore(city, file).epochs == {STREAM.evidence_type: far + 1}


def test_an_outbox_that_would_come_elsewhere_than_the_configuration_says_is_refused(city: Department) -> None:
    text = city.config.read_text("utf-8").replace('"outbox.db"', f'"{city.root}/outbox.db"')
    city.config.write_text(text, "utf-8")
    file = back_up(city)
    with pytest.raises(UserError, match="another place"):
        backup.restore(file, None, city.root.parent / "new", replace=False)
    assert len(restore(city, file).epochs) == 1


@pytest.mark.parametrize("missing", ["adapter", "config", "outbox"])
def test_missing_facts_are_refused(city: Department, missing: str) -> None:
    facts = {"adapter": "market-1", "config": "adapter.toml", "outbox": "outbox.db", "base": str(city.root)}
    del facts[missing]
    items = archive.names([city.root / name for name in ("adapter.toml", "outbox.db")], city.root)
    file = city.root.parent / "made.backup"
    archive.write(file, archive.Manifest(archive.VERSION, backup.KIND, 1, "test", facts, ()), items, None)
    with pytest.raises(UserError, match="not whole"):
        restore(city, file)
