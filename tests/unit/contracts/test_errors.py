"""The one table of error codes: complete, used, bilingual, documented."""

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.errors import ERRORS, FAULTS, ErrorRow, Fault
from tests.error_codes_page import PAGE, page

ROOT = Path(__file__).parents[3]
SOURCES = sorted(path for room in ("adapters", "audit", "contracts", "gateway") for path in (ROOT / room).rglob("*.py"))
TABLE = ROOT / "contracts" / "errors.py"

# What takes a code, and as which argument.
CODE_ARGUMENT = {"Fault": 0, "MessageFault": 0, "Flaw": 0, "Refused": 0, "Rejected": 1, "Stopped": 1}


def _constants(tree: ast.Module) -> dict[str, str]:
    """Names of a module that stand for one string."""
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _raised(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and code of every literal code that is handed to one of `CODE_ARGUMENT`."""
    constants = _constants(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        place = CODE_ARGUMENT.get(name)
        if place is None or len(node.args) <= place:
            continue
        for value in _alternatives(node.args[place]):
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield node.lineno, value.value
            elif isinstance(value, ast.Name) and value.id in constants:
                yield node.lineno, constants[value.id]


def _alternatives(value: ast.expr) -> tuple[ast.expr, ...]:
    return (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,)


def _strings(tree: ast.Module) -> set[str]:
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}


def test_every_code_in_the_source_is_in_the_table() -> None:
    found = [(path, line, code) for path, tree in TREES.items() for line, code in _raised(tree)]
    assert len(found) > 100
    assert [f"{path.relative_to(ROOT)}:{line} {code}" for path, line, code in found if code not in ERRORS] == []


def test_every_row_is_used() -> None:
    used: set[str] = set().union(*(_strings(tree) for path, tree in TREES.items() if path != TABLE))
    assert sorted(ERRORS.keys() - used) == []


def test_no_code_stands_twice_in_the_table() -> None:
    """A later row would hide an earlier one."""
    tables = [node for node in ast.walk(TREES[TABLE]) if isinstance(node, ast.Dict) and len(node.keys) >= len(ERRORS)]
    assert len(tables) == 1
    assert len(tables[0].keys) == len(ERRORS)


@pytest.mark.parametrize("code", ERRORS)
def test_a_row_says_whose_fault_what_and_what_next(code: str) -> None:
    row = ERRORS[code]
    assert isinstance(row, ErrorRow)
    assert row.fault in FAULTS
    assert 400 <= row.status < 600
    assert set(code) <= set(string.ascii_lowercase + string.digits + "_")
    for text in (row.title, row.next_step):
        assert text.en.strip() == text.en != ""
        assert text.zh.strip() == text.zh != ""
        assert text.en.isascii()
        assert any("\u4e00" <= character <= "\u9fff" for character in text.zh)
        assert "{" not in text.en + text.zh


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.error_codes_page"


def test_a_fault_is_a_value() -> None:
    fault = Fault("claims_invalid", "/seq")
    assert fault == Fault("claims_invalid", "/seq") != Fault("claims_invalid", "/rec")
    assert len({fault, Fault("claims_invalid", "/seq")}) == 1
    assert fault != "claims_invalid"
    assert fault.row is ERRORS["claims_invalid"]
