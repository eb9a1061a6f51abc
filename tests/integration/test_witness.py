"""A witness over real HTTP: what it accepts, what it remembers, and that no death makes it cosign two histories."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from audit.checkpoints import open_note
from audit.cosignatures import of_note
from audit.fetch import Client, Endpoint
from audit.witness.cosigning import WitnessAddress, held_by
from audit.witness.protocol import MAX_REQUEST, Request, origin_hash
from audit.witness.store import MAX_EVIDENCE, WitnessStore
from contracts.edge.output import execute
from contracts.errors import Corrupt, Unavailable, UserError
from tests.integration.audit_support import FailingDisk
from tests.integration.token_server import make_identity
from tests.integration.witness_world import COSIGNER, FakeLog, Running, process, witness, write_config
from tests.waiting import until

LOG = FakeLog()
HASH = origin_hash(LOG.signer.public.name)


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Running]:
    with witness(tmp_path / "store", [LOG.signer.public]) as running:
        yield running


def held(running: Running) -> int:
    """The size of the checkpoint that it serves; both signatures verified."""
    status, _, note = running.ask("GET", f"/{HASH}/checkpoint")
    assert status == 200
    checkpoint, cosigned = open_note(note, LOG.signer.public, [COSIGNER.public])
    assert cosigned == 1
    return checkpoint.size


def test_a_log_grows(one: Running) -> None:
    assert one.ask("GET", f"/{HASH}/checkpoint")[0] == 404
    for old, size in [(0, 3), (3, 8), (8, 8), (8, 300)]:
        request = LOG.request(old, size)
        status, _, body = one.post(request)
        assert status == 200
        assert [line.time for line in of_note(request.note + body, [COSIGNER.public])] == [1_800_000_000]
        assert held(one) == size


def test_a_rollback_and_a_fork_are_refused_and_kept(
    one: Running, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert one.post(LOG.request(0, 8))[0] == 200
    assert one.post(LOG.request(3, 5)) == (409, "text/x.tlog.size", b"8\n")
    assert not (tmp_path / "store/evidence").exists()
    assert one.post(LOG.request(8, 8, "b"))[0] == 422
    assert one.post(LOG.request(8, 12, "b"))[0] == 422
    assert one.post(LOG.request(3, 8, "b"))[0] == 409
    kept = sorted(path.name.rsplit("-", 1)[0] for path in (tmp_path / "store/evidence" / HASH).glob("*.checkpoint"))
    assert kept == ["checkpoint_not_consistent-12", "log_forked-8"]
    assert len(list((tmp_path / "store/evidence" / HASH).glob("*.held"))) == 2
    assert held(one) == 8
    events = [json.loads(line)["event"] for line in capfd.readouterr().err.splitlines()]
    assert events == ["log_forked", "checkpoint_not_consistent"]


def evidence(store: Path) -> list[str]:
    """The files that a witness kept about the log."""
    directory = store / "evidence" / HASH
    return sorted(path.name for path in directory.iterdir()) if directory.is_dir() else []


def said(capfd: pytest.CaptureFixture[str], event: str) -> list[dict[str, object]]:
    """The lines of `event` since the last look."""
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    return [line for line in lines if line["event"] == event]


def wrongly_proved(old: int, size: int) -> Request:
    """What anybody can send: an honest head that is public, and no proof."""
    return replace(LOG.request(old, size), proof=(b"\0" * 32,))


def test_the_head_that_is_held_is_no_evidence(one: Running, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert one.post(wrongly_proved(0, 4))[0] == 422, "nothing is held that it could contradict"
    assert one.post(LOG.request(0, 4))[0] == 200
    assert one.post(wrongly_proved(4, 4))[0] == 422
    assert (evidence(tmp_path / "store"), capfd.readouterr().err) == ([], "")


def test_a_stranger_hides_no_fork(one: Running, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One who is faster than the log itself with each of its new heads."""
    assert one.post(LOG.request(0, 1))[0] == 200
    for size in range(2, 3 + MAX_EVIDENCE):
        assert one.post(wrongly_proved(size - 1, size))[0] == 422
        assert one.post(LOG.request(size - 1, size))[0] == 200
    held = 2 + MAX_EVIDENCE
    told = said(capfd, "checkpoint_not_consistent")
    assert [line["size"] for line in told] == list(range(2, held + 1))
    assert [line["evidence"] is None for line in told] == [False] * MAX_EVIDENCE + [True]
    assert one.post(LOG.request(held, held, "b"))[0] == 422
    [fork] = said(capfd, "log_forked")
    assert fork["evidence"] is not None
    assert Path(str(fork["evidence"])).read_bytes() == LOG.note(held, "b")
    assert Path(str(fork["evidence"])).with_suffix(".held").read_bytes().startswith(LOG.note(held))


def test_evidence_does_not_fill_the_disk_and_alarms_come_without_it(
    one: Running, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert one.post(LOG.request(0, 5))[0] == 200
    for number in range(MAX_EVIDENCE + 2):
        assert one.post(LOG.request(5, 5, f"fork {number} "))[0] == 422
        assert one.post(LOG.request(5, 5, f"fork {number} "))[0] == 422
    assert len(evidence(tmp_path / "store")) == 2 * MAX_EVIDENCE
    told = said(capfd, "log_forked")
    assert len({line["root"] for line in told}) == len(told) == MAX_EVIDENCE + 2, "once for each"
    assert [line["evidence"] is None for line in told] == [False] * MAX_EVIDENCE + [True] * 2


def test_a_fork_is_told_when_its_note_cannot_be_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    calls = FailingDisk()
    with witness(tmp_path / "count", [LOG.signer.public], calls) as running:
        assert running.post(LOG.request(0, 5))[0] == 200
    with witness(tmp_path / "store", [LOG.signer.public], FailingDisk(len(calls.calls))) as running:
        assert running.post(LOG.request(0, 5))[0] == 200
        assert running.post(LOG.request(5, 5, "b"))[0] == 422
        [fork, lost] = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
        assert (fork["event"], fork["evidence"]) == ("log_forked", None)
        assert (lost["event"], lost["error"]) == ("evidence_not_kept", "OSError")
        assert running.post(LOG.request(5, 5, "b"))[0] == 422
    assert len(evidence(tmp_path / "store")) == 2, "the next one tries again"


def test_strangers(one: Running, tmp_path: Path) -> None:
    assert one.post(FakeLog("other.test/log").request(0, 5))[0] == 404
    assert one.post(FakeLog(seed=b"\6").request(0, 5))[0] == 403
    assert one.ask("POST", "/add-checkpoint", b"hello")[0] == 400
    assert one.ask("POST", "/add-checkpoint", b"x" * (MAX_REQUEST + 1))[0] == 413
    assert one.ask("GET", "/add-checkpoint")[0] == 405
    assert one.ask("GET", "/../lock")[0] == 404
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["lock"]


def test_of_many_at_once_one_history_comes_out(one: Running) -> None:
    """Sizes that all extend the same head, and forks of each: whatever is accepted later extends what was before."""
    assert one.post(LOG.request(0, 4))[0] == 200
    requests = [LOG.request(4, size, prefix) for size in range(5, 13) for prefix in "ab"]
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda r=r: statuses.append(one.post(r)[0])) for r in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 409, 422}
    assert 5 <= held(one) <= 12


def test_a_restart_remembers(tmp_path: Path) -> None:
    for old, size in [(0, 6), (6, 9)]:
        with witness(tmp_path, [LOG.signer.public]) as running:
            assert running.post(LOG.request(old, size))[0] == 200
    with witness(tmp_path, [LOG.signer.public]) as running:
        assert running.post(LOG.request(6, 9, "b")) == (409, "text/x.tlog.size", b"9\n")


def test_a_store_has_one_process(tmp_path: Path) -> None:
    with witness(tmp_path, [LOG.signer.public]), pytest.raises(UserError, match="Another process"):
        WitnessStore(tmp_path)


SIX = LOG.note(6)
SPOILT = {
    "cut": lambda note: note[:-2],
    "not cosigned": lambda note: note[: len(SIX)],
    "empty": lambda note: note[:0],
    "another size": lambda note: note.replace(b"\n6\n", b"\n5\n"),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_spoilt_store_does_not_start_over(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    with witness(tmp_path, [LOG.signer.public]) as running:
        assert running.post(LOG.request(0, 6))[0] == 200
    path = tmp_path / f"{HASH}.checkpoint"
    path.write_bytes(spoil(path.read_bytes()))
    store = WitnessStore(tmp_path)
    with pytest.raises(Corrupt, match=r"example\.test/log"):
        store.heads({LOG.signer.public.name: LOG.signer.public}, COSIGNER.public)
    store.close()


def test_no_answer_when_recording_fails(tmp_path: Path) -> None:
    calls = FailingDisk()
    with witness(tmp_path / "count", [LOG.signer.public], calls) as running:
        before = len(calls.calls)
        assert running.post(LOG.request(0, 6))[0] == 200
        after = len(calls.calls)
    assert calls.calls[before:after] == ["create", "write", "sync", "rename", "sync"]
    for at in range(before, after):
        directory = tmp_path / str(at)
        with witness(directory, [LOG.signer.public], FailingDisk(at)) as running:
            assert running.post(LOG.request(0, 6))[0] == 503
            assert len(running.deaths) == 1
            assert running.post(LOG.request(0, 6))[0] == 503, "it is dead until a restart has looked what is durable"


def test_killed_at_each_file_call(tmp_path: Path) -> None:
    """Before the answer it holds the old or the new head, whole; a fork of what it answered is never accepted."""
    directory, old = tmp_path / "store", 0
    for at in range(6):
        size = old + 3
        command = [sys.executable, "-m", "tests.integration.witness_victim", str(directory), str(at)]
        done = subprocess.run(command, input=LOG.request(old, size).encode(), capture_output=True, check=False)
        answered = done.stdout.startswith(b"200")
        assert (done.returncode == -signal.SIGKILL) != answered
        assert answered == (at == 5)
        with witness(directory, [LOG.signer.public]) as running:
            status, _, body = running.post(LOG.request(0, 1, "b")) if old else running.post(LOG.request(1, 2, "b"))
            assert status == 409
            now = int(body)
            assert now == size if answered else now in (old, size)
            old = now


def test_the_process(tmp_path: Path) -> None:
    """The command itself: killed while others post, restarted, ended in order."""
    config = write_config(tmp_path, [LOG.signer.public])
    answered = 0
    with process(config) as (running, child):
        stop = threading.Event()

        def post() -> None:
            nonlocal answered
            while not stop.is_set() and answered < 3000:
                try:
                    assert running.post(LOG.request(answered, answered + 1))[0] == 200
                except OSError:
                    return
                answered += 1

        thread = threading.Thread(target=post)
        thread.start()
        until(lambda: answered >= 20)
        child.kill()
        thread.join()
        stop.set()
    with process(config) as (running, child):
        assert answered <= held(running) <= answered + 1
        assert running.ask("GET", "/livez") == (200, "text/plain; charset=utf-8", b"alive\n")
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 0


def test_over_tls(tmp_path: Path) -> None:
    """As between two hosts: a log finds it by its certificate, and nobody else's."""
    server, other = make_identity(tmp_path, "server"), make_identity(tmp_path, "other")
    server.private_key.chmod(0o600)
    config = write_config(tmp_path, [LOG.signer.public])
    config.write_text(config.read_text() + 'certificate = "server.crt"\nprivate_key = "server.key"\n')
    with process(config) as (running, _):
        address = Endpoint(f"https://127.0.0.1:{running.port}", server.certificate)
        client = Client(address)
        assert client.post("/add-checkpoint", LOG.request(0, 6).encode(), 10_000).status == 200
        client.close()
        assert held_by(WitnessAddress(address, COSIGNER.public), LOG.signer.public) is not None
        with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
            held_by(WitnessAddress(replace(address, ca=other.certificate), COSIGNER.public), LOG.signer.public)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('logs = ["', 'logs = ["x', "Not the verifier key of a log"),
        ("port = 0", "prot = 0", "prot is not an option here"),
        ("witness.example/w1", "a+b", "Not a name for a key"),
        ("witness.pem", "nothing.pem", "key file cannot be read"),
        ("port = 0", 'certificate = "c.pem"', "go together"),
        ("logs = [", "logs = [] # [", "needs at least one log"),
    ],
)
def test_mistakes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, old: str, new: str, said: str
) -> None:
    from audit.cli import app

    monkeypatch.setenv("ONCEGATE_LANG", "en")
    config = write_config(tmp_path, [LOG.signer.public])
    config.write_text(config.read_text().replace(old, new, 1))
    assert execute(app, ["witness", "--config", str(config)]) == 2
    assert said in capsys.readouterr().err
