"""The replay memories under one contract, and the shared one between real processes."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import UserError
from gateway.tokens.edge.shared_replay import SharedReplay
from gateway.tokens.replay import FIRST, FULL, SEEN, STALE, LocalReplay, ReplayMemory, Use

Make = Callable[[int, int], ReplayMemory]  # (started, limit)

PROCESS = """
import sys
from pathlib import Path
from gateway.tokens.edge.shared_replay import SharedReplay
from gateway.tokens.replay import Use
memory = SharedReplay(Path(sys.argv[1]), 0)
print("ready", flush=True)
sys.stdin.readline()
uses = [Use("dpop", "kid", f"j-{n}", 10, 70) for n in range(60)]
print(",".join(use.jti for use in uses if memory.once(use, 11_000) == "first"))
"""


@pytest.fixture(params=["local", "shared"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    if request.param == "local":
        return LocalReplay
    return lambda started, limit: SharedReplay(tmp_path, started, limit)


def use(jti: str, issued: int = 10, expires: int = 70) -> Use:
    return Use("dpop", "kid", jti, issued, expires)


def test_first_then_seen_then_stale(make: Make) -> None:
    memory = make(0, 10)
    outcomes = [memory.once(use("a"), now) for now in (10_000, 10_000, 70_999, 71_000, 500_000, 10_000)]
    assert outcomes == [FIRST, SEEN, SEEN, STALE, STALE, STALE]


def test_what_was_forgotten_is_refused_when_the_clock_jumps_back(make: Make) -> None:
    memory = make(0, 10)
    assert memory.once(use("a"), 10_000) == FIRST
    assert memory.once(use("b", 400, 460), 400_000) == FIRST
    assert memory.once(use("a"), 10_000) == STALE


def test_a_full_memory_refuses_and_recovers(make: Make) -> None:
    memory = make(0, 2)
    assert [memory.once(use(jti), 10_000) for jti in "abcab"] == [FIRST, FIRST, FULL, SEEN, SEEN]
    assert memory.once(use("c", 60, 120), 71_000) == FIRST


def test_a_start_refuses_what_is_older_than_itself(make: Make) -> None:
    memory = make(10_001, 10)
    assert memory.accepts_from == 11_000
    assert [memory.once(use("a", issued), 11_000) for issued in (10, 11)] == [STALE, FIRST]


def test_two_openings_of_one_file_are_one_memory(tmp_path: Path) -> None:
    first, second = SharedReplay(tmp_path, 5_000), SharedReplay(tmp_path, 9_000_000)
    assert second.accepts_from == 5_000
    assert [memory.once(use("a"), 10_000) for memory in (first, second, first)] == [FIRST, SEEN, SEEN]
    first.close()
    second.close()


def test_after_a_restart_of_the_process_everything_is_still_known(tmp_path: Path) -> None:
    memory = SharedReplay(tmp_path, 0)
    assert memory.once(use("a"), 10_000) == FIRST
    memory.close()
    again = SharedReplay(tmp_path, 10_500)
    assert [again.once(use(jti), 11_000) for jti in "ab"] == [SEEN, FIRST]
    again.close()


def test_after_a_reboot_the_memory_begins_anew_and_says_so(tmp_path: Path) -> None:
    memory = SharedReplay(tmp_path, 0, boot="one")
    assert memory.once(use("a"), 10_000) == FIRST
    memory.close()
    again = SharedReplay(tmp_path, 12_000, boot="two")
    assert [again.once(use(jti), 12_000) for jti in "ab"] == [STALE, STALE]
    assert again.once(use("c", 12, 72), 12_000) == FIRST
    assert not [path for path in tmp_path.iterdir() if "one" in path.name]
    again.close()


def test_a_directory_that_cannot_be_used_is_a_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        SharedReplay(tmp_path / "absent", 0)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 300), st.integers(0, 400_000)), max_size=40),
    st.integers(1, 4),
)
def test_the_shared_memory_never_accepts_twice(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[str, int, int]], limit: int
) -> None:
    directory = tmp_path_factory.mktemp("memory")
    memories = [SharedReplay(directory, 0, limit) for _ in range(2)]
    accepted: set[Use] = set()
    for number, (jti, issued, now) in enumerate(history):
        this = use(jti, issued, issued + 60)
        if memories[number % 2].once(this, now) == FIRST:
            assert this not in accepted
            accepted.add(this)
    for memory in memories:
        memory.close()


def test_of_several_processes_exactly_one_is_first(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROCESS, str(tmp_path)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=60)[0].strip() for process in processes]
    accepted = [jti for output in outputs for jti in output.split(",") if jti]
    assert sorted(accepted) == sorted(f"j-{n}" for n in range(60))
