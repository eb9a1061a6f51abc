"""A second store is built beside the first and takes over while ingest, serve and an app go on, in real processes."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from gateway.store.stores import Stores
from tests.integration.installation import MARKET, Installation, installed, until


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("switch") / "city") as one:
        one.start("ingest", "serve")
        one.wait_until_answered()
        yield one


def _stores(city: Installation) -> Stores:
    return Stores(city.root / "node/data/stores", city.layout.keys / "store.key")


def _switches(city: Installation) -> int:
    return len(city.logged("serve", "store_switched"))


def test_nobody_notices_a_switch_and_everything_goes_on_in_the_new_store(city: Installation) -> None:
    with city.lookups():
        until(lambda: city.asked > 20)
        built = json.loads(city.oncegate("store", "build", "--switch", "--json"))
        assert (built["store"], built["compared_with"], built["ready"], built["current"]) == (2, 1, True, True)
        assert built["streams"]
        assert all(set(stream["counts"]) == {"same"} for stream in built["streams"])
        until(lambda: _switches(city) == 1)
        until(lambda: len(city.logged("ingest", "ingest_started")) == 2)
        asked = city.asked
        until(lambda: city.asked > asked + 20)
        assert len(city.answers) == 1
        city.rename_business("周记小馆")
        until(lambda: len(city.answers) == 2)
    assert city.failed == []
    listed = json.loads(city.oncegate("store", "list", "--json"))["stores"]
    assert [(one["number"], one["current"], one["being_written"]) for one in listed] == [
        (1, False, False),
        (2, True, True),
    ]
    assert listed[0]["live"] == listed[1]["live"] > 0
    assert "behind the current one" in city.oncegate("store", "switch", "1", code=2)
    assert "is the current one" in city.oncegate("store", "remove", "2", code=2)
    city.oncegate("store", "remove", "1")
    assert _stores(city).numbers() == [2]


def test_the_store_key_is_replaced_while_everything_runs(city: Installation) -> None:
    old_key, number = _stores(city).keys(), _stores(city).current()
    switches = _switches(city)
    with city.lookups():
        until(lambda: city.asked > 20)
        built = json.loads(city.oncegate("store", "build", "--new-key", "--switch", "--json"))
        until(lambda: _switches(city) == switches + 1)
        assert number is not None
        city.oncegate("store", "remove", str(number))
        asked = city.asked
        until(lambda: city.asked > asked + 20)
    assert city.failed == []
    key = _stores(city).keys()
    assert (built["current"], len(key), key != old_key) == (True, 32, True)


def test_a_store_of_an_old_format_says_what_to_do_and_a_new_one_takes_its_place(
    city: Installation, tmp_path: Path
) -> None:
    city.stop("ingest")
    stores = _stores(city)
    number = stores.current()
    assert number is not None
    kept = tmp_path / "kept.sqlite"
    shutil.copy(stores.path(number), kept)
    _make_old(stores.path(number))
    assert "oncegate store build --switch" in city.oncegate("ingest", code=2)
    built = json.loads(city.oncegate("store", "build", "--switch", "--json"))
    assert (built["compared_with"], built["current"]) == (None, True)
    assert "old format 1" in built["why_not_compared"]
    city.start("ingest")
    city.rename_business("周记食府")
    with city.lookups():
        answers = len(city.answers)
        until(lambda: len(city.answers) > answers)
    assert city.failed == []


def test_what_differs_is_said_and_keeps_the_second_store_from_taking_over(city: Installation) -> None:
    """The log lost a record: the first store has what the second can no longer get."""
    city.stop("ingest")
    stores = _stores(city)
    first = stores.current()
    with stores.open_current() as reader:
        stream = next(one for one, _ in reader.all_streams() if one.adapter == MARKET)
    _lose_one_record(city, stream.topic)
    built = json.loads(city.oncegate("store", "build", "--switch", "--json", "--patience", "0", code=1).split("\n")[-2])
    assert [one["stream"] for one in built["behind"]] == [str(stream)]
    (against,) = [one for one in built["streams"] if one["objection"]]
    assert against["stream"] == str(stream)
    assert against["counts"]["lost"] == 1
    assert len(against["examples"]) == 1
    assert (built["current"], stores.current()) == (False, first)
    city.oncegate("store", "switch", str(built["store"]), "--force")
    assert stores.current() == built["store"]


def _make_old(path: Path) -> None:
    db = apsw.Connection(str(path))
    db.pragma("user_version", 1)
    db.close()


def _lose_one_record(city: Installation, topic: str) -> None:
    db = apsw.Connection(str(city.layout.log / f"{topic}.t"))
    db.execute("DELETE FROM records WHERE offset = (SELECT offset FROM records ORDER BY offset LIMIT 1 OFFSET 9)")
    db.close()
