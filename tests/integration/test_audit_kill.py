"""kill -9 of a real writer under load: what it acknowledged is there, at its index, after recovery."""

import random
import subprocess
import sys
from pathlib import Path

from audit.reader import LogReader
from audit.verify import verify
from tests.integration.audit_support import SIGNER, entry, open_log

ROOT = Path(__file__).parents[2]


def run_and_kill(directory: Path, lines: int) -> dict[int, int]:
    """Index → entry number, of everything acknowledged until the kill after so many lines."""
    command = [sys.executable, "-m", "tests.integration.audit_writer", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as writer:
        assert writer.stdout is not None
        seen = [writer.stdout.readline() for _ in range(lines)]
        writer.kill()
        seen += writer.stdout.read().splitlines(keepends=True)
    whole = [line.split() for line in seen if line.endswith(b"\n")]
    return {int(index): int(number) for index, number in whole}


def test_kill_at_random_instants(tmp_path: Path) -> None:
    chance = random.Random(20261122)
    acknowledged: dict[int, int] = {}
    for _ in range(4):
        found = run_and_kill(tmp_path, chance.randrange(1, 6000))
        assert found
        assert not found.keys() & acknowledged.keys()
        acknowledged |= found
    log = open_log(tmp_path)
    size = log.size
    log.close()
    assert verify(tmp_path, SIGNER.public, openings=True).difference is None
    reader = LogReader(tmp_path, SIGNER.public)
    stored = [found for number in range(-(-size // 256)) for found in reader.entries(number, size)]
    assert {index: stored[index] for index in acknowledged} == {i: entry(n) for i, n in acknowledged.items()}
