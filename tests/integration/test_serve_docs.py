"""docs/api.md names everything that an answer can say."""

import re
from pathlib import Path

import pytest

from contracts.errors import FAULTS
from gateway.lookup.bundle import RESULTS
from gateway.lookup.feeds import STATES
from gateway.web.app import AnswerCheck
from gateway.web.openapi import OPERATIONS
from gateway.web.schemas import LOOKUP_ANSWER, RECEIPT_ANSWER

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
NAMES = {
    *RESULTS,
    *STATES,
    *FAULTS,
    *AnswerCheck().actions,
    *LOOKUP_ANSWER["properties"]["receipt"]["properties"],
    *LOOKUP_ANSWER["properties"]["evidence"]["items"]["properties"],
    *RECEIPT_ANSWER["properties"]["trust"]["enum"][:2],
}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_named(name: str) -> None:
    assert re.search(rf"[`\".]{re.escape(name)}[`\"]", TEXT)


@pytest.mark.parametrize("path", [one.path for one in OPERATIONS if one.authenticated])
def test_each_call_of_an_app_is_described(path: str) -> None:
    assert path in TEXT
