"""`durable = mirrored` with the programs as an operator and an auditor run them: `oncegate serve` and `oncegate-audit
mirror`, over TLS, with keys that they made."""

import json
import shutil
import signal
import subprocess
from pathlib import Path

from audit.notes import parse_vkey
from audit.verify import verify
from gateway.client import TokenClient
from gateway.demo.layout import SLOT, Layout
from gateway.demo.processes import command
from tests.integration.test_auditor_host import ENGLISH, audit, lay_out, mirror_config, mirroring, serving
from tests.waiting import until

NAME = "mirror.example/city"


def wait_for_mirror(layout: Layout, config: Path, wait_s: float) -> None:
    """A key for the mirror, pinned in the node's configuration instead of `head_dir`."""
    key = config.parent / "mirror.pem"
    assert audit("keygen", "mirror", str(key), "--name", NAME)[0] == 0
    config.write_text(config.read_text().replace("every_s = 0.1", f'every_s = 0.1\nname = "{NAME}"\nkey = "{key}"'))
    table = f'durable = "mirrored"\n\n[serve.mirror]\nvkey = "{key.with_suffix(".vkey").read_text().strip()}"\n'
    text = layout.node_config.read_text()
    layout.node_config.write_text(text.replace('head_dir = "../heads"\n', f"{table}wait_s = {wait_s}\n"))


def catalogue(client: TokenClient) -> tuple[int, str]:
    status, _, answer = client.get("/v1/service-items")
    return status, str(answer.get("code", ""))


def doctor(layout: Layout) -> dict[str, list[str]]:
    """Levels by check."""
    done = subprocess.run(
        [command("oncegate"), "doctor", "--config", str(layout.node_config), "--json"],
        capture_output=True,
        env=ENGLISH,
        timeout=60,
        check=False,
    )
    found: dict[str, list[str]] = {}
    for one in json.loads(done.stdout)["findings"]:
        found.setdefault(one["check"], []).append(one["level"])
    return found


def test_a_node_whose_answers_wait_for_its_mirror(tmp_path: Path) -> None:
    layout = lay_out(tmp_path)
    config = mirror_config(layout, tmp_path)
    wait_for_mirror(layout, config, 1.0)
    copy = tmp_path / "auditor/mirror/logs" / SLOT
    with serving(layout) as client:
        assert doctor(layout)["mirror"] == ["warning"]
        with mirroring(config) as mirror:
            until(lambda: catalogue(client)[0] == 200)
            mirror.send_signal(signal.SIGKILL)
            mirror.wait(60)
            assert catalogue(client) == (503, "mirror_unavailable")
        shutil.copytree(layout.audit_dir, tmp_path / "early")
        with mirroring(config):
            until(lambda: catalogue(client)[0] == 200)
            index = client.get("/v1/service-items")[2]["receipt"]["index"]
            code, said = audit("mirror", "--config", str(config), "--status", "--json")
            assert code == 0, said
        assert doctor(layout)["mirror"] == ["ok"]
    report = verify(copy, parse_vkey(layout.vkey.read_text().strip()), openings=True)
    assert report.difference is None
    assert report.size > index
    _put_back(layout, config, tmp_path / "early")


def _put_back(layout: Layout, config: Path, early: Path) -> None:
    """The node's disk as it was: it starts, nothing leaves, it ends when the mirror comes, and starts no more."""
    shutil.rmtree(layout.audit_dir)
    shutil.copytree(early, layout.audit_dir)
    with (layout.root / "serve.log").open("ab") as stderr:
        process = subprocess.Popen(
            [command("oncegate"), "serve", "--config", str(layout.node_config)], stderr=stderr, env=ENGLISH
        )
    try:
        with mirroring(config):
            assert process.wait(60) == 70
    finally:
        process.kill()
    assert "an old copy" in (layout.root / "serve.log").read_text()
    assert doctor(layout)["mirror"] == ["failed"]
    again = subprocess.run(
        [command("oncegate"), "serve", "--config", str(layout.node_config)],
        capture_output=True,
        text=True,
        env=ENGLISH,
        timeout=60,
        check=False,
    )
    assert again.returncode == 3
    assert "an old copy" in again.stderr
