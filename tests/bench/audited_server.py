"""The server under `tests.bench.receipts` and `tests.bench.mirrored`, a process of its own.

`python -m tests.bench.audited_server DIR RECORDS CORE ENTRIES DURABLE`: as `lookup_server`, over an audit log that has
ENTRIES access records of its own app already, with `durable = DURABLE`. For a mirror DIR/mirror.toml is ready, with
everything that it names.
"""

import os
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import uvloop
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from audit.log import AuditLog, Limits
from audit.record import record
from audit.start import MIRRORED_LIMITS
from audit.witness.keygen import cosigner_of, create
from contracts.algorithms import SigningKey
from contracts.registry import Auditor, AuditSlot, manifest
from contracts.registry.snapshot import Contents
from contracts.text import Text
from gateway.config import MIRRORED
from tests.bench.audit import FACTS, append_exactly
from tests.bench.lookup_server import build, run
from tests.integration import serve_world as world
from tests.integration.mirrored_world import pin
from tests.integration.token_server import make_identity

MIRROR_NAME = "mirror.example/bench"
_WAIT_S = 10.0
_DAY_MS = 86_400_000


def fill(log: AuditLog, entries: int) -> None:
    """So many published records of the app `window`."""
    facts = replace(FACTS, app="window", organisation="approval-bureau", unit="hall-1")
    if entries:
        uvloop.run(append_exactly(log, entries, record(facts, [b"x" * 900], os.urandom(16))))
    while log.published.size < log.size:
        time.sleep(0.05)


def admit_auditor(city: world.City) -> None:
    """The auditor's certificate is listed; its mirror finds key, registry and configuration below DIR."""
    directory = city.directory
    auditor = make_identity(directory, "auditor")
    listed = Auditor("auditor", Text("审计局", "audit office"), "", "", (auditor.pem,))
    contents: Contents = replace(city.registry.contents, auditors=(listed,))
    city.registry = replace(city.registry, contents=contents)
    auditor.private_key.chmod(0o600)
    create(directory / "mirror.pem", MIRROR_NAME)
    _registry(directory / "registry", city.log.verifier.vkey)
    (directory / "mirror.toml").write_text(f"""
[mirror]
directory = "mirror"
gateways = ["{city.base_url}"]
ca = "{city.server.certificate}"
certificate = "{auditor.certificate}"
private_key = "{auditor.private_key}"
name = "{MIRROR_NAME}"
key = "mirror.pem"

[registry]
directory = "registry"
root_key = "registry/root.pem"
""")


def _registry(directory: Path, vkey: str) -> None:
    root, now = SigningKey.generate("EdDSA"), int(time.time() * 1000)
    slots = (AuditSlot(world.SLOT, world.ORIGIN, vkey, "auditor"),)
    signed = manifest.build(Contents(audit_slots=slots), root, 1, None, (now, now + _DAY_MS, now + 2 * _DAY_MS))
    (directory / "parts").mkdir(parents=True)
    for digest, data in signed.parts.items():
        (directory / "parts" / f"{digest.replace(':', '-')}.json").write_bytes(data)
    (directory / "manifest.jws").write_bytes(signed.manifest)
    public = root.public.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (directory / "root.pem").write_bytes(public)


def main() -> None:
    """Serve until killed."""
    directory, records, core, entries = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    with suppress(AttributeError):
        os.sched_setaffinity(0, {core})
    waits = sys.argv[5] == MIRRORED
    city = build(directory, records, limits=MIRRORED_LIMITS if waits else Limits())
    fill(city.log, entries)
    admit_auditor(city)
    key = cosigner_of(MIRROR_NAME, directory / "mirror.pem").public
    pin(city, _WAIT_S if waits else None, key)
    uvloop.run(run(city))


if __name__ == "__main__":
    main()
