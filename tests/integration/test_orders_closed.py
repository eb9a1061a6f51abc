"""Orders about a closed log: said in the log that goes on from it, carried out in the closed one's own files."""

import os
import shutil
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audit import backup, holds
from audit.api.restrictions import Restrictions
from audit.cli import app
from audit.disk import Disk, lock
from audit.holds import Hold
from audit.log import AuditLog
from audit.notices import NO_OPENING
from audit.orders import files
from audit.orders.chain import at_hand
from audit.orders.order import ERASE, LIFT, RESTRICT, Order, sign
from audit.orders.state import notice_of, notices_in, restricted, state_of
from audit.ranges import Ranges, parse
from audit.reader import LogReader
from audit.shards import Former, open_after
from audit.verify import verify
from contracts.errors import Corrupt, Fault, Unavailable
from tests.integration.audit_support import SIGNER, FailingDisk, ForgetfulDisk, open_log
from tests.integration.closed_orders_world import (
    NEW,
    OLD,
    THIRD_SIGNER,
    carrier,
    carry_out,
    made,
    opened,
    put,
    signed,
    third,
    third_carrier,
)
from tests.integration.orders_world import (
    AUDITOR_ORDERS,
    DAY_MS,
    NOW,
    anywhere,
    both_signed,
    fill_old,
    finished,
    order,
    sealed_rows,
)
from tests.integration.test_shards import NEXT, next_settings
from tests.waiting import until

ENTRIES = 300
POSITIONS = "7,255,260-261"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("filled")
    made(root, ENTRIES)
    return root


@pytest.fixture
def root(filled: Path, tmp_path: Path) -> Path:
    shutil.copytree(filled, tmp_path / "logs")
    return tmp_path / "logs"


def closed_log(root: Path) -> LogReader:
    return LogReader(root / OLD, SIGNER.public)


def hidden(root: Path) -> str:
    return restricted(closed_log(root), ENTRIES + 1, AUDITOR_ORDERS.public).text()


def checked(root: Path) -> str:
    """What `verify --openings` says is wrong with either."""
    reports = (verify(root / name, key, openings=True) for name, key in ((OLD, SIGNER.public), (NEW, NEXT)))
    return "".join(one.difference.what.en for one in reports if one.difference)


def test_an_erased_opening_is_in_no_file_and_both_logs_are_whole(root: Path) -> None:
    gone, kept = sealed_rows(root / OLD, parse(POSITIONS)), sealed_rows(root / OLD, parse("6,8,262"))
    head = (root / OLD / "checkpoint").read_bytes()
    erasing = order(ERASE, POSITIONS)
    carry_out(root, erasing)
    assert anywhere(root, *gone) == []
    assert sealed_rows(root / OLD, parse("6,8,262")) == kept
    assert (root / OLD / "checkpoint").read_bytes() == head
    assert files.order_path(root / OLD, erasing.digest).read_bytes() == signed(erasing)
    assert checked(root) == ""
    state = state_of(closed_log(root), ENTRIES + 1, AUDITOR_ORDERS.public)
    assert (state.erased, state.unordered) == (parse(POSITIONS), ())
    assert state_of(LogReader(root / NEW, NEXT), 2, AUDITOR_ORDERS.public).erased == Ranges()  # nothing of its own


def test_a_restriction_and_its_end(root: Path) -> None:
    lasting = Restrictions()  # of a process that lives on
    carry_out(root, order(RESTRICT, "1-3"))
    assert hidden(root) == lasting.of(closed_log(root), ENTRIES + 1).text() == "1-3"
    carry_out(root, order(LIFT, "2", number=2))
    assert hidden(root) == lasting.of(closed_log(root), ENTRIES + 1).text() == "1,3"
    assert len(sealed_rows(root / OLD, parse("0-4"))) == 5


def test_without_the_log_that_goes_on_nobody_sees(root: Path) -> None:
    """The notice of a lifting is missing then, and so is the key that countersigned."""
    carry_out(root, order(RESTRICT, "1-3"), order(LIFT, "2", number=2))
    (root / NEW).rename(root.parent / "away")
    assert hidden(root) == "1-3"
    assert at_hand(closed_log(root)).missing == NEXT.name
    assert restricted(closed_log(root), ENTRIES + 1).text() == "1-3"
    elsewhere = at_hand(closed_log(root), places=[root.parent / "away"])
    assert restricted(closed_log(root), ENTRIES + 1, AUDITOR_ORDERS.public, elsewhere).text() == "1,3"


def test_a_log_that_does_not_go_on_from_this_one_says_nothing(root: Path, filled: Path, tmp_path: Path) -> None:
    """Another one under the same name and key, of another end."""
    made(tmp_path / "other", 3)
    carry_out(tmp_path / "other", order(RESTRICT, "1"), order(LIFT, "1", number=2))
    carry_out(root, order(RESTRICT, "1"))
    shutil.rmtree(root / NEW)
    shutil.copytree(tmp_path / "other" / NEW, root / NEW)
    assert at_hand(closed_log(root)).missing == NEXT.name
    assert hidden(root) == "1"


def refusal(root: Path, what: Order, note: bytes) -> bool:
    """Whether it was put aside, and nothing said or done."""
    log = opened(root)
    Disk().replace(files.pending_path(root / OLD, what.digest), note)
    carrier(root, log).look()
    size = log.size
    log.close()
    return files.refused_path(root / OLD, what.digest).exists() and size == 1


@pytest.mark.parametrize("who", ["the closed log", "nobody", "the log alone"])
def test_both_must_sign_and_the_log_that_is_open_is_one(root: Path, who: str) -> None:
    what = order(ERASE, "5")
    notes = {
        "the closed log": both_signed(what),
        "nobody": sign(what, AUDITOR_ORDERS),
        "the log alone": SIGNER.sign(what.text()),
    }
    assert refusal(root, what, notes[who])
    assert len(sealed_rows(root / OLD, parse("5"))) == 1


def test_retention_is_that_of_the_closed_log(root: Path) -> None:
    log, what = opened(root), order(ERASE, "5")
    put(root, what)
    carrier(root, log, clock=lambda: NOW - 201 * DAY_MS / 1000).look()
    log.close()
    assert files.refused_path(root / OLD, what.digest).exists()
    holds.place(Disk(), root / OLD, Hold("case", "court", 1))
    assert refusal(root, what, signed(what))
    holds.release(Disk(), root / OLD)
    carry_out(root, what)
    assert sealed_rows(root / OLD, parse("5")) == []


def test_an_order_waits_for_a_log_that_somebody_holds(root: Path) -> None:
    """Retention, say. The notice is said meanwhile."""
    held, log = lock(root / OLD / "lock"), opened(root)
    assert held is not None
    put(root, order(ERASE, "5"))
    carried = carrier(root, log)
    with pytest.raises(OSError, match="Another process"):
        until(partial(finished, carried, root / OLD))
    assert (log.size, len(sealed_rows(root / OLD, parse("5")))) == (2, 1)
    os.close(held)
    assert finished(carried, root / OLD)
    log.close()
    assert sealed_rows(root / OLD, parse("5")) == []


def test_what_the_closed_log_said_itself_is_carried_out_to_its_end(tmp_path: Path) -> None:
    """Its writer died after the notice, and a successor closed it; frames of it are left, too."""
    log = open_log(tmp_path / OLD)
    fill_old(log, ENTRIES)
    until(lambda: log.published.size == log.size)
    frames, erasing = min((tmp_path / OLD / "frames").iterdir()), order(ERASE, POSITIONS)
    kept = frames.read_bytes()
    gone = sealed_rows(tmp_path / OLD, parse(POSITIONS))
    log.append_blocking(notice_of(erasing, int(NOW * 1000)).encode(), NO_OPENING)
    log.close()
    opened(tmp_path).close()
    frames.write_bytes(kept)
    assert any("frames" in name for name in anywhere(tmp_path, *gone))
    Disk().replace(files.order_path(tmp_path / OLD, erasing.digest), both_signed(erasing))
    put(tmp_path, erasing, by=SIGNER)
    log = opened(tmp_path)
    assert finished(carrier(tmp_path, log), tmp_path / OLD)
    assert log.size == 1
    log.close()
    assert anywhere(tmp_path, *gone) == []
    assert checked(tmp_path) == ""


def test_an_order_outlives_the_log_that_said_it(root: Path) -> None:
    """That one is closed in turn: what it signed counts still, what it signs from now on does not."""
    erasing, late = order(ERASE, "5"), order(ERASE, "6", number=2)
    log = opened(root)
    log.append_blocking(notice_of(erasing, int(NOW * 1000)).encode(), NO_OPENING)
    log.close()  # its process died there
    Disk().replace(files.order_path(root / OLD, erasing.digest), signed(erasing))
    put(root, erasing)
    put(root, late)
    gone = sealed_rows(root / OLD, parse("5"))
    with third(root) as log:
        carried = third_carrier(root, log)
        until(partial(finished, carried, root / OLD))
        assert (anywhere(root, *gone), log.size) == ([], 1)
        assert files.refused_path(root / OLD, late.digest).exists()
        put(root, late, by=THIRD_SIGNER)
        until(partial(finished, carried, root / OLD))
    assert sealed_rows(root / OLD, parse("5-6")) == []
    state = state_of(closed_log(root), ENTRIES + 1, AUDITOR_ORDERS.public)
    assert (state.erased, state.unordered) == (parse("5-6"), ())
    assert len(at_hand(closed_log(root)).later) == 2
    assert checked(root) == ""
    (root / NEW).rename(root.parent / "away")
    put(root, order(RESTRICT, "7", number=3), by=THIRD_SIGNER)
    with third(root) as log:
        assert finished(third_carrier(root, log), root / OLD)
        assert log.size == 2  # nobody knows what was said in between: refused
    assert files.refused_path(root / OLD, order(RESTRICT, "7", number=3).digest).exists()


def test_a_backup_that_an_erasure_overtakes_is_whole(root: Path, tmp_path: Path) -> None:
    first, second = backup.in_order([root / NEW, root / OLD])
    backup.copy(first, tmp_path / "copy" / first.name)
    carry_out(root, order(ERASE, POSITIONS))
    backup.copy(second, tmp_path / "copy" / second.name)
    assert checked(tmp_path / "copy") == ""
    backup.copy(root / OLD, tmp_path / "later" / OLD)
    backup.copy(root / NEW, tmp_path / "later" / NEW)
    assert [backup.check(tmp_path / "later" / name, None).size for name in (OLD, NEW)] == [ENTRIES + 1, 2]


# --- verify ----------------------------------------------------------------------------------------------------------


def openings(root: Path, *options: str, code: int = 0) -> str:
    """What `oncegate-audit verify --openings` prints about the closed log."""
    words = ["verify", str(root / OLD), "--vkey", SIGNER.public.vkey, "--openings", *options]
    done = CliRunner(env={"ONCEGATE_LANG": "en"}).invoke(app, words)
    assert done.exit_code == code, done.output
    return done.output


def test_verify_explains_empty_rows_by_the_log_that_goes_on(root: Path, tmp_path: Path) -> None:
    key = ("--orders-vkey", AUDITOR_ORDERS.public.vkey)
    assert "erased" not in openings(root, *key)
    carry_out(root, order(ERASE, POSITIONS), order(RESTRICT, "3", number=2))
    told = openings(root, *key)
    assert "4 erased by orders of both parties" in told
    assert f"The notices of {NEXT.name}" in told
    assert "restricted at 3" in told
    assert "are not here" not in told
    (root / NEW).rename(tmp_path / "away")
    alone = openings(root, *key)
    assert f"{NEXT.name}, which goes on from it, is not here: its notices were not checked" in alone
    assert "entries 7,255,260-261 are explained by the auditor's orders alone" in alone
    assert "the log that would say why is not here" in openings(root, code=1)
    assert openings(root, *key, "--successor", str(tmp_path / "away")) == told


def test_verify_finds_what_one_party_did(root: Path, tmp_path: Path) -> None:
    """Rows that went by hand; a notice without an order; one that was put into a copy."""
    rows = (root / OLD / "openings/000").read_bytes()
    carry_out(root, order(ERASE, "7"))
    (root / OLD / "orders").rename(tmp_path / "kept")
    assert "erased without an order" in openings(root, code=1)
    (root / OLD / "openings/000").write_bytes(rows)
    assert f"the orders that entries 1 {NEXT.name} name are not here" in openings(root)
    (tmp_path / "kept").rename(root / OLD / "orders")
    assert "still here: 7" in openings(root)
    carry_out(root, order(RESTRICT, "9", number=2))
    for bundle in (root / NEW / "tile/entries/000.p").iterdir():
        bundle.write_bytes(bundle.read_bytes().replace(b'"positions":"7"', b'"positions":"8"'))
    with pytest.raises(Corrupt, match="not under the signed head"):
        verify(root / OLD, SIGNER.public, openings=True)


# --- deaths ----------------------------------------------------------------------------------------------------------


def run(root: Path, disk: Disk) -> bool:
    """A process that carries out what waits; whether it did."""
    try:
        log = quiet_log(root, disk)
    except (OSError, Unavailable):
        return False
    try:
        carried = carrier(root, log, disk)
        until(lambda: not log.alive or finished(carried, root / OLD))
    except (OSError, Fault):
        return False
    finally:
        log.close()
    return not files.pending(root / OLD)


def is_done(root: Path, gone: list[bytes]) -> bool:
    """The next process finishes it: said once, erased, explained."""
    assert run(root, FailingDisk())
    state = state_of(closed_log(root), ENTRIES + 1, AUDITOR_ORDERS.public)
    said = [one for one in notices_in(LogReader(root / NEW, NEXT), 2) if one.origin == SIGNER.public.name]
    return (anywhere(root, *gone), checked(root), state.erased.text(), len(said)) == ([], "", POSITIONS, 1)


def quiet_log(root: Path, disk: Disk) -> AuditLog:
    former = Former(closed_log(root), None)
    return open_after(next_settings(root / NEW), former, lambda _: None, disk, lambda: NOW)


def test_a_death_or_a_loss_of_power_at_any_file_call_is_made_good(root: Path, tmp_path: Path) -> None:
    gone = sealed_rows(root / OLD, parse(POSITIONS))
    put(root, order(ERASE, POSITIONS))
    shutil.copytree(root, tmp_path / "good")
    calls = FailingDisk()
    assert run(tmp_path / "good", calls)
    for number, call in enumerate(calls.calls):
        modes = {"write": ("before", "short"), "rename": ("before", "after"), "remove": ("before", "after")}
        disks: list[FailingDisk] = [FailingDisk(number, mode, crash=True) for mode in modes.get(call, ("before",))]
        for disk in (*disks, ForgetfulDisk(number)):
            there = tmp_path / f"{type(disk).__name__}-{number}-{id(disk)}"
            shutil.copytree(root, there)
            run(there, disk)
            if isinstance(disk, ForgetfulDisk):
                disk.lose_power()
            assert is_done(there, gone), f"{call} {number}"
