"""A full disk under the outbox: nothing is half published, the person is told which disk, and space is all it takes."""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contracts.algorithms import suite_of
from contracts.feeds import bucket_digests
from tests.integration.adapter_city import COMMAND, ENVIRONMENT, ROOT, Department, Outcome, department, row
from tests.small_disk import SmallDisk, small_disk
from tests.waiting import until

FULL = "The disk is full"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", "24m") as made:
        yield made


@pytest.fixture
def dept(tmp_path: Path, disk: SmallDisk) -> Department:
    made = department(tmp_path)
    config = made.config.read_text("utf-8").replace('"outbox.db"', f'"{disk.path}/outbox.db"')
    made.config.write_text(config, "utf-8")
    return made


def run(dept: Department, disk: SmallDisk, *arguments: str) -> Outcome:
    found = subprocess.run(
        [*COMMAND, "run", "adapter.toml", "--json", *arguments],
        cwd=dept.root,
        env={**ENVIRONMENT, **disk.environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in found.stderr, found.stderr
    return Outcome(found.returncode, found.stdout, found.stderr)


def assert_whole(dept: Department, count: int, live: int) -> None:
    """Every number from 1 to `count` exactly once, in order, and a last full statement that fits."""
    assert [evidence.claims.position.seq for evidence in dept.messages()] == list(range(1, count + 1))
    full = [statement for statement in dept.statements() if statement.buckets is not None][-1]
    assert (full.position.seq, full.count) == (count, live)
    assert full.buckets == bucket_digests(dept.live().values(), suite_of("ES256"))


def assert_told(error: str, disk: SmallDisk) -> None:
    """One line: what, where, and what to do."""
    [line] = error.splitlines()
    assert FULL in line
    assert str(disk.path) in line
    assert "Free some disk space" in line


@pytest.mark.parametrize("leave", [0, pytest.param(1_500_000, marks=pytest.mark.long)])
def test_a_run_on_a_full_disk_publishes_nothing_and_the_next_one_everything(
    dept: Department, disk: SmallDisk, leave: int
) -> None:
    dept.write(row(number) for number in range(100))
    assert run(dept, disk).code == 0
    before = dept.records()
    disk.fill(leave)
    dept.write(row(number) for number in range(2000))
    for _ in range(2):
        found = run(dept, disk)
        assert found.code == 4
        assert_told(found.err, disk)
        assert dept.records() == before
    disk.free()
    assert run(dept, disk, "--full").code == 0
    assert_whole(dept, 2000, 2000)


def test_the_first_run_of_all_on_a_full_disk(dept: Department, disk: SmallDisk) -> None:
    dept.write(row(number) for number in range(10))
    disk.fill()
    found = run(dept, disk)
    assert found.code == 4
    assert_told(found.err, disk)
    disk.free()
    assert run(dept, disk).code == 0
    assert_whole(dept, 10, 10)


@pytest.mark.long
def test_refused_rows_that_cannot_be_reported_fail_the_run(dept: Department, disk: SmallDisk) -> None:
    dept.write(row(number) for number in range(10))
    assert run(dept, disk).code == 0
    disk.fill()
    dept.write([*(row(number) for number in range(10)), *(row(number, status="?") for number in range(50, 90))])
    found = run(dept, disk)
    assert found.code == 4
    assert_told(found.err, disk)
    disk.free()
    again = run(dept, disk, "--full")
    assert (again.code, again.stream["refused"]) == (0, 40)
    assert_whole(dept, 10, 10)


def test_what_the_log_took_is_not_sent_again_because_the_mark_found_no_room(dept: Department, disk: SmallDisk) -> None:
    dept.write(row(number) for number in range(900))
    child = [sys.executable, "-m", "tests.integration.disk_full_publisher"]
    found = subprocess.run(
        [*child, str(dept.root), str(disk.path), str(disk.mounted)],
        cwd=ROOT,
        env={**ENVIRONMENT, **disk.environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    states = json.loads(found.stdout)
    assert [state for state, _ in states] == ["failed", "failed", "published"]
    assert all(FULL in error for _, error in states[:2])
    assert run(dept, disk, "--full").code == 0
    assert_whole(dept, 900, 900)


def test_an_adapter_that_watches_says_it_once_and_goes_on_by_itself(dept: Department, disk: SmallDisk) -> None:
    dept.write(row(number) for number in range(10))
    told = dept.root / "stderr"
    with (
        told.open("wb") as errors,
        subprocess.Popen(
            [*COMMAND, "run", "--watch", "0.1"],
            cwd=dept.root,
            env={**ENVIRONMENT, **disk.environment},
            stdout=subprocess.DEVNULL,
            stderr=errors,
        ) as process,
    ):
        until(lambda: len(dept.messages()) == 10)
        disk.fill()
        dept.write(row(number) for number in range(1000))
        until(lambda: FULL in told.read_text("utf-8"))
        until(looked_again(process.pid))
        assert len(dept.messages()) == 10
        disk.free()
        until(lambda: len(dept.messages()) == 1000)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert Counter(FULL in line for line in told.read_text("utf-8").splitlines()) == {True: 1}
    assert run(dept, disk, "--full").code == 0
    assert_whole(dept, 1000, 1000)


def looked_again(pid: int) -> Callable[[], bool]:
    """Whether the process has worked on for some time of its own since now: about ten looks."""

    def used() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(") ")[2].split()
        return int(fields[11]) + int(fields[12])

    start = used()
    return lambda: used() >= start + 20
