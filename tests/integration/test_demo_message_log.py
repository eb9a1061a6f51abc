"""What `oncegate demo` takes as the table of its log; no broker."""

import re
from pathlib import Path

import pytest

from contracts.edge.config import parse_toml
from contracts.errors import UserError
from gateway.demo.message_log import KAFKA, Wanted, choose

LOG = '[log]\nkind = "kafka"\nsecurity = "none"\nprefix = "ours."\n'


def file(directory: Path, text: str) -> Path:
    path = directory / "kafka.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_table_is_written_as_it_was_read(tmp_path: Path) -> None:
    log = choose(Wanted(KAFKA, "kafka:9092", file(tmp_path, LOG + "patience = 7\n")))
    written = parse_toml(log.configured("[log]\nkind = 'embedded'\n\n[other]\n"), tmp_path / "node.toml")
    assert written.table == {
        "log": {
            "kind": "kafka",
            "security": "none",
            "prefix": log.prefix,
            "patience": 7,
            "bootstrap": "kafka:9092",
        },
        "other": {},
    }
    assert re.fullmatch(r"ours\.oncegate-demo-[0-9a-f]{8}\.", log.prefix)
    assert choose(Wanted(KAFKA, "kafka:9092", prefix="mine.")).prefix == "mine."


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        (LOG + "patience = 2026-01-01\n", "patience must be a number", 5),
        (LOG + "since = 2026-01-01\n", "since is not an option here", 5),
        (LOG.replace('"ours."', "2026-01-01"), "prefix must be a text", 4),
        (LOG.replace('"none"', '"sasl"'), "sasl_mechanism is missing", 1),
        (LOG.replace('"kafka"', '"embedded"'), "kind cannot be 'embedded'", 2),
    ],
)
def test_a_table_that_opens_no_log_is_refused_with_its_line(tmp_path: Path, text: str, what: str, line: int) -> None:
    path = file(tmp_path, text)
    with pytest.raises(UserError) as refused:
        choose(Wanted(KAFKA, "kafka:9092", path))
    assert what in refused.value.what.en
    assert f"{path}:{line}" in refused.value.where
