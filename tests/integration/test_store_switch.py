"""A second store is built beside the first and takes over while ingest, serve and an app go on, in real processes."""

import json
from collections.abc import Iterator
from contextlib import closing

import apsw
import pytest

from gateway.store.stores import Stores
from tests.integration.installation import Installation, installed
from tests.waiting import until


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("switch") / "city") as one:
        one.start("ingest", "serve")
        one.wait_until_answered()
        yield one


def test_nobody_notices_a_switch_and_everything_goes_on_in_the_new_store(city: Installation) -> None:
    stores = Stores(city.root / "node/data/stores", city.layout.keys / "store.key")
    old_key = stores.keys()
    assert "has its key already" in city.oncegate("store", "build", "--new-key", "--into", "1", code=2)
    assert "There is no store 9" in city.oncegate("store", "build", "--into", "9", code=2)
    assert stores.keys() == old_key
    with city.lookups():
        until(lambda: city.asked > 20)
        built = json.loads(city.oncegate("store", "build", "--new-key", "--switch", "--json"))
        assert (built["store"], built["compared_with"], built["ready"], built["current"]) == (2, 1, True, True)
        assert len(built["streams"]) == 6
        assert all(set(stream["counts"]) == {"same"} for stream in built["streams"])
        until(lambda: len(city.logged("serve", "store_switched")) == 1)
        until(lambda: len(city.logged("ingest", "ingest_started")) == 2)
        assert "is the current one" in city.oncegate("store", "remove", "2", code=2)
        asked = city.asked
        until(lambda: city.asked > asked + 20)
        assert len(city.answers) == 1
        city.rename_business("周记小馆")
        until(lambda: len(city.answers) == 2)
        listed = json.loads(city.oncegate("store", "list", "--json"))["stores"]
        assert "behind the current one" in city.oncegate("store", "switch", "1", code=2)
        city.oncegate("store", "remove", "1")
        asked = city.asked
        until(lambda: city.asked > asked + 20)
    assert city.failed == []
    assert [(one["number"], one["current"], one["being_written"]) for one in listed] == [
        (1, False, False),
        (2, True, True),
    ]
    assert listed[0]["live"] == listed[1]["live"] > 0
    assert (stores.numbers(), len(stores.keys()), stores.keys() != old_key) == ([2], 32, True)


def test_a_store_of_an_old_format_says_what_to_do(city: Installation) -> None:
    city.stop("ingest")
    path = city.root / "node/data/stores/2.sqlite"
    with closing(apsw.Connection(str(path))) as db:
        db.pragma("user_version", 1)
    assert "oncegate store build --switch" in city.oncegate("ingest", code=2)
