"""The auditor's API: what auditors are answered, and what is recorded of it."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from audit.api import schemas
from audit.checkpoints import open_note
from audit.merkle import leaf_hash, verify_inclusion
from audit.notes import parse_vkey
from audit.receipts import parse_proof
from audit.show import Viewer
from tests.integration.api_world import HOLDER, WHY, Office, entry_path, furnish, running
from tests.integration.audit_support import AUDITOR
from tests.integration.search_world import A, B, build_town
from tests.integration.witness_world import COSIGNER
from tests.waiting import until


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_town(tmp_path_factory.mktemp("town"))


@pytest.fixture(scope="module")
def office(town: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with running(furnish(tmp_path_factory.mktemp("office"), town, town / "index")) as made:
        yield made


def valid(found: Any, schema: schemas.Schema) -> Any:
    jsonschema.Draft202012Validator(schema).validate(found)
    return found


def record_of(office: Office, answer: Any) -> dict[str, Any]:
    """The published record that an answer names."""
    index: int = answer["recorded"]["index"]
    until(lambda: len(office.records()) > index)
    found = office.records()[index]
    assert found["kind"] == "search"
    return found


def test_a_search_is_answered_page_by_page_and_recorded(office: Office) -> None:
    filters = {"organisation": ["housing"], "decision": ["refused"], "log": A}
    first = office.post("li", "/v1/searches", filters=filters, limit=15, proof=True)
    assert first.status == 200, first.body
    found = valid(first.json, schemas.SEARCH_ANSWER)
    rest = valid(
        office.post("li", "/v1/searches", filters=filters, limit=15, after=found["next"]).json, schemas.SEARCH_ANSWER
    )
    places = [hit["position"] for hit in (*found["hits"], *rest["hits"])]
    assert places == sorted((n for n in range(600) if n % 10 == 9 and n % 3 == 0), reverse=True)
    assert rest["next"] is None
    record = record_of(office, found)
    assert (record["command"], record["auditors"], record["count"]) == ("search", ["li"], 15)
    assert record["filters"] == {"organisation": ["housing"], "decision": ["refused"], "log": A}
    assert record["logs"] == [{"origin": A, "size": 600}, {"origin": B, "size": 22}]


def test_the_proof_of_a_hit_verifies(office: Office, town: Path) -> None:
    (hit,) = office.post("li", "/v1/searches", filters={"log": B}, limit=1, proof=True).json["hits"]
    entry = valid(office.ask("li", "GET", entry_path(hit["log"], hit["position"])).json, schemas.ENTRY_ANSWER)
    key = parse_vkey((town / "b/vkey").read_text().strip())
    for text in (hit["proof"], entry["proof"]):
        proof = parse_proof(text.encode())
        head = open_note(proof.note, key)[0]
        leaf = leaf_hash(entry["record"].encode())
        assert verify_inclusion(hit["position"], head.size, leaf, proof.hashes, head.root)


def test_why_stands_sealed_in_the_record(office: Office) -> None:
    index = office.post("li", "/v1/searches", filters={"case": "SECRET-CASE-7"}).json["recorded"]["index"]
    until(lambda: len(office.records()) > index)
    log = office.path / "api-log"
    key = parse_vkey((log / "vkey").read_text().strip())
    line = Viewer(log, key, AUDITOR).line(index)
    assert line.opening == {"purpose": WHY}
    assert line.record is not None
    assert line.record["filters"].keys() == {"case"}
    assert b"SECRET" not in json.dumps(office.records()).upper().encode()


def test_a_clerk_takes_one_auditor(office: Office) -> None:
    found = office.post("li", "/v1/searches", filters={"clerk": "clerk-secret-3", "log": A}, limit=1000).json
    assert [hit["position"] for hit in found["hits"]] == list(range(598, 0, -7))


def test_counts(office: Office) -> None:
    found = valid(office.post("li", "/v1/stats", filters={"log": A}, by="hour").json, schemas.STATS_ANSWER)
    assert (found["total"], found["by"]) == (600, "hour")
    assert {"value": "refused", "count": 60} in found["facets"]["decision"]
    assert record_of(office, found)["command"] == "stats"


def test_logs_and_their_lag(office: Office) -> None:
    found = valid(office.ask("li", "GET", "/v1/logs").json, schemas.LOGS_ANSWER)
    assert [(one["origin"], one["indexed"], one["lag"]) for one in found["logs"]] == [(A, 600, 0), (B, 22, 0)]
    assert found["logs"][1]["no_access_records"] == 2


def test_an_opening_is_recorded_before_it_is_shown(office: Office) -> None:
    found = valid(office.post("li", "/v1/openings", log=A, position=14).json, schemas.OPENING_ANSWER)
    assert found["opening"]["holder"] == HOLDER
    assert found["opening"]["clerk"] == "clerk-secret-0"
    record = record_of(office, found)
    assert (record["command"], record["filters"]) == ("opening", {"log": A, "position": 14})


def test_bytes_among_the_records_have_no_opening(office: Office) -> None:
    answer = office.post("li", "/v1/openings", log=B, position=21)
    assert answer.status == 200
    assert (answer.json["record"], answer.json["opening"]) == (None, None)


def test_an_analysis(office: Office) -> None:
    found = office.post("li", "/v1/analyses", filters={"log": A}, limits={"refusals": 5, "holders_a_day": 99}).json
    valid(found, schemas.ANALYSIS_ANSWER)
    assert {one["rule"] for one in found["findings"]} == {"off_hours", "many_clerks"}
    assert found["not_applied"] == ["own_record"]


def test_a_reconciliation_without_holders_takes_one(office: Office) -> None:
    cases = "case,closed\nSECRET-CASE-1,2025-11-03\nother,\n".encode("gb18030")
    answer = office.upload("li", "/v1/reconciliations", "cases", cases, filters={"log": B})
    found = valid(answer.json, schemas.RECONCILIATION_ANSWER)
    assert found["counts"]["no_access"] == 1
    assert found["counts"]["closed_case"] == 2
    digest = hashlib.sha256(cases).hexdigest()
    named = record_of(office, found)["filters"]["list"]
    assert (named["cases"]["count"], len(named["cases"]["tokens"]), named["holders"]["count"]) == (2, 2, 0)
    assert digest not in json.dumps(record_of(office, found))  # a list of one person is guessed from it
    log = office.path / "api-log"
    line = Viewer(log, parse_vkey((log / "vkey").read_text().strip()), AUDITOR).line(found["recorded"]["index"])
    assert line.opening == {"purpose": WHY, "file": f"sha-256:{digest}"}


def test_a_sample_and_its_check(office: Office, town: Path) -> None:
    notes = [(town / name / "checkpoint").read_text() for name in ("a", "b")]
    order = {"checkpoints": notes, "nonce": "n", "size": 10, "reviewers": ["Wang", "Li"], "by": "organisation"}
    drawn = valid(office.post("li", "/v1/samples", **order).json, schemas.SAMPLE_ANSWER)["sample"]
    assert len(drawn["picks"]) == 10
    right = valid(office.post("wang", "/v1/samples/verify", sample=drawn).json, schemas.SAMPLE_CHECK_ANSWER)
    assert (right["right"], right["different"], right["witnessed"], right["left_out"]) == (True, [], False, [])
    record = record_of(office, right)["filters"]
    assert (record["seed"], record["size"], record["population"]) == (drawn["seed"], 10, drawn["population"])
    mine = office.post("wang", "/v1/samples/verify", sample=drawn, witnesses=[COSIGNER.public.vkey]).json
    assert (mine["right"], mine["different"], mine["not_cosigned"]) == (False, [], [A, B])
    assert office.post("li", "/v1/samples", **order, witnesses=[COSIGNER.public.vkey]).status == 422
    drawn["picks"][0]["reviewer"] = "Zhao"
    wrong = office.post("wang", "/v1/samples/verify", sample=drawn).json
    assert (wrong["right"], wrong["different"]) == (False, ["picks"])


def test_everybody_may_watch_the_log_of_questions_but_not_read_it(office: Office) -> None:
    recorded = office.post("li", "/v1/stats", filters={}).json["recorded"]["index"]
    until(lambda: len(office.records()) > recorded)
    own = valid(office.ask("li", "GET", "/v1/own-log").json, schemas.OWN_LOG_ANSWER)
    note = office.ask(None, "GET", "/own-log/checkpoint")
    head = open_note(note.body, parse_vkey(own["vkey"]))[0]
    assert (note.status, head.origin) == (200, "office.example/api")
    assert head.size > recorded
    tile = office.ask(None, "GET", f"/own-log/tile/0/000.p/{head.size}")
    assert (tile.status, len(tile.body)) == (200, 32 * head.size)
    for who in (None, "li"):
        assert office.ask(who, "GET", f"/own-log/tile/entries/000.p/{head.size}").status == 403
    assert office.ask(None, "GET", "/own-log/tile/0/../../own.toml").status == 403
    assert office.ask(None, "GET", "/own-log/other").status == 403
