"""The auditor's host beside a real node: `oncegate serve`, `oncegate-audit witness` and `oncegate-audit mirror` as
processes, over TLS, with files as an operator and an auditor write them."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from audit.notes import parse_vkey
from contracts.edge import keys
from contracts.edge.clock import now_ms
from gateway.certificates import self_signed
from gateway.client import TokenClient, tls_context
from gateway.control.build import build
from gateway.demo.layout import ORIGIN, SLOT, WITH_CERTIFICATE, Layout, prepare
from gateway.demo.processes import command
from tests.integration import witness_world
from tests.integration.doctor_world import republish
from tests.integration.witness_world import COSIGNER, Running
from tests.waiting import until

ENGLISH = {**os.environ, "ONCEGATE_LANG": "en"}


def lay_out(root: Path) -> Layout:
    """A node whose registry lists the auditor's certificate; nothing runs."""
    layout = prepare(root / "city")
    key = keys.create_signing_key(layout.private("auditor-tls"), "ES256")
    layout.certificate("auditor-tls").write_bytes(self_signed(key.key, "ES256", "auditor", now_ms()))
    listing = layout.registry / "registry.toml"
    certificate = 'certificates = ["../keys/auditor-tls.crt.pem"]\n'
    listing.write_text(listing.read_text().replace("[[auditors]]\n", f"[[auditors]]\n{certificate}"))
    build(layout.registry, keys.load_signing_key(layout.private("registry-root"), "EdDSA"), now_ms())
    republish(layout, layout.private("registry-root"), None)
    return layout


def name_witness(layout: Layout, url: str) -> None:
    """Instead of `head_dir`: what is found out below, the witness alone knows."""
    text = layout.node_config.read_text()
    table = f'\n[[serve.witnesses]]\nurl = "{url}"\nvkey = "{COSIGNER.public.vkey}"\n'
    layout.node_config.write_text(text.replace('head_dir = "../heads"\n', table))


def mirror_config(layout: Layout, root: Path) -> Path:
    path = root / "auditor" / "mirror.toml"
    path.parent.mkdir()
    path.write_text(f"""
[mirror]
directory = "mirror"
gateways = ["{layout.base_url}"]
ca = "{layout.certificate("tls")}"
certificate = "{layout.certificate("auditor-tls")}"
private_key = "{layout.private("auditor-tls")}"
metrics = "oncegate.prom"
every_s = 0.1

[registry]
directory = "{layout.registry / "build"}"
root_key = "{layout.public("registry-root")}"
""")
    return path


@contextmanager
def serving(layout: Layout) -> Iterator[TokenClient]:
    """`oncegate serve`, and an app that may ask it."""
    log = layout.root / "serve.log"
    name = f"app-{WITH_CERTIFICATE}"
    context = tls_context(layout.certificate("tls"), layout.certificate(name), layout.private(name))
    key = keys.load_signing_key(layout.private(name), "ES256")
    client = TokenClient(layout.base_url, WITH_CERTIFICATE, context, key, binding="mtls")
    with log.open("ab") as stderr:
        process = subprocess.Popen(
            [command("oncegate"), "serve", "--config", str(layout.node_config)], stderr=stderr, env=ENGLISH
        )
    try:
        until(lambda: answers(client) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield client
    finally:
        client.close()
        process.terminate()
        assert process.wait(60) == 0, log.read_text()


def answers(client: TokenClient) -> bool:
    try:
        return client.send("GET", "/livez", None, {})[0] == 200
    except OSError:
        client.close()
        return False


def record(client: TokenClient, times: int) -> int:
    """So many access records; the index of the last one."""
    for _ in range(times):
        status, _, answer = client.get("/v1/service-items")
        assert status == 200
    return int(answer["receipt"]["index"])


def trust(client: TokenClient, index: int) -> str:
    return str(client.get(f"/v1/receipts/{ORIGIN.replace('/', '%2F')}/{index}")[2]["trust"])


@contextmanager
def mirroring(config: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with (config.parent / "mirror.log").open("ab") as stderr:
        process = subprocess.Popen([command("oncegate-audit"), "mirror", "--config", str(config)], stderr=stderr)
    try:
        yield process
    finally:
        process.kill()
        process.wait(60)


def audit(*arguments: str) -> tuple[int, str]:
    """One command to its end: exit code and output."""
    done = subprocess.run(
        [command("oncegate-audit"), *arguments], capture_output=True, text=True, env=ENGLISH, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


def mirrored(config: Path) -> int:
    """How many entries the mirror says it has of the log."""
    path = config.parent / "mirror" / "status.json"
    document: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"logs": []}
    return next((one["size"] for one in document["logs"]), 0)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return lay_out(tmp_path)


def test_a_node_its_witness_and_its_mirror(layout: Layout, tmp_path: Path) -> None:
    vkey = parse_vkey(layout.vkey.read_text().strip())
    config = mirror_config(layout, tmp_path)
    with witness_world.process(witness_world.write_config(tmp_path / "witness", [vkey])) as (witness, _):
        name_witness(layout, witness.url)
        with serving(layout) as client:
            early = _witnessed(client, record(client, 2))
        shutil.copytree(layout.audit_dir, tmp_path / "early")
        with serving(layout) as client:
            with mirroring(config) as mirror:
                until(lambda: mirrored(config) > early)
                mirror.kill()
            last = _witnessed(client, record(client, 300))
            with mirroring(config) as mirror:
                until(lambda: mirrored(config) > last)
                code, said = audit("mirror", "--config", str(config), "--status", "--json")
                assert (code, json.loads(said)["alarms"]) == (0, [])
                mirror.send_signal(signal.SIGTERM)
                assert mirror.wait(60) == 0
            copy = tmp_path / "auditor/mirror/logs" / SLOT
            code, said = audit("verify", str(copy), "--vkey", vkey.vkey, "--openings")
            assert (code, said.startswith("Whole: ")) == (0, True), said
            code, said = audit("show", str(copy), "--vkey", vkey.vkey, "--index", str(last), "--openings",
                               "--auditor-key", str(layout.private("auditor")))  # fmt: skip
            assert (code, "service_items" in said) == (0, True), said
            assert 'oncegate_mirror_size{slot="gov-extranet-1"}' in (config.parent / "oncegate.prom").read_text()
            _strangers(layout, client)
        _put_back(layout, tmp_path / "early", witness)


def _witnessed(client: TokenClient, index: int) -> int:
    until(lambda: trust(client, index) == "witnessed")
    return index


def _strangers(layout: Layout, client: TokenClient) -> None:
    """An app's certificate is no auditor's: digests, and nothing else."""
    size = int(client.send("GET", f"/audit/logs/{SLOT}/checkpoint", None, {})[2].split(b"\n")[1])
    assert size > 256
    assert client.send("GET", f"/audit/logs/{SLOT}/tile/0/000", None, {})[0] == 200
    [key] = list((layout.audit_dir / "openings/keys").iterdir())[:1]
    for path in ("tile/entries/000", "openings/000", f"openings/keys/{key.name}"):
        assert client.send("GET", f"/audit/logs/{SLOT}/{path}", None, {})[0] == 403


def _put_back(layout: Layout, early: Path, witness: Running) -> None:
    """The node's disk as it was before: the witness knows better."""
    shutil.rmtree(layout.audit_dir)
    shutil.copytree(early, layout.audit_dir)
    done = subprocess.run(
        [command("oncegate"), "serve", "--config", str(layout.node_config)],
        capture_output=True,
        text=True,
        env=ENGLISH,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert "an old copy" in done.stderr, witness.url
