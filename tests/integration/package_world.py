"""Evidence packages of the small town, and how to spoil them, with digests put right or not."""

import io
import os
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.cli import app
from audit.cosignatures import Cosigner
from audit.notes import NoteKey
from audit.package import container, manifest
from audit.package.check import Checked, check
from audit.package.digests import digest_of
from audit.package.manifest import FileFacts, Manifest, parse
from contracts.edge.keys import create_signing_key
from contracts.edge.output import execute
from tests.integration.search_world import build_town, keys

WITNESS = Cosigner.of("witness.example/w1", Ed25519PrivateKey.from_private_bytes(b"\5" * 32))
COSIGNED_AT = 1_763_800_000
PEOPLE = ("张三", "李四")

Members = dict[str, bytes]


def build(path: Path) -> Path:
    """The town of `search_world`, log a cosigned by a witness, and keys for two extractors."""
    build_town(path)
    note = (path / "a/checkpoint").read_bytes()
    text = note.partition(b"\n\n")[0] + b"\n"
    (path / "a/checkpoint.cosigned").write_bytes(note + WITNESS.line(text, COSIGNED_AT))
    for name in PEOPLE:
        create_signing_key(path / f"{name}.pem", "EdDSA")
    return path


def export(town: Path, into: str, *words: str, code: int = 0) -> Path:
    """`oncegate-audit export` of the town's index."""
    assert execute(app, ["export", str(town / "index"), *words, "--into", str(town / into)]) == code
    return town / into


def package(town: Path, into: str, *words: str, signed: bool = True) -> Path:
    """A package with openings and the witness's key."""
    people = [f"{name}={town / f'{name}.pem'}" if signed else name for name in PEOPLE]
    named = [word for name in people for word in ("--extractor", name)]
    vkeys = [word for key in log_keys(town) for word in ("--vkey", key)]
    wanted = (*named, *vkeys, "--vkey", WITNESS.public.vkey, "--openings", *keys(town, "one"))
    return export(town, into, *words, *wanted)


def log_keys(town: Path) -> list[str]:
    return [(town / name / "vkey").read_text().strip() for name in ("a", "b")]


def content(path: Path) -> Members:
    """Every file of a package, in order."""
    with path.open("rb") as file:
        found = container.Container(file)
        return {name: b"".join(found.pieces(name)) for name in found.members}


def manifest_of(members: Mapping[str, bytes]) -> Manifest:
    return parse(members[manifest.NAME])


def packed(members: Mapping[str, bytes], time: int | None = None) -> bytes:
    """A container of these files."""
    target = io.BytesIO()
    when = manifest_of(members).time if time is None else time
    container.write(target, {name: io.BytesIO(data) for name, data in members.items()}, when)
    return target.getvalue()


def mended(members: Mapping[str, bytes], change: Callable[[Manifest], Manifest] = lambda made: made) -> Members:
    """With a manifest that has the digests of what is there now: what a careful forger does."""
    made = change(manifest_of(members))
    outside = (manifest.NAME, manifest.SIGNATURES)
    files = [FileFacts(name, digest_of(data)) for name, data in members.items() if name not in outside]
    return {**members, manifest.NAME: replace(made, files=files).encode()}


def checked(data: bytes, pinned: Iterable[NoteKey] = ()) -> Checked:
    return check(io.BytesIO(data), list(pinned))


def place(found: Checked) -> tuple[str, int]:
    """Where the first difference is; it must be there."""
    assert found.difference is not None
    return found.difference.file, found.difference.record


def shell(commands: str, directory: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "LC_ALL": "C.UTF-8"}
    run = ["sh", "-eu", "-c", commands]
    return subprocess.run(run, cwd=directory, env=env, capture_output=True, text=True, check=False, timeout=60)
