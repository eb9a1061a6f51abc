"""The place of stores: which one is current, which keys open what, what may be removed."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from contracts.edge import keys
from contracts.errors import UserError
from gateway.store import database
from gateway.store.sealing import KEY_SIZE
from gateway.store.stores import LEGACY, Stores
from gateway.store.writer import Writer


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    keys.create_secret(tmp_path / "store.key")
    return Stores(tmp_path / "data" / "stores", tmp_path / "store.key")


def test_there_is_none_until_ingest_makes_the_first(stores: Stores) -> None:
    with pytest.raises(database.StoreAbsent):
        stores.open_current()
    path = stores.first()
    assert (stores.current(), stores.current_path(), stores.first()) == (1, path, path)
    stores.open_current().close()


def test_a_new_one_is_not_current_until_it_is_made_so(stores: Stores) -> None:
    stores.first()
    assert (stores.new(), stores.new(), stores.current()) == (2, 3, 1)
    stores.switch(3)
    assert stores.current_path() == stores.path(3)
    stores.remove(2)
    stores.remove(1)
    assert (stores.numbers(), stores.new()) == ([3], 4)


def test_what_is_current_or_written_stays(stores: Stores) -> None:
    stores.first()
    number = stores.new()
    writer = Writer(stores.path(number), stores.keys())
    for refuse, which in ((stores.remove, 1), (stores.remove, number), (stores.switch, number)):
        with pytest.raises(UserError):
            refuse(which)
    assert stores.is_written(number)
    writer.close()
    stores.switch(number)
    stores.remove(1)
    assert not stores.path(1).with_name("1.sqlite.lock").exists()


def test_only_a_store_that_opens_becomes_current(stores: Stores) -> None:
    stores.first()
    with pytest.raises(UserError):
        stores.switch(7)
    number = stores.new()
    keys_file = stores.key_file
    old = keys_file.read_bytes()
    keys_file.write_bytes(b"k" * KEY_SIZE)
    with pytest.raises(UserError, match="not the one of this store"):
        stores.switch(number)
    keys_file.write_bytes(old)
    assert stores.current() == 1


def test_keys_stay_as_long_as_a_store_needs_them(stores: Stores) -> None:
    stores.first()
    first = stores.keys()
    stores.add_key()
    assert stores.keys()[KEY_SIZE:] == first
    number = stores.new()
    stores.open_current().close()
    stores.switch(number)
    assert len(stores.keys()) == 2 * KEY_SIZE
    stores.remove(1)
    assert (len(stores.keys()), stores.keys() != first) == (KEY_SIZE, True)
    assert stores.key_file.stat().st_mode & 0o777 == 0o600
    stores.open_current().close()


def test_a_store_from_before_stores_had_a_place_is_told_and_removed(stores: Stores) -> None:
    stores.path(LEGACY).parent.mkdir(parents=True)
    stores.path(LEGACY).write_bytes(b"an old store")
    for opening in (stores.open_current, stores.first):
        with pytest.raises(UserError) as refused:
            opening()
        assert refused.value.remedy is not None
        assert "oncegate store build --switch" in refused.value.remedy.en
    stores.switch(stores.new())
    stores.remove(LEGACY)
    assert stores.numbers() == [1]


def test_a_mark_that_says_nothing_is_refused(stores: Stores) -> None:
    stores.first()
    (stores.directory / "current").write_bytes(b"x")
    with pytest.raises(UserError, match="mark of the current store"):
        stores.open_current()


def test_a_mark_that_says_nothing_is_replaced_by_a_switch(stores: Stores) -> None:
    stores.first()
    (stores.directory / "current").write_bytes(b"x")
    with pytest.raises(UserError, match="mark of the current store"):
        stores.remove(1)  # it may be the current one
    stores.switch(stores.new())
    assert (stores.current(), stores.numbers()) == (2, [1, 2])


def test_a_key_stays_if_a_store_cannot_say_that_it_needs_it(stores: Stores) -> None:
    stores.first()
    stores.add_key()
    both = stores.keys()
    number = stores.new()
    with closing(apsw.Connection(str(stores.path(1)))) as db:
        db.pragma("locking_mode", "exclusive")
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UserError, match="which key this store needs"):
            stores.remove(number)
    assert (stores.keys(), stores.numbers()) == (both, [1, number])
    stores.path(1).write_bytes(b"damaged")
    stores.switch(number)
    stores.remove(1)
    assert stores.keys() == both[:KEY_SIZE]


def test_keys_that_are_added_at_the_same_time_all_stay(stores: Stores) -> None:
    first = stores.keys()
    with ThreadPoolExecutor(8) as pool:
        for adding in [pool.submit(stores.add_key) for _ in range(8)]:
            adding.result()
    assert (len(stores.keys()), stores.keys()[-KEY_SIZE:]) == (9 * KEY_SIZE, first)
