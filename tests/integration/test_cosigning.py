"""A log and its witnesses: cosignatures come, rollbacks and forks show, and a witness's word alone ruins nobody."""

import http.client
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoints import open_note
from audit.cosignatures import Cosigner
from audit.disk import Disk
from audit.fetch import Endpoint
from audit.log import AuditLog
from audit.merkle import leaf_hash
from audit.notes import note_key
from audit.reader import COSIGNED, LogReader
from audit.receipts import Level, Receipt, parse_proof, verify_proof
from audit.verify import verify
from audit.witness.cosigning import Cosigning, Patience, WitnessAddress, held_by
from contracts.edge.doctor.finding import FAILED, OK
from contracts.edge.output import explained
from contracts.errors import Corrupt, Unavailable
from gateway.client import TokenClient
from gateway.doctor.witnesses import judge
from tests.integration.audit_support import SIGNER, entry, open_log, opening, settings
from tests.integration.serve_world import SLOT, City, build_city, running
from tests.integration.test_serve import closing, question
from tests.integration.test_serve_mistakes import PATH
from tests.integration.witness_world import COSIGNER, FakeLog, Running, witness
from tests.waiting import until

EAGER = Patience(look_s=0.01, retry_s=0.02)
START = 1_800_000_000.0


@dataclass
class Time:
    now: float = START


@contextmanager
def cosigned(
    log: AuditLog,
    directory: Path,
    witnesses: Sequence[Running],
    time: Time | None = None,
    also: Sequence[WitnessAddress] = (),
) -> Iterator[Cosigning]:
    clock = time or Time()
    addresses = [WitnessAddress(Endpoint(one.url), COSIGNER.public) for one in witnesses]
    made = Cosigning(log, directory, [*addresses, *also], EAGER, lambda: clock.now)
    made.start()
    try:
        yield made
    finally:
        made.close()


def append(log: AuditLog, count: int) -> None:
    for _ in range(count):
        log.append_blocking(entry(log.size), opening(log.size))


def test_every_head_gets_cosigned_and_proofs_show_it(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    reader = LogReader(tmp_path / "log", SIGNER.public)
    with witness(tmp_path / "w", [SIGNER.public]) as one, cosigned(log, tmp_path / "log", [one]) as cosigning:
        until((tmp_path / "log" / COSIGNED).exists)  # the empty head already
        for count in (1, 2, 300):
            append(log, count)
            until(lambda: cosigning.standing().size == log.size)
            assert open_note(reader.note_for_others(), SIGNER.public, [COSIGNER.public])[1] == 1
        assert judge(tmp_path / "log", WitnessAddress(Endpoint(one.url), COSIGNER.public), SIGNER.public).level == OK
        assert cosigning.standing() == replace(cosigning.standing(), late=False, overdue=False, troubles={})
    for index in (0, 255, 302):
        proof = reader.proof(index)
        assert proof is not None
        receipt = Receipt(log.origin, index, leaf_hash(entry(index)), b"")
        assert verify_proof(parse_proof(proof.encode()), receipt, SIGNER.public, [COSIGNER.public]) == Level.WITNESSED
        assert verify_proof(proof, receipt, SIGNER.public) == Level.PUBLISHED
    log.close()
    assert verify(tmp_path / "log", SIGNER.public).difference is None


def test_what_is_newer_than_the_cosigned_head_is_published(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    with witness(tmp_path / "w", [SIGNER.public]) as one, cosigned(log, tmp_path / "log", [one]) as cosigning:
        append(log, 2)
        until(lambda: cosigning.standing().size == 2)
    append(log, 2)
    log.close()
    reader = LogReader(tmp_path / "log", SIGNER.public)
    old, new = reader.proof(1), reader.proof(3)
    assert old is not None
    assert new is not None
    assert open_note(old.note, SIGNER.public, [COSIGNER.public])[1] == 1
    assert open_note(new.note, SIGNER.public, [COSIGNER.public])[1] == 0
    assert reader.note_for_others() == reader.note()


def test_a_restart_goes_on_where_the_witness_is(tmp_path: Path) -> None:
    """Nothing about the witness is kept but the cosigned checkpoint: its 409 tells the rest."""
    with witness(tmp_path / "w", [SIGNER.public]) as one:
        for _ in range(2):
            log = open_log(tmp_path / "log")
            append(log, 3)
            with cosigned(log, tmp_path / "log", [one]) as cosigning:
                until(lambda: cosigning.standing().size == log.size)  # noqa: B023 — waited for at once
            log.close()


def test_without_cosignatures_it_is_late_then_overdue(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log, time = open_log(tmp_path / "log"), Time()
    with witness(tmp_path / "w", [SIGNER.public]) as one, cosigned(log, tmp_path / "log", [one], time) as cosigning:
        append(log, 1)
        until(lambda: cosigning.standing().size == 1)
        cosigning.check()
    with cosigned(log, tmp_path / "log", [one], time) as cosigning:
        append(log, 1)
        until(lambda: bool(cosigning.standing().troubles))
        for age, late, overdue in [(900.0, False, False), (901.0, True, False), (14_401.0, True, True)]:
            time.now = START + age
            standing = cosigning.standing()
            assert (standing.age_s, standing.late, standing.overdue) == (age, late, overdue)
        with pytest.raises(Exception, match="witness_overdue"):
            cosigning.check()
        said = ""

        def told() -> bool:
            nonlocal said
            said += capfd.readouterr().err
            return '"no_cosignature"' in said

        until(told)
    with cosigned(log, tmp_path / "log", [one], time) as cosigning:
        assert cosigning.standing().overdue, "a restart does not make it younger"
        with witness(tmp_path / "w", [SIGNER.public], port=one.port, now=int(time.now)):
            until(lambda: cosigning.standing().size == 2)
            assert not cosigning.standing().late
            cosigning.check()
    log.close()


# --- a log that was put back -----------------------------------------------------------------------------------------


def grown_and_put_back(tmp_path: Path, one: Running) -> Path:
    """A log of 5 cosigned entries, whose directory is again as it was with 3."""
    directory, copy = tmp_path / "log", tmp_path / "copy"
    for total in (3, 5):
        log = open_log(directory)
        append(log, total - log.size)
        with cosigned(log, directory, [one]) as cosigning:
            until(lambda: cosigning.standing().size == total)  # noqa: B023 — waited for at once
        log.close()
        if total == 3:
            shutil.copytree(directory, copy)
    shutil.rmtree(directory)
    copy.rename(directory)
    return directory


def test_an_old_copy_does_not_start(tmp_path: Path) -> None:
    with witness(tmp_path / "w", [SIGNER.public]) as one:
        directory = grown_and_put_back(tmp_path, one)
        address = WitnessAddress(Endpoint(one.url), COSIGNER.public)
        held = held_by(address, SIGNER.public)
        found = judge(directory, address, SIGNER.public)
        assert (found.level, "an old copy" in found.what.en) == (FAILED, True)
        assert judge(tmp_path / "nowhere", address, SIGNER.public).level == FAILED
    assert held is not None
    with pytest.raises(Corrupt, match="has 3 entries, but 5 were published: an old copy"):
        AuditLog.open(replace(settings(directory), heads=[held]), print)
    shutil.rmtree(directory)
    with pytest.raises(Corrupt, match="is empty, but 5 entries were published"):
        AuditLog.open(replace(settings(directory), heads=[held]), print)


@pytest.mark.parametrize("more", [0, 1, 2, 9])
def test_when_the_witness_was_away_at_the_start_the_first_contact_ends_it(tmp_path: Path, more: int) -> None:
    """An old copy, or one that grew another way since, to any size."""
    with witness(tmp_path / "w", [SIGNER.public]) as one:
        directory = grown_and_put_back(tmp_path, one)
        deaths: list[BaseException] = []
        log = AuditLog.open(settings(directory), deaths.append)
        for number in range(more):
            log.append_blocking(b"another %d" % number, b"{}")
        until(lambda: log.published.size == 3 + more)
        with cosigned(log, directory, [one]):
            until(lambda: not log.alive)
    assert [type(error) for error in deaths] == [Corrupt]
    assert "a witness" in str(deaths[0])


def test_its_own_cosigned_checkpoint_counts_as_known(tmp_path: Path) -> None:
    """Somebody put back all but one file."""
    with witness(tmp_path / "w", [SIGNER.public]) as one:
        log = open_log(tmp_path / "log")
        with cosigned(log, tmp_path / "log", [one]) as cosigning:
            append(log, 5)
            until(lambda: cosigning.standing().size == 5)
        log.close()
    note = (tmp_path / "log" / COSIGNED).read_bytes()
    shutil.rmtree(tmp_path / "log")
    log = open_log(tmp_path / "log")
    append(log, 2)
    log.close()
    (tmp_path / "log" / COSIGNED).write_bytes(note)
    with pytest.raises(Corrupt, match="5 were published"):
        AuditLog.open(settings(tmp_path / "log"), print)


# --- witnesses that do not do what they should -----------------------------------------------------------------------


class LyingDisk(Disk):
    """A witness's disk on which the recorded checkpoint is not the one that was accepted."""

    def __init__(self, note: bytes) -> None:
        super().__init__()
        self.note = note

    def replace(self, path: Path, data: bytes) -> None:
        del data
        super().replace(path, self.note)


def test_a_witness_that_claims_more_without_proof_is_only_trouble(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    append(log, 3)
    other = FakeLog("other.test/log")
    with witness(tmp_path / "w", [SIGNER.public], LyingDisk(other.note(9))) as one:
        with cosigned(log, tmp_path / "log", [one]) as cosigning:
            until(lambda: cosigning.standing().size == 3)
        log.close()
        shutil.rmtree(tmp_path / "log")  # begins anew: the witness is ahead, but what it shows is of another log
        log = open_log(tmp_path / "log")
        with cosigned(log, tmp_path / "log", [one]) as cosigning:
            until(lambda: "note_signature_invalid" in " ".join(cosigning.standing().troubles.values()))
            assert log.alive
    log.close()


def test_only_the_pinned_key_counts(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    append(log, 3)
    pinned = note_key("witness.example/other", COSIGNER.public.kind, COSIGNER.public.raw)
    with witness(tmp_path / "w", [SIGNER.public]) as one:
        address = WitnessAddress(Endpoint(one.url), pinned)
        cosigning = Cosigning(log, tmp_path / "log", [address], EAGER)
        cosigning.start()
        until(lambda: "no cosignature of the pinned key" in str(cosigning.standing().troubles))
        cosigning.close()
        with pytest.raises(Unavailable, match="not cosigned by the pinned key"):
            held_by(address, SIGNER.public)
    assert not (tmp_path / "log" / COSIGNED).exists()
    log.close()


def test_of_two_witnesses_one_is_enough(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    append(log, 3)
    with (
        witness(tmp_path / "w", [SIGNER.public]) as one,
        witness(tmp_path / "w2", []) as stranger,
        cosigned(log, tmp_path / "log", [one, stranger]) as cosigning,
    ):
        until(lambda: cosigning.standing().size == 3 and bool(cosigning.standing().troubles))
        assert cosigning.standing().troubles == {stranger.url: "404: the witness does not know this log"}
        cosigning.check()
    log.close()


def test_the_lines_of_two_witnesses_stand_on_one_head(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    append(log, 3)
    second = Cosigner.of("witness.example/w2", Ed25519PrivateKey.from_private_bytes(b"\x08" * 32))
    with (
        witness(tmp_path / "w", [SIGNER.public]) as one,
        witness(tmp_path / "w2", [SIGNER.public], cosigner=second) as two,
        cosigned(log, tmp_path / "log", [one], also=[WitnessAddress(Endpoint(two.url), second.public)]),
    ):
        keys = [COSIGNER.public, second.public]
        reader = LogReader(tmp_path / "log", SIGNER.public)
        until(lambda: open_note(reader.note_for_others(), SIGNER.public, keys)[1] == 2)
    log.close()


def test_a_line_that_was_played_back_does_not_count(tmp_path: Path) -> None:
    """The head is the same, and so is the time: nobody knows whether the witness spoke now."""
    log, time = open_log(tmp_path / "log"), Time()
    append(log, 1)
    with witness(tmp_path / "w", [SIGNER.public], now=int(START)) as one:
        with cosigned(log, tmp_path / "log", [one], time) as cosigning:
            until(lambda: cosigning.standing().size == 1)
        time.now += 1000
        with cosigned(log, tmp_path / "log", [one], time) as cosigning:
            until(lambda: "not newer" in str(cosigning.standing().troubles))
            assert cosigning.standing().late
    with (
        witness(tmp_path / "w", [SIGNER.public], now=int(START) + 1000) as one,
        cosigned(log, tmp_path / "log", [one], time) as cosigning,
    ):
        until(lambda: not cosigning.standing().late)
    log.close()


def test_nobody_there(tmp_path: Path) -> None:
    with witness(tmp_path / "w", [SIGNER.public]) as one:
        gone = one.url
    with pytest.raises(Unavailable) as error:
        held_by(WitnessAddress(Endpoint(gone), COSIGNER.public), SIGNER.public)
    assert "refused" in explained(error.value)[0].en


# --- the serving process ---------------------------------------------------------------------------------------------


def asked(client: TokenClient, index: int, log: str) -> str:
    """The trust level of a receipt."""
    status, _, answer = client.get(f"/v1/receipts/{log.replace('/', '%2F')}/{index}")
    assert status == 200
    return str(answer["trust"])


def test_a_serving_process_is_witnessed_and_refuses_when_it_is_not(tmp_path: Path) -> None:
    city, time, stack = build_city(tmp_path / "city"), Time(), ExitStack()
    one = stack.enter_context(witness(tmp_path / "w", [city.log.verifier]))
    with cosigned(city.log, city.log_dir, [one], time) as cosigning:
        city.cosigning = cosigning
        with running(city), closing(city.client()) as client:
            assert client.post(PATH, question())[0] == 200
            until(lambda: cosigning.standing().size == 1)
            assert asked(client, 0, city.log.origin) == "witnessed"
            until(lambda: _published_is_cosigned(client, city))
            stack.close()
            time.now += 14_401
            status, _, answer = client.post(PATH, question())
            assert (status, answer["code"]) == (503, "witness_overdue")
            refusals = [city.log.entry(index) for index in range(city.log.size)]
            assert b'"reason":"witness_overdue"' in refusals[-1], "a refusal is recorded, too"
            assert asked(client, 0, city.log.origin) == "witnessed"
            status, _, ready = client.get("/readyz")
            assert (status, ready["checks"]["witness"]) == (503, "witness_overdue")
            assert "witness_late" in ready["warnings"]
            assert "rollback_undetectable" not in ready["warnings"]
            assert b"oncegate_audit_cosigned_age_seconds 14401.0" in _body(client, "/metrics")


def _published_is_cosigned(client: TokenClient, city: City) -> bool:
    note = _body(client, f"/audit/logs/{SLOT}/checkpoint")
    return open_note(note, city.log.verifier, [COSIGNER.public])[1] == 1


def _body(client: TokenClient, path: str) -> bytes:
    connection = http.client.HTTPSConnection(urlsplit(client.base_url).netloc, context=client.tls, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()
