"""Build: sign the directory as the next version. Publish: write the signed version onto the log.

The parts of a version are compared with its manifest before they are published: nodes would refuse altered ones.

`DIR/build/` holds the newest version: `manifest.jws` and `parts/<digest, ":" as "-">.json`. The manifest is written
last, so that a crash leaves the former version whole; on the log, parts come before the manifest that names them.
`DIR/history/` holds every form that an evidence type ever had (`contracts.edge.authoring.history`): a form that breaks
what its compatibility mode promises is not signed.
"""

from dataclasses import dataclass
from pathlib import Path

from contracts.algorithms import SigningKey, VerifyKey
from contracts.edge.authoring import history
from contracts.edge.files import write_atomic
from contracts.edge.transport import COMPACTED, Transport
from contracts.errors import Fault, UserError
from contracts.registry import manifest
from contracts.registry.check import problems
from contracts.registry.manifest import Manifest, Signed
from contracts.registry.snapshot import Snapshot
from contracts.text import Text
from gateway.control.author import load

REGISTRY_TOPIC = "registry"
MANIFEST_KEY = b"manifest"
PART_PREFIX = b"part/"
_SAME_ROOT = Text("请使用此前签发该目录的根密钥。", "Use the root key that signed this directory before.")
_BUILD_AGAIN = Text("请重新运行 oncegate control build。", "Run oncegate control build again.")
_RESTORE = Text(
    "请从备份恢复 build 目录;重新开始会从版本 1 起,各节点将拒绝。",
    "Restore the directory build from a backup: a new one begins at version 1, which nodes refuse.",
)


@dataclass(frozen=True, slots=True)
class Built:
    """What `build` did."""

    version: int
    digest: str
    parts: int
    counts: dict[str, int]


def build(directory: Path, root: SigningKey, now: int) -> Built:
    """Read, check, sign and write the next version; `now` in Unix ms. Raises `UserError`."""
    authored = load(directory)
    past = history.read(directory)
    found = (*problems(authored.contents), *history.breaks(past, authored.contents.evidence_types))
    if found:
        raise UserError(_joined(found), str(directory), Text("请改正后重新构建。", "Correct this and build again."))
    before = _former(directory, root.public)
    version = 1 if before is None else before[0].version + 1
    times = (now, now + authored.fresh_for, now + authored.valid_for)
    signed = manifest.build(authored.contents, root, version, None if before is None else before[1], times)
    history.add(directory, past, authored.contents.evidence_types)
    _write(directory / "build", signed)
    counts = {kind: len(getattr(authored.contents, kind)) for kind in manifest.KINDS}
    return Built(version, signed.digest, len(signed.parts), counts)


def publish(directory: Path, root: VerifyKey, transport: Transport) -> Manifest:
    """Write the built version onto the log, parts first; creates the topic if need be. Raises `UserError`."""
    signed = read_built(directory, root)
    current = manifest.read(signed.manifest, root)
    with transport.admin() as admin:
        if REGISTRY_TOPIC not in admin.topics():  # where nobody may create topics, not even one that is there
            admin.create_topic(REGISTRY_TOPIC, COMPACTED)
    with transport.writer() as writer:
        entries = [(PART_PREFIX + digest.encode(), data) for digest, data in signed.parts.items()]
        writer.write_many(REGISTRY_TOPIC, [*entries, (MANIFEST_KEY, signed.manifest)])
    return current


def read_built(directory: Path, root: VerifyKey) -> Signed:
    """What `build` wrote last, its signature checked; raises `UserError`."""
    folder = directory / "build"
    path = folder / "manifest.jws"
    try:
        data = path.read_bytes()
        current = manifest.read(data, root)
    except OSError:
        remedy = Text("请先运行 oncegate control build。", "Run oncegate control build first.")
        raise UserError(Text("没有构建好的注册库", "There is no built registry"), str(folder), remedy) from None
    except Fault as fault:
        remedy = _SAME_ROOT if fault.code == "registry_root_unknown" else _RESTORE
        raise UserError(fault.row.title, str(path), remedy) from None
    parts = {ref.digest: _read_part(_part_path(folder, ref.digest), ref.digest, root) for ref in current.parts}
    return Signed(data, root.suite.digest_text(data), parts)


def built_snapshot(directory: Path, root: VerifyKey, now: int) -> Snapshot:
    """What `build` wrote last, as nodes will see it; `now` in Unix ms. Raises `UserError`."""
    signed = read_built(directory, root)
    try:
        return manifest.accept(signed.manifest, signed.parts, root, None, now)[0]
    except Fault as fault:
        raise UserError(fault.row.title, f"{directory / 'build'} {fault.code}", _BUILD_AGAIN) from None


def _read_part(path: Path, digest: str, root: VerifyKey) -> bytes:
    try:
        data = path.read_bytes()
    except OSError:
        raise UserError(Fault("part_missing").row.title, str(path), _RESTORE) from None
    if root.suite.digest_text(data) != digest:
        raise UserError(Fault("part_altered").row.title, str(path), _RESTORE)
    return data


def _former(directory: Path, root: VerifyKey) -> tuple[Manifest, str] | None:
    if not (directory / "build" / "manifest.jws").exists():
        return None
    signed = read_built(directory, root)
    return manifest.read(signed.manifest, root), signed.digest


def _write(folder: Path, signed: Signed) -> None:
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    for digest, data in signed.parts.items():
        write_atomic(_part_path(folder, digest), data)
    write_atomic(folder / "manifest.jws", signed.manifest)
    wanted = {_part_path(folder, digest) for digest in signed.parts}
    for path in (folder / "parts").iterdir():
        if path not in wanted:
            path.unlink()


def _part_path(folder: Path, digest: str) -> Path:
    return folder / "parts" / (digest.replace(":", "-") + ".json")


def _joined(found: tuple[Text, ...]) -> Text:
    more = len(found) - 3
    tail = Text(f";另有 {more} 处", f"; and {more} more") if more > 0 else Text("", "")
    return Text(
        ";".join(item.zh for item in found[:3]) + tail.zh,
        "; ".join(item.en for item in found[:3]) + tail.en,
    )
