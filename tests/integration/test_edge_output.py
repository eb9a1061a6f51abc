"""How console programs end, seen from outside: a small application run as a process of its own."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APP = """
import os, signal, sys
import typer
from contracts.edge.output import emit_json, progress, run, say
from contracts.errors import Corrupt, Fault, UserError
from contracts.text import Text

app = typer.Typer(add_completion=False, rich_markup_mode=None)

RAISES = {
    "user": UserError(Text("坏", "Bad"), "a.toml:3", Text("改", "Mend it.")),
    "fault": Fault("alg_unknown", "/alg"),
    "corrupt": Corrupt("a segment"),
    "bug": ZeroDivisionError("bug"),
    "file": FileNotFoundError(2, "No such file or directory", "/nowhere"),
    "exit": typer.Exit(7),
}

@app.command()
def fail(kind: str) -> None:
    raise RAISES[kind]

@app.command()
def wait() -> None:
    print("ready", flush=True)
    signal.pause()

@app.command()
def numbers(count: int) -> None:
    for number in range(count):
        print(number)

@app.command()
def show() -> None:
    say(Text("你好", "hello"))
    with progress(Text("进度", "Progress"), 3) as advance:
        for _ in range(3):
            advance(1)
    emit_json({"名": [1, 2]})

run(app)
"""


def _env(lang: str = "en") -> dict[str, str]:
    return {**os.environ, "ONCEGATE_LANG": lang, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "80"}


def _run(*args: str, lang: str = "en") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", APP, *args], env=_env(lang), capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("args", "code", "line"),
    [
        (["fail", "user"], 2, "Error: Bad (a.toml:3). Mend it."),
        (["fail", "fault"], 2, "Error: Unknown algorithm (alg_unknown /alg). "),
        (["fail", "corrupt"], 3, "Error: Stored data is damaged: a segment. Stop using that directory and restore it."),
        (["fail", "file"], 2, "Error: No such file or directory (/nowhere). Check the path."),
        (["numbers", "x"], 2, "Error: Invalid value for 'count'"),
        (["numbers"], 2, "Error: Missing argument 'count'. See -c numbers --help"),
        (["nonsense"], 2, "Error: No such command 'nonsense'. See -c --help"),
        (["show", "--nonsense"], 2, "Error: No such option: --nonsense. See -c show --help"),
    ],
)
def test_a_mistake_is_one_line(args: list[str], code: int, line: str) -> None:
    done = _run(*args)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1


def test_a_mistake_is_told_in_the_language_of_the_reader() -> None:
    assert _run("fail", "user", lang="zh").stderr == "错误: 坏 (a.toml:3)。改\n"


def test_a_fault_of_the_program_keeps_its_traceback() -> None:
    done = _run("fail", "bug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_an_exit_code_chosen_by_a_command_is_kept() -> None:
    assert _run("fail", "exit").returncode == 7


def test_results_go_to_stdout_and_progress_is_silent_without_a_terminal() -> None:
    done = _run("show")
    hello, line = done.stdout.splitlines()
    assert (done.returncode, hello, json.loads(line), done.stderr) == (0, "hello", {"名": [1, 2]}, "")
    assert _run("show", lang="zh").stdout.startswith("你好\n")


def test_progress_shows_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", APP, "show"], env=_env(), stdout=subprocess.PIPE, stderr=theirs, check=False, timeout=60
    )
    os.close(theirs)
    shown = os.read(ours, 65536)
    os.close(ours)
    assert done.returncode == 0
    assert b"Progress" in shown
    assert b"100%" in shown


def test_ctrl_c_ends_quietly() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", APP, "wait"], env=_env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr.read() == ""


@pytest.mark.parametrize("count", ["3", "100000"])  # noticed at the last flush, and in the middle
def test_a_closed_pipe_ends_quietly(count: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", APP, "numbers", count],
        env=_env(),
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_help_loads_nothing_that_is_slow() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", APP, "--help"],
        env=_env(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0
    assert "numbers" in done.stdout
    loaded = {line.rsplit("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "typer" in loaded
    assert not {"rich", "apsw", "aiohttp", "contracts.edge.transport"} & loaded
