"""The official JSON-Schema-Test-Suite for the keywords that evidence types may use, as a Go module carries it.

What we allow is judged as the suite says: a stranger's validator and ours agree on every schema that the lint passes.
"""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from contracts.schema_lint import KEYWORDS
from contracts.schemas import Compiled

MODULE = "github.com/google/jsonschema-go"
GO = Path(__file__).parent / "interop" / "go"
# File of the suite by what of it we allow; the rest of our keywords are annotations or have a file of their name.
FILES = {"if": "if-then-else", "then": "if-then-else", "else": "if-then-else", "$ref": "ref", "$defs": "defs"}
WITHOUT_A_FILE = {"title", "description", "$comment", "format"}  # formats are ours: tests/vectors/identifiers.json


@cache
def suite() -> Path:
    command = ["go", "list", "-m", "-f", "{{.Dir}}", MODULE]
    found = subprocess.run(command, cwd=GO, check=True, capture_output=True, text=True).stdout.strip()
    return Path(found) / "jsonschema" / "testdata" / "draft2020-12"


NAMES = sorted({FILES.get(keyword, keyword) for keyword in KEYWORDS - WITHOUT_A_FILE})


@pytest.mark.parametrize("name", NAMES)
def test_the_cases_of_a_keyword(name: str) -> None:
    groups: list[dict[str, Any]] = json.loads((suite() / f"{name}.json").read_text("utf-8"))
    judged = 0
    for group in groups:
        if not isinstance(group["schema"], dict):
            continue  # `true` and `false` as whole schemas are no evidence types
        compiled = Compiled(group["schema"])
        for case in group["tests"]:
            if "properties" in group["schema"] and not isinstance(case["data"], dict):
                continue  # documents are objects: read as such before any schema is asked
            assert (not compiled.faults(case["data"])) == case["valid"], (group["description"], case["description"])
            judged += 1
    assert judged >= 2


def test_every_keyword_has_cases() -> None:
    assert len(NAMES) >= 18
    assert all((suite() / f"{name}.json").is_file() for name in NAMES)
