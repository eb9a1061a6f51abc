"""The mirror over a change of shard: both logs are copied, the closed one stays as it is, what does not fit shows."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import retired
from audit.checkpoints import Checkpoint
from audit.cli import app
from audit.closed_logs import ClosedLog, served
from audit.disk import Disk, lock
from audit.log import AuditLog
from audit.mirror import shards
from audit.mirror.copy import GREW
from audit.mirror.judge import Log
from audit.notes import NoteSigner
from audit.notices import NO_OPENING
from audit.reader import LogReader
from audit.retention_command import Wanted, mirror_place, run
from audit.shards import close, ending
from audit.start import prepare
from audit.verify import verify
from contracts.edge.keys import write_public_key
from contracts.edge.output import execute
from contracts.errors import Corrupt
from contracts.registry import AuditSlot
from tests.integration.audit_support import SIGNER, entry, fill, no_fatal, opening, settings
from tests.integration.mirror_world import LOG, NOW, ROOT, SLOT, Gateway, Watched, gateway, registered
from tests.integration.test_shards import NEXT, NEXT_ORIGIN, go_on, next_settings

NEW_SLOT = "slot-1-2027"
OTHER_ORIGIN = "gateway.example/former"
SIGNER_OF_ANOTHER = NoteSigner.of(OTHER_ORIGIN, Ed25519PrivateKey.from_private_bytes(b"\6" * 32))
NEW_LOG = Log(NEW_SLOT, NEXT_ORIGIN, NEXT.vkey)
SLOTS = [AuditSlot(SLOT, LOG.origin, LOG.vkey, "auditor"), AuditSlot(NEW_SLOT, NEXT_ORIGIN, NEXT.vkey, "auditor", SLOT)]


def over_to_next(made: Gateway, root: Path) -> None:
    """The gateway restarts with the next log, and serves the old one beside it."""
    go_on(root).close()
    made.directory, made.key, made.slot = root / "new", NEXT, NEW_SLOT
    made.closed = tuple(served(LogReader(root / "new", NEXT), [(SLOT, root / "old", SIGNER.public)]))


def whole(watched: Watched, log: Log, size: int) -> bool:
    key = NEXT if log is NEW_LOG else SIGNER.public
    found = verify(watched.root / "mirror/logs" / log.slot, key, openings=True)
    return found.difference is None and found.size == size


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fill(tmp_path / "old", 300)
    registered(tmp_path / "registry", slots=SLOTS)
    return tmp_path


def test_both_logs_are_followed_and_the_closed_one_is_not_missed(root: Path) -> None:
    with gateway(root / "old") as made:
        watched = Watched(root, [made.url])
        assert watched.look() == [("log_silent", NEW_SLOT)]  # listed, and not begun yet
        over_to_next(made, root)
        assert watched.look() == []
        assert whole(watched, LOG, 301)
        assert whole(watched, NEW_LOG, 1)
        watched.time.now += 10_000
        assert watched.look() == []
        watched.fresh()
        assert watched.look() == []
        made.closed = ()
        assert watched.look() == [(shards.GONE, SLOT)]


def grown(directory: Path) -> None:
    """What somebody with the key and another program can do: a closed log that goes on."""
    log = AuditLog.begin(prepare(settings(directory), Disk()), no_fatal)
    log.append_blocking(entry(0), opening(0))
    log.close()


def test_a_closed_log_that_grows_is_refused_and_kept_as_evidence(root: Path) -> None:
    with gateway(root / "old") as made:
        watched = Watched(root, [made.url])
        over_to_next(made, root)
        assert watched.look() == []
        grown(root / "old")
        for _ in range(2):
            assert watched.look() == [(GREW, SLOT)]
            assert whole(watched, LOG, 301)
            watched.fresh()
        assert len(list((root / "mirror/evidence" / SLOT).glob(f"{GREW}-302-*"))) == 2


@pytest.mark.parametrize("already", [0, 200])
def test_an_entry_that_closes_a_log_is_its_last_in_a_first_copy_too(root: Path, already: int) -> None:
    shutil.rmtree(root / "old")
    fill(root / "old", already or 300)
    with gateway(root / "old") as made:
        watched = Watched(root, [made.url])
        if already:
            watched.look()
        close(settings(root / "old"), NEXT_ORIGIN)
        grown(root / "old")
        assert (GREW, SLOT) in watched.look()
        assert watched.mirror.followers[LOG].copy.ending is None


def test_a_successor_that_names_another_end_shows(root: Path) -> None:
    """The gateway goes on from a log that is shorter than the one that was shown before."""
    shutil.copytree(root / "old", root / "shorter/old")
    fill(root / "old", 5)
    with gateway(root / "old") as made:
        watched = Watched(root, [made.url])
        watched.look()
        over_to_next(made, root / "shorter")
        told = watched.look()
        assert ("log_rolled_back", SLOT) in told
        assert (shards.BROKEN, NEW_SLOT) in told


def test_a_log_that_began_by_itself_shows(root: Path) -> None:
    log = AuditLog.open(next_settings(root / "new"), no_fatal)
    log.append_blocking(b"{}", NO_OPENING)
    log.close()
    ended = close(settings(root / "old"), NEXT_ORIGIN)
    with gateway(root / "new") as made:
        made.key, made.slot = NEXT, NEW_SLOT
        made.closed = (ClosedLog(SLOT, LogReader(root / "old", SIGNER.public), ended),)
        assert Watched(root, [made.url]).look() == [(shards.BROKEN, NEW_SLOT)]


# --- retention at the mirror -----------------------------------------------------------------------------------------


def test_what_was_removed_at_the_mirror_stays_away(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place, slots = mirror_place(root / "mirror"), {one.slot: one for one in SLOTS}
    removing = Wanted(apply=True, yes=True, by="li", as_json=False)
    with gateway(root / "old") as made:
        watched = Watched(root, [made.url])
        over_to_next(made, root)
        assert watched.look() == []
        ended = ending(LogReader(root / "mirror/logs" / SLOT, SIGNER.public))
        assert ended is not None
        over = ended.time + 1096 * 86_400_000
        run(place, slots, over - 1, removing)
        assert whole(watched, LOG, 301)
        run(place, slots, over, removing)
        assert not (place.logs / SLOT).exists()
        for _ in range(2):
            assert watched.look() == []
            assert not (place.logs / SLOT).exists()
            watched.fresh()
        kept = retired.read(place.retired / f"{SLOT}.json")
        assert kept is not None
        assert (kept.head(), kept.by) == (ended.head, "li")
        other = replace(kept, checkpoint=kept.checkpoint, origin=kept.origin, entries=7)
        retired.write(Disk(), place.retired / f"{SLOT}.json", other)
        with pytest.raises(Corrupt, match="another size"):
            watched.look()
    assert "is removed" in capsys.readouterr().out


def test_another_log_in_a_slot_that_was_removed_is_followed(root: Path) -> None:
    """Else whoever lists a slot's name again has a log that nobody copies, and no alarm says so."""
    with gateway(root / "old") as made:
        watched = Watched(root, [made.url])
        note = (root / "old/checkpoint").read_text()
        gone = retired.Retired(SLOT, LOG.origin, LOG.vkey, note, 300, 1, 2, NEXT_ORIGIN, 3, "li")
        retired.write(Disk(), root / "mirror/retired" / f"{SLOT}.json", gone)
        watched.look()
        assert not watched.copy.exists()
        other = SIGNER_OF_ANOTHER.sign(Checkpoint(OTHER_ORIGIN, 300, bytes(32)).text()).decode()
        was = replace(gone, origin=OTHER_ORIGIN, vkey=SIGNER_OF_ANOTHER.public.vkey, checkpoint=other)
        retired.write(Disk(), root / "mirror/retired" / f"{SLOT}.json", was)
        watched.look()
        assert whole(watched, LOG, 300)


def test_a_copy_under_its_lock_is_left_alone(root: Path) -> None:
    with gateway(root / "old") as made:
        watched = Watched(root, [made.url])
        watched.look()
        fill(root / "old", 3)
        descriptor = lock(root / "mirror/logs" / SLOT / "lock")
        assert descriptor is not None
        watched.look()
        assert whole(watched, LOG, 300)


def test_the_time_of_the_registry_is_past(root: Path) -> None:
    """A clock that is years ahead must not remove anything."""
    watched = Watched(root, [])
    watched.mirror.listed.look(int(NOW * 1000))
    assert watched.mirror.listed.is_valid(int(NOW * 1000))
    assert not watched.mirror.listed.is_valid(int(NOW * 1000) + 1096 * 86_400_000)


def test_the_commands(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the auditor calls them, on the configuration of the mirror."""
    write_public_key(root / "root.pub.pem", ROOT.public)
    config = root / "mirror.toml"
    with gateway(root / "old") as made:
        watched = Watched(root, [made.url])
        over_to_next(made, root)
        assert watched.look() == []
        text = f'[mirror]\ndirectory = "mirror"\ngateways = ["{made.url}"]\ncertificate = "c"\nprivate_key = "k"\n'
    config.write_text(text + '[registry]\ndirectory = "registry"\nroot_key = "root.pub.pem"\n')
    log = root / "mirror/logs" / SLOT
    assert execute(app, ["hold", str(log), "--reason", "case 7", "--by", "court"]) == 0
    assert execute(app, ["retention", "--config", str(config), "--apply", "--yes"]) == 0
    said = capsys.readouterr().out
    assert f"{SLOT}: 301 entries" in said
    assert "kept until 2030-01-15" in said
    assert "Legal hold: case 7" in said
    assert f"{NEW_SLOT}: 1 entries" in said
    assert execute(app, ["hold", str(log), "--release"]) == 0
    assert execute(app, ["retention", "--config", str(config), "--json"]) == 0
    assert '"hold":null' in capsys.readouterr().out.splitlines()[-1]
    for wrong in (["--release"], [], ["--release", "--reason", "x"]):
        assert execute(app, ["hold", str(log), *wrong]) == 2
    assert whole(watched, LOG, 301)
