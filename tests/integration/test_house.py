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
# Pure rooms, as patterns below the root. All of `contracts` is, but its edge and the loading of its shipped data.
PURE = (
    "contracts/*.py",
    "contracts/pages/*.py",
    "contracts/registry/*.py",
    "audit/merkle.py",
    "audit/tiles.py",
    "audit/notes.py",
    "audit/checkpoints.py",
    "audit/frames.py",
    "audit/derive.py",
    "audit/record.py",
    "audit/receipts.py",
    "audit/api/approvals.py",
    "audit/api/callers.py",
    "audit/api/checking.py",
    "audit/api/openapi.py",
    "audit/api/schemas.py",
    "audit/package/check.py",
    "audit/package/check_records.py",
    "audit/package/container.py",
    "audit/package/differences.py",
    "audit/package/digests.py",
    "audit/package/lines.py",
    "audit/package/manifest.py",
    "audit/package/scope.py",
    "audit/package/statement.py",
    "audit/package/table.py",
    "audit/search/tokens.py",
    "audit/search/rows.py",
    "audit/search/filters.py",
    "audit/search/asked.py",
    "audit/search/reconcile.py",
    "audit/search/sample.py",
    "audit/search/rules.py",
    "audit/cosignatures.py",
    "audit/review/answers.py",
    "audit/review/deadlines.py",
    "audit/review/events.py",
    "audit/review/findings.py",
    "audit/review/ledger.py",
    "audit/review/letters.py",
    "audit/review/report.py",
    "audit/review/report_text.py",
    "audit/review/samples.py",
    "audit/witness/protocol.py",
    "gateway/access/*.py",
    "gateway/ingest/decide.py",
    "gateway/ingest/statements.py",
    "gateway/ingest/state.py",
    "gateway/lookup/*.py",
    "gateway/supervision/events.py",
    "gateway/supervision/seen.py",
    "gateway/supervision/lateness.py",
    "gateway/corrections/judge.py",
    "gateway/tokens/*.py",
    "adapters/plan.py",
    "adapters/mapping.py",
    "adapters/mapping_table.py",
    "adapters/values.py",
)


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


@pytest.mark.parametrize("pattern", PURE)
def test_every_pattern_meets_something(pattern: str) -> None:
    assert list(ROOT.glob(pattern))


@pytest.mark.parametrize(
    "path",
    [path for pattern in PURE for path in sorted(ROOT.glob(pattern))],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_pure_modules_import_no_edge(path: Path) -> None:
    found = imports(path)
    assert not {name.split(".")[0] for name in found} & IMPURE
    assert not {name for name in found if name.startswith("contracts.edge")}


def test_every_module_can_be_imported_alone() -> None:
    """Each in a process of its own (forked, so that the interpreter starts once): no hidden order of imports."""
    names = [".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for p in modules()]
    program = """
import importlib.util, os, sys
for library in ("aiohttp.web", "apsw", "cryptography.x509", "jwt", "kafka", "prometheus_client", "typer", "uvloop"):
    if importlib.util.find_spec(library.partition(".")[0]):
        __import__(library)  # other people's code, once for all children
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
    # kafka-python reads its resources in a way that Python 3.11 calls deprecated.
    kafka = [f"-Wignore:{name}_text is deprecated:DeprecationWarning" for name in ("read", "open")]
    warnings = ("-W", "error", *kafka)
    command = [sys.executable, *warnings, "-c", program, *names]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
