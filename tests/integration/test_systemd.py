"""The systemd units: they start commands that exist, restart by the exit codes, and are shut in."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.cli import EXIT_BRAKED, EXIT_DAMAGED
from contracts.edge.output import EXIT_CORRUPT, EXIT_MISTAKE

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
BIN = Path(sys.executable).parent
EXPOSURE = 15  # of 100, as `systemd-analyze security` counts: 12 today
# Without these a process could change the machine, its own code, or read what is not its own.
SHUT_IN = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "CapabilityBoundingSet": "",
    "MemoryDenyWriteExecute": "yes",
    "UMask": "0077",
    "StateDirectoryMode": "0700",
    "LimitCORE": "0",
}
FOR_A_PERSON = {
    "oncegate-ingest.service": {EXIT_MISTAKE, EXIT_CORRUPT},
    "oncegate-serve.service": {EXIT_MISTAKE, EXIT_CORRUPT},
    "oncegate-witness.service": {EXIT_MISTAKE, EXIT_CORRUPT},
    "oncegate-mirror.service": {EXIT_MISTAKE, EXIT_CORRUPT},
    "oncegate-auditor-api.service": {EXIT_MISTAKE, EXIT_CORRUPT},
    "oncegate-adapter-watch@.service": {EXIT_MISTAKE, EXIT_BRAKED, EXIT_DAMAGED},
}


def entries(unit: Path) -> Iterator[tuple[str, str]]:
    """Every `name=value` of a unit file."""
    for line in unit.read_text("utf-8").splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            yield name, value


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_service_is_shut_in(unit: Path) -> None:
    found = dict(entries(unit))
    assert {name: found.get(name) for name in SHUT_IN} == SHUT_IN
    assert found["User"] in (UNITS / "oncegate.sysusers").read_text("utf-8").split()
    assert found["StateDirectory"].split("/")[0] == found["User"]


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_the_command_exists_with_its_options(unit: Path) -> None:
    program, command, *arguments = dict(entries(unit))["ExecStart"].split()
    line = [str(BIN / Path(program).name), command]
    helped = subprocess.run([*line, "--help"], check=True, capture_output=True, text=True).stdout
    assert [option for option in arguments if option.startswith("--") and option not in helped] == []


@pytest.mark.parametrize(("name", "codes"), FOR_A_PERSON.items())
def test_what_a_person_must_mend_is_not_started_again(name: str, codes: set[int]) -> None:
    found = dict(entries(UNITS / name))
    assert found["Restart"] == "always"
    assert set(map(int, found["RestartPreventExitStatus"].split())) == codes


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """Where there is a systemd, its own checker reads them, the program standing where it is here."""
    units = []
    for unit in (*SERVICES, *UNITS.glob("*.timer")):
        copy = tmp_path / unit.name.replace("@", "@market-1")
        copy.write_text(unit.read_text("utf-8").replace("/opt/oncegate/bin", str(BIN)), "utf-8")
        (tmp_path / unit.name).write_bytes(copy.read_bytes())
        units.append(str(copy))
    assert len(units) == len(SERVICES) + 1 == 8
    checker = shutil.which("systemd-analyze")
    if checker is None:
        return
    read = subprocess.run([checker, "verify", *units], check=False, capture_output=True, text=True)
    assert (read.returncode, read.stdout + read.stderr) == (0, "")
    for service in (one for one in units if one.endswith(".service")):
        strict = [checker, "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}", service]
        judged = subprocess.run(strict, check=False, capture_output=True, text=True)
        assert judged.returncode == 0, judged.stdout
