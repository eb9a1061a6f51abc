"""Orders at the mirror, over real HTTP: carried out because both signed, never because a gateway says so."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from audit import holds
from audit.disk import Disk
from audit.mirror.copy import Copy
from audit.mirror.orders import MirroredOrders
from audit.mirror.source import LogSource
from audit.notices import NO_OPENING
from audit.orders import files, making
from audit.orders.giving import give
from audit.orders.order import ERASE, LIFT, RESTRICT, Order, sign
from audit.orders.state import notice_of, restricted
from audit.ranges import parse
from audit.reader import LogReader
from audit.tiles import prefixed, split_entries
from audit.verify import verify
from contracts.edge import keys
from contracts.errors import Fault, Unavailable, UserError
from tests.integration.audit_support import SIGNER, FailingDisk, ForgetfulDisk, open_log
from tests.integration.mirror_world import ROOT, Gateway, Watched, gateway
from tests.integration.orders_world import (
    AUDITOR_ORDERS,
    AUTHORITY,
    DAY_MS,
    NOW,
    anywhere,
    both_signed,
    carrier,
    fill_old,
    finished,
    order,
    put,
    registered,
    sealed_rows,
)
from tests.waiting import until


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Gateway]:
    """A log of 258 entries."""
    log = open_log(tmp_path / "log")
    fill_old(log, 258)
    log.close()
    registered(tmp_path / "registry")
    with gateway(tmp_path / "log") as made:
        yield made


def carry_out(directory: Path, *orders: Order) -> None:
    """At the gateway."""
    log = open_log(directory)
    carried = carrier(log, directory)
    for one in orders:
        put(directory, one)
        until(lambda: finished(carried, directory))
        until(lambda: log.published.size == log.size)
    log.close()


def state_of_rows(directory: Path) -> tuple[str, int]:
    """What `verify --openings` says: the difference if any, and how many rows are erased."""
    report = verify(directory, SIGNER.public, openings=True, orders_key=AUDITOR_ORDERS.public)
    return report.difference.what.en if report.difference else "", report.rows.erased if report.rows else 0


def erase_by_hand(directory: Path, index: int, path: str) -> None:
    rows = split_entries((directory / path).read_bytes(), 256)
    rows[index] = b""
    (directory / path).write_bytes(b"".join(map(prefixed, rows)))


def test_what_both_ordered_goes_here_too(served: Gateway, tmp_path: Path) -> None:
    watched = Watched(tmp_path, [served.url])
    assert watched.look() == []
    gone = sealed_rows(watched.copy, parse("5,256"))
    carry_out(served.directory, order(RESTRICT, "4-6"), order(ERASE, "5,256", number=2))
    assert watched.look() == []
    assert anywhere(watched.copy, *gone) == []
    assert state_of_rows(watched.copy) == ("", 2)
    assert restricted(LogReader(watched.copy, SIGNER.public), 260, AUDITOR_ORDERS.public).text() == "4-6"
    carry_out(served.directory, order(LIFT, "4", number=3))
    assert watched.look() == []
    assert restricted(LogReader(watched.copy, SIGNER.public), 261).text() == "5-6"
    shutil.rmtree(watched.copy)
    watched.fresh()
    assert watched.look() == []  # a new copy gets empty rows, and the orders that explain them
    assert state_of_rows(watched.copy) == ("", 2)


def test_a_restored_gateway_does_not_bring_rows_back(served: Gateway, tmp_path: Path) -> None:
    """The rows are whole again at the gateway; a copy made anew erases them again."""
    rows = (served.directory / "openings/000").read_bytes()
    carry_out(served.directory, order(ERASE, "5"))
    (served.directory / "openings/000").write_bytes(rows)
    watched = Watched(tmp_path, [served.url])
    assert watched.look() == []
    assert sealed_rows(watched.copy, parse("5")) == []
    assert state_of_rows(watched.copy) == ("", 1)
    left = verify(served.directory, SIGNER.public, openings=True).rows
    assert left is not None
    assert left.left == parse("5")


def test_an_order_that_nobody_gives_is_an_alarm_until_there_is_one(served: Gateway, tmp_path: Path) -> None:
    erasing = order(ERASE, "5", number=2)
    carry_out(served.directory, order(RESTRICT, "7"), erasing)
    restricting = files.order_path(served.directory, order(RESTRICT, "7").digest)
    path = files.order_path(served.directory, erasing.digest)
    path.rename(tmp_path / "kept")
    restricting.rename(tmp_path / "also kept")
    watched = Watched(tmp_path, [served.url])
    both_wrong = [("opening_missing", "slot-1"), ("order_missing", "slot-1")]
    assert watched.look() == both_wrong  # it came empty
    assert restricted(LogReader(watched.copy, SIGNER.public), 260, AUDITOR_ORDERS.public).text() == "7"  # in doubt
    watched.fresh()
    assert watched.look() == both_wrong
    shutil.copy(tmp_path / "kept", files.order_path(watched.copy, erasing.digest))  # `order apply` puts it there
    watched.fresh()
    assert watched.look() == [("order_missing", "slot-1")]
    (tmp_path / "also kept").rename(restricting)
    assert watched.look() == []
    assert state_of_rows(watched.copy) == ("", 1)


@pytest.mark.parametrize("signed", ["log", "auditor"])
def test_one_signature_erases_nothing_here(served: Gateway, tmp_path: Path, signed: str) -> None:
    """Whoever has the gateway writes the notice, and signs what it likes with the log's key."""
    watched = Watched(tmp_path, [served.url])
    assert watched.look() == []
    forged = order(ERASE, "5")
    note = SIGNER.sign(forged.text()) if signed == "log" else sign(forged, AUDITOR_ORDERS)
    log = open_log(served.directory)
    log.append_blocking(notice_of(forged, int(NOW * 1000)).encode(), NO_OPENING)
    log.close()
    path = files.order_path(served.directory, forged.digest)
    path.parent.mkdir()
    path.write_bytes(note)
    assert watched.look() == [("order_invalid", "slot-1")]
    assert len(sealed_rows(watched.copy, parse("5"))) == 1
    path.write_bytes(both_signed(forged))
    assert watched.look() == []
    assert sealed_rows(watched.copy, parse("5")) == []


def test_an_order_of_yesterday_does_nothing_today(served: Gateway, tmp_path: Path) -> None:
    """The gateway has an erasure that it held back, and a lifting that was carried out: it says both now."""
    watched = Watched(tmp_path, [served.url])
    held, lifting = order(ERASE, "5"), order(LIFT, "7", number=3)
    carry_out(served.directory, order(RESTRICT, "5,7", number=2), lifting, order(RESTRICT, "7", number=4))
    assert watched.look() == []
    log = open_log(served.directory)
    for one in (held, lifting):
        log.append_blocking(notice_of(one, int(NOW * 1000)).encode(), NO_OPENING)
    log.close()
    files.order_path(served.directory, held.digest).write_bytes(both_signed(held))
    for _ in range(2):
        assert watched.look() == [("order_invalid", "slot-1")]
        assert restricted(LogReader(watched.copy, SIGNER.public), 263).text() == "5,7"
        assert len(sealed_rows(watched.copy, parse("5"))) == 1
        watched.fresh()


def test_nothing_of_a_held_copy_is_erased(served: Gateway, tmp_path: Path) -> None:
    """The gateway has no hold, and erases; the copy keeps the row until the hold is released."""
    watched = Watched(tmp_path, [served.url])
    assert watched.look() == []
    holds.place(Disk(), watched.copy, holds.Hold("court order", "city court", int(NOW * 1000)))
    carry_out(served.directory, order(ERASE, "5"))
    for _ in range(2):
        assert watched.look() == [("order_held", "slot-1")]
        assert len(sealed_rows(watched.copy, parse("5"))) == 1
        watched.fresh()
    carry_out(served.directory, order(RESTRICT, "7", number=2))
    assert watched.look() == [("order_held", "slot-1")]
    assert restricted(LogReader(watched.copy, SIGNER.public), 260).text() == "7", "the others are carried out"
    with pytest.raises(UserError, match="legal hold"):  # nor is another one signed over it
        making.refuse_too_early(order(ERASE, "6", number=3), LogReader(watched.copy, SIGNER.public), 260)
    holds.release(Disk(), watched.copy)
    assert watched.look() == []
    assert sealed_rows(watched.copy, parse("5")) == []


def test_nothing_is_erased_before_its_time(tmp_path: Path) -> None:
    """Whoever has both keys signs, and writes the notice with a program of their own."""
    early, young = order(ERASE, "5"), int(NOW * 1000) - 3 * DAY_MS
    log = open_log(tmp_path / "log")
    fill_old(log, 10, young)
    files.order_path(tmp_path / "log", early.digest).parent.mkdir()
    files.order_path(tmp_path / "log", early.digest).write_bytes(both_signed(early))
    log.append_blocking(notice_of(early, int(NOW * 1000)).encode(), NO_OPENING)
    log.close()
    with gateway(tmp_path / "log") as served:
        registered(tmp_path / "registry")
        watched = Watched(tmp_path, [served.url])
        for days in (0, AUTHORITY.retention_days - 4):
            watched.time.now = NOW + days * DAY_MS / 1000
            assert ("order_early", "slot-1") in watched.look()
            assert len(sealed_rows(watched.copy, parse("5"))) == 1
        watched.time.now = NOW + (AUTHORITY.retention_days - 3) * DAY_MS / 1000
        assert ("order_early", "slot-1") not in watched.look()
        assert sealed_rows(watched.copy, parse("5")) == []


def test_what_one_party_erases_by_hand_shows(served: Gateway, tmp_path: Path) -> None:
    before = Watched(tmp_path, [served.url])
    assert before.look() == []
    erase_by_hand(served.directory, 9, "openings/000")
    assert verify(served.directory, SIGNER.public).difference is None
    assert state_of_rows(served.directory) == ("erased without an order", 0)
    assert before.look() == []
    assert state_of_rows(before.copy) == ("", 0)  # the mirror has it still
    shutil.rmtree(before.copy)
    before.fresh()
    assert before.look() == [("opening_missing", "slot-1")]
    assert state_of_rows(before.copy) == ("erased without an order", 0)


def test_what_is_wrong_stands_while_the_copy_is_behind(served: Gateway, tmp_path: Path) -> None:
    """The log grows, and its gateway goes away between two chunks."""
    erase_by_hand(served.directory, 9, "openings/000")
    copy, source = Copy(tmp_path / "copy", SIGNER.public, chunk=1), served.source()
    orders = MirroredOrders(copy, SIGNER.public)
    assert copy.follow(source.note(), source) is None
    before = orders.look(source, AUTHORITY)
    assert [code for code, _ in before] == ["opening_missing"]
    log = open_log(served.directory)
    fill_old(log, 600)
    log.close()

    def gone(_: int) -> None:
        raise Unavailable("it went away")

    with pytest.raises(Unavailable):
        copy.follow(source.note(), source, gone)
    assert copy.size > copy.published.size
    assert orders.look(source, AUTHORITY) == before


def test_an_order_that_a_gateway_is_busy_for_is_missing_and_holds_up_no_other(served: Gateway, tmp_path: Path) -> None:
    """One that answers 503 for ever is no better than one that says it has none."""
    withheld, given = order(RESTRICT, "7"), order(ERASE, "5", number=2)
    carry_out(served.directory, withheld, given)
    copy, source = Copy(tmp_path / "copy", SIGNER.public), served.source()
    orders = MirroredOrders(copy, SIGNER.public)
    assert copy.follow(source.note(), source) is None
    Disk().replace(files.order_path(copy.directory, given.digest), both_signed(given))
    assert [code for code, _ in orders.look(_Busy(source), AUTHORITY)] == ["order_missing"]
    assert sealed_rows(copy.directory, parse("5")) == []
    assert orders.look(source, AUTHORITY) == ()


class _Busy(LogSource):
    """Gives no order now."""

    def __init__(self, source: LogSource) -> None:
        super().__init__(source._client, "slot-1")

    def order(self, digest: str) -> bytes | None:
        raise Unavailable(f"503: {digest}")


def test_an_order_is_fetched_by_the_auditor_only(served: Gateway) -> None:
    one = order(RESTRICT, "1")
    carry_out(served.directory, one)
    assert served.source().order(one.digest) == both_signed(one)
    assert served.source().order("0" * 64) is None
    served.admits = False
    with pytest.raises(Exception, match="orders"):
        served.source().order(one.digest)


def test_an_order_brought_by_hand(served: Gateway, tmp_path: Path) -> None:
    """It restricts at once; an erasure waits for its notice. What one party signed is not taken."""
    watched = Watched(tmp_path, [served.url])
    assert watched.look() == []
    keys.write_public_key(tmp_path / "root.pem", ROOT.public)
    config = replace(watched.mirror.config, root_key=tmp_path / "root.pem")
    give(both_signed(order(RESTRICT, "3")), config)
    give(both_signed(order(ERASE, "5", number=2)), config)
    with pytest.raises(Fault, match="order_not_signed_twice"):
        give(sign(order(RESTRICT, "9"), AUDITOR_ORDERS), config)
    assert watched.look() == []
    assert restricted(LogReader(watched.copy, SIGNER.public), 258).text() == "3"
    assert len(sealed_rows(watched.copy, parse("5"))) == 1
    carry_out(served.directory, order(ERASE, "5", number=2))
    files.order_path(served.directory, order(ERASE, "5", number=2).digest).unlink()  # it is here already
    assert watched.look() == []
    assert sealed_rows(watched.copy, parse("5")) == []


# --- deaths ----------------------------------------------------------------------------------------------------------


def _follow(served: Gateway, directory: Path, disk: FailingDisk) -> None:
    copy = Copy(directory, SIGNER.public, disk, chunk=1)
    orders, source = MirroredOrders(copy, SIGNER.public, disk), served.source()
    assert copy.follow(source.note(), source) is None
    assert orders.look(source, AUTHORITY) == ()


def test_a_death_at_any_file_call_is_made_good(served: Gateway, tmp_path: Path) -> None:
    _follow(served, tmp_path / "before", FailingDisk())
    gone = sealed_rows(tmp_path / "before", parse("5,256"))
    carry_out(served.directory, order(ERASE, "5,256"))
    shutil.copytree(tmp_path / "before", tmp_path / "good")
    calls = FailingDisk()
    _follow(served, tmp_path / "good", calls)
    for number in range(len(calls.calls)):
        for disk in (FailingDisk(number, "short", crash=True), ForgetfulDisk(number)):
            directory = tmp_path / f"{type(disk).__name__}{number}"
            shutil.copytree(tmp_path / "before", directory)
            with pytest.raises(OSError, match="injected"):
                _follow(served, directory, disk)
            if isinstance(disk, ForgetfulDisk):
                disk.lose_power()
            _follow(served, directory, FailingDisk())
            assert anywhere(directory, *gone) == []
            assert state_of_rows(directory) == ("", 2)
