"""A serving process whose audit log's system calls fail: what has no durable record is not answered, the process ends,
and a restart is whole."""

import subprocess
from pathlib import Path

import pytest

from tests.e2e.faults.load import Answer, Asker
from tests.integration.disk_town import Town, ends_well, town
from tests.integration.strace import INJECTED, attached
from tests.integration.test_disk_full_node import QUESTION, answered, asking, assert_audited, fill_store


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        ("fdatasync", "EIO", "The disk cannot be read or written"),
        pytest.param("fdatasync", "ENOSPC", "The disk is full", marks=pytest.mark.long),
        pytest.param("write", "ENOSPC", "The disk is full", marks=pytest.mark.long),
    ],
)
def test_without_a_durable_record_nothing_is_answered(tmp_path: Path, call: str, error: str, said: str) -> None:
    with town(tmp_path, "48m") as made, asking(made) as asker:
        fill_store(made)
        serve = made.start("serve")
        answers = [answered(asker)]
        frames = segment(made)
        with attached(serve.pid, tmp_path / "trace", [*on(frames, call), "-e", f"inject={call}:error={error}"]):
            assert refusals(asker, serve) >= 1
        assert INJECTED in (tmp_path / "trace").read_text("utf-8")
        assert serve.returncode == 70
        [line] = [line for line in made.said("serve").splitlines() if "audit_log_failed" in line]
        assert said in line
        assert frames.name in line
        check_restart(made, asker, answers)


@pytest.mark.long
@pytest.mark.parametrize("call", ["openat", "write", "fsync", "rename"])
def test_a_head_that_cannot_be_published_ends_the_process(tmp_path: Path, call: str) -> None:
    """What was answered until then has its record."""
    with town(tmp_path, "48m") as made, asking(made) as asker:
        fill_store(made)
        serve = made.start("serve")
        answers = [answered(asker)]
        checkpoint = directory(made) / "checkpoint.tmp"
        with attached(serve.pid, tmp_path / "trace", [*on(checkpoint, call), "-e", f"inject={call}:error=EIO"]):
            while serve.poll() is None:
                answer = asker.ask(QUESTION)
                if answer is not None and answer.status == 200:
                    answers.append(answer)
        assert serve.returncode == 70
        check_restart(made, asker, answers)


def on(path: Path, call: str) -> list[str]:
    """This call on this file, in every thread."""
    return ["-f", "-P", str(path), "-e", f"trace={call}"]


def refusals(asker: Asker, serve: "subprocess.Popen[bytes]") -> int:
    """Ask until the process has ended; how often it said 503."""
    count = 0
    while serve.poll() is None:
        answer = asker.ask(QUESTION)
        if answer is not None:
            assert (answer.status, answer.body["code"]) == (503, "audit_unavailable")
            assert "evidence" not in answer.body
            count += 1
    return count


def check_restart(made: Town, asker: Asker, answers: list[Answer]) -> None:
    """It serves again, and every answer is recorded."""
    serve = made.start("serve")
    answers.append(answered(asker))
    assert ends_well(serve)
    assert_audited(made, answers)


def directory(made: Town) -> Path:
    return made.layout.audit(made.layout.slots[0])


def segment(made: Town) -> Path:
    """The file that frames go to."""
    return max((directory(made) / "frames").iterdir())
