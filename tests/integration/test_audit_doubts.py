"""Questions that may find nothing for a mistake in them: said on stderr, in JSON, and by the auditors' API."""

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from audit.api import schemas
from audit.cli import app
from contracts.edge.output import execute
from contracts.encoding import Json
from tests.integration.api_world import WHY, Office, furnish, running
from tests.integration.search_world import Out, build_town, keys

NUMBER = "holder=cn.ric:43010219870316282"


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "en")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = build_town(tmp_path_factory.mktemp("town"))
    (path / "cases.csv").write_text("case,holder_scheme,holder_id\nSECRET-CASE-1,licence,9\n")
    return path


@pytest.fixture(scope="module")
def office(town: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with running(furnish(tmp_path_factory.mktemp("office"), town, town / "index")) as made:
        yield made


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["search", "decision=拒绝"], "has 拒绝 as its decision"),
        (["search", NUMBER, "KEYS"], "not a number of the scheme cn.ric"),
        (["search", "holder=uscc:x", "KEYS"], "uscc: no holder scheme"),
        (["stats", "organisation=nobody"], "has nobody as its organisation"),
        (["analyse", "unit=nowhere", "KEYS"], "has nowhere as its unit"),
        (["reconcile", "cases.csv", "KEYS"], "licence: no holder scheme"),
    ],
)
def test_said_on_stderr_and_in_json(town: Path, capsys: Out, words: list[str], what: str) -> None:
    command, *rest = words
    given = [str(town / word) if word.endswith(".csv") else word for word in rest if word != "KEYS"]
    given += keys(town, "one", "two") if "KEYS" in rest else []
    for form in ([], ["--json"]):
        capsys.readouterr()
        assert execute(app, [command, str(town / "index"), *given, *form]) == 0
        said = capsys.readouterr()
        assert what in said.err
        assert "4301021987" not in said.err + said.out
    (warning,) = json.loads(said.out)["warnings"]
    assert what in warning["en"]


def test_nothing_to_say(town: Path, capsys: Out) -> None:
    capsys.readouterr()
    words = ["decision=refused", "unit=none", "holder=passport:secretholder9", *keys(town, "one", "two")]
    assert execute(app, ["search", str(town / "index"), *words, "--json"]) == 0
    said = capsys.readouterr()
    assert (json.loads(said.out)["warnings"], said.err) == ([], "")


def test_from_after_to_is_a_mistake(town: Path, capsys: Out) -> None:
    capsys.readouterr()
    assert execute(app, ["search", str(town / "index"), "from=2026-01-02", "to=2026-01-01"]) == 2
    assert "`from` is not earlier than `to`" in capsys.readouterr().err


def _warnings(office: Office, path: str, schema: Json, status: int = 200, **body: Json) -> list[str]:
    answer = office.post("li", path, **body)
    assert answer.status == status
    jsonschema.validate(answer.json, schema)
    return [one["en"] for one in answer.json["warnings"]]


def test_the_api_says_it(office: Office) -> None:
    nobody = {"organisation": ["nobody"]}
    for path, schema in (
        ("/v1/searches", schemas.SEARCH_ANSWER),
        ("/v1/stats", schemas.STATS_ANSWER),
        ("/v1/analyses", schemas.ANALYSIS_ANSWER),
    ):
        (found,) = _warnings(office, path, schema, filters=nobody)
        assert "has nobody as its organisation" in found
    assert _warnings(office, "/v1/searches", schemas.SEARCH_ANSWER, filters={}) == []
    backwards = office.post("li", "/v1/searches", filters={"from": "2026-01-02", "to": "2026-01-01"})
    assert (backwards.status, backwards.json["code"]) == (422, "question_invalid")


def test_whoever_asks_hears_it_before_a_second_auditor_is_called(office: Office) -> None:
    holder = {"scheme": "cn.ric", "id": "43010219870316282"}
    (found,) = _warnings(office, "/v1/searches", schemas.WAITING, 202, filters={"holder": holder})
    assert "not a number of the scheme cn.ric" in found
    unknown = office.post("li", "/v1/searches", filters={"holder": {"scheme": "cn.usc", "id": "9"}})
    assert unknown.status == 422


def test_a_list_in_the_api(office: Office) -> None:
    bad = b"case,holder_scheme,holder_id\nSECRET-CASE-1,cn.ric,43010219870316282\n"
    answer = office.upload("li", "/v1/reconciliations", "cases", bad, filters={})
    assert answer.status == 422
    assert "cases.csv:2" in json.dumps(answer.json)
    assert WHY not in json.dumps(answer.json)
