"""Every file call of the audit log fails once, in every way; nothing acknowledged is lost, nothing is torn.

In the style of Sunlight's TestSequenceErrors: a script of calls is recorded on a good disk, then run again for each
call × each way to fail. After each run the log is opened on a good disk and verified entirely.
"""

from pathlib import Path

import pytest

from audit.log import Limits
from audit.reader import LogReader
from audit.verify import verify
from tests.integration.audit_support import (
    SIGNER,
    FailingDisk,
    ForgetfulDisk,
    Outcome,
    entry,
    open_log,
    run_with,
)

LIMITS = Limits(publish_seconds=0.0, segment_bytes=10_000)
GROUPS = (250, 10, 3)


def calls_of_a_good_run(directory: Path, heads: Path | None = None) -> list[str]:
    disk = FailingDisk()
    outcome = run_with(disk, directory, LIMITS, GROUPS, heads)
    assert (len(outcome.acknowledged), outcome.published, outcome.fatal) == (263, 263, [])
    return disk.calls


def check_after(directory: Path, outcome: Outcome) -> None:
    """Everything that was acknowledged is there at its index, and the log is whole and usable."""
    log = open_log(directory, disk=FailingDisk())
    size = log.size
    assert size >= max([outcome.published, *(index + 1 for index in outcome.acknowledged)])
    assert log.append_blocking(entry(size), b"") == size
    log.close()
    report = verify(directory, SIGNER.public, openings=True)
    assert (report.difference, report.size) == (None, size + 1)
    reader = LogReader(directory, SIGNER.public)
    stored = [found for number in range(-(-size // 256)) for found in reader.entries(number, size)]
    assert stored == [entry(index) for index in range(size)]


def check_failed(outcome: Outcome) -> None:
    """A failure is never silent: opening raised, or the log died once and refused whoever still came."""
    assert not outcome.opened or len(outcome.fatal) == 1
    assert len(outcome.acknowledged) + outcome.refused == (sum(GROUPS) if outcome.opened else 0)


@pytest.mark.parametrize(
    ("mode", "crash"), [("before", False), ("after", False), ("short", False), ("after", True), ("short", True)]
)
def test_every_call_fails_once(tmp_path: Path, mode: str, crash: bool) -> None:
    calls = calls_of_a_good_run(tmp_path / "good")
    assert {"create", "write", "datasync", "sync", "rename", "remove"} <= set(calls)
    for number in range(len(calls)):
        directory = tmp_path / f"{number}"
        disk = FailingDisk(number, mode, crash)
        outcome = run_with(disk, directory, LIMITS, GROUPS)
        if len(disk.calls) > number:  # threads interleave differently: a run may need fewer calls
            check_failed(outcome)
        check_after(directory, outcome)


def test_power_is_lost_at_every_call(tmp_path: Path) -> None:
    for number in range(len(calls_of_a_good_run(tmp_path / "good"))):
        directory = tmp_path / f"{number}"
        disk = ForgetfulDisk(number)
        outcome = run_with(disk, directory, LIMITS, GROUPS)
        disk.lose_power()
        check_after(directory, outcome)


def test_recovery_makes_durable_what_it_read_back(tmp_path: Path) -> None:
    """A frame whose sync failed may still be read back from memory. Once an outside head counts it, it must last."""
    (tmp_path / "heads").mkdir()
    calls = calls_of_a_good_run(tmp_path / "good", tmp_path / "heads")
    last_sync = max(number for number, call in enumerate(calls) if call == "datasync")
    for number in range(30):
        directory, heads = tmp_path / f"{number}", tmp_path / f"heads{number}"
        heads.mkdir()
        disk = ForgetfulDisk(last_sync)
        run_with(disk, directory, LIMITS, GROUPS, heads)
        disk = disk.restarted(number)
        run_with(disk, directory, LIMITS, (), heads)
        disk.lose_power()
        open_log(directory, heads, disk=FailingDisk()).close()


def test_recovery_may_fail_at_every_call_too(tmp_path: Path) -> None:
    for number in range(60):
        directory = tmp_path / f"{number}"
        first = run_with(FailingDisk(40, "before", crash=True), directory, LIMITS, GROUPS)
        disk = ForgetfulDisk(number)
        second = run_with(disk, directory, LIMITS, ())
        disk.lose_power()
        check_after(directory, Outcome([*first.acknowledged, *second.acknowledged]))
