"""The commands of docs/auditor-guide.md about the index, run as they stand there, where what they name is there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.edge.keys import create_signing_key, write_hpke_public
from tests.integration.audit_support import AUDITOR
from tests.integration.search_world import facts, key_file, write_many

GUIDE = Path(__file__).parents[2] / "docs" / "auditor-guide.md"
TEXT = GUIDE.read_text("utf-8").partition("## An index, and searches")[2].partition("## Checking with other")[0]
BIN = Path(sys.executable).parent

# Part of what each command says, in order.
SAID = (
    "",
    "gov.example/a: 90 entries indexed, 90 of them new",
    "Nothing matches",
    '"hits":[',
    "Nothing matches",
    "c2sp.org/tlog-proof@v1",
    "30 records",
    "case without an access: 1",
    "",
    "Right: seed ",
    "0 findings; each is for a person to look into, none is a verdict",
    '"rule":"own_record"',
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An auditor's working directory: a mirror with a log of 90 records, keys, lists."""
    path = tmp_path_factory.mktemp("desk")
    write_many(path / "mirror/slot-1", "gov.example/a", (facts(n, clerk=f"10{n % 30}") for n in range(90)))
    key_file(path / "auditor.pem", AUDITOR)
    create_signing_key(path / "own-log-key.pem", "EdDSA")
    write_hpke_public(path / "auditor.public.pem", AUDITOR.public_key())
    (toml,) = re.findall(r"```toml\n(# own-log.toml\n.*?)```", TEXT, re.DOTALL)
    (path / "own-log.toml").write_text(toml)
    (path / "cases.csv").write_text("case,closed,holder_scheme,holder_id\nSECRET-CASE-1,2026-11-03,cn.uscc,X\n")
    (path / "roster.csv").write_text("clerk,scheme,id\n103,cn.uscc,SECRETHOLDER3\n")
    return path


def test_the_guide_as_it_stands(desk: Path) -> None:
    commands = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()]
    assert len(commands) == len(SAID)
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "ONCEGATE_LANG": "en"}
    for command, said in zip(commands, SAID, strict=True):
        done = subprocess.run(
            ["bash", "-c", command], cwd=desk, env=env, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, (command, done.stderr)
        assert said in done.stdout, (command, done.stdout)
    assert (desk / "own-log/checkpoint").read_text().split("\n")[1] == "10"
