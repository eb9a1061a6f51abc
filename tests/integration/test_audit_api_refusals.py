"""The auditor's API: strangers, mistakes, limits, and a log that fails."""

import asyncio
import http.client
import json
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.api import lanes, questions, schemas
from audit.api.config import load
from audit.api.server import LIMITS
from contracts.errors import ERRORS, Fault, UserError
from tests.integration.api_world import HOLDER, Office, entry_path, furnish, running
from tests.integration.audit_support import FailingDisk
from tests.integration.search_world import A, B, build_town, facts, index, keys, write

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_town(tmp_path_factory.mktemp("town"))


@pytest.fixture(scope="module")
def office(town: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with running(furnish(tmp_path_factory.mktemp("office"), town, town / "index")) as made:
        yield made


def refused(answer: Any) -> tuple[int, str]:
    """Status and code of a problem document, which must be one."""
    jsonschema.validate(answer.json, schemas.PROBLEM)
    assert answer.headers["Content-Type"] == "application/problem+json"
    row = ERRORS[answer.json["code"]]
    assert (answer.status, answer.json["title"]) == (row.status, row.title.as_json())
    return answer.status, answer.json["code"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/logs"), ("POST", "/v1/searches"), ("GET", "/openapi.json"), ("GET", "/nothing"), ("GET", "/"),
        ("GET", "/v1/own-log"), ("PUT", "/v1/logs"), ("GET", "/own-log/"), ("GET", "/own-log/../v1/logs"),
        ("GET", "/own-log/%2e%2e/v1/logs"), ("GET", "/own-log%2F../v1/logs"), ("POST", "/own-log/checkpoint"),
        ("GET", "/own-log/tile/entries/000"), ("GET", "/own-log/tile/entries/000.p/1"), ("GET", "/own-log/tile/x"),
    ],
)  # fmt: skip
def test_a_stranger_gets_the_same_everywhere(office: Office, method: str, path: str) -> None:
    assert refused(office.ask(None, method, path)) == (403, "auditors_only")


def test_a_certificate_that_is_not_listed_does_not_get_in(office: Office) -> None:
    with pytest.raises((ssl.SSLError, OSError)):
        office.ask("stranger", "GET", "/v1/logs")


def test_a_lapsed_certificate_is_nobodys_also_on_an_open_connection(office: Office) -> None:
    connection = http.client.HTTPSConnection("127.0.0.1", office.port, context=office.context("li"), timeout=30)
    try:
        statuses = []
        for ahead in (0, 31 * 86_400_000):
            office.ahead = ahead
            connection.request("GET", "/v1/logs")
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
        assert statuses == [200, 403]
    finally:
        office.ahead = 0
        connection.close()


def test_what_is_not_http_says_nothing(office: Office) -> None:
    raw = socket.create_connection(("127.0.0.1", office.port), 30)
    with office.context(None).wrap_socket(raw, server_hostname="127.0.0.1") as plain:
        plain.sendall(b"SECRET nonsense\r\n\r\n")
        said = plain.recv(65536)
    assert b"http_malformed" in said
    assert b"SECRET" not in said


LONG = "x" * 501
MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({}, ""),
    ({"purpose": "why"}, ""),
    ({"purpose": "", "filters": {}}, "/purpose"),
    ({"purpose": LONG, "filters": {}}, "/purpose"),
    ({"purpose": "a\nb", "filters": {}}, "/purpose"),
    ({"purpose": "why", "filters": []}, "/filters"),
    ({"purpose": "why", "filters": {"unknown": ["x"]}}, "/filters"),
    ({"purpose": "why", "filters": {"organisation": "x"}}, "/filters/organisation"),
    ({"purpose": "why", "filters": {"organisation": []}}, "/filters/organisation"),
    ({"purpose": "why", "filters": {"organisation": [""]}}, "/filters/organisation/0"),
    ({"purpose": "why", "filters": {"holder": "x"}}, "/filters/holder"),
    ({"purpose": "why", "filters": {"holder": {"scheme": "CN", "id": "1"}}}, "/filters/holder/scheme"),
    ({"purpose": "why", "filters": {}, "limit": 0}, "/limit"),
    ({"purpose": "why", "filters": {}, "limit": 1001}, "/limit"),
    ({"purpose": "why", "filters": {}, "limit": 1.0}, "/limit"),
    ({"purpose": "why", "filters": {}, "limit": True}, "/limit"),
    ({"purpose": "why", "filters": {}, "proof": 1}, "/proof"),
    ({"purpose": "why", "filters": {}, "extra": 1}, ""),
]


@pytest.mark.parametrize(("body", "pointer"), MISTAKES)
def test_mistakes_have_a_place(office: Office, body: dict[str, Any], pointer: str) -> None:
    answer = office.ask("li", "POST", "/v1/searches", body)
    assert refused(answer) == (400, "request_invalid")
    assert answer.json["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"from": "yesterday"}, "Not a time (yesterday)"),
        ({"log": "gov.example/none"}, "The index does not have this log"),
    ],
)
def test_words_without_a_meaning(office: Office, filters: dict[str, Any], said: str) -> None:
    answer = office.post("li", "/v1/searches", filters=filters)
    assert refused(answer) == (422, "question_invalid")
    assert said in answer.json["errors"][0]["message"]["en"]


def test_odd_bodies(office: Office) -> None:
    for body, code in (
        (b"", "request_not_json"), (b"[]", "request_not_json"), (b'{"a":1,"a":2}', "request_not_json"),
        (b"\xff", "request_not_json"), (b" " * (schemas.MAX_BODY + 1), "upload_too_large"),
    ):  # fmt: skip
        assert refused(office.ask("li", "POST", "/v1/searches", body))[1] == code
    for kind in ("text/plain", "multipart/form-data; boundary=x"):
        answer = office.ask("li", "POST", "/v1/searches", b"{}", {"Content-Type": kind})
        assert refused(answer) == (415, "media_type_wrong")
    packed = office.ask("li", "POST", "/v1/searches", b"{}", {"Content-Encoding": "gzip"})
    assert refused(packed) == (415, "media_type_wrong")
    for after in ("never", "1-9999999999999999999"):
        assert refused(office.post("li", "/v1/searches", filters={}, after=after)) == (422, "question_invalid")


def test_nobody_stands_in_an_address(office: Office) -> None:
    for path in ("/v1/logs?holder=x", "/v1/own-log?a", entry_path(A, 0) + "?clerk=1", "/v1/approvals?x=1"):
        assert refused(office.ask("li", "GET", path)) == (400, "query_refused")
    assert refused(office.ask("li", "POST", "/v1/searches?clerk=1", {})) == (400, "query_refused")
    document = office.ask("li", "GET", "/openapi.json").json
    places = {
        one["name"]
        for path in document["paths"].values()
        for call in path.values()
        for one in call.get("parameters", ())
    }
    assert places == {"log", "index", "id", "path", "after"}


def test_odd_forms(office: Office) -> None:
    def form(*parts: tuple[str, bytes]) -> Any:
        body = b"".join(
            b'--cut\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), data)
            for name, data in parts
        )
        headers = {"Content-Type": "multipart/form-data; boundary=cut"}
        return office.ask("li", "POST", "/v1/reconciliations", body + b"--cut--\r\n", headers)

    question = json.dumps({"purpose": "why", "filters": {}}).encode()
    for parts in (
        [("question", question)], [("cases", b"case\n1\n")], [("question", question), ("roster", b"x")],
        [("question", question), ("cases", b"case\n1\n"), ("cases", b"case\n1\n")],
    ):  # fmt: skip
        assert refused(form(*parts)) == (400, "upload_invalid"), parts
    assert refused(form(("question", b"{}"), ("cases", b"case\n1\n"))) == (400, "request_invalid")
    assert refused(form(("question", question), ("cases", b"no such column\n1\n"))) == (422, "question_invalid")
    assert (
        refused(office.ask("li", "POST", "/v1/reconciliations", {"purpose": "w", "filters": {}}))[1] == "upload_invalid"
    )
    huge = form(("question", question), ("cases", b"case\n" + b"1\n" * (schemas.MAX_UPLOAD // 2)))
    assert refused(huge) == (413, "upload_too_large")


def test_what_is_not_there(office: Office) -> None:
    for path in (entry_path(A, 600), entry_path("gov.example/none", 0), entry_path(A, 2**40)):
        assert refused(office.ask("li", "GET", path)) == (404, "entry_unknown")
    assert refused(office.post("li", "/v1/openings", log=A, position=600)) == (404, "entry_unknown")
    assert refused(office.ask("li", "GET", "/v1/searches/" + "0" * 32)) == (404, "approval_unknown")
    assert refused(office.ask("li", "GET", "/v1/nothing")) == (404, "route_unknown")
    wrong = office.ask("li", "DELETE", "/v1/logs")
    assert (refused(wrong), wrong.headers["Allow"]) == ((405, "method_wrong"), "GET,HEAD")


def test_a_changed_copy_is_said_not_shown(town: Path, tmp_path: Path) -> None:
    write(tmp_path / "c", "gov.example/c", [facts(n) for n in range(5)])
    assert index(tmp_path, str(tmp_path / "c"), *keys(town, "one", "two")) == 0
    with running(furnish(tmp_path, town, tmp_path / "index")) as office:
        bundle = tmp_path / "c/tile/entries/000.p/5"
        bundle.write_bytes(bundle.read_bytes().replace(b"granted", b"refused", 1))
        assert refused(office.ask("li", "GET", entry_path("gov.example/c", 0))) == (500, "copy_altered")
        (tmp_path / "c/checkpoint").unlink()
        assert refused(office.ask("li", "GET", entry_path("gov.example/c", 0)))[1] in (
            "index_unavailable",
            "copy_altered",
        )
        (log,) = office.ask("li", "GET", "/v1/logs").json["logs"]
        assert (log["indexed"], log["head"], log["lag"]) == (5, None, None)


def test_without_keys_no_person_is_searched_for(town: Path, tmp_path: Path) -> None:
    config = furnish(tmp_path, town, town / "index")
    text = config.read_text()
    config.write_text(text[: text.index("[keys]")] + text[text.index("[[auditors]]") :])
    with running(config) as office:
        for filters in ({"clerk": "x"}, {"case": "x"}, {"holder": HOLDER}):
            assert refused(office.post("li", "/v1/searches", filters=filters)) == (409, "keys_missing")
        assert refused(office.post("li", "/v1/openings", log=B, position=0)) == (409, "keys_missing")
        assert refused(office.post("li", "/v1/analyses", filters={})) == (409, "keys_missing")
        assert office.post("li", "/v1/searches", filters={}).status == 200


def test_an_index_without_tokens_says_so(town: Path, tmp_path: Path) -> None:
    assert index(tmp_path, str(town / "b")) == 0
    with running(furnish(tmp_path, town, tmp_path / "index")) as office:
        assert refused(office.post("li", "/v1/searches", filters={"clerk": "x"})) == (409, "tokens_missing")


def test_a_log_that_fails_shows_nothing_any_more(town: Path, tmp_path: Path, capfd: Capture) -> None:
    calls = FailingDisk()
    with running(furnish(tmp_path, town, town / "index"), calls) as office:
        assert office.post("li", "/v1/searches", filters={"log": A}).status == 200
        calls._fail_at = len(calls.calls)
        for _ in range(2):
            assert refused(office.post("li", "/v1/searches", filters={"log": A})) == (503, "own_log_unavailable")
        assert refused(office.ask("li", "GET", entry_path(A, 0))) == (503, "own_log_unavailable")
        assert refused(office.post("li", "/v1/searches", filters={"holder": HOLDER}))[1] == "own_log_unavailable"
        assert office.ask("wang", "GET", "/v1/approvals").json["approvals"] == []
        assert [type(one) for one in office.deaths] == [OSError]
    assert "own_log_unavailable" in capfd.readouterr().err


def test_questions_are_bounded_in_time_and_number(town: Path) -> None:
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"

    async def main() -> None:
        lane = lanes.Lane(town / "index", 1, 1, 0.2)
        async with lane.place(), lane.place():
            with pytest.raises(Fault, match="question_too_long"):
                await lane.run(lambda work: work.index.db.execute(endless).get)
            with pytest.raises(Fault, match="auditors_busy"):
                async with lane.place():
                    pass
        async with lane.place():
            assert await lane.run(lambda work: work.logs) == [(A, 600), (B, 22)]
        lane.close()

    asyncio.run(main())


def test_questions_are_bounded_in_rows(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "MAX_ROWS", 599)
    assert refused(office.post("li", "/v1/analyses", filters={"log": A})) == (422, "question_too_large")
    assert office.post("li", "/v1/analyses", filters={"log": B}).status == 200


def test_lines_name_nobody(office: Office, capfd: Capture) -> None:
    office.post("li", "/v1/searches", filters={"clerk": "clerk-secret-1", "holder": HOLDER})
    office.post("li", "/v1/openings", log=A, position=1)
    office.ask("li", "POST", "/v1/searches", b'{"SECRET":')
    assert "secret" not in capfd.readouterr().err.lower()


def test_each_auditor_has_a_certificate_of_their_own(town: Path, tmp_path: Path) -> None:
    config = furnish(tmp_path, town, town / "index")
    config.write_text(config.read_text().replace('"wang.crt"', '"li.crt"'))
    with pytest.raises(UserError, match="certificate of their own"):
        load(config)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lists_have_so_many_lines(office: Office, end: bytes) -> None:
    most = questions.MAX_LINES
    for name, path, head in (("cases", "/v1/reconciliations", b"case"), ("roster", "/v1/analyses", b"clerk,scheme,id")):
        answer = office.upload("li", path, name, head + end + (b"," + end) * most, filters={})
        assert (answer.status, answer.json["code"]) == (422, "question_too_large")


def test_two_certificates_of_one_key_are_not_two_auditors(town: Path, tmp_path: Path) -> None:
    config = furnish(tmp_path, town, town / "index")
    wang, key = (tmp_path / f"wang.{ending}" for ending in ("crt", "key"))
    named = ["-key", str(key), "-x509", "-subj", "/CN=somebody-else", "-days", "9", "-out", str(tmp_path / "li.crt")]
    subprocess.run(["openssl", "req", "-new", *named], check=True, capture_output=True, timeout=30)
    assert wang.read_bytes() != (tmp_path / "li.crt").read_bytes()
    with pytest.raises(UserError, match="certificate of their own"):
        load(config)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(
            [
                b"--cut",
                b"--cut--",
                b"\r\n",
                b"\r\n\r\n",
                b"\n",
                b'Content-Disposition: form-data; name="question"',
                b'Content-Disposition: form-data; name="cases"',
                b"Content-Transfer-Encoding: base64",
                b"Content-Length: 9",
                b"Content-Type: multipart/mixed; boundary=x",
                b"x: " + b"y" * 9000,
                b'{"purpose":"w","filters":{}}',
                b"case\n1\n",
                b"\xff",
                b"Content-Encoding: gzip",
            ]
        ),
        max_size=12,
    )
)
def test_any_form_is_refused_or_answered(office: Office, pieces: list[bytes]) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=cut"}
    answer = office.ask("li", "POST", "/v1/reconciliations", b"".join(pieces), headers)
    assert answer.status in (200, 400, 422), answer.body


def test_a_lost_index_is_said(town: Path, tmp_path: Path) -> None:
    assert index(tmp_path, str(town / "b"), *keys(town, "one", "two")) == 0
    with running(furnish(tmp_path, town, tmp_path / "index")) as office:
        (tmp_path / "index").rename(tmp_path / "away")
        assert refused(office.post("li", "/v1/searches", filters={})) == (503, "index_unavailable")
        (tmp_path / "away").rename(tmp_path / "index")
        assert office.post("li", "/v1/searches", filters={}).status == 200


def test_an_index_that_was_built_again_is_the_index(town: Path, tmp_path: Path) -> None:
    """Not the former file, which is still open; and what was agreed to is not looked for with the former's tokens."""
    for log, room in (("b", tmp_path), ("a", tmp_path / "new")):
        room.mkdir(exist_ok=True)
        assert index(room, str(town / log), *keys(town, "one", "two")) == 0
    with running(furnish(tmp_path, town, tmp_path / "index")) as office:
        assert [one["origin"] for one in office.ask("li", "GET", "/v1/logs").json["logs"]] == [B]
        held = office.post("li", "/v1/searches", filters={"holder": HOLDER}).json
        agreeing = {"decision": "agree", "holder": HOLDER}
        assert office.ask("wang", "POST", f"/v1/approvals/{held['id']}", agreeing).status == 200
        assert office.ask("li", "GET", held["result"]).json["hits"]
        (tmp_path / "new/index").replace(tmp_path / "index")
        assert [one["origin"] for one in office.ask("li", "GET", "/v1/logs").json["logs"]] == [A]
        assert refused(office.ask("li", "GET", held["result"])) == (409, "keys_missing")


def test_too_many_findings_are_not_sent(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "MAX_FINDINGS", 5)
    for answer in (
        office.post("li", "/v1/analyses", filters={"log": A}),
        office.upload("li", "/v1/reconciliations", "cases", b"case\nother\n", filters={"log": A}),
    ):
        assert refused(answer) == (422, "question_too_large")


def test_who_says_nothing_is_not_kept(town: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LIMITS, "keepalive_timeout", 0.3)
    with running(furnish(tmp_path, town, town / "index")) as other:
        for sent in (b"", b"GET /v1/logs HTTP/1.1\r\nHost: x\r\n"):
            raw = socket.create_connection(("127.0.0.1", other.port), 30)
            with other.context(None).wrap_socket(raw, server_hostname="127.0.0.1") as plain:
                plain.sendall(sent)
                assert plain.recv(1) == b""
