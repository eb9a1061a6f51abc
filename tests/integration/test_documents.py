"""What the documents say of files and commands is there."""

import re
from pathlib import Path

import pytest

from contracts.edge.output import execute

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")
_COMMAND = re.compile(r"^\s*(oncegate(?:-audit|-adapter)?) ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)", re.MULTILINE)
_MAKE = re.compile(r"`?\bmake ([a-z][a-z-]+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_meet_something(page: Path) -> None:
    missing = [target for target in _LINK.findall(page.read_text("utf-8")) if not (page.parent / target).exists()]
    assert missing == []


def test_make_targets_in_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {name for page in PAGES for name in _MAKE.findall(page.read_text("utf-8"))}
    assert named
    assert named <= targets


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_each_readme_names_the_make_targets(name: str) -> None:
    listed = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    text = (ROOT / name).read_text("utf-8")
    assert "demo" in listed
    assert [target for target in listed if f"`{target}`" not in text and f"`make {target}`" not in text] == []


def test_commands_in_documents_exist(capsys: pytest.CaptureFixture[str]) -> None:
    from adapters.cli import app as adapter
    from audit.cli import app as audit
    from gateway.cli import app as gateway

    apps = {"oncegate": gateway, "oncegate-adapter": adapter, "oncegate-audit": audit}
    groups = {"control", "store", "topics"}
    named = {found for page in PAGES for found in _COMMAND.findall(page.read_text("utf-8"))}
    assert len(named) >= 10
    for program, words in sorted(named):
        first, *rest = words.split()
        arguments = [first, *rest] if first in groups else [first]
        assert execute(apps[program], [*arguments, "--help"]) == 0, (program, words)
    capsys.readouterr()
