"""Orders about a closed log at the mirror: found in the log that goes on, done in the copy of the closed one."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from audit.mirror.copy import Copy
from audit.mirror.judge import Trouble
from audit.mirror.orders import MirroredOrders
from audit.notices import NO_OPENING
from audit.orders import files
from audit.orders.giving import give
from audit.orders.order import ERASE, LIFT, RESTRICT, sign
from audit.orders.state import notice_of, restricted
from audit.ranges import parse
from audit.reader import LogReader
from audit.verify import verify
from contracts.edge import keys
from contracts.errors import Fault
from tests.integration.audit_support import SIGNER, FailingDisk, ForgetfulDisk
from tests.integration.closed_orders_world import (
    KEYS,
    NEW_SLOT,
    NEXT_SIGNER,
    OLD,
    both_served,
    carry_out,
    made,
    opened,
    signed,
)
from tests.integration.mirror_world import ROOT, SLOT, Gateway, Watched
from tests.integration.orders_world import AUDITOR_ORDERS, AUTHORITY, NOW, anywhere, both_signed, order, sealed_rows
from tests.integration.test_shards import NEXT

ENTRIES = 258


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Gateway]:
    made(tmp_path, ENTRIES)
    with both_served(tmp_path) as gateway:
        yield gateway


def rows(directory: Path) -> tuple[str, int]:
    """What `verify --openings` says: the difference if any, and how many rows are erased."""
    report = verify(directory, SIGNER.public, openings=True, orders_key=AUDITOR_ORDERS.public)
    return report.difference.what.en if report.difference else "", report.rows.erased if report.rows else 0


def codes(troubles: Sequence[Trouble]) -> list[str]:
    return [code for code, _ in troubles]


def hidden(watched: Watched) -> str:
    return restricted(LogReader(watched.copy, SIGNER.public), ENTRIES + 1).text()


def test_what_both_ordered_goes_here_too(served: Gateway, tmp_path: Path) -> None:
    watched = Watched(tmp_path, [served.url])
    assert watched.look() == []
    gone = sealed_rows(watched.copy, parse("5,256"))
    carry_out(tmp_path, order(RESTRICT, "4-6"), order(ERASE, "5,256", number=2))
    assert watched.look() == []
    assert anywhere(watched.root / "mirror", *gone) == []
    assert rows(watched.copy) == ("", 2)
    assert hidden(watched) == "4-6"
    carry_out(tmp_path, order(LIFT, "4", number=3))
    watched.fresh()
    assert watched.look() == []
    assert hidden(watched) == "5-6"
    shutil.rmtree(watched.root / "mirror/logs")
    watched.fresh()
    assert watched.look() == []  # new copies get empty rows, and the orders that explain them
    assert rows(watched.copy) == ("", 2)


def test_rows_of_a_closed_log_are_asked_for_once_the_next_one_is_here(served: Gateway, tmp_path: Path) -> None:
    """Nobody can say that an opening is missing before the log that would say why is copied."""
    carry_out(tmp_path, order(ERASE, "5"))
    copy = Copy(tmp_path / "mirror/logs" / SLOT, SIGNER.public)
    source = served.source(SLOT)
    orders = MirroredOrders(copy, SIGNER.public, keys=lambda: KEYS)
    assert copy.follow(source.note(), source) is None
    assert orders.look(source, AUTHORITY) == ()
    following = Copy(tmp_path / "mirror/logs" / NEW_SLOT, NEXT)
    path = files.order_path(tmp_path / OLD, order(ERASE, "5").digest)
    path.rename(tmp_path / "kept")
    assert following.follow(served.source().note(), served.source()) is None
    assert codes(orders.look(source, AUTHORITY)) == ["opening_missing", "order_missing"]
    orders = MirroredOrders(copy, SIGNER.public, keys=lambda: KEYS)  # a restart
    assert codes(orders.look(source, AUTHORITY)) == ["opening_missing", "order_missing"]
    (tmp_path / "kept").rename(path)
    assert orders.look(source, AUTHORITY) == ()


def test_an_order_that_nobody_gives_is_an_alarm_until_there_is_one(served: Gateway, tmp_path: Path) -> None:
    watched, erasing = Watched(tmp_path, [served.url]), order(ERASE, "5")
    assert watched.look() == []
    carry_out(tmp_path, erasing)
    path = files.order_path(tmp_path / OLD, erasing.digest)
    path.rename(tmp_path / "kept")
    for _ in range(2):
        assert watched.look() == [("order_missing", SLOT)]
        watched.fresh()
    assert len(sealed_rows(watched.copy, parse("5"))) == 1
    (tmp_path / "kept").rename(path)
    assert watched.look() == []
    assert rows(watched.copy) == ("", 1)


@pytest.mark.parametrize("who", ["the open log", "the auditor", "the closed log"])
def test_both_must_sign_and_the_log_that_says_it_is_one(served: Gateway, tmp_path: Path, who: str) -> None:
    """Whoever has the gateway writes the notice; who has an old key signs with it."""
    watched, forged = Watched(tmp_path, [served.url]), order(ERASE, "5")
    assert watched.look() == []
    notes = {"the open log": NEXT_SIGNER.sign(forged.text()), "the auditor": sign(forged, AUDITOR_ORDERS)}
    log = opened(tmp_path)
    log.append_blocking(notice_of(forged, int(NOW * 1000)).encode(), NO_OPENING)
    log.close()
    path = files.order_path(tmp_path / OLD, forged.digest)
    path.parent.mkdir()
    path.write_bytes(notes.get(who) or both_signed(forged))
    assert watched.look() == [("order_invalid", SLOT)]
    assert len(sealed_rows(watched.copy, parse("5"))) == 1
    path.write_bytes(signed(forged))
    assert watched.look() == []
    assert sealed_rows(watched.copy, parse("5")) == []


def test_an_order_brought_by_hand(served: Gateway, tmp_path: Path) -> None:
    watched = Watched(tmp_path, [served.url])
    assert watched.look() == []
    keys.write_public_key(tmp_path / "root.pem", ROOT.public)
    config = replace(watched.mirror.config, root_key=tmp_path / "root.pem")
    give(signed(order(RESTRICT, "3")), config)
    with pytest.raises(Fault, match="order_not_signed_twice"):
        give(sign(order(RESTRICT, "9"), AUDITOR_ORDERS), config)
    assert watched.look() == []
    assert hidden(watched) == "3"


# --- deaths ----------------------------------------------------------------------------------------------------------


def _follow(served: Gateway, root: Path, disk: FailingDisk) -> None:
    """Both copies; that of the closed log last."""
    for slot, key in ((NEW_SLOT, NEXT), (SLOT, SIGNER.public)):
        source = served.source(slot)
        copy = Copy(root / slot, key, disk, chunk=1)
        orders = MirroredOrders(copy, key, disk, lambda: KEYS)
        assert copy.follow(source.note(), source) is None
        assert orders.look(source, AUTHORITY) == ()


def test_a_death_at_any_file_call_is_made_good(served: Gateway, tmp_path: Path) -> None:
    _follow(served, tmp_path / "before", FailingDisk())
    gone = sealed_rows(tmp_path / "before" / SLOT, parse("5,256"))
    carry_out(tmp_path, order(ERASE, "5,256"))
    shutil.copytree(tmp_path / "before", tmp_path / "good")
    calls = FailingDisk()
    _follow(served, tmp_path / "good", calls)
    for number in range(len(calls.calls)):
        for disk in (FailingDisk(number, "short", crash=True), ForgetfulDisk(number)):
            root = tmp_path / f"{type(disk).__name__}{number}"
            shutil.copytree(tmp_path / "before", root)
            with pytest.raises(OSError, match="injected"):
                _follow(served, root, disk)
            if isinstance(disk, ForgetfulDisk):
                disk.lose_power()
            _follow(served, root, FailingDisk())
            assert anywhere(root, *gone) == []
            assert rows(root / SLOT) == ("", 2)
