"""Logs with access records of a small town, for the auditor's index."""

import asyncio
import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from audit.cli import app
from audit.log import AuditLog, LogSettings
from audit.record import AccessFacts, record
from contracts.algorithms import SigningKey
from contracts.edge.output import execute
from tests.bench.audit import FACTS
from tests.integration.audit_support import AUDITOR, EAGER, no_fatal

SECOND = X25519PrivateKey.from_private_bytes(b"\3" * 32)
Out = pytest.CaptureFixture[str]
A, B = "gov.example/a", "gov.example/b"
COUNT = 600  # records of log a in a town
START = 1_763_741_600_000  # 2025-11-21T16:13:20Z
MINUTE = 60_000

ORGANISATIONS = ("housing", "market", "transport")
ITEMS = ("open-restaurant", "buy-home", "renew-licence")
CLERKS = tuple(f"clerk-secret-{number}" for number in range(7))


def facts(number: int, **changes: Any) -> AccessFacts:
    """The record of this number: each minute one, everything else by number."""
    refused = number % 10 == 9
    found = dataclasses.replace(
        FACTS,
        transaction=f"019aa2c0-7c2a-7abc-9def-{number:012d}",
        time=START + number * MINUTE,
        organisation=ORGANISATIONS[number % 3],
        unit=None if number % 5 == 0 else f"window-{number % 4}",
        app=f"app-{number % 2}",
        service_item=ITEMS[number % 3],
        evidence_types=("cn.business-licence",) if number % 2 else ("cn.business-licence", "cn.home"),
        decision="refused" if refused else "granted",
        reason="item_not_granted" if refused else None,
        holder={"scheme": "passport", "id": f"SECRETHOLDER{number % 11}"},
        clerk=CLERKS[number % 7],
        case=f"SECRET-CASE-{number // 2}",
    )
    return dataclasses.replace(found, **changes)


def write(directory: Path, origin: str, records: Sequence[AccessFacts], others: Sequence[bytes] = ()) -> str:
    """A log with these records (or a longer one), and entries that are none; its verifier key."""
    log = AuditLog.open(settings(directory, origin), no_fatal)
    for one in records:
        log.append_blocking(*record(one, [b"x"], one.transaction.encode()))
    for other in others:
        log.append_blocking(other, b"{}")
    log.close()
    return log.verifier.vkey


def settings(directory: Path, origin: str) -> LogSettings:
    seed = origin.encode().ljust(32, b".")[:32]
    key = SigningKey.of("EdDSA", Ed25519PrivateKey.from_private_bytes(seed))
    return LogSettings(directory, origin, key, AUDITOR.public_key(), limits=EAGER)


def key_file(path: Path, key: X25519PrivateKey) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def write_many(directory: Path, origin: str, records: Iterable[AccessFacts]) -> None:
    """As `write`, many at once."""

    async def append() -> None:
        await asyncio.gather(*(log.append(*record(one, [b"x"], one.transaction.encode())) for one in records))

    log = AuditLog.open(settings(directory, origin), no_fatal)
    asyncio.run(append())
    log.close()


def build_town(path: Path) -> Path:
    """Logs a (600 records) and b (20 records, two other entries), the auditors' keys, an index of both."""
    write_many(path / "a", A, map(facts, range(COUNT)))
    write(path / "b", B, [facts(number) for number in range(20)], [b'{"not":"a record"}', b"\xff"])
    key_file(path / "one.pem", AUDITOR)
    key_file(path / "two.pem", SECOND)
    assert index(path, str(path / "a"), str(path / "b"), *keys(path, "one", "two")) == 0
    return path


def index(path: Path, *words: str) -> int:
    return execute(app, ["index", *words, "--into", str(path / "index")])


def ask(town: Path, capsys: Out, *words: str, code: int = 0) -> Mapping[str, object]:
    """The JSON answer of `search`."""
    capsys.readouterr()
    assert execute(app, ["search", str(town / "index"), *words, "--json"]) == code
    out = capsys.readouterr().out
    found: Mapping[str, object] = json.loads(out) if out else {}
    return found


def places(answer: Mapping[str, object]) -> list[tuple[str, int]]:
    hits = answer["hits"]
    assert isinstance(hits, list)
    return [(hit["log"], hit["position"]) for hit in hits]


def keys(town: Path, *names: str) -> list[str]:
    return [word for name in names for word in ("--key", str(town / f"{name}.pem"))]
