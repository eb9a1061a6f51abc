"""The demo's processes and its directory: nothing is left behind, and what ended by itself is named."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.errors import UserError
from contracts.text import Text
from gateway.demo.layout import only_demo, prepare
from gateway.demo.processes import Processes

WAITS = [sys.executable, "-c", "import signal; print('up', flush=True); signal.pause()"]
FAILS = [sys.executable, "-c", 'import sys; print(\'{"event":"x"}\\nError: why.\', file=sys.stderr); sys.exit(3)']


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with only_demo(tmp_path / "demo") as held, Processes(tmp_path / "logs", held) as running:
        yield running


def test_a_process_that_failed_is_told_in_its_own_last_words(processes: Processes) -> None:
    processes.start("adapter", FAILS)
    with pytest.raises(UserError) as told:
        processes.result("adapter")
    assert told.value.what.en == "The process adapter ended unexpectedly: Error: why."
    assert told.value.where == str(processes.logs / "adapter.log")


def test_a_killed_process_ends_the_serving_and_is_named_with_its_signal(processes: Processes) -> None:
    processes.start("serve", WAITS)
    processes.running["serve"].kill()
    with pytest.raises(UserError) as told:
        processes.watch(threading.Event())
    assert "serve ended unexpectedly: SIGKILL" in told.value.what.en


def test_watching_ends_when_asked(processes: Processes) -> None:
    processes.start("serve", WAITS)
    stop = threading.Event()
    stop.set()
    processes.watch(stop)
    assert processes.running["serve"].poll() is None


def test_waiting_too_long_names_what_was_waited_for(processes: Processes) -> None:
    with pytest.raises(UserError) as told:
        processes.wait_until(Text("入库", "ingest"), lambda: False, 0.0)
    assert told.value.what == Text("等待超时:入库", "Waited too long for: ingest")


def test_a_process_that_is_waited_for_ends_with_the_demo(tmp_path: Path) -> None:
    """An interrupt may come while an adapter is waited for: it must not go on alone."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    running = Processes(tmp_path, os.open(tmp_path, os.O_RDONLY))
    running.start("adapter", WAITS)
    child = running.running["adapter"]
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            running.result("adapter")
    finally:
        signal.signal(signal.SIGALRM, before)
        os.close(running.held)
    running.stop()
    assert child.returncode == -signal.SIGTERM


def test_one_demo_at_a_time_in_a_directory(tmp_path: Path) -> None:
    with only_demo(tmp_path / "demo"), pytest.raises(UserError, match="still runs"), only_demo(tmp_path / "demo"):
        raise AssertionError("two demos in one directory")
    with only_demo(tmp_path / "demo"):
        pass


def test_a_process_left_behind_holds_the_directory(tmp_path: Path) -> None:
    with only_demo(tmp_path / "demo") as held:
        orphan = subprocess.Popen(WAITS, stdout=subprocess.PIPE, pass_fds=(held,))
        assert orphan.stdout is not None
        assert orphan.stdout.readline() == b"up\n"
    with pytest.raises(UserError, match="still runs"), only_demo(tmp_path / "demo"):
        raise AssertionError("the orphan would write into this demo")
    orphan.kill()
    orphan.wait()
    orphan.stdout.close()
    with only_demo(tmp_path / "demo"):
        pass


def test_a_former_demo_is_replaced_and_nothing_else_is(tmp_path: Path) -> None:
    layout = prepare(tmp_path / "demo")
    (layout.root / "departments").mkdir()
    (layout.root / "departments" / "old.csv").touch()
    first = layout.public("registry-root").read_bytes()
    assert prepare(tmp_path / "demo").public("registry-root").read_bytes() != first
    assert not (layout.root / "departments").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(UserError, match="holds no former demo"):
        prepare(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").exists()
