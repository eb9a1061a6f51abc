"""Rules of the house that only a look at the whole tree can show."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("adapters", "audit", "contracts", "gateway")
IMPURE = {"aiohttp", "kafka", "sqlite3", "apsw", "asyncio", "threading", "socket", "os", "time"}
# Rooms that do I/O by design (docs/decisions/0001): everything else is pure.
EDGES = (
    "contracts/edge/",
    "contracts/catalogue/",
    "gateway/",
    "adapters/",
    "audit/",
)
PURE_IN_EDGES = ("decide.py", "answer.py", "plan.py", "mapping.py", "merkle.py", "tiles.py", "notes.py", "record.py")


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def is_pure(path: Path) -> bool:
    name = path.relative_to(ROOT).as_posix()
    return not name.startswith(EDGES) or path.name in PURE_IN_EDGES


@pytest.mark.parametrize("path", [p for p in modules() if is_pure(p)], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_pure_modules_import_no_edge(path: Path) -> None:
    found = imports(path)
    assert not {name.split(".")[0] for name in found} & IMPURE
    assert not {name for name in found if name.startswith("contracts.edge")}


def test_every_module_can_be_imported_alone() -> None:
    """Each in a process of its own (forked, so that the interpreter starts once): no hidden order of imports."""
    names = [".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for p in modules()]
    program = """
import os, sys
for name in sys.argv[1:]:
    child = os.fork()
    if not child:
        try:
            __import__(name)
        except BaseException as error:
            print(name, repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    os.waitpid(child, 0)
"""
    command = [sys.executable, "-W", "error", "-c", program, *names]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
