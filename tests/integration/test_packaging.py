"""The wheel builds, and each extra, installed alone from the wheel, runs its own command and no other's libraries."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# extra → (its command, a library of a neighbour that must not be needed)
EXTRAS = {
    "gateway": ("oncegate", "charset_normalizer"),
    "adapter": ("oncegate-adapter", "aiohttp"),
    "audit": ("oncegate-audit", "kafka"),
}


def run(*command: str | Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out)
    (built,) = out.glob("*.whl")
    return built


@pytest.mark.parametrize("extra", EXTRAS)
def test_extra_installs_and_runs_alone(extra: str, wheel: Path, tmp_path: Path) -> None:
    command, foreign = EXTRAS[extra]
    venv.create(tmp_path / "env", with_pip=True)
    bin_dir = tmp_path / "env" / "bin"
    # The lock file as constraints: the pinned versions, but only what this extra asks for.
    pins = tmp_path / "pins.txt"
    pins.write_text("\n".join(line.split(" ")[0] for line in _pins()), "utf-8")
    run(
        bin_dir / "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-c",
        pins,
        f"oncegate[{extra}] @ file://{wheel}",
    )
    assert "Usage" in run(bin_dir / command, "--help")
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({foreign!r}) is not None)"
    run(bin_dir / "python", "-c", code)


def _pins() -> list[str]:
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith((" ", "#"))]
