"""Every fault of the table, on a city under load, and nothing lost, duplicated, reordered, unaudited, unverified.

In the end the topics are compacted, and a store from scratch is the one that lived through all of it.
"""

import json
from pathlib import Path

from tests.e2e.faults.matrix import Run, play
from tests.e2e.faults.rebuild import buckets, rebuild
from tests.e2e.faults.scenarios import Scenario


def test_fault(run: Run, scenario: Scenario, times: int) -> None:
    play(run, scenario, times)


def test_a_store_from_scratch_after_compaction(run: Run, tmp_path: Path) -> None:
    run.looked()
    found = rebuild(run.city, tmp_path)
    assert found.after < found.before, "nothing was compacted"
    run.notes.append(f"compacted from {found.before} to {found.after} records; the store from scratch is equal")
    assert set(found.status.values()) == {"complete"}
    for adapter, old in found.old.items():
        new = found.new[adapter]
        assert new.rows == old.rows
        epoch = json.loads(old.state)["head"][0]
        assert buckets(new.rows, epoch) == buckets(old.rows, epoch) == found.stated[adapter]
