"""A whole small installation on real files for doctors to look at: it ran and stands still; copies can be broken."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.log import AuditLog, Limits, LogSettings
from contracts.edge import keys
from contracts.edge.clock import now_ms
from contracts.edge.doctor.finding import Told
from contracts.edge.transport import Transport, open_transport
from gateway.config import load
from gateway.control.build import build, publish
from gateway.demo import departments
from gateway.demo.data import MIN_SCALE, generate
from gateway.demo.layout import ORIGIN, SLOT, Layout, prepare
from gateway.demo.message_log import EMBEDDED_LOG, MessageLog
from gateway.node import opened
from gateway.topics import create_missing

ADAPTER = "market-regulation-1"
ADAPTER_COMMAND = (sys.executable, "-c", "from adapters.cli import main; main()")
PATIENCE_S = 60.0
ENTRIES = 300  # more than one full tile


def found_by(told: Iterator[Told]) -> dict[str, list[tuple[str, str, str]]]:
    """Findings by check: (level, what, remedy), in English."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for one in told:
        remedy = "" if one.finding.remedy is None else one.finding.remedy.en
        found.setdefault(one.check, []).append((one.finding.level, one.finding.what.en, remedy))
    return found


def lay_out(directory: Path, message_log: MessageLog = EMBEDDED_LOG) -> Layout:
    """Keys, registry on the log, topics, departments: everything before the first process starts.

    As it should be: the root's private key is elsewhere.
    """
    layout = prepare(directory / "city", message_log)
    layout.private("registry-root").rename(directory / "registry-root.pem")
    generate(layout.root / "departments", 1, MIN_SCALE)
    departments.write_configurations(layout)
    republish(layout, directory / "registry-root.pem", None)
    with opened(layout.node_config) as node:
        create_missing(node.transport, node.registry.current())
    return layout


def log_of(layout: Layout) -> Transport:
    return open_transport(load(layout.node_config).log)


def republish(layout: Layout, root_key: Path, built_at: int | None) -> None:
    """Publish the registry as it was built, or as it would have been built at `built_at` (Unix ms)."""
    root = keys.load_signing_key(root_key, "EdDSA")
    if built_at is not None:
        build(layout.registry, root, built_at)
    publish(layout.registry, root.public, log_of(layout))


def run_adapter(layout: Layout) -> None:
    """One run of one department, which publishes its records."""
    command = [*ADAPTER_COMMAND, "run", str(layout.adapter_config(ADAPTER)), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def running(layout: Layout) -> Iterator["subprocess.Popen[bytes]"]:
    """`oncegate up`, for the length of a `with`."""
    command = [sys.executable, "-m", "gateway.cli", "up", "--config", str(layout.node_config)]
    with (layout.root / "up.log").open("ab") as output:
        process = subprocess.Popen(command, stderr=output, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)


def write_entries(layout: Layout, count: int = ENTRIES) -> None:
    """Entries in the audit log, by its own writer."""
    with opened(layout.node_config) as node:
        serve = node.config.serve
        assert serve is not None
        auditor: X25519PrivateKey = keys.load_hpke_private(layout.private("auditor"))
        signer = keys.load_signing_key(serve.log_key, "EdDSA")
        settings = LogSettings(
            serve.audit_dir, ORIGIN, signer, auditor.public_key(), serve.head_dir, Limits(publish_seconds=0.01)
        )
        serve.audit_dir.mkdir(parents=True, exist_ok=True)
        log = AuditLog.open(settings, lambda _: None)
        for number in range(count):
            log.append_blocking(json.dumps({"entry": number}).encode(), b"{}")
        log.close()


def copy_of(layout: Layout, directory: Path) -> Layout:
    """The same installation elsewhere, to be broken."""
    shutil.copytree(layout.root, directory / "city")
    shutil.copy2(layout.root.parent / "registry-root.pem", directory / "registry-root.pem")
    return replace(layout, root=directory / "city")


__all__ = ["ADAPTER", "SLOT", "now_ms"]
