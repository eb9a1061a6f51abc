"""The mirror and several gateways, logs, keys: none holds up another one, and two histories of one log show."""

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from audit.checkpoints import Checkpoint, sign
from audit.fetch import Client, Endpoint
from audit.log import AuditLog
from audit.mirror import evidence as proofs
from audit.mirror.copy import FORKED, GREW, INCONSISTENT, ROLLED_BACK
from audit.mirror.judge import Log
from tests.integration.audit_support import SIGNER, entry, fill, no_fatal, opening
from tests.integration.mirror_world import LOG, SLOT, Gateway, Watched, gateway, registered
from tests.integration.test_mirror import evidence, other_history, running, status_of, whole
from tests.integration.test_mirror_shards import grown
from tests.integration.test_shards import NEXT, go_on, next_settings
from tests.integration.witness_world import FakeLog
from tests.waiting import until

OTHER = Log("slot-2", NEXT.name, NEXT.vkey)
REKEYED = Log(SLOT, LOG.origin, FakeLog(LOG.origin, b"\6").signer.public.vkey)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Gateway]:
    """A log of 300 entries."""
    fill(tmp_path / "log", 300)
    with gateway(tmp_path / "log") as made:
        yield made


# --- a slot with another key -----------------------------------------------------------------------------------------


def grow_other(directory: Path, count: int) -> None:
    log = AuditLog.open(next_settings(directory), no_fatal)
    for index in range(log.size, log.size + count):
        log.append_blocking(entry(index), opening(index))
    log.close()


@contextmanager
def other_served(directory: Path) -> Iterator[Gateway]:
    """Another log, of another slot and key, at a gateway of its own."""
    grow_other(directory, 3)
    with gateway(directory) as made:
        made.slot, made.key = OTHER.slot, NEXT
        yield made


def test_a_copy_of_another_key_is_left_alone_and_the_others_are_followed(served: Gateway, tmp_path: Path) -> None:
    with other_served(tmp_path / "other") as second:
        registered(tmp_path / "registry", [LOG, OTHER])
        watched = Watched(tmp_path, [served.url, second.url])
        assert watched.look() == []
        registered(tmp_path / "registry", [REKEYED, OTHER], version=2)
        for size in (4, 5):
            grow_other(tmp_path / "other", 1)
            assert watched.look() == [("log_unlisted", served.url), ("log_rekeyed", SLOT)]
            assert watched.mirror.followers[OTHER].copy.size == size
            watched.fresh()
        assert whole(watched.copy, 300)
        registered(tmp_path / "registry", [LOG, OTHER], version=3)
        assert watched.look() == []


def test_a_key_that_changes_ends_no_running_mirror(served: Gateway, tmp_path: Path) -> None:
    watched = Watched(tmp_path, [served.url])
    with running(watched) as failures:
        until((watched.copy / "checkpoint").exists)
        registered(tmp_path / "registry", [REKEYED], version=2)
        until(lambda: 'code="log_rekeyed"' in (tmp_path / "mirror.prom").read_text())
        watched.copy.rename(tmp_path / "kept")
        until((watched.copy / "vkey").exists, what="a copy of the log that is listed now")
    assert failures == []


# --- two gateways, one log -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("count", "code"), [(300, FORKED), (9, INCONSISTENT), (301, INCONSISTENT), (600, INCONSISTENT)]
)
def test_two_histories_at_two_gateways(served: Gateway, tmp_path: Path, count: int, code: str, turned: bool) -> None:
    """A cloned machine: one key, one slot. Whichever is copied, the other one shows."""
    with gateway(other_history(tmp_path, count)) as second:
        urls = [second.url, served.url] if turned else [served.url, second.url]
        watched = Watched(tmp_path, urls)
        assert watched.look() == [(code, SLOT)]
        assert watched.look() == [(code, SLOT)], "for as long as it is so"
        assert evidence(watched) == [(300, count) if turned else (count, 300)]
        clone, honest = (served, second) if turned else (second, served)
        clone.slot = "slot-9"
        assert (code, SLOT) in watched.look(), "also when it lists the log no more"
        clone.slot, clone.directory = SLOT, honest.directory
        assert (code, SLOT) not in watched.look()


def test_a_clone_shows_while_the_mirror_runs(served: Gateway, tmp_path: Path) -> None:
    with gateway(other_history(tmp_path, 9)) as second:
        watched = Watched(tmp_path, [served.url, second.url])
        with running(watched) as failures:
            until(lambda: f'code="{INCONSISTENT}"' in _told(tmp_path))
        assert failures == []


def _told(root: Path) -> str:
    path = root / "mirror.prom"
    return path.read_text() if path.exists() else ""


def test_one_history_at_two_gateways_is_well(served: Gateway, tmp_path: Path) -> None:
    """Behind or ahead: both are signed, and of one tree."""
    shutil.copytree(served.directory, tmp_path / "behind")
    fill(served.directory, 300)
    with gateway(tmp_path / "behind") as second:
        for number, urls in enumerate(([served.url, second.url], [second.url, served.url])):
            watched = Watched(tmp_path / str(number), urls)
            assert watched.look() == []
            assert watched.look() == []


@pytest.mark.parametrize("what", ["checkpoint_invalid", "answer_strange"])
def test_what_another_gateway_shows_is_looked_at(served: Gateway, tmp_path: Path, what: str) -> None:
    shutil.copytree(served.directory, tmp_path / "clone")
    fill(tmp_path / "clone", 300)
    if what == "answer_strange":
        shutil.rmtree(tmp_path / "clone/tile/0")
    else:
        (tmp_path / "clone/checkpoint").write_bytes(FakeLog(LOG.origin).note(300))
    with gateway(tmp_path / "clone") as second:
        assert Watched(tmp_path, [served.url, second.url]).look() == [(what, SLOT)]


def test_a_closed_log_that_grew_at_another_gateway(tmp_path: Path) -> None:
    fill(tmp_path / "old", 5)
    go_on(tmp_path).close()
    shutil.copytree(tmp_path / "old", tmp_path / "clone")
    grown(tmp_path / "clone")
    with gateway(tmp_path / "old") as first, gateway(tmp_path / "clone") as second:
        assert (GREW, SLOT) in Watched(tmp_path, [first.url, second.url]).look()


def test_a_log_is_copied_from_a_gateway_that_answers(served: Gateway, tmp_path: Path) -> None:
    with gateway(served.directory) as first:
        watched = Watched(tmp_path, [first.url, served.url])
        assert watched.look() == []
    fill(served.directory, 1)
    assert watched.look() == []
    assert whole(watched.copy, 301)


# --- a gateway that never ends its answer ----------------------------------------------------------------------------


class Hanging:
    """Takes connections and says nothing, until `release`."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._taken: list[socket.socket] = []
        self._thread = threading.Thread(target=self._take)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def release(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(20)
        for one in (self._listener, *self._taken):
            one.close()

    def _take(self) -> None:
        while True:
            try:
                self._taken.append(self._listener.accept()[0])
            except OSError:
                return


def test_a_gateway_that_never_answers_holds_up_nobody(served: Gateway, tmp_path: Path) -> None:
    hanging = Hanging()
    watched = Watched(tmp_path, [hanging.url, served.url])
    slow = watched.mirror.lookouts[0]
    slow.client = Client(Endpoint(hanging.url, timeout_s=600))
    with running(watched) as failures:
        try:
            until((tmp_path / "mirror/status.json").exists)
            until(lambda: status_of(watched)["size"] == 300)
            served.directory = other_history(tmp_path, 300)
            until(lambda: f'code="{FORKED}"' in _told(tmp_path))
            assert not slow.asked
        finally:
            hanging.release()
    assert failures == []


# --- how much is kept as proof ---------------------------------------------------------------------------------------


def test_old_heads_without_end_leave_room_for_the_proof_of_a_fork(
    served: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proofs, "MAX_KEPT", 2)
    watched = Watched(tmp_path, [served.url])
    assert watched.look() == []
    for size, root in ((1, b"1"), (2, b"2"), (3, b"3"), (300, b"4")):
        note = sign(Checkpoint(LOG.origin, size, root * 32), SIGNER)
        (served.directory / "checkpoint").write_bytes(note)
        [alarm] = watched.mirror.once(lambda _: None)
        assert alarm.code == (FORKED if size == 300 else ROLLED_BACK)
        assert ("not kept" in alarm.detail) == (size == 3)
    assert evidence(watched) == [(300, 300), (1, 300), (2, 300)]
    name = alarm.detail.partition("evidence: ")[2]
    assert (tmp_path / "mirror/evidence" / SLOT / name).exists()
