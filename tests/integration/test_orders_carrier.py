"""Orders in the hands of the one who writes the log: what goes, what stays, and what a death leaves behind."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from audit import backup
from audit.disk import Disk
from audit.log import AuditLog, Limits
from audit.notes import NoteKey
from audit.openings import key_id_of, key_path
from audit.orders import files
from audit.orders.erase import erase
from audit.orders.order import ERASE, LIFT, RESTRICT, Order, sign
from audit.orders.state import restricted, state_of
from audit.ranges import Ranges, parse
from audit.reader import LogReader
from audit.record import record
from audit.recovery import at_head
from audit.verify import verify
from contracts.errors import Fault
from tests.integration.audit_support import (
    EAGER,
    SIGNER,
    FailingDisk,
    ForgetfulDisk,
    no_fatal,
    open_log,
    settings,
)
from tests.integration.orders_world import (
    AUDITOR_ORDERS,
    DAY_MS,
    NOW,
    anywhere,
    both_signed,
    carrier,
    facts,
    fill_old,
    finished,
    order,
    put,
    sealed_rows,
)
from tests.waiting import until


@contextmanager
def opened(directory: Path, limits: Limits = EAGER) -> Iterator[AuditLog]:
    log = open_log(directory, limits=limits)
    try:
        yield log
    finally:
        log.close()


def grow(log: AuditLog, count: int) -> None:
    """Published, so that an auditor can have seen it."""
    fill_old(log, count)
    until(lambda: log.published.size == log.size)


def carry_out(log: AuditLog, directory: Path, what: Order) -> str:
    """Until it is not pending any more."""
    digest = put(directory, what)
    carried = carrier(log, directory)
    until(partial(finished, carried, directory))
    return digest


def leaves(directory: Path) -> list[bytes]:
    reader = LogReader(directory, SIGNER.public)
    size = reader.checkpoint().size
    return [entry for number in range(-(-size // 256)) for entry in reader.entries(number, size)]


def test_an_erased_opening_is_in_no_file_and_the_log_is_as_it_was(tmp_path: Path) -> None:
    """Two of a full bundle, two of the open one, all still in the frames of the open segment."""
    with opened(tmp_path) as log:
        grow(log, 300)
        positions, before = parse("7,255,260-261"), leaves(tmp_path)
        gone, kept = sealed_rows(tmp_path, positions), sealed_rows(tmp_path, parse("6,254,262"))
        assert len(anywhere(tmp_path, gone[0])) == 2  # a bundle, and a frame
        digest = carry_out(log, tmp_path, order(ERASE, positions.text()))
        assert anywhere(tmp_path, *gone) == []
        assert sealed_rows(tmp_path, parse("6,254,262")) == kept
        assert leaves(tmp_path)[:300] == before
        assert files.order_path(tmp_path, digest).read_bytes() == both_signed(order(ERASE, positions.text()))
        grow(log, 300)  # the open bundle goes on with the empty rows in it
    assert anywhere(tmp_path, *gone) == []
    with opened(tmp_path) as log:
        grow(log, 1)
    assert anywhere(tmp_path, *gone) == []
    assert verify(tmp_path, SIGNER.public, openings=True).difference is None
    state = state_of(LogReader(tmp_path, SIGNER.public), 602, AUDITOR_ORDERS.public)
    assert (state.erased, state.unordered) == (positions, ())


def test_a_restriction_and_its_end(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        grow(log, 5)
        carry_out(log, tmp_path, order(RESTRICT, "1-3"))
        reader = LogReader(tmp_path, SIGNER.public)
        until(lambda: log.published.size == log.size)
        assert restricted(reader, log.published.size).text() == "1-3"
        carry_out(log, tmp_path, order(LIFT, "2", number=2))
        until(lambda: log.published.size == log.size)
        assert restricted(reader, log.published.size, AUDITOR_ORDERS.public).text() == "1,3"
        assert len(sealed_rows(tmp_path, parse("0-4"))) == 5


@pytest.mark.parametrize(
    ("what", "signed"),
    [
        (order(ERASE, "0"), sign(order(ERASE, "0"), AUDITOR_ORDERS)),
        (order(ERASE, "0"), SIGNER.sign(order(ERASE, "0").text())),
        (order(ERASE, "9"), both_signed(order(ERASE, "9"))),
        (order(ERASE, "0-1"), both_signed(order(ERASE, "0"))),
        (order(ERASE, "4"), both_signed(order(ERASE, "4"))),
    ],
    ids=["auditor alone", "log alone", "beyond the log", "another order's name", "retention runs"],
)
def test_what_is_refused_changes_nothing(tmp_path: Path, what: Order, signed: bytes) -> None:
    with opened(tmp_path) as log:
        grow(log, 4)
        fill_old(log, 1, int(NOW * 1000) - 199 * DAY_MS)
        until(lambda: log.published.size == 5)
        rows = sealed_rows(tmp_path, parse("0-4"))
        Disk().replace(files.pending_path(tmp_path, what.digest), signed)
        carrier(log, tmp_path).look()
        assert log.size == 5
        assert files.pending(tmp_path) == []
        assert files.refused_path(tmp_path, what.digest).read_bytes() == signed
    assert sealed_rows(tmp_path, parse("0-4")) == rows


def test_an_order_is_carried_out_once_and_not_after_a_later_one(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        grow(log, 5)
        digest = carry_out(log, tmp_path, order(RESTRICT, "1", number=2))
        assert log.size == 6
        carry_out(log, tmp_path, order(RESTRICT, "1", number=2))
        carry_out(log, tmp_path, order(LIFT, "1", number=1))
        assert log.size == 6
        assert files.order_path(tmp_path, digest).exists()


def test_a_day_key_goes_with_its_last_row(tmp_path: Path) -> None:
    """Each start of a writer begins a day key."""
    for _ in range(3):
        with opened(tmp_path) as log:
            grow(log, 2)
    keys = [tmp_path / key_path(key_id_of(row) or b"") for row in sealed_rows(tmp_path, parse("0,2,4"))]
    with opened(tmp_path) as log:
        carry_out(log, tmp_path, order(ERASE, "1-2,4-5"))  # what comes after 4-5 is under a fourth key
        assert [path.exists() for path in keys] == [True, True, False]
        carry_out(log, tmp_path, order(ERASE, "3", number=2))
        assert [path.exists() for path in keys] == [True, False, False]
        carry_out(log, tmp_path, order(ERASE, "0", number=3))
        assert [path.exists() for path in keys] == [False, False, False]
    assert verify(tmp_path, SIGNER.public, openings=True).difference is None


# --- deaths ----------------------------------------------------------------------------------------------------------

MODES = {"write": ("short",), "rename": ("before", "after"), "remove": ("before", "after")}
POSITIONS = "3,255-256"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 258 entries as a death leaves it, all of them in frames, too; and a pending order."""
    directory = tmp_path_factory.mktemp("orders")
    with opened(directory / "living") as log:
        asyncio.run(_append(log, 258))
        until(lambda: log.published.size == 258)
        shutil.copytree(directory / "living", directory / "log")
    put(directory / "log", order(ERASE, POSITIONS))
    return directory / "log"


async def _append(log: AuditLog, count: int) -> None:
    records = (record(facts(index), [b"x"], index.to_bytes(16, "big")) for index in range(log.size, log.size + count))
    await asyncio.gather(*(log.append(*one) for one in records))


def _run(directory: Path, disk: Disk) -> bool:
    """Open, carry out, close, on a disk that may fail; whether the order was carried out."""
    deaths: list[BaseException] = []
    try:
        log = AuditLog.open(settings(directory), deaths.append, disk)
    except OSError:
        return False
    carried = carrier(log, directory, disk)
    try:
        until(partial(finished, carried, directory))
    except (OSError, Fault):
        return False
    finally:
        log.close()
    return True


def _check(directory: Path, gone: list[bytes]) -> None:
    """Whatever happened: the next start finishes it."""
    assert _run(directory, FailingDisk())
    assert anywhere(directory, *gone) == []
    report = verify(directory, SIGNER.public, openings=True)
    assert report.difference is None
    state = state_of(LogReader(directory, SIGNER.public), report.size, AUDITOR_ORDERS.public)
    assert state.erased.text() == POSITIONS
    assert len(state.carried_out) == 1
    assert len(sealed_rows(directory, Ranges.of([(0, report.size - 1)]))) == report.size - len(gone)


@pytest.fixture(scope="module")
def calls(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The file calls of a good run."""
    directory = tmp_path_factory.mktemp("good") / "log"
    shutil.copytree(filled, directory)
    disk = FailingDisk()
    assert _run(directory, disk)
    return disk.calls


def test_every_call_fails_once(filled: Path, calls: list[str], tmp_path: Path) -> None:
    """Not done, or half of a write, or a rename or removal done and then no more."""
    gone = sealed_rows(filled, parse(POSITIONS))
    for number, call in enumerate(calls):
        for mode in MODES.get(call, ("before",)):
            directory = tmp_path / f"{mode}{number}"
            shutil.copytree(filled, directory)
            _run(directory, FailingDisk(number, mode, crash=True))
            _check(directory, gone)


def test_power_is_lost_at_every_call(filled: Path, calls: list[str], tmp_path: Path) -> None:
    gone = sealed_rows(filled, parse(POSITIONS))
    for number in range(len(calls)):
        directory = tmp_path / str(number)
        shutil.copytree(filled, directory)
        disk = ForgetfulDisk(number)
        _run(directory, disk)
        disk.lose_power()
        _check(directory, gone)


def test_a_backup_has_the_orders_too(filled: Path, tmp_path: Path) -> None:
    """One that is taken while an order waits carries it out when somebody goes on from it."""
    shutil.copytree(filled, tmp_path / "log")
    gone = sealed_rows(filled, parse(POSITIONS))
    backup.copy(tmp_path / "log", tmp_path / "before")
    _check(tmp_path / "before", gone)
    _check(tmp_path / "log", gone)
    backup.copy(tmp_path / "log", tmp_path / "after")
    assert anywhere(tmp_path / "after", *gone) == []
    assert backup.check(tmp_path / "after", None).size == 259


def test_a_backup_that_an_erasure_overtakes_ends_it(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has rows from before and the notice; the order is pending no more where it comes from, but here it is."""
    log = shutil.copytree(filled, tmp_path / "log")
    pending = files.pending(log)
    aside = [path.rename(tmp_path / path.name) for path in pending]
    gone = sealed_rows(filled, parse(POSITIONS))
    steps = iter([False, True])
    link_all = backup._link_all

    def overtaken(directory: Path, into: Path, size: int) -> bool:
        linked = link_all(directory, into, size)
        if not next(steps, True):
            for there, path in zip(aside, pending, strict=True):
                there.rename(path)
            _check(log, gone)
        return linked

    monkeypatch.setattr(backup, "_link_all", overtaken)
    backup.copy(log, tmp_path / "copy")
    assert anywhere(tmp_path / "copy", *gone) != []
    assert files.pending(tmp_path / "copy") != []
    _check(tmp_path / "copy", gone)


def test_years_of_erased_rows_are_not_read_again(tmp_path: Path) -> None:
    """Whether a day key seals other rows, the rows around say; an erased bundle's size says that it has none."""
    days = [0]
    log = AuditLog.open(settings(tmp_path / "log", limits=EAGER), no_fatal, clock=lambda: DAY_MS / 1000 * days[-1])
    for day in range(6):
        days.append(day)
        fill_old(log, 5 * 256)
    log.close()
    reader = _Counting(tmp_path / "log", SIGNER.public)
    _, edge = at_head(reader, reader.checkpoint())
    for first, last in ((0, 20 * 256 - 1), (20 * 256, 25 * 256 - 1)):
        reader.read.clear()
        edge = erase(Disk(), reader, edge, Ranges.of([(first, last)]))
        assert min(reader.read) == first // 256
    assert len(list((tmp_path / "log/openings/keys").iterdir())) == 1


class _Counting(LogReader):
    """Which bundles of rows were read."""

    def __init__(self, directory: Path, key: NoteKey) -> None:
        super().__init__(directory, key)
        self.read: set[int] = set()

    def rows(self, number: int, size: int) -> list[bytes]:
        self.read.add(number)
        return super().rows(number, size)
