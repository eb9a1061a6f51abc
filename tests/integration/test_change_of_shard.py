"""A change of shard as its operator does it: real processes, the command line, and a backup with both logs."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from contracts.edge import keys
from contracts.edge.clock import now_ms
from contracts.edge.transport import open_transport
from gateway.config import load
from gateway.control.build import build, publish
from gateway.demo.layout import ORIGIN, SLOT, Layout
from gateway.demo.processes import command
from tests.integration.installation import Installation, installed

NEW_SLOT, NEW_ORIGIN = "gov-extranet-1-2027", "oncegate.example/gov-extranet-1-2027"
REGISTRY = f"""
[[audit_slots]]
slot = "{NEW_SLOT}"
origin = "{NEW_ORIGIN}"
vkey_file = "../keys/audit-{NEW_SLOT}.vkey"
auditor = "city-audit-office"
predecessor = "{SLOT}"
"""


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("shard") / "city") as one:
        one.start("ingest", "serve")
        one.wait_until_answered()
        yield one


def register_successor(layout: Layout) -> None:
    """What the security officer does."""
    with (layout.registry / "registry.toml").open("a") as file:
        file.write(REGISTRY)
    root = keys.load_signing_key(layout.private("registry-root"), "EdDSA")
    build(layout.registry, root, now_ms())
    publish(layout.registry, root.public, open_transport(load(layout.node_config).log))


def edit(layout: Layout, *changes: tuple[str, str]) -> None:
    """The node's configuration."""
    text = layout.node_config.read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    layout.node_config.write_text(text, "utf-8")


def serve_refuses(city: Installation) -> str:
    """How a start ends that a person must mend."""
    line = [command("oncegate"), "serve", "--config", str(city.config)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    return done.stderr


def receipt(city: Installation) -> dict[str, Any]:
    """Of a question just now."""
    client = city.client()
    by = {"unified_social_credit_code": city.cast.restaurateur.credit_code}
    purpose = {"service_item": "cn.open-restaurant", "case": "CY-2026-000118", "clerk": "clerk-0412"}
    _, _, answer = client.post("/v1/lookups", {**purpose, "evidence_type": "cn.business-licence", "by": by})
    client.close()
    found: dict[str, Any] = answer["receipt"]
    return found


def proof_of(city: Installation, said: dict[str, Any]) -> tuple[int, Any]:
    client = city.client()
    status, _, answer = client.get(f"/v1/receipts/{quote(said['log'], safe='')}/{said['index']}")
    client.close()
    return status, answer


def audited(city: Installation, path: Path) -> Any:
    vkey = (city.layout.keys / f"audit-{path.name}.vkey").read_text().strip()
    return json.loads(city.run("oncegate-audit", "verify", str(path), "--openings", "--json", "--vkey", vkey))


def doctor_says(city: Installation) -> list[str]:
    line = [command("oncegate"), "doctor", "--json", "--config", str(city.config)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    findings = json.loads(done.stdout)["findings"]
    return [f"{one['level']} {one['what']['en']}" for one in findings if one["check"] == "audit_logs"]


def test_from_one_shard_to_the_next(city: Installation, tmp_path: Path) -> None:
    layout, audit = city.layout, city.layout.audit_dir.parent
    before = receipt(city)
    city.run("oncegate", "keygen", "audit-log", str(layout.private(f"audit-{NEW_SLOT}")), "--origin", NEW_ORIGIN)
    register_successor(layout)
    city.stop("serve")

    old_key = f"audit-{SLOT}.pem"
    edit(layout, (f'slot = "{SLOT}"', f'slot = "{NEW_SLOT}"'), (old_key, f"audit-{NEW_SLOT}.pem"))
    assert "its key is needed" in serve_refuses(city)
    assert any(line.startswith("failed") for line in doctor_says(city))
    text = layout.node_config.read_text("utf-8")
    log_key = next(line for line in text.splitlines() if line.startswith("log_key"))
    wrong = log_key.replace("log_key", "predecessor_key")
    edit(layout, (log_key, f"{log_key}\n{wrong}"))
    assert "predecessor_key" in serve_refuses(city)
    assert not (audit / NEW_SLOT / "checkpoint").exists()
    edit(layout, (wrong, wrong.replace(NEW_SLOT, SLOT)))

    city.start("serve")
    city.wait_until_answered()
    after = receipt(city)
    assert (before["log"], after["log"]) == (ORIGIN, NEW_ORIGIN)
    for said in (before, after):
        status, answer = proof_of(city, said)
        assert (status, answer["log"]) == (200, said["log"])
    layout.private(f"audit-{SLOT}").unlink()  # the old key is not needed any more
    city.stop("serve")
    city.start("serve")
    city.wait_until_answered()
    assert proof_of(city, before)[0] == 200
    assert doctor_says(city) == ["ok 1 closed logs are kept"]
    city.stop("serve")

    assert [audited(city, audit / slot)["verified"] for slot in (SLOT, NEW_SLOT)] == [True, True]
    shown = json.loads(city.run("oncegate-audit", "show", str(audit / SLOT), "--last", "1", "--json"))
    assert "log_closed" in json.dumps(shown)
    _retention(city)
    _backup(city, tmp_path)


def _retention(city: Installation) -> None:
    logs = json.loads(city.oncegate("audit", "retention", "--json"))["logs"]
    assert [(one["slot"], one["state"], one["successor"]) for one in logs] == [
        (SLOT, "kept", NEW_ORIGIN),
        (NEW_SLOT, "open", None),
    ]
    applied = json.loads(city.oncegate("audit", "retention", "--apply", "--yes", "--json"))
    assert applied["removed"] == []
    held = city.layout.audit_dir
    city.run("oncegate-audit", "hold", str(held), "--reason", "case 7")
    assert "case 7" in city.oncegate("audit", "retention")


def _backup(city: Installation, directory: Path) -> None:
    """Both logs, the closed one with its hold, come to another place."""
    made = json.loads(city.oncegate("backup", str(directory), "--plain", "--json"))
    assert set(made["audit"]) == {SLOT, NEW_SLOT}
    line = ("restore", made["file"], "--into", str(directory / "new"), "--json")
    restored = json.loads(city.run("oncegate", *line))
    assert restored["audit"] == made["audit"]
    held = next((directory / "new").rglob(f"audit/{SLOT}/hold"))
    assert json.loads(held.read_bytes())["reason"] == "case 7"
