"""A gateway over a change of shard, over loopback: receipts, limits and tiles of the closed log go on."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from audit import retired
from audit.closed_logs import ClosedLogs, served
from audit.disk import Disk
from audit.fetch import Endpoint
from audit.log import AuditLog, Limits, LogSettings
from audit.merkle import leaf_hash
from audit.notes import NoteKey, NoteSigner
from audit.reader import LogReader
from audit.receipts import Level, parse_proof, parse_receipt, verify_proof
from audit.retired import Retired
from audit.shards import Former, open_after
from audit.witness.cosigning import Cosigning, Patience, WitnessAddress
from audit.witness.offering import ClosedHead
from contracts.algorithms import SigningKey
from contracts.errors import Corrupt
from contracts.registry import AuditSlot
from contracts.registry.snapshot import Contents
from tests.integration.audit_support import no_fatal
from tests.integration.serve_world import AUDITOR_KEY, LOG_KEY, ORIGIN, SLOT, City, build_city, running
from tests.integration.test_auditor_certificates import ask as fetch
from tests.integration.test_auditor_certificates import auditor, list_auditors
from tests.integration.test_serve import closing, question, receipt_of
from tests.integration.test_serve_mistakes import PATH
from tests.integration.token_server import make_identity
from tests.integration.witness_world import COSIGNER, witness
from tests.waiting import until

NEW_SLOT, NEW_ORIGIN = "slot-1-2027", "gov.example/oncegate/slot-1-2027"
NEW_KEY = SigningKey.generate("EdDSA")
NEW = NoteSigner.of(NEW_ORIGIN, NEW_KEY.key).public
OLD = NoteSigner.of(ORIGIN, LOG_KEY.key).public


def settings(directory: Path, origin: str, key: SigningKey) -> LogSettings:
    return LogSettings(directory, origin, key, AUDITOR_KEY.public_key(), None, Limits(publish_seconds=0.01))


def change_shard(city: City) -> None:
    """What the operator does: a new slot and key, and a restart."""
    old = city.directory / "audit"
    former = Former(LogReader(old, OLD), settings(old, ORIGIN, LOG_KEY))
    city.log = open_after(settings(city.directory / "new", NEW_ORIGIN, NEW_KEY), former, city.deaths.append)
    city.slot, city.folder = NEW_SLOT, "new"
    serve_closed(city)
    contents: Contents = replace(
        city.registry.contents,
        audit_slots=(AuditSlot(SLOT, ORIGIN, "", "first"), AuditSlot(NEW_SLOT, NEW_ORIGIN, "", "second", SLOT)),
    )
    city.registry = replace(city.registry, contents=contents)


def serve_closed(city: City) -> None:
    """As at a start."""
    logs = served(LogReader(city.directory / "new", NEW), [(SLOT, city.directory / "audit", OLD)])
    city.closed = ClosedLogs(logs, city.directory / "retired")


@pytest.fixture
def changed(tmp_path: Path) -> Iterator[tuple[City, dict[str, Any]]]:
    """A gateway that asked twice of three times, and then changed its shard; the answer to its first question."""
    city = build_city(tmp_path / "city", per_day=3)
    with running(city), closing(city.client()) as client:
        _, _, answer = client.post(PATH, question())
        assert client.post(PATH, question())[0] == 200
    change_shard(city)
    with running(city):
        yield city, answer


def retire(city: City) -> None:
    """What `retention` keeps, before it removes anything."""
    note = LogReader(city.directory / "audit", OLD).note().decode()
    said = Retired(SLOT, ORIGIN, OLD.vkey, note, int(note.split("\n")[1]), 1, 2, NEW_ORIGIN, 3, "wang")
    retired.write(Disk(), city.directory / "retired/audit.json", said)


def test_receipts_of_the_closed_log_are_found(changed: tuple[City, dict[str, Any]]) -> None:
    city, answer = changed
    with closing(city.client()) as client, closing(city.mobile()) as mobile:
        status, found = receipt_of(client, answer["receipt"])
        assert (status, found["log"], found["trust"]) == (200, ORIGIN, "published")
        receipt = parse_receipt(answer["receipt"])
        assert leaf_hash(found["record"].encode()) == receipt.leaf_hash
        assert verify_proof(parse_proof(found["proof"].encode()), receipt, OLD) is Level.PUBLISHED
        assert receipt_of(mobile, answer["receipt"])[1]["code"] == "entry_unknown"
        for index in (4, 10**9):  # 4: the entry that closes the log
            assert receipt_of(client, {"log": ORIGIN, "index": index})[1]["code"] == "entry_unknown"
        _, _, newer = client.post(PATH, question())
        assert newer["receipt"]["log"] == NEW_ORIGIN
        assert receipt_of(client, newer["receipt"])[0] == 200


def test_todays_counts_go_on(changed: tuple[City, dict[str, Any]]) -> None:
    city, _ = changed
    with closing(city.client()) as client:
        assert [client.post(PATH, question())[0] for _ in range(2)] == [200, 429]


def test_a_hole_in_the_closed_log_keeps_nobody_from_answering(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its end is sound, so it is served; today's counts are in the part that is gone."""
    city = build_city(tmp_path / "city", per_day=3)
    for _ in range(300):
        city.log.append_blocking(b'{"time":%d}' % city.now(), b"{}")
    city.log.close()
    change_shard(city)
    (city.directory / "audit/tile/entries/000").unlink()
    with running(city), closing(city.client()) as client:
        assert client.post(PATH, question())[0] == 200
    assert '"closed_log_damaged"' in capfd.readouterr().err


def test_each_log_is_given_to_its_own_auditor(changed: tuple[City, dict[str, Any]], tmp_path: Path) -> None:
    city, _ = changed
    people = {name: make_identity(tmp_path, name) for name in ("first", "second")}
    list_auditors(city, *(auditor(name, one) for name, one in people.items()))
    until(lambda: all(fetch(city, "/audit/logs", one) == 200 for one in people.values()))
    for slot, mine, other in ((SLOT, "first", "second"), (NEW_SLOT, "second", "first")):
        size = LogReader(city.directory / ("audit" if slot == SLOT else "new"), OLD).note().decode().split("\n")[1]
        for path in (f"tile/entries/000.p/{size}", f"openings/000.p/{size}"):
            assert fetch(city, f"/audit/logs/{slot}/{path}", people[mine]) == 200
            assert fetch(city, f"/audit/logs/{slot}/{path}", people[other]) == 403
        assert fetch(city, f"/audit/logs/{slot}/checkpoint", None) == 200
        assert fetch(city, f"/audit/logs/{slot}/tile/0/000.p/{size}", None) == 200
    assert fetch(city, "/audit/logs/nowhere/checkpoint", None) == 404


def listed(city: City) -> list[tuple[str, bool]]:
    with closing(city.client()) as client:
        _, _, answer = client.send("GET", "/audit/logs", None, {})
        return [(one["slot"], one["closed"]) for one in answer["logs"]]


def test_a_retired_log_is_past_retention_at_once_and_after_a_restart(changed: tuple[City, dict[str, Any]]) -> None:
    city, answer = changed
    assert listed(city) == [(NEW_SLOT, False), (SLOT, True)]
    retire(city)
    for _ in range(2):
        assert listed(city) == [(NEW_SLOT, False)]
        assert fetch(city, f"/audit/logs/{SLOT}/checkpoint", None) == 404
        with closing(city.client()) as client:
            status, refused = receipt_of(client, answer["receipt"])
            assert (status, refused["code"]) == (404, "past_retention")
            assert receipt_of(client, {"log": "other", "index": 0})[1]["code"] == "entry_unknown"
        (city.directory / "audit").rename(city.directory / "gone")
        serve_closed(city)
        (city.directory / "gone").rename(city.directory / "audit")


def closed_for_new(root: Path, entry: bytes) -> Path:
    """A log of one entry, closed; the new one goes on from it."""
    log = AuditLog.open(settings(root / "old", ORIGIN, LOG_KEY), no_fatal)
    log.append_blocking(entry, b"{}")
    log.close()
    former = Former(LogReader(root / "old", OLD), settings(root / "old", ORIGIN, LOG_KEY))
    open_after(settings(root / "new", NEW_ORIGIN, NEW_KEY), former, no_fatal).close()
    return root


def test_what_does_not_fit_is_not_served(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A closed log that was exchanged, or put back to where it was open, or is not under its key."""
    one, other = closed_for_new(tmp_path / "one", b"1"), closed_for_new(tmp_path / "other", b"2")
    log = AuditLog.open(settings(tmp_path / "open/old", ORIGIN, LOG_KEY), no_fatal)
    log.append_blocking(b"1", b"{}")
    log.close()

    def found(old: Path, key: NoteKey = OLD) -> list[str]:
        return [log.slot for log in served(LogReader(one / "new", NEW), [(SLOT, old, key)])]

    assert found(one / "old") == [SLOT]
    assert found(tmp_path / "nowhere") == []
    assert capfd.readouterr().err == ""
    assert [found(other / "old"), found(tmp_path / "open/old"), found(one / "old", NEW)] == [[], [], []]
    events = [json.loads(line)["event"] for line in capfd.readouterr().err.splitlines()]
    assert events == ["closed_log_damaged"] * 3


def test_a_damaged_file_of_a_retired_log_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "retired").mkdir()
    (tmp_path / "retired/x.json").write_bytes(b"{}")
    with pytest.raises(Corrupt, match=r"x\.json"):
        ClosedLogs((), tmp_path / "retired")


def test_the_last_head_is_offered_until_a_witness_has_it(tmp_path: Path) -> None:
    """Nobody was there when the log was closed; later somebody is, and then it is done."""
    city = build_city(tmp_path / "city")
    city.log.append_blocking(b"{}", b"{}")
    city.log.close()
    change_shard(city)
    one = city.closed.there()[0]
    head = ClosedHead(one.reader, one.ending, [COSIGNER.public])
    assert head.alive
    with witness(tmp_path / "witness", [OLD]) as running_witness:
        address = WitnessAddress(Endpoint(running_witness.url), COSIGNER.public)
        cosigning = Cosigning(head, one.reader.directory, [address], Patience(look_s=0.01, retry_s=0.02))
        cosigning.start()
        until(lambda: not head.alive)
        cosigning.close()
    assert head.cosigned
    assert one.reader.note_for_others().startswith(one.reader.note())
    assert not ClosedHead(one.reader, one.ending, [COSIGNER.public]).alive  # nothing to do after a restart
    city.log.close()
