"""Problem documents: every code of the table can be one, in both languages."""

import json

import orjson
import pytest
from aiohttp import web

from contracts.errors import ERRORS, Fault
from contracts.schemas import Compiled
from gateway.web.problems import Problem, problem_of, problem_of_http, problem_response
from gateway.web.schemas import PROBLEM


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_every_code_makes_a_document(code: str) -> None:
    response = problem_response(Problem(code, "/case", "some detail"))
    assert isinstance(response.body, bytes)
    form = orjson.loads(response.body)
    assert Compiled(PROBLEM).faults(form) == ()
    assert (response.status, form["status"], form["code"]) == (ERRORS[code].status, ERRORS[code].status, code)
    assert response.content_type == "application/problem+json"
    assert form["title"]["zh-CN"] != form["title"]["en"]


def test_a_fault_about_json_is_about_the_request() -> None:
    assert problem_of(Fault("json_invalid")).code == "request_not_json"
    assert problem_of(Fault("store_unavailable")).code == "store_unavailable"


def test_what_aiohttp_raises_is_translated() -> None:
    assert problem_of_http(web.HTTPNotFound()).code == "route_unknown"
    wrong = problem_of_http(web.HTTPMethodNotAllowed("PUT", ["GET", "POST"]))
    assert (wrong.code, wrong.headers) == ("method_wrong", {"Allow": "GET,POST"})
    assert problem_of_http(web.HTTPRequestEntityTooLarge(1, 2)).code == "body_too_large"
    assert problem_of_http(web.HTTPBadRequest()).code == "http_malformed"


def test_no_document_without_a_row() -> None:
    with pytest.raises(KeyError):
        json.loads(Problem("no_such_code").members())
