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
        return self._run("tlogcheck", [what, "-vkey", vkey, *map(str, arguments)])

    def notesign(self, given: bytes, *arguments: str) -> Said:
        return self._run("notesign", arguments, given)

    def _run(self, program: str, arguments: Sequence[str], given: bytes = b"") -> Said:
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
