"""The OpenAPI document of the auditor's API: valid, and the calls that there are."""

from openapi_spec_validator import validate

from audit.api import openapi
from audit.api.questions import KINDS
from contracts.errors import ERRORS

DOCUMENT = openapi.document("1")


def test_it_is_a_valid_document() -> None:
    validate(DOCUMENT)


def test_every_question_is_described_with_the_schema_that_checks_it() -> None:
    for kind in KINDS:
        described = DOCUMENT["paths"][kind.path]["post"]
        assert described["requestBody"]["content"]["application/json"]["schema"] is kind.schema
        assert ("202" in described["responses"]) == kind.waits
        assert (kind.path + "/{id}" in DOCUMENT["paths"]) == kind.waits
        assert ("multipart/form-data" in described["requestBody"]["content"]) == (kind.file is not None)


def test_codes_are_of_the_table() -> None:
    assert set(ERRORS) >= openapi.CODES
    assert set(DOCUMENT["components"]["schemas"]["Problem"]["x-codes"]) == openapi.CODES
