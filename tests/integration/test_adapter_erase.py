"""Erasures, readmissions, new epochs and rejects, through the commands, against a real outbox and log."""

from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest

from adapters.cli import app
from adapters.outbox import Lock
from adapters.outbox_tables import SCHEMA, UPGRADES
from contracts.algorithms import SigningKey, Suite
from contracts.edge.keys import create_signing_key, write_public_key
from contracts.edge.output import execute
from contracts.edge.transport import Expiring
from contracts.feeds import FULL_KEY, KEY, bucket_digests
from contracts.rejects import Refused, reject_key, rejects_topic, seal_reject
from tests.integration.adapter_city import PERSON, STREAM, Department, Outcome, department, row

OTHER = "420106197808092512"


@dataclass(frozen=True, slots=True)
class InProcess(Department):
    """Runs the commands in this process: their start costs more than all that they do here."""

    capture: pytest.CaptureFixture[str]

    def adapter(self, *arguments: str) -> Outcome:
        self.capture.readouterr()
        code = execute(app, arguments)
        return Outcome(code, *self.capture.readouterr())


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Department:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONCEGATE_LANG", "en")
    made = department(tmp_path)
    return InProcess(made.root, made.transport, made.keyring, made.registry, capfd)


def erase(city: Department, *arguments: str) -> Outcome:
    return city.adapter("erase", "adapter.toml", "--reason", "court order 2026-17", "--json", *arguments)


def erased(city: Department, *arguments: str) -> Outcome:
    """Asked for and approved."""
    number = erase(city, *arguments).json["request"]
    return city.adapter("approve-erase", str(number), "--json")


def named(city: Department, *lines: str) -> tuple[str, str]:
    path = city.root / "named.txt"
    path.write_text("\n".join(lines), "utf-8")
    return "--from", str(path)


def keys(city: Department) -> list[str]:
    return [record.key.decode() for record in city.records()]


def in_outbox(city: Department, value: bytes) -> bool:
    """Whether any part of what `value` seals is in any file of the outbox."""
    sealed = value.split(b".")[3]
    parts = [sealed[at : at + 48] for at in range(0, len(sealed) - 48, 48)]
    return any(part in data for data in (file.read_bytes() for file in city.root.glob("outbox.db*")) for part in parts)


def test_a_named_record_is_erased_in_two_steps(city: Department) -> None:
    city.write([row(1), row(2)])
    city.run()
    first, second = (message.claims.record for message in city.messages())
    asked = erase(city, "--record", second)
    assert (asked.code, asked.json["records"]) == (
        3,
        [{"record": second, "is": "live", "file": "certificates.csv", "line": 3}],
    )
    assert len(city.messages()) == 2
    done = city.adapter("approve-erase", str(asked.json["request"]), "--json")
    assert (done.code, done.json["erased"], done.json["unsent"]) == (0, [second], 0)
    assert keys(city)[-2:] == [second, f"@erased/{second}"]
    assert city.records()[-1].value == city.records()[-2].value
    claims = city.open(city.records()[-2]).claims
    assert (claims.operation, claims.position.seq) == ("erase", 3)
    assert set(city.live()) == {first}


def test_an_erased_row_stays_closed_and_says_so(city: Department) -> None:
    city.write([row(1), row(2)])
    city.run()
    record = city.messages()[1].claims.record
    erased(city, "--record", record)
    again = city.run()
    assert (again.code, again.stream["published"], again.stream["refused"]) == (0, 0, 1)
    (refusal,) = again.stream["refusals"]
    assert (refusal["code"], refusal["line"]) == ("row_record_erased", 3)
    city.write([row(1), row(2, name="陈建军")])
    assert city.run().stream["published"] == 0
    statement = city.statements()[-1]
    assert (statement.count, statement.position.seq) == (1, 3)
    assert [one.buckets is not None for one in city.statements()] == [True, True, False]
    assert city.statements()[1].buckets == bucket_digests(city.live().values(), suite(city))


def suite(city: Department) -> Suite:
    return city.messages()[0].claims.suite


def test_a_dry_run_and_an_unapproved_request_erase_nothing(city: Department) -> None:
    city.write([row(1)])
    city.run()
    record = city.messages()[0].claims.record
    tried = erase(city, "--record", record, "--dry-run")
    assert (tried.code, tried.json["request"]) == (0, None)
    assert city.adapter("journal", "--json").json == []
    erase(city, "--record", record)
    city.run()
    assert set(city.live()) == {record}
    assert city.adapter("status", "--json").json["streams"][0]["erasures"] == 1


def test_records_are_named_by_key_and_by_holder(city: Department) -> None:
    other = tuple(OTHER if cell == PERSON else cell for cell in row(3))
    city.write([row(1), row(2), other])
    city.run()
    one, two, three = (message.claims.record for message in city.messages())
    found = erase(city, *named(city, "key ００００００００００００01", f"holder cn.ric {OTHER.lower()}"), "--dry-run")
    assert sorted(item["record"] for item in found.json["records"]) == sorted([one, three])
    # A row that turned bad keeps its record; its holder is found all the same.
    bad = tuple("2025年02月30日" if cell == "2025年10月07日" else cell for cell in row(2))
    city.write([bad, other])
    found = erase(city, *named(city, f"holder cn.ric {PERSON}"), "--dry-run")
    assert [item["record"] for item in found.json["records"]] == [two]


@pytest.mark.parametrize("line", ["person 42", "key A\tB", "holder cn.ric", "record a b"])
def test_a_mistake_in_the_list_names_the_line_and_not_what_is_there(city: Department, line: str) -> None:
    city.write([row(1)])
    found = erase(city, *named(city, "# a list", line))
    assert found.code == 2
    assert "Line 2" in found.err
    assert line not in found.err


def test_what_waits_in_the_outbox_is_erased_too(city: Department) -> None:
    """Rows that the log has not taken yet: their sealed bytes are gone from every file of the outbox."""
    city.write([row(number) for number in range(1, 40)])
    with city.transport.admin() as admin:
        admin.delete_topic(STREAM.topic)
    assert city.run().code == 2
    db = apsw.Connection(str(city.root / "outbox.db"))
    waiting = {
        key.decode(): value for key, value in db.execute("SELECT key, value FROM pending") if key not in (KEY, FULL_KEY)
    }
    reader = apsw.Connection(str(city.root / "outbox.db"))
    snapshot = reader.execute("SELECT * FROM pending")
    next(snapshot)
    record = sorted(waiting)[7]
    assert in_outbox(city, waiting[record])
    with city.transport.admin() as admin:
        admin.create_topic(STREAM.topic)
    assert erased(city, "--record", record).code == 0
    snapshot.close()
    reader.close()
    db.close()
    city.run()
    assert not in_outbox(city, waiting[record])
    assert record in keys(city)
    assert waiting[record] not in [one.value for one in city.records()]
    assert record not in city.live()
    statement = city.statements()[-1]
    assert statement.buckets == bucket_digests(city.live().values(), suite(city))


def test_an_erasure_needs_no_source_and_no_patience_of_the_brake(city: Department) -> None:
    city.write([row(number) for number in range(1, 31)])
    city.run()
    record = city.messages()[0].claims.record
    city.write([])
    assert city.run().code == 3
    number = erase(city, "--record", record).json["request"]
    city.source.unlink()
    assert city.adapter("approve-erase", str(number)).code == 0
    assert record not in city.live()


def test_a_readmitted_row_is_another_record(city: Department) -> None:
    city.write([row(1)])
    city.run()
    record = city.messages()[0].claims.record
    erased(city, "--record", record)
    assert city.adapter("readmit", "no-such-record", "--reason", "x").code == 2
    assert city.adapter("readmit", record, "--reason", "the wrong one was named").code == 0
    assert city.run().stream["published"] == 1
    (again,) = city.live()
    assert again != record
    assert city.run().stream["published"] == 0
    erased(city, *named(city, f"key {row(1)[0]}"))
    assert city.live() == {}
    acts = [(entry["act"], entry["state"], entry["reason"]) for entry in city.adapter("journal", "--json").json]
    assert acts == [
        ("erase", "done", "court order 2026-17"),
        ("readmit", "done", "the wrong one was named"),
        ("erase", "done", "court order 2026-17"),
    ]


def test_reasons_are_in_the_journal_and_nowhere_else(city: Department) -> None:
    city.write([row(1)])
    city.run()
    secret = "裁定书给周晓兰"
    asked = city.adapter("erase", "--reason", secret, "--record", city.messages()[0].claims.record)
    done = city.adapter("approve-erase", "1")
    run = city.run()
    assert secret not in asked.out + asked.err + done.out + done.err + run.out + run.err
    files = [path for path in city.root.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert {path.name for path in files} <= {"outbox.db"}
    assert city.adapter("erase", "--reason", " ", "--record", "r1").code == 2


def test_a_running_adapter_carries_it_out(city: Department) -> None:
    city.write([row(1)])
    city.run()
    (record,) = city.live()
    number = str(erase(city, "--record", record).json["request"])
    with Lock(city.root / "outbox.db"):
        told = city.adapter("approve-erase", number)
    assert (told.code, set(city.live())) == (0, {record})
    assert "at its next look" in told.out
    city.run()
    assert city.live() == {}
    assert city.adapter("approve-erase", number).code == 2


def test_an_outbox_of_an_older_version_is_upgraded_and_a_newer_one_refused(city: Department) -> None:
    path = city.root / "outbox.db"
    db = apsw.Connection(str(path))
    list(db.execute(SCHEMA))
    city.write([row(1)])
    assert city.run().stream["published"] == 1
    assert db.pragma("user_version") == len(UPGRADES)
    db.pragma("user_version", len(UPGRADES) + 1)
    db.close()
    assert "newer version" in city.adapter("status").err


# --- new epochs ----------------------------------------------------------------------------------------------------


def test_a_new_epoch_restates_everything(city: Department) -> None:
    city.write([row(number) for number in range(1, 5)])
    city.run()
    before = city.live()
    gone = city.messages()[0].claims.record
    erased(city, "--record", gone)
    epoch = city.adapter("new-epoch", "--reason", "key stolen", "--json").json["epochs"][STREAM.evidence_type]
    assert epoch > city.messages()[0].claims.position.epoch
    done = city.run()
    assert (done.stream["published"], done.stream["planned"]["restated"], done.stream["statement"]) == (3, 3, "full")
    new = [one.claims for one in city.messages() if one.claims.position.epoch == epoch]
    assert [(one.operation, one.position.seq) for one in new] == [("erase", 1), ("put", 2), ("put", 3), ("put", 4)]
    assert {one.record for one in new} == set(before)
    assert done.stream["seq"] == 4
    assert (city.statements()[-1].position.epoch, city.statements()[-1].count) == (epoch, 3)
    assert city.run().stream["published"] == 0


def test_the_brake_weighs_what_a_new_epoch_would_lose(city: Department) -> None:
    city.write([row(number) for number in range(1, 31)])
    city.run()
    lost = [row(number) for number in range(2, 31)]
    city.write([tuple("2025年02月30日" if cell == "2025年10月07日" else cell for cell in row(1)), *lost])
    assert city.run().stream["planned"]["kept"] == 1
    city.adapter("new-epoch", "--reason", "restored from a backup")
    braked = city.run()
    assert (braked.code, braked.stream["planned"]["withdrawn"]) == (3, 1)
    done = city.adapter("approve-run", str(braked.stream["run"]), "--json")
    assert (done.code, done.stream["published"], done.stream["withdrawn"]) == (0, 29, 1)
    assert len(city.live()) == 29


# --- rejects -------------------------------------------------------------------------------------------------------


def refuse(city: Department, index: int, key: SigningKey, node: str = "node-1") -> None:
    """A node refuses the message at `index` of the log."""
    record = city.records()[index]
    identity = city.open(record).claims.identity
    refused = Refused(STREAM.topic, record.offset, "document_invalid", "/name", identity, record.key, record.value)
    with city.transport.writer() as writer:
        writer.write(rejects_topic("market-1"), reject_key(refused), seal_reject(refused, node, key))


def pinned(city: Department) -> SigningKey:
    key = create_signing_key(city.root / "node-1.pem", "ES256")
    write_public_key(city.root / "node-1.pub.pem", key.public)
    nodes = '\n[[nodes]]\nid = "node-1"\npublic_key = "node-1.pub.pem"\n'
    city.config.write_text(city.config.read_text("utf-8") + nodes, "utf-8")
    with city.transport.admin() as admin:
        admin.create_topic(rejects_topic("market-1"), Expiring())
    return key


def test_rejects_are_told_with_row_and_reason(city: Department) -> None:
    key = pinned(city)
    city.write([row(1), row(2), row(3)])
    city.run()
    refuse(city, 1, key)
    refuse(city, 1, key)  # a crash sends it twice
    refuse(city, 2, SigningKey.generate("ES256"))
    refuse(city, 2, key, "node-2")
    told = city.adapter("rejects", "--json").json
    assert (told["current"], told["former"], told["unverified"]) == (1, 0, 2)
    (one,) = told["rejects"]
    assert (one["code"], one["pointer"], one["file"], one["line"], one["nodes"]) == (
        "document_invalid",
        "/name",
        "certificates.csv",
        3,
        ["node-1"],
    )
    assert "certificates.csv, row at line 3" in city.adapter("rejects").out
    assert city.adapter("status", "--json").json["rejects"] == 1
    city.write([row(1), row(2, name="陈建军"), row(3)])
    city.run()
    told = city.adapter("rejects", "--json").json
    assert (told["current"], told["former"], told["rejects"]) == (0, 1, [])
    assert len(city.adapter("rejects", "--all", "--json").json["rejects"]) == 1


def test_without_keys_of_nodes_no_reject_is_believed(city: Department) -> None:
    city.write([row(1)])
    city.run()
    found = city.adapter("rejects")
    assert found.code == 2
    assert "[[nodes]]" in found.err
    assert city.adapter("status", "--json").json["rejects"] is None
