"""The demo by the clock: how long until it serves, and until everything is checked. One run gives both figures."""

import json
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from tests.bench.result import Result

READY_S, WHOLE_S = 15.0, 60.0


def ready() -> Result:
    """Seconds from the start to the first question that could be asked."""
    return Result("demo_ready", _printed()["ready_seconds"], READY_S, 1.0, "s", at_most=True)


def whole() -> Result:
    """Seconds of `oncegate demo --once`."""
    return Result("demo_once", _printed()["seconds"], WHOLE_S, 1.0, "s", at_most=True)


@cache
def _printed() -> Any:
    with tempfile.TemporaryDirectory(prefix="oncegate-bench-") as directory:
        command = [sys.executable, "-m", "gateway.cli", "demo", "--once", "--json", "--data-dir", f"{directory}/city"]
        done = subprocess.run(command, capture_output=True, check=True, cwd=Path(__file__).parents[2])
    return json.loads(done.stdout)
