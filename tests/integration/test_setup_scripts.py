"""deploy/setup: what the scripts ask of a system, with an apt-get and a sudo of the test's own."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETUP = ROOT / "deploy" / "setup"
SCRIPTS = sorted((ROOT / "deploy").glob("*/*.sh"))
# As env_reset of sudo does it: no variable of the caller's comes through.
SUDO = 'exec env -i PATH="$PATH" TOLD="$TOLD" "$@"'
APT_GET = 'echo "$DEBIAN_FRONTEND: $*" >>"$TOLD"'


def programs(directory: Path, given: Mapping[str, str]) -> Path:
    """A directory with these programs, and nothing else of the machine's but a shell and env."""
    directory.mkdir()
    for name in ("sh", "env"):
        found = shutil.which(name)
        assert found is not None
        (directory / name).symlink_to(found)
    for name, text in given.items():
        (directory / name).write_text(f"#!/bin/sh\n{text}\n")
        (directory / name).chmod(0o755)
    return directory


def install(tmp_path: Path, given: Mapping[str, str]) -> tuple[int, str, str]:
    """Exit code, stderr, and what apt-get was told, of `apt_install curl gcc`."""
    told = tmp_path / "told"
    told.touch()
    done = subprocess.run(
        ["/bin/sh", "-euc", f". {SETUP}/apt.sh; apt_install curl gcc"],
        env={"PATH": str(programs(tmp_path / "bin", given)), "TOLD": str(told)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr, told.read_text()


@pytest.mark.parametrize("user", ["0", "1000"])
def test_packages_are_installed_without_questions(tmp_path: Path, user: str) -> None:
    given = {"id": f"echo {user}", "apt-get": APT_GET} | ({"sudo": SUDO} if user != "0" else {})
    code, errors, told = install(tmp_path, given)
    assert (code, errors) == (0, "")
    assert told.splitlines() == [": update -qq", "noninteractive: install -y -qq --no-install-recommends curl gcc"]


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"id": "echo 1000", "apt-get": APT_GET}, "have the administrator install curl gcc"),
        ({"id": "echo 0"}, "install curl gcc with this system's package manager"),
    ],
)
def test_where_nothing_can_be_installed_one_line_says_what_is_needed(
    tmp_path: Path, given: Mapping[str, str], what: str
) -> None:
    code, errors, told = install(tmp_path, given)
    assert (code, told) == (1, "")
    [line] = errors.splitlines()
    assert line.startswith("Error: please ")
    assert what in line


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_can_be_read_by_the_shell(script: Path) -> None:
    done = subprocess.run(["/bin/sh", "-n", script], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
