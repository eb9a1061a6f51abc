"""`oncegate-audit reconcile` on a real index."""

import csv
import io
import json
from pathlib import Path

import pytest

from audit.cli import app
from contracts.edge.output import execute
from tests.integration.search_world import A, Out, build_town, keys

# Log a has cases SECRET-CASE-0 … 299, two accesses each (numbers 2n and 2n + 1), holders by number modulo 11.
LIST = """case,opened,closed,holder_scheme,holder_id
SECRET-CASE-50,,,passport,SECRETHOLDER1
SECRET-CASE-51,,2025-11-21T16:00:00Z,,
NEVER-1,,,,
"""
WORDS = ["log=gov.example/a", "from=2025-11-21T17:53:20Z", "to=2025-11-21T17:58:20Z"]  # numbers 100 to 104


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "en")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = build_town(tmp_path_factory.mktemp("town"))
    (path / "cases.csv").write_text(LIST, "utf-8-sig")
    (path / "gbk.csv").write_text("case,备注\nSECRET-CASE-50,窗口\n", "gb18030")
    return path


def reconcile(town: Path, *words: str, name: str = "cases.csv") -> int:
    return execute(app, ["reconcile", str(town / "index"), str(town / name), *WORDS, *words])


def test_findings_with_positions(town: Path, capsys: Out) -> None:
    assert reconcile(town, *keys(town, "one", "two"), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["compared"], found["not_compared"]) == (5, 0)
    seen = [(one["kind"], one["case"], one["access"] and one["access"]["position"]) for one in found["findings"]]
    assert seen == [
        ("wrong_holder", "SECRET-CASE-50", 101),
        ("closed_case", "SECRET-CASE-51", 102),
        ("closed_case", "SECRET-CASE-51", 103),
        ("no_case", None, 104),
        ("no_access", "NEVER-1", None),
    ]
    assert {one["access"]["log"] for one in found["findings"] if one["access"]} == {A}
    assert found["counts"]["wrong_holder"] == 1


def test_text_and_csv_say_the_same(town: Path, capsys: Out) -> None:
    assert reconcile(town, *keys(town, "one", "two"), "--csv") == 0
    out = capsys.readouterr().out
    rows = list(csv.DictReader(io.StringIO(out.removeprefix("\ufeff"), newline="")))
    assert [(row["kind"], row["position"]) for row in rows][:2] == [("wrong_holder", "101"), ("closed_case", "102")]
    assert reconcile(town, *keys(town, "one", "two")) == 0
    text = capsys.readouterr().out
    assert "access about another holder than the case's  SECRET-CASE-50  2025-11-21T17:54:20.000Z" in text
    assert "5 accesses compared; 0 without a case" in text
    assert "SECRETHOLDER" not in text + out
    assert "SECRET-CASE-52" not in text + out


def test_holders_take_two_keys_and_cases_one(town: Path, capsys: Out) -> None:
    assert reconcile(town, *keys(town, "one")) == 2
    assert reconcile(town) == 2
    capsys.readouterr()
    assert reconcile(town, *keys(town, "one"), "--json", name="gbk.csv") == 0
    assert json.loads(capsys.readouterr().out)["counts"]["no_case"] == 3
