"""Lookups over real TLS: what is answered, what is refused, and that each has exactly one access record."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest

from audit.checkpoints import open_note
from audit.merkle import leaf_hash
from audit.reader import LogReader
from audit.receipts import Known, Level, check_record, parse_proof, parse_receipt, verify_proof
from audit.record import opening_text
from contracts.messages import Evidence, open_message
from gateway.client import TokenClient
from tests.integration.serve_world import (
    DRIVING,
    ESTATE,
    HEALTH,
    IDENTITY,
    LICENCE,
    NOBODY,
    ORIGIN,
    PERSON,
    SLOT,
    TYPES,
    VEHICLE,
    City,
    build_city,
    example,
    running,
)
from tests.waiting import until

CASE, CLERK = "2026-0001", "zhang.wei"
PATH = "/v1/lookups"
COMPANY = next(one["id"] for one in example(LICENCE)["holders"] if one["scheme"] == "cn.uscc")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    with running(build_city(tmp_path_factory.mktemp("city"))) as one:
        yield one


@contextmanager
def closing(client: TokenClient) -> Iterator[TokenClient]:
    try:
        yield client
    finally:
        client.close()


@pytest.fixture
def window(city: City) -> Iterator[TokenClient]:
    with closing(city.client()) as client:
        yield client


@pytest.fixture
def mobile(city: City) -> Iterator[TokenClient]:
    with closing(city.mobile()) as client:
        yield client


def person(identifier: str = PERSON) -> dict[str, Any]:
    return {"holder": {"scheme": "cn.ric", "id": identifier}}


def question(**changes: Any) -> dict[str, Any]:
    body = {
        "service_item": "cn.open-restaurant",
        "case": CASE,
        "clerk": CLERK,
        "evidence_type": IDENTITY,
        "by": person(),
    }
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


def ask(client: TokenClient, body: dict[str, Any], path: str = "/v1/lookups") -> tuple[int, dict[str, Any]]:
    status, headers, answer = client.post(path, body)
    assert headers["content-type"] == ("application/json" if status == 200 else "application/problem+json")
    assert headers["cache-control"] == "no-store"
    return status, answer


def record_of(city: City, answer: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The access record of an answer, from the log itself."""
    leaf = city.log.entry(answer["receipt"]["index"])
    members: dict[str, Any] = json.loads(leaf)
    return members, leaf


def check(city: City, answer: dict[str, Any], released: list[str], opening: bytes, **members: Any) -> dict[str, Any]:
    """As a client would: the record says what was asked and released, and nothing else about the person."""
    receipt = parse_receipt(answer["receipt"])
    record, leaf = record_of(city, answer)
    known = Known({"transaction": answer["transaction"], **members}, [text.encode() for text in released], opening)
    assert check_record(receipt, leaf, known) is None
    assert (receipt.log, receipt.leaf_hash) == (ORIGIN, leaf_hash(leaf))
    for private in (PERSON, CASE, CLERK):
        assert private.encode() not in leaf
    return record


def opening(holder: dict[str, str] | None = None, records: tuple[str, ...] = ()) -> bytes:
    return opening_text(holder or {"scheme": "cn.ric", "id": PERSON}, CLERK, None, CASE, records)


# --- answers -----------------------------------------------------------------------------------------------------


def test_granted(city: City, window: TokenClient) -> None:
    status, answer = ask(window, question())
    assert status == 200
    (record,) = answer["evidence"]
    card = example(IDENTITY)
    assert record["document"]["name"] == card["name"]
    assert (record["status"], record["evidence_type"]) == ("valid", TYPES[IDENTITY].vct)
    assert answer["feed"]["state"] == "complete"
    assert answer["as_of"] is not None
    fields = {IDENTITY: ["address", "name", "resident_number"]}
    members = {
        "action": "lookup", "app": "window", "case_check": "format_only", "channel": "window",
        "clerk_assurance": "claimed", "counts": {IDENTITY: 1}, "decision": "granted", "feed": {IDENTITY: "complete"},
        "fields": fields, "policy_version": 7, "reason": None, "service_item": "cn.open-restaurant",
        "organisation": "approval-bureau", "unit": "hall-1", "request_proof": None,
    }  # fmt: skip
    check(city, answer, [record["sd_jwt"]], opening(records=("card-1",)), **members)


def test_the_answer_verifies_under_the_departments_key(city: City, window: TokenClient) -> None:
    _, answer = ask(window, question(fields=["name"]))
    (record,) = answer["evidence"]
    opened = open_message(record["sd_jwt"].encode(), city.registry)
    assert isinstance(opened, Evidence)
    assert not opened.whole
    assert opened.document() == record["document"]
    assert set(record["document"]) == {"name", "status", "validity", "holders", *TYPES[IDENTITY].always}


def test_what_is_withheld_is_nowhere_in_the_bytes(window: TokenClient) -> None:
    status, _, answer = window.post("/v1/lookups", question(fields=["name"]))
    assert status == 200
    text = json.dumps(answer, ensure_ascii=False)
    card = example(IDENTITY)
    assert card["name"] in text
    assert card["address"] not in text
    assert card["issuing_authority"] not in text


def test_with_a_dpop_proof_the_record_names_it(city: City, mobile: TokenClient) -> None:
    status, answer = ask(mobile, question(service_item="cn.transfer-vehicle"))
    assert status == 200
    record = check(city, answer, [answer["evidence"][0]["sd_jwt"]], opening(records=("card-1",)), app="mobile")
    assert record["request_proof"].startswith("sha-256:")
    assert record["channel"] == "mobile"


def test_not_found_is_an_answer_with_a_record(city: City, window: TokenClient) -> None:
    status, answer = ask(window, question(by=person(NOBODY)))
    assert (status, answer["evidence"], answer["feed"]["state"]) == (200, [], "complete")
    holder = {"scheme": "cn.ric", "id": NOBODY}
    record = check(city, answer, [], opening(holder), decision="granted", counts={IDENTITY: 0})
    assert NOBODY not in str(record)


def test_a_stale_feed_is_said(city: City, window: TokenClient) -> None:
    item = "cn.transfer-vehicle"
    status, answer = ask(window, question(service_item=item, evidence_type=VEHICLE))
    assert (status, answer["feed"]["state"], len(answer["evidence"])) == (200, "stale", 1)
    assert record_of(city, answer)[0]["feed"] == {VEHICLE: "stale"}


def test_a_stream_that_was_never_read_is_catching_up(window: TokenClient) -> None:
    _, answer = ask(window, question(evidence_type=ESTATE))
    assert (answer["feed"]["state"], answer["as_of"], answer["evidence"]) == ("catching_up", None, [])


def test_a_type_that_nobody_supplies(window: TokenClient) -> None:
    _, answer = ask(window, question(evidence_type=HEALTH))
    assert (answer["feed"], answer["evidence"]) == ({"state": "absent", "streams": []}, [])


def test_a_refused_newest_state_is_never_not_found(city: City, window: TokenClient) -> None:
    body = question(service_item="cn.transfer-vehicle", evidence_type=DRIVING)
    status, answer = ask(window, body)
    (record,) = answer["evidence"]
    assert (status, record["status"], record["document"], record["sd_jwt"]) == (200, "refused", None, None)
    check(city, answer, [], opening(records=("driving-1",)), counts={DRIVING: 0})


def test_by_key_field(city: City, window: TokenClient) -> None:
    written = f" {COMPANY.lower()} "
    by = {"unified_social_credit_code": written.strip()}
    status, answer = ask(window, question(evidence_type=LICENCE, by=by))
    assert status == 200
    normal = {"field": "unified_social_credit_code", "value": COMPANY}
    assert answer["by"] == normal
    (record,) = answer["evidence"]
    assert record["document"]["holders"] == []
    check(city, answer, [record["sd_jwt"]], opening(normal, ("licence-1",)))


def test_of_two_holders_only_the_one_asked_for(window: TokenClient) -> None:
    status, answer = ask(window, question(evidence_type=LICENCE))
    assert status == 200
    (record,) = answer["evidence"]
    assert record["document"]["holders"] == [{"scheme": "cn.ric", "id": PERSON}]
    assert record["sd_jwt"].count("~") == 1 + len(record["document"]) - 3 - len(TYPES[LICENCE].always) + 1


def test_a_bundle(city: City, window: TokenClient) -> None:
    body = {"service_item": "cn.open-restaurant", "case": CASE, "clerk": CLERK, **person()}
    status, answer = ask(window, body, "/v1/bundles")
    assert status == 200
    results = {one["proof"]: one["result"] for one in answer["proofs"]}
    assert results == {
        "identity": "found", "business-licence": "found", "health-certificate": "paper_required",
        "premises-ownership": "pending",
    }  # fmt: skip
    assert answer["complete"] is False
    released = [record["sd_jwt"] for one in answer["proofs"] for record in one["evidence"]]
    record = check(city, answer, released, opening(records=("card-1", "licence-1")), action="bundle")
    assert record["evidence_types"] == [IDENTITY, LICENCE, HEALTH, ESTATE]


def test_a_bundle_with_a_stale_and_a_refused_proof(window: TokenClient) -> None:
    body = {"service_item": "cn.transfer-vehicle", "case": CASE, "clerk": CLERK, **person(NOBODY)}
    _, answer = ask(window, body, "/v1/bundles")
    results = {one["proof"]: one["result"] for one in answer["proofs"]}
    assert results["vehicle"] == "stale"
    assert results["identity-person"] == "not_found"
    _, answer = ask(window, {**body, **person()}, "/v1/bundles")
    assert {one["proof"]: one["result"] for one in answer["proofs"]}["driving-licence"] == "refused"


# --- one record each ---------------------------------------------------------------------------------------------


def test_each_authenticated_request_has_exactly_one_record(city: City, window: TokenClient) -> None:
    before = city.log.size
    bodies = [question(), question(evidence_type=VEHICLE), question(by=person("1")), question(extra=1)]
    transactions = [window.post("/v1/lookups", body)[2]["transaction"] for body in bodies]
    transactions.append(window.get("/v1/service-items")[2]["transaction"])
    transactions.append(window.get("/v1/receipts/none/0")[2]["transaction"])
    records = [json.loads(city.log.entry(index)) for index in range(before, city.log.size)]
    assert [record["transaction"] for record in records] == transactions
    assert [record["decision"] for record in records] == ["granted", *["refused"] * 3, "granted", "refused"]
    assert records[3]["reason"] == "request_invalid"
    assert [records[3][name] for name in ("service_item", "channel", "evidence_types", "fields")] == [
        None,
        None,
        [],
        {},
    ]


def test_a_refusal_says_in_the_record_what_was_asked(city: City, window: TokenClient) -> None:
    status, answer = ask(window, question(evidence_type=VEHICLE))
    assert (status, answer["code"], answer["pointer"]) == (403, "type_not_listed", "/evidence_type")
    members = {"decision": "refused", "reason": "type_not_listed", "evidence_types": [VEHICLE], "counts": {}}
    check(city, answer, [], opening(), **members)


def test_names_that_the_registry_has_not_stay_out_of_the_leaf(city: City, window: TokenClient) -> None:
    _, answer = ask(window, question(service_item=PERSON.lower(), evidence_type=PERSON.lower(), channel=PERSON.lower()))
    assert answer["code"] == "item_not_granted"
    record, leaf = record_of(city, answer)
    assert (record["service_item"], record["evidence_types"], record["channel"]) == (None, [], None)
    assert PERSON.encode() not in leaf


def test_a_stranger_leaves_no_record_and_learns_nothing(city: City) -> None:
    before = city.log.size
    with closing(city.stranger()) as stranger:
        headers = {"Authorization": "Bearer nonsense", "Content-Type": "application/json"}
        for fields in ({}, headers, {"Authorization": "DPoP x", "DPoP": "y"}):
            status, answered, answer = stranger.send("POST", "/v1/lookups", b"not json", fields)
            assert (status, answer["code"]) == (401, "unauthenticated")
            assert "www-authenticate" in answered
            assert set(answer) == {"type", "status", "code", "fault", "title", "next_step"}
    assert city.log.size == before


def test_the_trace_of_the_caller_is_in_the_record(city: City, window: TokenClient) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    for value, expected in ((f"00-{trace}-b7ad6b7169203331-01", trace), ("nonsense", None), (PERSON, None)):
        fields = {
            **window.authorization("POST", "/v1/lookups"),
            "Content-Type": "application/json",
            "traceparent": value,
        }
        _, _, answer = window.send("POST", "/v1/lookups", json.dumps(question()).encode(), fields)
        assert record_of(city, answer)[0]["trace"] == expected


# --- receipts, catalogue, and the rest ---------------------------------------------------------------------------


def receipt_of(client: TokenClient, receipt: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    status, _, answer = client.get(f"/v1/receipts/{quote(receipt['log'], safe='')}/{receipt['index']}")
    return status, answer


def wait_until_published(city: City, index: int) -> None:
    until(lambda: city.log.published.size > index)


def test_a_receipt_is_proven_by_the_log(city: City, window: TokenClient) -> None:
    _, answer = ask(window, question())
    wait_until_published(city, answer["receipt"]["index"])
    status, found = receipt_of(window, answer["receipt"])
    assert (status, found["trust"]) == (200, "published")
    receipt = parse_receipt(answer["receipt"])
    assert leaf_hash(found["record"].encode()) == receipt.leaf_hash
    assert verify_proof(parse_proof(found["proof"].encode()), receipt, city.log.verifier) is Level.PUBLISHED


def test_a_receipt_is_for_the_same_app_only(window: TokenClient, mobile: TokenClient) -> None:
    _, answer = ask(window, question())
    _, other = receipt_of(mobile, answer["receipt"])
    _, none = receipt_of(mobile, {"log": ORIGIN, "index": 10**15})
    _, elsewhere = receipt_of(mobile, {"log": "other", "index": 0})
    told = [{name: one[name] for name in ("status", "code", "title")} for one in (other, none, elsewhere)]
    assert told[0] == told[1] == told[2]
    assert told[0]["code"] == "entry_unknown"


def test_the_catalogue_shows_only_what_the_app_may_use(window: TokenClient, mobile: TokenClient) -> None:
    _, _, items = mobile.get("/v1/service-items")
    assert [item["id"] for item in items["service_items"]] == ["cn.transfer-vehicle"]
    _, _, types = mobile.get("/v1/evidence-types")
    ids = {one["id"] for one in types["evidence_types"]}
    assert ids == {proof["evidence_type"] for item in items["service_items"] for proof in item["proofs"]}
    _, _, more = window.get("/v1/service-items")
    assert len(more["service_items"]) == 2


def test_an_answer_has_the_published_schema(window: TokenClient, mobile: TokenClient) -> None:
    _, answer = ask(window, question())
    status, _, published = window.get(f"/v1/evidence-types/{IDENTITY}/schema?service_item={question()['service_item']}")
    assert status == 200
    (one,) = published["schemas"]
    (record,) = answer["evidence"]
    assert record["evidence_type"] == one["evidence_type"]
    validator = jsonschema.Draft202012Validator(one["schema"])
    validator.validate(record["document"])
    assert set(one["schema"]["properties"]) >= set(record["document"])
    assert not validator.is_valid({**record["document"], "born_on": "1990-01-01"})
    for path, code in (
        (f"/v1/evidence-types/{IDENTITY}/schema?service_item=cn.none", "item_not_granted"),
        (f"/v1/evidence-types/{IDENTITY}/schema", "item_not_granted"),
        (f"/v1/evidence-types/cn.none/schema?service_item={question()['service_item']}", "type_not_listed"),
        (f"/v1/evidence-types/{IDENTITY}/schema?service_item=a&holder=b", "query_refused"),
    ):
        assert window.get(path)[2]["code"] == code
    assert mobile.get(f"/v1/evidence-types/{IDENTITY}/schema?service_item=cn.open-restaurant")[2]["code"] == (
        "item_not_granted"
    )


def test_health(window: TokenClient) -> None:
    status, _, answer = window.send("GET", "/livez", None, {})
    assert (status, answer) == (200, {"status": "alive"})
    status, _, answer = window.send("GET", "/readyz", None, {})
    assert (status, answer["status"]) == (200, "ready")
    assert answer["checks"] == {"registry": "ok", "audit_log": "ok", "store": "ok"}
    assert set(answer["warnings"]) == {"rollback_undetectable", "feeds_incomplete"}
    assert {one["evidence_type"]: one["state"] for one in answer["streams"]}[VEHICLE] == "stale"


def test_metrics_count_and_name_nobody(window: TokenClient) -> None:
    ask(window, question())
    _, headers, text = window.send("GET", "/metrics", None, {})
    assert headers["content-type"].startswith("text/plain")
    exposition = text.decode()
    assert 'oncegate_calls_total{action="lookup",outcome="granted"}' in exposition
    assert 'oncegate_call_seconds_bucket{action="lookup",le="+Inf"}' in exposition
    for private in (PERSON, CASE, CLERK, "card-1"):
        assert private not in exposition


def test_the_audit_log_is_public_but_for_its_entries(city: City, window: TokenClient) -> None:
    wait_until_published(city, ask(window, question())[1]["receipt"]["index"])
    status, _, note = window.send("GET", f"/audit/logs/{SLOT}/checkpoint", None, {})
    assert status == 200
    size = open_note(note, city.log.verifier)[0].size
    status, _, tile = window.send("GET", f"/audit/logs/{SLOT}/tile/0/000.p/{size}", None, {})
    entries = LogReader(city.log_dir, city.log.verifier).entries(0, size)
    assert (status, tile) == (200, b"".join(map(leaf_hash, entries)))
    status, _, refused = window.send("GET", f"/audit/logs/{SLOT}/tile/entries/000.p/{size}", None, {})
    assert (status, refused["code"]) == (403, "auditors_only")


@pytest.mark.parametrize(
    "path",
    [
        "/audit/logs/other/checkpoint", "/audit/logs/slot-1/tile/0/999", "/audit/logs/slot-1/tile/0/../../../store.db",
        "/audit/logs/slot-1/tile/00/000", "/audit/logs/slot-1/tile/0/%2e%2e/lock", "/audit/logs/slot-1/lock",
    ],
)  # fmt: skip
def test_nothing_else_of_the_log_directory_can_be_reached(window: TokenClient, path: str) -> None:
    status, _, answer = window.send("GET", path, None, {})
    assert (status, answer["code"]) == (404, "route_unknown")


def test_documents(window: TokenClient) -> None:
    status, _, topics = window.send("GET", "/asyncapi.json", None, {})
    assert (status, topics["asyncapi"]) == (200, "3.0.0")
    status, _, document = window.send("GET", "/openapi.json", None, {})
    assert (status, document["openapi"], document["servers"]) == (200, "3.1.0", [{"url": window.base_url}])
    status, headers, page = window.send("GET", "/docs", None, {})
    assert status == 200
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert b"/v1/lookups" in page
