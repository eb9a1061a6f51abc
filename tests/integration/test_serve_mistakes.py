"""Every HTTP mistake is a problem document; bytes on a raw TLS socket where a client library would not make them."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from contracts.errors import ERRORS
from contracts.schemas import Compiled
from gateway.client import TokenClient, tls_context
from gateway.web.schemas import PROBLEM
from tests.integration.serve_world import City, build_city, running
from tests.integration.test_serve import closing, person, question

PATH = "/v1/lookups"
GOOD = json.dumps(question()).encode()
JSON = "application/json"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    with running(build_city(tmp_path_factory.mktemp("city"))) as one:
        yield one


@pytest.fixture
def window(city: City) -> Iterator[TokenClient]:
    with closing(city.client()) as client:
        yield client


def body(**changes: Any) -> bytes:
    return json.dumps(question(**changes), ensure_ascii=False).encode()


PASSPORT = {"holder": {"scheme": "passport", "id": "E1"}}

# (why, method, path, content type, body, status, code)
BAD: list[tuple[str, str, str, str | None, bytes | None, int, str]] = [
    ("no content type", "POST", PATH, None, GOOD, 415, "media_type_wrong"),
    ("a form", "POST", PATH, "application/x-www-form-urlencoded", b"a=b", 415, "media_type_wrong"),
    ("text", "POST", PATH, "text/json", GOOD, 415, "media_type_wrong"),
    ("nothing", "POST", PATH, JSON, b"", 400, "request_not_json"),
    ("not JSON", "POST", PATH, JSON, b"{", 400, "request_not_json"),
    ("not UTF-8", "POST", PATH, JSON, "张".encode("gb18030"), 400, "request_not_json"),
    ("UTF-16", "POST", PATH, JSON, GOOD.decode().encode("utf-16"), 400, "request_not_json"),
    ("a byte order mark", "POST", PATH, JSON, b"\xef\xbb\xbf" + GOOD, 400, "request_not_json"),
    ("an array", "POST", PATH, JSON, b"[]", 400, "request_not_json"),
    ("a string", "POST", PATH, JSON, b'"x"', 400, "request_not_json"),
    ("null", "POST", PATH, JSON, b"null", 400, "request_not_json"),
    ("two objects", "POST", PATH, JSON, GOOD + GOOD, 400, "request_not_json"),
    ("a name twice", "POST", PATH, JSON, b'{"case":"1","case":"2"}', 400, "request_not_json"),
    ("NaN", "POST", PATH, JSON, b'{"case":NaN}', 400, "request_not_json"),
    ("a lone surrogate", "POST", PATH, JSON, b'{"case":"\\ud800"}', 400, "request_not_json"),
    ("a huge integer", "POST", PATH, JSON, b'{"case":99999999999999999999}', 400, "request_not_json"),
    ("very deep", "POST", PATH, JSON, b'{"a":' * 200 + b"1" + b"}" * 200, 400, "request_not_json"),
    ("gzip", "POST", PATH, JSON, b"\x1f\x8b\x08\x00", 400, "request_not_json"),
    ("empty object", "POST", PATH, JSON, b"{}", 400, "request_invalid"),
    ("no case", "POST", PATH, JSON, body(case=None), 400, "request_invalid"),
    ("no clerk", "POST", PATH, JSON, body(clerk=None), 400, "request_invalid"),
    ("no item", "POST", PATH, JSON, body(service_item=None), 400, "request_invalid"),
    ("a line break in the case", "POST", PATH, JSON, body(case="a\nb"), 400, "request_invalid"),
    ("a long clerk", "POST", PATH, JSON, body(clerk="x" * 65), 400, "request_invalid"),
    ("an unknown member", "POST", PATH, JSON, body(purpose="x"), 400, "request_invalid"),
    ("two ways to ask", "POST", PATH, JSON, body(by={**person(), "vin": "x"}), 400, "request_invalid"),
    ("wrong check digit", "POST", PATH, JSON, body(by=person("110101199003071011")), 400, "identifier_invalid"),
    ("a strange scheme", "POST", PATH, JSON, body(by=PASSPORT), 400, "scheme_not_allowed"),
    ("not a key field", "POST", PATH, JSON, body(by={"name": "张伟"}), 400, "not_a_key_field"),
    ("a field too many", "POST", PATH, JSON, body(fields=["born_on"]), 403, "field_not_listed"),
    ("another item", "POST", PATH, JSON, body(service_item="cn.settle-household"), 403, "item_not_granted"),
    ("another channel", "POST", PATH, JSON, body(channel="kiosk"), 403, "channel_not_granted"),
    ("another type", "POST", PATH, JSON, body(evidence_type="cn.vehicle-registration"), 403, "type_not_listed"),
    ("too large", "POST", PATH, JSON, b'{"case":"' + b"x" * 16_384 + b'"}', 413, "body_too_large"),
    ("much too large", "POST", PATH, JSON, b"x" * 300_000, 413, "body_too_large"),
    ("a query", "POST", PATH + "?id=110101199003071011", JSON, GOOD, 400, "query_refused"),
    ("a query in the catalogue", "GET", "/v1/service-items?all=1", None, None, 400, "query_refused"),
    ("a bundle of a lookup", "POST", "/v1/bundles", JSON, GOOD, 400, "request_invalid"),
    ("no such receipt", "GET", "/v1/receipts/x/0", None, None, 404, "entry_unknown"),
    ("not an index", "GET", "/v1/receipts/gov.example%2Foncegate%2Fslot-1/-1", None, None, 404, "entry_unknown"),
    ("another index", "GET", "/v1/receipts/gov.example%2Foncegate%2Fslot-1/01", None, None, 404, "entry_unknown"),
    ("a wrong method", "GET", PATH, None, None, 405, "method_wrong"),
    ("a wrong method of many", "DELETE", "/v1/bundles", None, None, 405, "method_wrong"),
    ("no such path", "GET", "/v2/lookups", None, None, 404, "route_unknown"),
    ("a slash too many", "POST", PATH + "/", JSON, GOOD, 404, "route_unknown"),
    ("an id in the path", "GET", "/v1/evidence-types/110101199003071011", None, None, 404, "route_unknown"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("why", "method", "path", "media", "content", "status", "code"), BAD, ids=[row[0] for row in BAD]
)
def test_every_mistake_is_a_problem_document(
    window: TokenClient,
    why: str,
    method: str,
    path: str,
    media: str | None,
    content: bytes | None,
    status: int,
    code: str,
) -> None:
    fields = window.authorization(method, path)
    if media is not None:
        fields["Content-Type"] = media
    found, headers, answer = window.send(method, path, content, fields)
    assert (found, answer["code"]) == (status, code)
    assert headers["content-type"] == "application/problem+json"
    assert Compiled(PROBLEM).faults(answer) == ()
    assert answer["title"] == ERRORS[code].title.as_json()
    assert "110101199003071011" not in json.dumps(answer)


def test_a_problem_of_the_schema_says_where_and_why(window: TokenClient) -> None:
    _, _, answer = window.post(PATH, question(case="", clerk=None, fields=["name", "name"]))
    errors = {(one["pointer"], one["keyword"]) for one in answer["errors"]}
    assert {("", "required"), ("/case", "minLength"), ("/fields", "uniqueItems")} <= errors


def test_a_wrong_method_names_the_right_one(window: TokenClient) -> None:
    _, headers, _ = window.send("GET", PATH, None, {})
    assert headers["allow"] == "POST"


def exchange(city: City, data: bytes, rest: bytes = b"") -> bytes:
    """What comes back for `data` on a connection of its own, until the server closes it."""
    host, port = "127.0.0.1", int(city.base_url.rpartition(":")[2])
    context: ssl.SSLContext = tls_context(city.server.certificate)
    with (
        socket.create_connection((host, port), timeout=30) as raw,
        context.wrap_socket(raw, server_hostname=host) as tls,
    ):
        tls.sendall(data)
        received = b""
        while chunk := tls.recv(65536):
            received += chunk
        return received


RAW = [
    ("not HTTP", b"\x16\x03\x01\r\n\r\n"),
    ("no such version", b"GET /livez HTTP/x\r\n\r\n"),
    ("a header without a colon", b"GET /livez HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n"),
    ("a long request line", b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("a long header field", b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000 + b"\r\n\r\n"),
    ("too many header fields", b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 200 + b"\r\n"),
    ("two lengths", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
    ("length and chunks", b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a negative length", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"),
    ("a zero byte in a field", b"GET /livez HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n"),
]  # fmt: skip


@pytest.mark.parametrize(("why", "data"), RAW, ids=[row[0] for row in RAW])
def test_what_is_not_even_http_gets_one_too(city: City, why: str, data: bytes) -> None:
    head, _, content = exchange(city, data).partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 "))
    answer = json.loads(content)
    assert Compiled(PROBLEM).faults(answer) == ()
    assert answer["code"] == "http_malformed"


def test_a_hundred_mistakes_hurt_nobody_else(city: City) -> None:
    """Valid questions in between are answered."""
    statuses: list[int] = []

    def ask() -> None:
        with closing(city.client()) as client:
            statuses.extend(client.post(PATH, question())[0] for _ in range(20))

    thread = threading.Thread(target=ask)
    thread.start()
    for _ in range(20):
        for _, data in RAW[:5]:
            exchange(city, data)
    thread.join()
    assert statuses == [200] * 20
