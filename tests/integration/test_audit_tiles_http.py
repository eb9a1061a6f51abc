"""https://c2sp.org/tlog-tiles at the HTTP layer: every file of a log, its headers, and what is not there."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.tiles import Tile, bundles, hash_tiles, split_entries
from gateway.web.tiles import Tiles
from tests.integration.audit_support import entry, fill
from tests.integration.tiles_server import get, serving

SLOT = "slot-1"
LOG = f"/audit/logs/{SLOT}"
SIZE = 70_000  # the example of the standard, and its partial tiles
PARTIAL = {Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)}
FULL_BUNDLE, PARTIAL_BUNDLE = Tile(None, 100), Tile(None, 273, 112)
AUDITOR = {"X-Auditor": "yes"}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    log = tmp_path_factory.mktemp("log")
    fill(log, 65_500)
    fill(log, SIZE - 65_500)
    return log


@pytest.fixture(scope="module")
def port(directory: Path) -> Iterator[int]:
    with serving(Tiles(SLOT, directory, lambda request: "X-Auditor" in request.headers)) as one:
        yield one


def test_the_checkpoint(directory: Path, port: int) -> None:
    status, headers, body = get(port, f"{LOG}/checkpoint")
    assert (status, body) == (200, (directory / "checkpoint").read_bytes())
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["Cache-Control"] == "no-cache"
    assert headers["Server"] == "oncegate"


def test_every_hash_tile_that_the_tree_has(directory: Path, port: int) -> None:
    tiles = list(hash_tiles(SIZE))
    assert {tile for tile in tiles if tile.width < 256} == PARTIAL
    assert len(tiles) == 273 + 1 + 1 + 1 + 1
    for tile in tiles[::30] + tiles[-4:]:
        status, headers, body = get(port, f"{LOG}/{tile.path}", {"Accept-Encoding": "gzip"})
        assert (status, body) == (200, (directory / tile.path).read_bytes())
        assert len(body) == tile.width * 32
        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert headers["Content-Encoding"] is None


@pytest.mark.parametrize("bundle", [FULL_BUNDLE, PARTIAL_BUNDLE], ids=["full", "partial"])
@pytest.mark.parametrize(
    ("accept", "coding"),
    [(None, None), ("identity", None), ("gzip;q=0", None), ("gzip, identity", "gzip"), ("br, *", "gzip")],
)
def test_entry_bundles(directory: Path, port: int, bundle: Tile, accept: str | None, coding: str | None) -> None:
    assert bundle in set(bundles(SIZE))
    asked = AUDITOR if accept is None else {**AUDITOR, "Accept-Encoding": accept}
    status, headers, body = get(port, f"{LOG}/{bundle.path}", asked)
    assert (status, headers["Content-Encoding"]) == (200, coding)
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert headers["Vary"] == "Accept-Encoding"
    plain = body if coding is None else gzip.decompress(body)
    first = bundle.index * 256
    assert split_entries(plain, bundle.width) == [entry(index) for index in range(first, first + bundle.width)]


def test_entry_bundles_are_for_auditors(directory: Path, port: int) -> None:
    with serving(Tiles(SLOT, directory)) as untold:  # nobody said who an auditor is
        for where, headers in ((port, {}), (untold, {}), (untold, AUDITOR)):
            status, answered, body = get(where, f"{LOG}/{FULL_BUNDLE.path}", headers)
            assert (status, json.loads(body)["code"]) == (403, "auditors_only")
            assert answered["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/273",  # not yet full
        "tile/0/273.p/111",  # of a size that was never published
        "tile/0/255.p/220",  # of the head of 65,500, removed when the full one came
        "tile/0/274.p/1", "tile/1/002", "tile/2/001.p/1", "tile/3/000.p/1",  # behind the edge
        "tile/2/000", "tile/1/001.p/0", "tile/0/000.p/256", "tile/0/000.p/08",
        "tile/entries/274", "tile/entries/273.p/111", "tile/data/000", "tile/8/0/000",
        "tile/00/000", "tile/0/0", "tile/0/0000", "tile/0/x000/000", "tile/0/000/", "tile/64/000", "tile/-1/000",
        "tile/%30/000", f"tile/0/{'x111/' * 900}000", f"tile/0/{'x111/' * 1500}000",
        f"openings/{'x111/' * 1500}000", f"tile/entries/{'x999/' * 6}999",
        "tile/0/00%30", "tile/0/..%2f0/000", "tile/0/%2e%2e/0/000", "tile/entries%2F000",
        "tile", "tile/", "", "lock", "vkey", "frames", "openings/000", "checkpoint/", "%63heckpoint2",
    ],
)  # fmt: skip
def test_what_is_not_there(port: int, path: str) -> None:
    status, headers, body = get(port, f"{LOG}/{path}", AUDITOR)
    assert (status, json.loads(body)["code"]) == (404, "route_unknown")
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["Cache-Control"] == "no-store"


def test_the_full_tile_is_there_where_a_partial_one_was_removed(port: int) -> None:
    assert get(port, f"{LOG}/tile/0/255")[0] == 200
    assert get(port, f"{LOG}/tile/1/000")[0] == 200


def test_other_slots_are_unknown(port: int) -> None:
    assert get(port, "/audit/logs/slot-2/checkpoint")[0] == 404
    assert get(port, "/audit/logs/slot-2/tile/0/000")[0] == 404
