"""The auditors' own searches leave a record in a log of theirs, before anything is shown."""

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from audit.cli import app
from audit.notes import parse_vkey
from audit.reader import LogReader
from audit.search.own_log import MAX_LISTED
from audit.search.session import session
from audit.show import Viewer
from contracts.edge.keys import create_signing_key, write_hpke_public
from contracts.edge.output import execute
from tests.integration.audit_support import AUDITOR
from tests.integration.search_world import A, B, Out, ask, build_town, facts, index, keys, write


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "en")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_town(tmp_path_factory.mktemp("town"))


@pytest.fixture
def office(town: Path, tmp_path: Path) -> Path:
    """An index of log b whose searches are recorded."""
    create_signing_key(tmp_path / "own.pem", "EdDSA")
    write_hpke_public(tmp_path / "auditor.pem", AUDITOR.public_key())
    (tmp_path / "own.toml").write_text(
        '[own_log]\ndirectory = "own"\norigin = "office.example/searches"\nkey = "own.pem"\nauditor = "auditor.pem"\n'
    )
    words = [str(town / "b"), "--own-log", str(tmp_path / "own.toml"), *keys(town, "one", "two")]
    assert index(tmp_path, *words) == 0
    return tmp_path


def questions(office: Path) -> list[dict[str, Any]]:
    """The published entries of the own log."""
    reader = LogReader(office / "own", parse_vkey((office / "own/vkey").read_text().strip()))
    return [json.loads(entry) for entry in reader.entries(0, reader.checkpoint().size)]


def test_searches_leave_a_record_without_people(town: Path, office: Path, capsys: Out) -> None:
    ask(office, capsys, "clerk=clerk-secret-3", "organisation=housing", *keys(town, "one"))
    assert (
        execute(app, ["stats", str(office / "index"), "holder=passport:SECRETHOLDER3", *keys(town, "one", "two")]) == 0
    )
    first, second = questions(office)
    assert (first["kind"], first["command"], first["count"], len(first["auditors"])) == ("search", "search", 1, 1)
    assert first["filters"]["organisation"] == ["housing"]
    assert len(bytes.fromhex(first["filters"]["clerk"])) == 16
    assert (second["command"], second["count"], len(second["auditors"])) == ("stats", 2, 2)
    assert first["logs"] == [{"origin": B, "size": 22}]
    assert "SECRET" not in json.dumps([first, second]).upper()


def test_no_record_no_answer(office: Path, capsys: Out) -> None:
    (office / "own.pem").unlink()
    capsys.readouterr()
    assert execute(app, ["search", str(office / "index")]) == 2
    assert not capsys.readouterr().out


def test_a_list_leaves_its_tokens_and_sealed_its_digest(town: Path, office: Path, capsys: Out) -> None:
    """A list of one is a search for one: it leaves the token that the search leaves."""
    both = keys(town, "one", "two")
    cases = b"case,holder_scheme,holder_id\nSECRET-CASE-1,passport,SECRETHOLDER3\n"
    roster = b"clerk,scheme,id\nclerk-secret-3,passport,SECRETHOLDER3\n"
    for name, data in (("cases.csv", cases), ("roster.csv", roster)):
        (office / name).write_bytes(data)
    place = str(office / "index")
    limit = ["--limit", "refusals=5"]
    for words in (
        ["search", place, "holder=passport:SECRETHOLDER3"],
        ["search", place, "clerk=clerk-secret-3"],
        ["search", place, "case=SECRET-CASE-1"],
        ["reconcile", place, str(office / "cases.csv"), "organisation=housing"],
        ["analyse", place, "--roster", str(office / "roster.csv"), *limit],
        ["analyse", place],
    ):
        assert execute(app, [*words, *both]) == 0
    holder, clerk, case, *lists, plain = [one["filters"] for one in questions(office)]
    holders = {"count": 1, "tokens": [holder["holder"]]}
    named = {"cases": {"count": 1, "tokens": [case["case"]]}, "holders": holders}
    assert lists[0] == {"organisation": ["housing"], "list": named}
    named = {"clerks": {"count": 1, "tokens": [clerk["clerk"]]}, "holders": holders}
    assert lists[1] == {"limits": {"refusals": 5}, "list": named}
    assert plain == {}
    log = office / "own"
    viewer = Viewer(log, parse_vkey((log / "vkey").read_text().strip()), AUDITOR)
    for position, data in ((3, cases), (4, roster)):
        assert viewer.line(position).opening == {"file": f"sha-256:{sha256(data).hexdigest()}"}
    everything = json.dumps(questions(office))
    assert sha256(cases).hexdigest() not in everything
    assert "SECRET" not in everything.upper()


def test_a_long_list_leaves_its_length(town: Path, office: Path) -> None:
    rows = "".join(f"C{n},passport,HOLDER{n % (MAX_LISTED + 1)}\n" for n in range(20_000))
    (office / "cases.csv").write_text("case,holder_scheme,holder_id\n" + rows)
    words = [str(office / "index"), str(office / "cases.csv")]
    assert execute(app, ["reconcile", *words, *keys(town, "one", "two"), "--json"]) == 0
    named = questions(office)[-1]["filters"]["list"]
    assert named == {
        "cases": {"count": 20_000, "tokens": None},
        "holders": {"count": MAX_LISTED + 1, "tokens": None},
    }


def test_the_longest_list_of_tokens_fits_into_an_entry(town: Path, office: Path) -> None:
    rows = "".join(f"C{n},passport,HOLDER{n}\n" for n in range(MAX_LISTED))
    (office / "cases.csv").write_text("case,holder_scheme,holder_id\n" + rows)
    words = [str(office / "index"), str(office / "cases.csv")]
    assert execute(app, ["reconcile", *words, *keys(town, "one", "two"), "--json"]) == 0
    named = questions(office)[-1]["filters"]["list"]
    assert [len(named[kind]["tokens"]) for kind in ("cases", "holders")] == [MAX_LISTED, MAX_LISTED]


def test_a_question_sees_the_state_that_its_record_names(town: Path, office: Path) -> None:
    write(office / "a", A, [facts(n) for n in range(3)])
    shutil.copytree(town / "b", office / "b")
    with session(office / "index", [], []) as asked:
        write(office / "b", B, [facts(n) for n in range(20, 25)])
        assert index(office, str(office / "a"), str(office / "b"), *keys(town, "one", "two")) == 0  # a new log, too
        hits = asked.index.page(asked.filters, 100)
        assert {(hit.log, hit.position) for hit in hits} == {(B, n) for n in range(20)}
        asked.record("search", len(hits))
    assert questions(office)[-1]["logs"] == [{"origin": B, "size": 22}]
    with session(office / "index", [], []) as asked:
        assert len(asked.index.page(asked.filters, 100)) == 28


def test_the_log_of_searches_is_for_ever(town: Path, office: Path, tmp_path: Path, capsys: Out) -> None:
    text = (office / "own.toml").read_text().replace("office.example/searches", "office.example/other")
    (office / "other.toml").write_text(text)
    assert index(office, str(town / "b"), "--own-log", str(office / "other.toml"), *keys(town, "one", "two")) == 2
    assert "chosen when an index is made" in capsys.readouterr().err
