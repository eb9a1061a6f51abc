"""The guide for departments: its files are written, its commands run, its promises looked at."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.edge.keys import create_hpke_key, write_hpke_public
from tests.integration.adapter_city import ENVIRONMENT, ROOT

GUIDE = (ROOT / "docs" / "department-guide.md").read_text("utf-8")
BLOCK = re.compile(r"```(\w+)(?: file=(\S+))?\n(.*?)```", re.DOTALL)
SHIM = f"#!/bin/sh\nexec {sys.executable} -c 'from adapters.cli import main; main()' \"$@\"\n"


def _bin(directory: Path) -> Path:
    """The command as it is after installation."""
    directory.mkdir()
    command = directory / "oncegate-adapter"
    command.write_text(SHIM)
    command.chmod(0o755)
    return directory


def _shell(command: str, directory: Path, path: Path) -> str:
    environment = {**ENVIRONMENT, "PATH": f"{path}:{ENVIRONMENT['PATH']}"}
    found = subprocess.run(
        ["sh", "-ec", command], cwd=directory, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert (found.returncode, found.stderr) == (0, ""), command
    return found.stdout


@pytest.fixture
def outputs(tmp_path: Path) -> str:
    """What the guide's commands print, run in the order of the page."""
    work = tmp_path / "work"
    work.mkdir()
    path = _bin(tmp_path / "bin")
    write_hpke_public(work / "zone.pub.pem", create_hpke_key(tmp_path / "zone.pem").public_key())
    printed = []
    for kind, file, text in BLOCK.findall(GUIDE):
        if file:
            (work / file).write_text(text, "utf-8")
        elif kind == "sh":
            printed += [_shell(line, work, path) for line in text.splitlines()]
    return "".join(printed)


def test_the_guide_works_as_written(outputs: str) -> None:
    assert 'public_key = "adapter.pub.pem"' in outputs
    assert "certificates.csv, row at line 4, 发证日期: Not a date" in outputs
    assert "3 rows read: 2 published (2 added, 0 modified), 0 unchanged, 1 refused; 0 withdrawn" in outputs
    assert "number 2 (epoch" in outputs


def test_the_guide_names_every_option() -> None:
    from adapters.mapping_table import _OPTIONS

    assert [name for name in (*_OPTIONS, "optional") if f"`{name}`" not in GUIDE and name != "column"] == []


def test_the_guide_names_every_exit_code() -> None:
    from adapters import cli

    codes = {value for name, value in vars(cli).items() if name.startswith("EXIT_") and isinstance(value, int)}
    assert set(map(int, re.findall(r"^\| (\d) \|", GUIDE, re.MULTILINE))) == codes


def test_the_guide_names_every_option_of_a_source() -> None:
    files = (ROOT / "adapters" / "sources").glob("*.py")
    asked = {name for file in files for name in re.findall(r'section\.\w+\("(\w+)"', file.read_text("utf-8"))}
    assert {"url", "sheet", "files"} <= asked
    assert [name for name in asked if not re.search(rf"\b{name}\b", GUIDE)] == []
