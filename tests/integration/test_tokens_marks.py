"""The file of marks: what a restart must not forget."""

from pathlib import Path

import pytest

from contracts.errors import UserError
from gateway.tokens.edge.marks import FileMarks
from gateway.tokens.replay import FIRST, STALE, LocalReplay, Use


def life(path: Path, *uses: Use, now: int) -> list[str]:
    marks = FileMarks(path)
    memory = LocalReplay(now, marks=marks)
    outcomes = [memory.once(use, now) for use in uses]
    marks.close()
    return outcomes


def use(kid: str, issued: int) -> Use:
    return Use("dpop", kid, f"j-{issued}", issued, issued + 60)


def test_what_was_accepted_before_is_refused_after_a_restart_with_the_clock_set_back(tmp_path: Path) -> None:
    path = tmp_path / "marks"
    used = [use(kid, 7200 + second) for kid in ("a", "b") for second in range(3)]
    assert life(path, *used, now=7_200_000) == [FIRST] * 6
    back = [use("a", 3601), use("a", 7202), use("b", 3650), use("c", 3601)]
    assert life(path, *back, now=3_600_000) == [STALE, STALE, STALE, FIRST]
    assert life(path, use("a", 7203), use("c", 3601), use("c", 7203), now=7_203_000) == [FIRST, STALE, FIRST]
    assert path.stat().st_size == 3 * 45
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_lost_in_a_power_cut_is_lost_alone(tmp_path: Path) -> None:
    path = tmp_path / "marks"
    life(path, use("a", 100), use("b", 100), now=100_000)
    data = path.read_bytes()
    path.write_bytes(bytes(45) + data[45:] + data[:20])
    assert life(path, use("a", 100), use("b", 100), use("c", 100), now=100_000) == [FIRST, STALE, FIRST]
    assert life(path, use("a", 100), use("b", 100), use("c", 100), now=100_000) == [STALE, STALE, STALE]


def test_one_process_at_a_time(tmp_path: Path) -> None:
    marks = FileMarks(tmp_path / "marks")
    with pytest.raises(UserError):
        FileMarks(tmp_path / "marks")
    marks.close()
