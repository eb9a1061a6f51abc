"""The interface document: valid OpenAPI 3.1, whole, and with nothing that the checks do not use."""

import re
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from contracts.errors import ERRORS
from contracts.schemas import Compiled
from gateway.web import docs, openapi, schemas

DOCUMENT = openapi.document("1.2.3", "https://gateway.example")
NAMES = ("REQUEST", "ANSWER", "PROBLEM", "RECEIPT", "HOLDER")
SCHEMAS = {name: value for name, value in vars(schemas).items() if name.isupper() and name.endswith(NAMES)}


def test_it_is_openapi_3_1() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


@pytest.mark.parametrize("name", [name for name in SCHEMAS if not name.startswith("_")])
def test_each_schema_is_one_for_two_validators(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])
    Compiled(SCHEMAS[name])


def test_the_document_has_the_schemas_that_check() -> None:
    body = DOCUMENT["paths"]["/v1/lookups"]["post"]
    assert body["requestBody"]["content"]["application/json"]["schema"] is schemas.LOOKUP_REQUEST
    assert body["responses"]["200"]["content"]["application/json"]["schema"] is schemas.LOOKUP_ANSWER
    assert DOCUMENT["paths"]["/v1/bundles"]["post"]["requestBody"]["content"]["application/json"]["schema"] is (
        schemas.BUNDLE_REQUEST
    )


def test_each_call_says_which_problem_documents_it_has() -> None:
    for operation in openapi.OPERATIONS:
        responses = DOCUMENT["paths"][operation.path][operation.method]["responses"]
        expected = {str(status) for status in operation.errors}
        assert expected < set(responses)
        if operation.authenticated:
            assert {"401", "403", "429", "503"} < set(responses)


def test_the_codes_of_the_interface_are_in_it() -> None:
    codes = DOCUMENT["components"]["schemas"]["Problem"]["x-codes"]
    assert {"unauthenticated", "item_not_granted", "request_invalid", "audit_unavailable"} <= set(codes)
    assert set(codes) <= set(ERRORS)


def _texts(value: Any) -> Any:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def test_every_summary_is_in_both_languages() -> None:
    for operation in openapi.OPERATIONS:
        summary = DOCUMENT["paths"][operation.path][operation.method]["summary"]
        assert re.search(r"[\u4e00-\u9fff]", summary)
        assert operation.summary.en in summary


def test_the_page_needs_nobody_else_and_lists_every_call() -> None:
    page = docs.page(DOCUMENT).decode()
    assert "<script" not in page
    assert not re.search(r"(src|href)=\"(?!/)", page)
    for operation in openapi.OPERATIONS:
        assert f"{operation.method.upper()} {operation.path}" in page
    assert "default-src 'none'" in docs.CONTENT_SECURITY_POLICY
    assert "unsafe" not in docs.CONTENT_SECURITY_POLICY
