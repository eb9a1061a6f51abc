"""`tlogcheck` and `notesign`: programs over Go's sumdb, built once from what `make setup-dev` downloaded."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MODULE = Path(__file__).parent / "interop" / "go" / "audit"
OFFLINE = {"GOPROXY": "off", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOTOOLCHAIN": "local"}


@dataclass(frozen=True, slots=True)
class Said:
    """How a program ended."""

    code: int
    out: bytes
    error: str


@dataclass(frozen=True, slots=True)
class Programs:
    """Where they are."""

    directory: Path

    def tlogcheck(self, what: str, vkey: str, *arguments: str | Path) -> Said:
        return self.run("tlogcheck", [what, "-vkey", vkey, *map(str, arguments)])

    def notesign(self, given: bytes, *arguments: str) -> Said:
        return self.run("notesign", arguments, given)

    def shell(self, commands: str, directory: Path, **variables: str) -> list[str]:
        """The lines that `commands` print in `directory`, none of which may fail."""
        env = {**os.environ, **variables, "PATH": f"{self.directory}{os.pathsep}{os.environ['PATH']}"}
        shell = ["sh", "-eu", "-c", commands]
        done = subprocess.run(shell, cwd=directory, env=env, capture_output=True, text=True, check=False, timeout=120)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    def run(self, program: str, arguments: Sequence[str], given: bytes = b"") -> Said:
        command = [str(self.directory / program), *arguments]
        done = subprocess.run(command, input=given, capture_output=True, check=False, timeout=120)
        return Said(done.returncode, done.stdout, done.stderr.decode())


def build(directory: Path) -> Programs:
    """Both, built without a network."""
    command = ["go", "build", "-o", f"{directory}{os.sep}", "./tlogcheck", "./notesign"]
    built = subprocess.run(
        command, cwd=MODULE, env={**os.environ, **OFFLINE}, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return Programs(directory)
