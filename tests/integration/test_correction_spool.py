"""Open correction requests on disk: read as they were written; a file of another form is told and hides no other."""

import json
from pathlib import Path

import pytest

from contracts.corrections import Correction
from contracts.errors import Corrupt
from contracts.streams import Position
from gateway.corrections.judge import Open
from gateway.corrections.spool import Spool

ONE = Open(
    Correction("0a", "node-1", "market", "market-1", "cn.a", "rec-1", "sha-256:0", ("name",), "other", "cn.item", 1, 2),
    Position(5, 3),
    7,
    recorded=True,
    sent_at=8,
)


@pytest.mark.parametrize(
    "changes",
    [
        {"position": None},
        {"position": [5]},
        {"position": [5, "3"]},
        {"sent_at": True},
        {"late": 1},
        {"epoch": 5},  # of an earlier form
        {"correction": {}},
    ],
)
def test_a_file_of_another_form_is_told_and_hides_no_other(tmp_path: Path, changes: dict[str, object]) -> None:
    spool = Spool(tmp_path)
    spool.keep(ONE)
    (path,) = tmp_path.iterdir()
    path.with_name("00.json").write_text(json.dumps(json.loads(path.read_bytes()) | changes))
    found: list[Open] = []
    with pytest.raises(Corrupt, match=r"00\.json"):
        found.extend(spool.all())
    assert found == [ONE]
