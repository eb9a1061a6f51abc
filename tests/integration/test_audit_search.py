"""The auditor's index on real logs: built, followed, killed, fooled; searched, counted, proved."""

import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.cli import app
from audit.notes import NoteSigner
from audit.search import filters
from audit.search.database import open_index
from audit.search.filters import Cursor, Filters
from audit.search.query import Index
from audit.search.sources import logs_in
from contracts.edge.output import execute
from contracts.errors import UserError
from tests.integration.search_world import (
    COUNT,
    MINUTE,
    START,
    A,
    B,
    Out,
    ask,
    build_town,
    facts,
    index,
    key_file,
    keys,
    places,
    write,
    write_many,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "en")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs a and b, the auditors' keys, and an index of both with all tokens."""
    return build_town(tmp_path_factory.mktemp("town"))


@pytest.fixture(params=[filters.FEW, 3], ids=["near", "by counts"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ways to a page: among the newest entries, and, where these are too few, by the counts of each day."""
    monkeypatch.setattr(filters, "FEW", request.param)


# --- what is found -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize(
    ("words", "matches"),
    [
        (["organisation=housing", "decision=refused"], lambda n: n % 3 == 0 and n % 10 == 9),
        (["item=buy-home", "item=open-restaurant", "log=gov.example/a"], lambda n: n % 3 < 2),
        (["unit=none", "type=cn.home"], lambda n: n % 5 == 0 and n % 2 == 0),
        (["unit=none", "unit=window-1", "app=app-1"], lambda n: (n % 5 == 0 or n % 4 == 1) and n % 2 == 1),
        (["reason=item_not_granted", "action=lookup", "channel=window"], lambda n: n % 10 == 9),
        (["from=2025-11-22T00:30:00+08:00", "to=2025-11-22T01:00"], lambda n: 17 <= n <= 46),
        (["clerk_assurance=roster"], lambda _: False),
    ],
)
def test_filters_against_a_plain_scan(town: Path, capsys: Out, words: list[str], matches: object) -> None:
    assert callable(matches)
    every = [(n, A, n) for n in range(COUNT)] + ([] if words[-1].startswith("log=") else [(n, B, n) for n in range(20)])
    wanted = [(log, n) for _, log, n in sorted(every, reverse=True) if matches(n)]
    found = places(ask(town, capsys, *words, "--limit", "1000"))
    assert Counter(found) == Counter(wanted)
    assert [n for _, n in found] == [n for _, n in wanted]


@pytest.mark.usefixtures("_way")
def test_pages_join_without_gap_or_repetition(town: Path, capsys: Out) -> None:
    whole = places(ask(town, capsys, "decision=granted", "--limit", "1000"))
    pages, after = [], ["--limit", "37"]
    while True:
        answer = ask(town, capsys, "decision=granted", *after)
        pages += places(answer)
        if answer["next"] is None:
            break
        after = ["--limit", "37", "--after", str(answer["next"])]
    assert pages == whole
    assert len(whole) == (COUNT + 20) * 9 // 10


def test_people_by_their_tokens(town: Path, capsys: Out) -> None:
    one = ask(town, capsys, "clerk=clerk-secret-3", "log=gov.example/a", "--limit", "1000", *keys(town, "one"))
    assert sorted(places(one)) == [(A, n) for n in range(3, COUNT, 7)]
    case = ask(town, capsys, "case=SECRET-CASE-100", *keys(town, "one"))
    assert sorted(places(case)) == [(A, 200), (A, 201)]
    both = ask(town, capsys, "holder=passport:secretholder4", "log=gov.example/b", *keys(town, "one", "two"))
    assert sorted(places(both)) == [(B, 4), (B, 15)]


def test_stats_count_everything_once(town: Path, capsys: Out) -> None:
    capsys.readouterr()
    assert execute(app, ["stats", str(town / "index"), "organisation=market", "--by", "hour", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    matching = [n for n in (*range(COUNT), *range(20)) if n % 3 == 1]
    assert found["total"] == len(matching) == sum(found["histogram"].values())
    units = Counter(None if n % 5 == 0 else f"window-{n % 4}" for n in matching)
    assert {row["value"]: row["count"] for row in found["facets"]["unit"]} == units
    types = {row["value"]: row["count"] for row in found["facets"]["evidence_type"]}
    assert types == {"cn.business-licence": len(matching), "cn.home": sum(n % 2 == 0 for n in matching)}
    assert all(start.endswith(":00+08:00") for start in found["histogram"])


def test_csv_opens_in_office_programs(town: Path, capsys: Out) -> None:
    capsys.readouterr()
    assert execute(app, ["search", str(town / "index"), "--limit", "2", "--csv"]) == 0
    lines = capsys.readouterr().out.split("\r\n")
    assert lines[0].startswith("\ufefflog,position,time,organisation")
    assert len(lines) == 4


def test_chinese(town: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "zh_CN.UTF-8")
    capsys.readouterr()
    assert execute(app, ["search", str(town / "index"), "unit=nowhere"]) == 0
    assert capsys.readouterr().out == "没有符合条件的记录\n"


# --- what the file holds -------------------------------------------------------------------------------------------


def test_nobody_is_in_the_index(town: Path) -> None:
    for path in town.glob("index*"):
        data = path.read_bytes().upper()
        assert b"SECRET" not in data
        assert b"CLERK-" not in data
    with closing(open_index(town / "index")) as db:
        assert (
            db.execute("SELECT count(*) FROM entries WHERE holder IS NOT NULL AND clerk IS NOT NULL").get == COUNT + 20
        )


# --- following -----------------------------------------------------------------------------------------------------


def rows(path: Path) -> list[tuple[object, ...]]:
    """All that an index says, without its own numbers for shapes."""
    with closing(open_index(path)) as db:
        shapes = Index(db).shapes()
        entries = db.execute("SELECT id, time, shape, clerk, case_number, holder FROM entries ORDER BY id")
        found = [(row[0], row[1], str(shapes[row[2]]), *row[3:]) for row in entries]
        counts = db.execute("SELECT log, day, sum(n) FROM counts GROUP BY 1, 2 ORDER BY 1, 2")
        return [*found, *counts, *db.execute("SELECT origin, size, root, other, erased FROM logs")]


def test_a_growing_log_is_followed(tmp_path: Path, capsys: Out) -> None:
    for size in (1, 255, 256, 300, 300, 900):
        done = _size(tmp_path / "log")
        write_many(tmp_path / "log", A, map(facts, range(done, size)))
        assert index(tmp_path, str(tmp_path / "log")) == 0
        assert f"{size} entries indexed, {size - done} of them new" in capsys.readouterr().out
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    assert index(fresh, str(tmp_path)) == 0  # the directory above: every log in it
    assert rows(tmp_path / "index") == rows(fresh / "index")


def _size(directory: Path) -> int:
    if not (directory / "checkpoint").exists():
        return 0
    return int((directory / "checkpoint").read_text().split("\n")[1])


def _truncate(log: Path) -> None:
    shutil.rmtree(log)
    write_many(log, A, map(facts, range(250)))


def _rewrite(log: Path) -> None:
    shutil.rmtree(log)
    write_many(log, A, (facts(n, app="other") for n in range(700)))


def _flip(log: Path, name: str, place: int) -> None:
    path = log / name
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (_truncate, "the log is shorter than the index knows (truncated or rolled back) 250 < 600"),
        (_rewrite, "the log is not the one that was indexed (rewritten)"),
        (lambda log: _flip(log, "checkpoint", -9), "the checkpoint does not verify"),
        (lambda log: (log / "tile/entries/001").unlink(), "entries are missing or damaged 256–511"),
        (lambda log: _flip(log, "tile/1/000.p/2", 40), "stored hashes are missing, or do not lead to the signed root"),
    ],
)
def test_what_does_not_fit_ends_the_work(tmp_path: Path, capsys: Out, spoil: object, what: str) -> None:
    assert callable(spoil)
    write_many(tmp_path / "log", A, map(facts, range(300)))
    fresh = "entries" in what or "hashes" in what
    if not fresh:
        write_many(tmp_path / "log", A, map(facts, range(300, 600)))
        assert index(tmp_path, str(tmp_path / "log")) == 0
    else:
        write_many(tmp_path / "log", A, map(facts, range(300, 600)))
    spoil(tmp_path / "log")
    assert index(tmp_path, str(tmp_path / "log")) == 1
    assert what in capsys.readouterr().err


@pytest.mark.parametrize("entry", [0, 255, 256, 511, 512, 599])
def test_a_changed_byte_names_its_entry(tmp_path: Path, capsys: Out, entry: int) -> None:
    write_many(tmp_path / "log", A, map(facts, range(600)))
    number, offset = divmod(entry, 256)
    name = f"tile/entries/{number:03d}" + (".p/88" if number == 2 else "")
    data = (tmp_path / "log" / name).read_bytes()
    place = 0
    for _ in range(offset):
        place += 2 + int.from_bytes(data[place : place + 2], "big")
    _flip(tmp_path / "log", name, place + 20)
    assert index(tmp_path, str(tmp_path / "log")) == 1
    assert f"an entry was altered {entry}." in capsys.readouterr().err


def test_an_exchanged_key_is_refused(tmp_path: Path, capsys: Out) -> None:
    vkey = write(tmp_path / "log", A, [facts(0)])
    other = write(tmp_path / "other", B, [facts(0)])
    assert index(tmp_path, str(tmp_path / "log"), "--vkey", other) == 2
    assert index(tmp_path, str(tmp_path / "log"), "--vkey", vkey) == 0
    capsys.readouterr()
    stranger = NoteSigner.of(A, Ed25519PrivateKey.generate())
    log = tmp_path / "log"
    (log / "vkey").write_text(stranger.public.vkey)
    (log / "checkpoint").write_bytes(stranger.sign((log / "checkpoint").read_bytes().partition(b"\n\n")[0] + b"\n"))
    assert index(tmp_path, str(tmp_path / "log")) == 1
    assert "the verifier key is not the one in the index" in capsys.readouterr().err


def test_an_exchanged_opening_is_refused(town: Path, tmp_path: Path, capsys: Out) -> None:
    shutil.copytree(town / "a", tmp_path / "log")
    (tmp_path / "log/openings/001").write_bytes((town / "a/openings/000").read_bytes())
    assert index(tmp_path, str(tmp_path / "log"), *keys(town, "one")) == 2
    assert "opening_unreadable gov.example/a, entry 256: altered, or of another place" in capsys.readouterr().err


def test_a_log_that_moved_is_found_again(tmp_path: Path, capsys: Out) -> None:
    write(tmp_path / "old", A, [facts(0)])
    assert index(tmp_path, str(tmp_path / "old")) == 0
    (tmp_path / "old").rename(tmp_path / "new")
    ask(tmp_path, capsys, "--proof", code=2)
    assert index(tmp_path, str(tmp_path / "new")) == 0
    assert places(ask(tmp_path, capsys, "--proof")) == [(A, 0)]


def test_logs_below_a_directory_and_in_a_mirrors(town: Path, tmp_path: Path) -> None:
    assert logs_in([town]) == logs_in([town / "a", town / "b"]) == [town / "a", town / "b"]
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "logs").symlink_to(town)
    assert [path.name for path in logs_in([tmp_path / "mirror"])] == ["a", "b"]
    with pytest.raises(UserError):
        logs_in([tmp_path])


def test_tokens_need_openings_and_one_set_of_keys(town: Path, tmp_path: Path, capsys: Out) -> None:
    shutil.copytree(town / "a", tmp_path / "log")
    assert index(tmp_path, str(town / "b"), *keys(town, "one")) == 0
    assert index(tmp_path, str(town / "b")) == 2
    assert index(tmp_path, str(town / "b"), *keys(town, "one", "two")) == 2
    shutil.rmtree(tmp_path / "log/openings")
    capsys.readouterr()
    assert index(tmp_path, str(tmp_path / "log"), *keys(town, "one")) == 2
    assert "This copy lacks openings" in capsys.readouterr().err
    key_file(tmp_path / "stranger.pem", X25519PrivateKey.generate())
    assert execute(app, ["index", str(town / "a"), "--into", str(tmp_path / "i"), *keys(tmp_path, "stranger")]) == 2
    assert "opening_unreadable" in capsys.readouterr().err
    assert execute(app, ["index", str(town / "a"), "--into", str(tmp_path / "i"), *keys(town, "one")]) == 0


def test_an_erased_opening_is_counted_and_still_found_by_what_is_left(town: Path, tmp_path: Path, capsys: Out) -> None:
    shutil.copytree(town / "b", tmp_path / "log")
    path = tmp_path / "log/openings/000.p/22"
    data = path.read_bytes()
    path.write_bytes(b"\0\0" + data[2 + int.from_bytes(data[:2], "big") :])
    assert index(tmp_path, str(tmp_path / "log"), *keys(town, "one")) == 0
    assert (
        "22 entries indexed, 22 of them new; 2 no access records, 1 with an erased opening" in capsys.readouterr().out
    )
    assert places(ask(tmp_path, capsys, "organisation=housing", "--limit", "100"))[-1] == (B, 0)
    assert places(ask(tmp_path, capsys, "clerk=clerk-secret-0", *keys(town, "one"))) == [(B, 14), (B, 7)]


def test_what_is_no_index(tmp_path: Path, capsys: Out) -> None:
    (tmp_path / "index").write_text("something else, of some length, that is no database at all")
    write(tmp_path / "log", A, [facts(0)])
    for words in (
        ["search", str(tmp_path / "index")],
        ["index", str(tmp_path / "log"), "--into", str(tmp_path / "index")],
    ):
        assert execute(app, words) == 2
        assert "Not an audit index" in capsys.readouterr().err
    with closing(apsw.Connection(str(tmp_path / "other"))) as db:
        db.execute("CREATE TABLE others (name)")
    before = (tmp_path / "other").read_bytes()
    assert execute(app, ["index", str(tmp_path / "log"), "--into", str(tmp_path / "other")]) == 2
    assert (tmp_path / "other").read_bytes() == before
    capsys.readouterr()
    assert execute(app, ["search", str(tmp_path / "nothing")]) == 2
    assert "There is no such index" in capsys.readouterr().err


def test_a_damaged_index_says_so(town: Path, tmp_path: Path, capsys: Out) -> None:
    assert index(tmp_path, str(town / "a")) == 0
    path = tmp_path / "index"
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * (path.stat().st_size - 4096))
    capsys.readouterr()
    for words in (["search", str(path)], ["stats", str(path)], ["index", str(town / "a"), "--into", str(path)]):
        assert execute(app, words) == 2
        assert "The index is damaged" in capsys.readouterr().err


def test_kill_at_random_instants(tmp_path: Path) -> None:
    write_many(tmp_path / "log", A, map(facts, range(40_000)))
    command = [sys.executable, "-m", "tests.integration.search_indexer", str(tmp_path / "log"), str(tmp_path / "index")]
    chance = random.Random(20261122)
    sizes = []
    for _ in range(4):
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as indexer:
            assert indexer.stdout is not None
            for _ in range(chance.randrange(1, 9)):
                indexer.stdout.readline()
            indexer.kill()
        with closing(open_index(tmp_path / "index")) as db:
            size = db.execute("SELECT sum(size) FROM logs").get
            assert db.execute("SELECT count(*) FROM entries").get == size == db.execute("SELECT sum(n) FROM counts").get
            sizes.append(size)
    assert sizes == sorted(sizes)
    assert 0 < sizes[0] < 40_000
    assert index(tmp_path, str(tmp_path / "log")) == 0
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    assert index(fresh, str(tmp_path / "log")) == 0
    assert rows(tmp_path / "index") == rows(fresh / "index")


def test_a_page_far_back_costs_what_the_first_one_does(town: Path) -> None:
    def steps(after: Cursor | None) -> int:
        taken = [0]

        def count() -> bool:
            taken[0] += 1
            return False

        with closing(open_index(town / "index")) as db:
            asked = Index(db)
            db.set_progress_handler(count, 20)
            found = asked.page(Filters(facets={"decision": ["granted"]}), 5, after)
            assert len(found) == 5
        return taken[0]

    assert steps(Cursor(START + 20 * MINUTE, 0)) <= steps(None) + 5
