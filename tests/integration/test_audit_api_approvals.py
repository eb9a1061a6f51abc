"""The auditor's API: a holder is searched for by two auditors, never by one."""

import asyncio
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from audit.api import schemas
from audit.api.approvals import Pending
from audit.api.calls import Calls
from audit.api.lanes import Lane
from audit.api.questions import Desk
from audit.api.recorder import Recorder
from audit.log import AuditLog
from audit.search import own_log
from tests.integration.api_world import HOLDER, WHY, Office, furnish, running
from tests.integration.audit_support import EAGER, no_fatal
from tests.integration.search_world import A, build_town
from tests.waiting import until

OTHER = {"scheme": "passport", "id": "SECRETHOLDER4"}
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_town(tmp_path_factory.mktemp("town"))


@pytest.fixture
def office(town: Path, tmp_path: Path) -> Iterator[Office]:
    with running(furnish(tmp_path, town, town / "index")) as made:
        yield made


def asked(office: Office, who: str = "li", **more: Any) -> str:
    """A search for a holder; its id."""
    answer = office.post(who, "/v1/searches", filters={"holder": HOLDER, "log": A}, limit=10, **more)
    assert answer.status == 202, answer.body
    jsonschema.validate(answer.json, schemas.WAITING)
    assert answer.headers["Location"] == f"/v1/searches/{answer.json['id']}"
    name: str = answer.json["id"]
    return name


def decide(office: Office, who: str, name: str, **body: Any) -> tuple[int, str]:
    """Status, and the state or the code."""
    answer = office.ask(who, "POST", f"/v1/approvals/{name}", body)
    return answer.status, answer.json.get("state") or answer.json["code"]


def look(office: Office, who: str, name: str) -> tuple[int, str | None]:
    answer = office.ask(who, "GET", f"/v1/searches/{name}")
    return answer.status, answer.json.get("state") or answer.json.get("code")


def commands(office: Office) -> list[tuple[str, list[str]]]:
    return [(one["command"], one["auditors"]) for one in office.records()]


def test_two_auditors_find_a_holder(office: Office) -> None:
    name = asked(office)
    assert look(office, "li", name) == (202, "waiting_for_second_auditor")
    waiting = office.ask("wang", "GET", "/v1/approvals")
    jsonschema.validate(waiting.json, schemas.APPROVALS_ANSWER)
    (one,) = waiting.json["approvals"]
    assert (one["id"], one["asked_by"], one["purpose"], one["filters"]) == (name, "li", WHY, {"log": A})
    assert one["about"] == {"holder_scheme": "passport"}
    assert HOLDER["id"].encode() not in waiting.body
    assert decide(office, "wang", name, decision="agree", holder=HOLDER, note="seen the file") == (200, "agreed")
    first = office.ask("li", "GET", f"/v1/searches/{name}").json
    rest = office.ask("li", "GET", f"/v1/searches/{name}?after={first['next']}").json
    found = [hit["position"] for answer in (first, rest) for hit in answer["hits"]]
    assert found == [n for n in range(599, -1, -1) if n % 11 == 3][:20]
    until(lambda: len(office.records()) == 5)
    assert commands(office) == [
        ("ask", ["li"]), ("approvals", ["wang"]), ("agree", ["wang"]), ("search", ["li", "wang"]),
        ("search", ["li", "wang"]),
    ]  # fmt: skip
    text = json.dumps(office.records())
    assert "SECRET" not in text.upper()
    assert len({one["filters"]["holder"] for one in office.records() if "holder" in one["filters"]}) == 1


def test_nobody_agrees_to_their_own(office: Office) -> None:
    name = asked(office)
    assert decide(office, "li", name, decision="agree", holder=HOLDER) == (403, "approval_of_own")
    assert office.ask("li", "GET", "/v1/approvals").json["approvals"] == []
    assert look(office, "li", name)[0] == 202


def test_only_who_asked_gets_the_answer(office: Office) -> None:
    name = asked(office)
    assert decide(office, "wang", name, decision="agree", holder=HOLDER)[0] == 200
    assert look(office, "wang", name) == (404, "approval_unknown")
    assert look(office, "zhao", name) == (404, "approval_unknown")
    assert office.ask("li", "GET", f"/v1/stats/{name}").status == 404
    assert look(office, "li", name) == (200, None)


def test_a_refusal_stands(office: Office) -> None:
    name = asked(office)
    assert decide(office, "wang", name, decision="refuse", note="why him?") == (200, "refused")
    assert look(office, "li", name) == (403, "approval_refused")
    assert decide(office, "zhao", name, decision="agree", holder=HOLDER) == (409, "approval_done")


def test_who_agrees_must_name_the_same_holder_and_cannot_guess(office: Office) -> None:
    name = asked(office)
    for named in ({}, {"holder": OTHER}):
        assert decide(office, "wang", name, decision="agree", **named) == (409, "approval_mismatch")
    assert look(office, "li", name)[0] == 202
    assert decide(office, "zhao", name, decision="agree", holder=OTHER) == (409, "approval_mismatch")
    assert decide(office, "wang", name, decision="agree", holder=HOLDER) == (409, "approval_done")
    assert look(office, "li", name) == (403, "approval_refused")
    until(lambda: len(office.records()) == 4)
    assert commands(office)[1:] == [("mismatch", ["wang"]), ("mismatch", ["wang"]), ("mismatch", ["zhao"])]


def test_an_hour_and_no_longer(office: Office) -> None:
    waiting, agreed = asked(office), asked(office)
    office.ahead = HOUR_MS - 60_000
    assert decide(office, "wang", agreed, decision="agree", holder=HOLDER)[0] == 200
    office.ahead = HOUR_MS + 60_000
    assert decide(office, "wang", waiting, decision="agree", holder=HOLDER) == (410, "approval_expired")
    assert look(office, "li", waiting) == (410, "approval_expired")
    assert look(office, "li", agreed) == (200, None), "an hour from the decision on"
    office.ahead = 2 * HOUR_MS
    assert look(office, "li", agreed) == (410, "approval_expired")
    until(
        lambda: (
            [one["filters"]["was"] for one in office.records() if one["command"] == "expire"] == ["waiting", "agreed"]
        )
    )
    office.ahead = 4 * HOUR_MS
    until(lambda: look(office, "li", agreed) == (404, "approval_unknown"))


def test_lists_of_holders_take_two_who_have_the_same_file(office: Office) -> None:
    cases = b"case,holder_scheme,holder_id\nSECRET-CASE-1,passport,SECRETHOLDER9\n"
    held = office.upload("li", "/v1/reconciliations", "cases", cases, filters={"log": A})
    assert held.status == 202
    (one,) = office.ask("wang", "GET", "/v1/approvals").json["approvals"]
    assert one["about"] == {"file_bytes": len(cases), "file_lines": 2}
    wrong, right = (f"sha-256:{hashlib.sha256(data).hexdigest()}" for data in (cases + b"\n", cases))
    assert decide(office, "wang", held.json["id"], decision="agree", digest=wrong) == (409, "approval_mismatch")
    assert decide(office, "wang", held.json["id"], decision="agree", digest=right) == (200, "agreed")
    found = office.ask("li", "GET", held.json["result"]).json
    assert found["counts"]["wrong_holder"] == 2
    roster = b"clerk,scheme,id\nclerk-secret-3,passport,SECRETHOLDER4\n"
    held = office.upload("li", "/v1/analyses", "roster", roster, filters={"log": A})
    digest = f"sha-256:{hashlib.sha256(roster).hexdigest()}"
    assert decide(office, "wang", held.json["id"], decision="agree", digest=digest)[0] == 200
    found = office.ask("li", "GET", held.json["result"]).json
    jsonschema.validate(found, schemas.ANALYSIS_ANSWER)
    own = [one for one in found["findings"] if one["rule"] == "own_record"]
    assert sum(one["count"] for one in own) == len(range(59, 600, 77))


def test_of_a_holder_beside_a_list_both_are_named(office: Office) -> None:
    """Also where the list itself names no holder: who agrees is told of a file, and gives its digest."""
    cases = b"case\nSECRET-CASE-1\n"
    held = office.upload("li", "/v1/reconciliations", "cases", cases, filters={"log": A, "holder": HOLDER})
    assert held.status == 202
    digest = f"sha-256:{hashlib.sha256(cases).hexdigest()}"
    assert decide(office, "wang", held.json["id"], decision="agree", holder=HOLDER) == (409, "approval_mismatch")
    both = {"digest": digest, "holder": HOLDER}
    assert decide(office, "wang", held.json["id"], decision="agree", **both) == (200, "agreed")


def test_what_is_being_decided_does_not_expire(town: Path, tmp_path: Path) -> None:
    """Else the log would say that it expired, after it said that somebody agreed."""
    furnish(tmp_path, town, town / "index")
    log = AuditLog.open(replace(own_log.load(tmp_path / "own.toml"), limits=EAGER), no_fatal)
    lane = Lane(town / "index", 1, 1, 1.0)
    calls = Calls(Desk(None, None), lane, lane, Recorder(log, lambda: 5), lambda: 5, dict)
    calls.approvals.put(Pending("1", "search", "li", 0, 5, {}, b"token", None))

    async def sweep() -> None:
        async with calls.deciding:
            sweeping = asyncio.create_task(calls.sweep())
            for _ in range(100):
                await asyncio.sleep(0)
            assert calls.approvals.for_others("wang", 4)
        await sweeping
        assert not calls.approvals.for_others("wang", 4)

    asyncio.run(sweep())
    assert log.size == 1
    log.close()
    lane.close()


def test_a_holder_in_counts_and_analyses_takes_two(office: Office) -> None:
    for path in ("/v1/stats", "/v1/analyses"):
        assert office.post("li", path, filters={"holder": HOLDER}).status == 202


def test_few_may_wait(office: Office) -> None:
    for _ in range(20):
        asked(office)
    answer = office.post("li", "/v1/searches", filters={"holder": HOLDER})
    assert (answer.status, answer.json["code"]) == (429, "approvals_full")
    assert asked(office, who="wang")


def test_roles(town: Path, tmp_path: Path) -> None:
    config = furnish(tmp_path, town, town / "index", people="li wang")
    text = config.read_text()
    cut = text.replace('certificate = "li.crt"', 'certificate = "li.crt"\nroles = ["approve"]')
    config.write_text(cut.replace('certificate = "wang.crt"', 'certificate = "wang.crt"\nroles = ["search"]'))
    with running(config) as office:
        refused = [
            office.post("li", "/v1/searches", filters={}),
            office.ask("li", "GET", "/v1/entries/x/0"),
            office.post("wang", "/v1/openings", log=A, position=0),
            office.ask("wang", "GET", "/v1/approvals"),
        ]
        assert [(one.status, one.json["code"]) for one in refused] == [(403, "role_missing")] * 4
        name = asked(office, "wang")
        assert decide(office, "li", name, decision="agree", holder=HOLDER) == (200, "agreed")
