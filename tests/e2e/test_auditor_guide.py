"""The auditor's guide, run as it stands, on a demo city (`tests.e2e.guide` says how). Only the ports of witness
and API are others than on the page."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.guide import DOCS, Walk, blocks
from tests.e2e.kafka.broker import free_port
from tests.integration.go_programs import OFFLINE

PAGE = "auditor-guide.md"
# What a reader must see on the way, in this order; the commands themselves must all succeed.
SHOWN = (
    "Whole: oncegate.example/gov-extranet-1, ",
    '"clerk":"clerk-0412"',
    "Signed registry version 2",
    "No alarms",
    "Whole: oncegate.example/gov-extranet-1, ",
    "0 no access records",
    "field_not_listed",
    '"hits":[',
    "cn.open-restaurant",
    "c2sp.org/tlog-proof@v1",
    "case without an access: 1",
    "Right: seed ",
    "each is for a person to look into",
    '"rule":"own_record"',
    "Holds: entry 0 of oncegate.example/gov-extranet-1",
    "records exported to told.txt",
    "Whole: evidence package, ",
    '"lag":0',
    "field_not_listed",
    '"holder_scheme":"cn.ric"',
    '"state":"agreed"',
    "audit-office.example/api\n",
    "Whole: audit-office.example/api, 5 entries",
    "OK: ",
    "OK: entry 0 of ",
    "OK: grown from ",
)


@pytest.fixture
def walk(tmp_path: Path) -> Iterator[Walk]:
    (tmp_path / "tests").symlink_to(DOCS.parent / "tests")
    made = Walk(tmp_path, {port: str(free_port()) for port in ("8500", "8600")}, OFFLINE)
    try:
        yield made
    finally:
        made.end()


def test_the_guide_works_as_written(walk: Walk) -> None:
    printed = "".join(map(walk.take, blocks(PAGE)))
    at = 0
    for told in SHOWN:
        assert told in printed[at:], (told, printed[at:])
        at = printed.index(told, at) + len(told)


def test_every_command_of_the_page_is_run() -> None:
    """A block of commands without a tag only installs what a test has already."""
    text = (DOCS / PAGE).read_text("utf-8")
    idle = re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert [block for block in idle if not block.startswith("pip install")] == []
