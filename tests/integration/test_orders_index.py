"""An index and orders about openings: no tokens where a restriction or an erasure is."""

from contextlib import closing
from pathlib import Path

import pytest

from audit.orders.order import ERASE, LIFT, RESTRICT, Order
from audit.search.database import open_index, writing
from audit.search.follow import Followed, Follower, Source
from audit.search.tokens import token_keys
from tests.integration import closed_orders_world as closed
from tests.integration.audit_support import AUDITOR, SIGNER, open_log
from tests.integration.orders_world import carrier, fill_old, finished, order, put
from tests.integration.search_world import SECOND
from tests.waiting import until


@pytest.fixture
def log(tmp_path: Path) -> Path:
    opened = open_log(tmp_path / "log")
    fill_old(opened, 300)
    opened.close()
    return tmp_path / "log"


def carry_out(directory: Path, *orders: Order) -> None:
    log = open_log(directory)
    carried = carrier(log, directory)
    for one in orders:
        put(directory, one)
        until(lambda: finished(carried, directory))
        until(lambda: log.published.size == log.size)
    log.close()


def follow(log: Path, index: Path, with_keys: bool = True) -> Followed:
    with writing(index) as db:
        keys = token_keys(b"s" * 32, AUDITOR, SECOND) if with_keys else None
        follower = Follower(db, AUDITOR, keys) if with_keys else Follower(db)
        return follower.follow(Source(log, SIGNER.public))


def without_tokens(index: Path) -> list[int]:
    """The positions of access records that no search for people finds."""
    with closing(open_index(index)) as db:
        query = "SELECT id & 0xFFFFFFFF FROM entries WHERE clerk IS NULL AND case_number IS NULL AND holder IS NULL"
        return [position for (position,) in db.execute(query)]


def test_orders_that_come_after_the_index(log: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    assert follow(log, index).erased == 0
    assert without_tokens(index) == []
    carry_out(log, order(RESTRICT, "3-5,290"), order(ERASE, "7", number=2))
    assert follow(log, index).erased == 1
    assert without_tokens(index) == [3, 4, 5, 7, 290]
    carry_out(log, order(LIFT, "4,290", number=3))
    assert follow(log, index).erased == 1
    assert without_tokens(index) == [3, 5, 7]
    assert follow(log, index).new == 0
    assert without_tokens(index) == [3, 5, 7]


def test_an_order_that_comes_later_than_its_notice(log: Path, tmp_path: Path) -> None:
    """As at a mirror: it has the entries first, and fetches the orders then."""
    index, orders = tmp_path / "index", log / "orders"
    assert follow(log, index).erased == 0
    kept = {path: (log / path).read_bytes() for path in ("openings/000", "openings/001.p/44")}
    carry_out(log, order(RESTRICT, "3,7"), order(ERASE, "7,290", number=2), order(LIFT, "3", number=3))
    orders.rename(tmp_path / "orders")
    erased = {path: (log / path).read_bytes() for path in ("openings/000",)}
    (log / "openings/000").write_bytes(kept["openings/000"])
    assert follow(log, index).erased == 0
    assert without_tokens(index) == [3, 7]
    (tmp_path / "orders").rename(orders)
    (log / "openings/000").write_bytes(erased["openings/000"])
    assert follow(log, index).erased == 2
    assert without_tokens(index) == [7, 290]
    assert follow(log, index).erased == 2


def test_orders_that_were_there_before(log: Path, tmp_path: Path) -> None:
    carry_out(log, order(RESTRICT, "3-5"), order(ERASE, "5,7", number=2), order(LIFT, "4", number=3))
    found = follow(log, tmp_path / "index")
    assert (found.size, found.other, found.erased) == (303, 3, 2)
    assert without_tokens(tmp_path / "index") == [3, 5, 7]


def test_an_index_without_tokens_has_nothing_to_withhold(log: Path, tmp_path: Path) -> None:
    carry_out(log, order(RESTRICT, "3"))
    assert follow(log, tmp_path / "index", with_keys=False).size == 301


def test_a_closed_log_s_orders_come_from_the_log_that_goes_on(tmp_path: Path) -> None:
    index, log = tmp_path / "index", tmp_path / closed.OLD
    closed.made(tmp_path, 300)
    assert follow(log, index).erased == 0
    closed.carry_out(tmp_path, order(RESTRICT, "3-5"), order(ERASE, "7", number=2))
    assert follow(log, index).erased == 1
    assert without_tokens(index) == [3, 4, 5, 7]
    (log / "orders").rename(tmp_path / "orders")
    closed.carry_out(tmp_path, order(ERASE, "8", number=3))
    (log / "orders").rename(tmp_path / "newer")
    assert follow(log, index).erased == 1  # the order is to come yet
    (tmp_path / "orders").rename(log / "orders")
    name = f"{order(ERASE, '8', number=3).digest}.note"
    (tmp_path / "newer" / name).rename(log / "orders" / name)
    assert follow(log, index).erased == 2
    closed.carry_out(tmp_path, order(LIFT, "4", number=4))
    for _ in range(2):
        assert follow(log, index).erased == 2
        assert without_tokens(index) == [3, 5, 7, 8]
