"""The operator's guide, run as it stands, on both logs (`tests.e2e.guide` says how).

1. `run=embedded` and `run=kafka` run on that log alone.
2. On Kafka the table `[log]` of each file is the one of the block `log=kafka`, as the page says.
3. Only the ports 8443 and 9092 are others than on the page: several tests may run at once.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.e2e.guide import DOCS, Block, Walk, blocks
from tests.e2e.kafka.broker import free_port

PAGE = "operator-guide.md"
LOGS = ("embedded", "kafka")
TAGS: Mapping[str, tuple[str, ...]] = {"run": ("", *LOGS), "file": (), "log": ("kafka",)}
# What a reader must see on the way; the commands themselves must all succeed.
EVERYWHERE = (
    "Registry version 1 is on the log",
    "2 rows read: 2 published (2 added, 0 modified)",
    "complete",
    '"name":"周晓兰"',
    '"status":"valid"',
    '"receipt":{',
)
SHOWN = {
    "embedded": ("7 topics created", *EVERYWHERE),
    "kafka": ("1 of 1 node(s) ready", "All 7 topics are as they should be", *EVERYWHERE),
}
_LOG_TABLE = re.compile(r"^\[log\]\n(?:[^\[\n].*\n)*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class OnLog:
    """A walk on one of the logs."""

    walk: Walk
    log: str

    def take(self, block: Block) -> str:
        if "file" in block.tags and self.log == "kafka":  # rule 2
            [table] = [one.text for one in blocks(PAGE) if one.tags.get("log") == "kafka"]
            return self.walk.take(replace(block, text=_LOG_TABLE.sub(lambda _: table, block.text)))
        if "file" in block.tags or block.tags.get("run") in ("", self.log):
            return self.walk.take(block)
        return ""

    def end(self) -> None:
        self.walk.end()
        if (self.walk.directory / "kafka" / "settings").exists():
            self.walk.run("the end", "sh deploy/kafka/kafka.sh stop --dir kafka")


@pytest.fixture(params=LOGS)
def walk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OnLog]:
    (tmp_path / "deploy").symlink_to(DOCS.parent / "deploy")
    port = free_port()
    made = OnLog(Walk(tmp_path, {"9092": str(port), "8443": str(port + 5)}), request.param)
    try:
        yield made
    finally:
        made.end()


def test_the_guide_works_as_written(walk: OnLog) -> None:
    printed = "".join(map(walk.take, blocks(PAGE)))
    for told in SHOWN[walk.log]:
        assert told in printed, told
    [lookup] = [block for block in blocks(PAGE) if "/v1/lookups" in block.text]
    assert '"name":"周晓兰"' in walk.take(lookup), "after all that, the node does not answer"
    if walk.log == "kafka":
        assert not (walk.walk.directory / "log").exists()


def test_every_tag_means_something() -> None:
    found = [(block.line, name, value) for block in blocks(PAGE) for name, value in block.tags.items()]
    unknown = [one for one in found if one[1] not in TAGS or (TAGS[one[1]] and one[2] not in TAGS[one[1]])]
    assert unknown == []
    assert {value for _, name, value in found if name == "run"} >= {"", *LOGS}
