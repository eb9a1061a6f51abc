"""Backup and restore of a node: what the message log cannot give back.

1. In a backup are the configuration, every file that it names (private keys, certificates, pins, passwords),
   `registry-seen.json`, what stays of removed audit logs, open correction requests, how far supervision has been told,
   and, made after those, a whole copy of each audit log, closed ones too. The node may run meanwhile. What else belongs
   to an installation (the directory of the registry, say) is named by whoever makes it. Stores are not in it: they are
   built from the log.
2. A restore unpacks and checks everything beside its place first. Audit logs are verified entry by entry, and against
   the highest head known elsewhere (`head_dir`) and that of the log in its place: an older log is refused.
   What is checked is what was unpacked, and it comes to where the configuration will look, or nothing does.
3. Nothing is put where a process of the node runs. With `replace`, what is there is moved aside, audit logs as a whole.
4. The registry version seen never goes back: the higher one stays.
"""

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from audit import backup as audit_backup
from audit.disk import lock
from contracts.edge import archive, backups
from contracts.edge.archive import Item, Manifest
from contracts.edge.backups import Made
from contracts.edge.transport import open_transport
from contracts.encoding import parse_object
from contracts.errors import Corrupt, Fault, UserError
from contracts.hpke import UnwrapKey, WrapKey
from contracts.plain import from_plain
from contracts.registry.manifest import Seen
from contracts.text import Text
from gateway.config import NodeConfig, load
from gateway.store.stores import Stores

KIND = "node"
SEEN = "registry-seen.json"
STATE = ("corrections", "supervision")  # below the data, by slot: small files, each replaced as a whole

_RUNNING = Text("该目录中有进程正在运行", "A process of this node is running there")
_STOP = Text("请先停止它。", "Stop it first.")


@dataclass(frozen=True, slots=True)
class Restored:
    """What was brought back: the configuration's new place, entries of each audit log, where old files went."""

    manifest: Manifest
    config: Path
    audit: dict[str, int]
    aside: Path | None


def make(config_path: Path, target: Path, to: WrapKey | None, also: Iterable[Path] = ()) -> tuple[Made, dict[str, int]]:
    """Back up the node of a configuration; the backup, and the entries of each audit log in it."""
    config = load(config_path)
    open_transport(config.log)  # asks for the files that the log's options name
    config.file.done()
    own = [config_path, *(path for path in config.file.named() if path.is_file()), *config.zone_keys]
    seen = config.data_dir / SEEN
    own += [seen] if seen.exists() else []
    own += sorted(config.retired_dir.glob("*.json"))
    files = [*own, *also]
    base = backups.base_of([*files, config.data_dir])
    facts = {"node": config.node_id, "config": _name(config_path, base), "base": str(base)}
    with _copies(config) as (copies, sizes):
        facts |= {"data": _name(config.data_dir, base), "slots": "\n".join(sizes)}
        items = [*archive.names(backups.files_of(files), base), *_copied_items(config, copies, base)]
        return backups.make(target, KIND, config.node_id, facts, items, to), sizes


@contextmanager
def _copies(config: NodeConfig) -> Iterator[tuple[Path, dict[str, int]]]:
    """A copy of what changes meanwhile, laid out as the data, for the length of a `with`; of audit logs links mostly,
    they take no room. They come last: what the other files say of a log must be in it."""
    logs = _logs(config.data_dir)
    parent = config.data_dir if config.data_dir.is_dir() else None
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=parent) as name:
        copies = Path(name)
        for state in STATE:
            _copy_state(config.data_dir / state, copies / state)
        audit = copies / "audit"
        audit.mkdir()
        yield copies, {log.name: audit_backup.copy(log, audit / log.name).size for log in audit_backup.in_order(logs)}


def _copy_state(source: Path, target: Path) -> None:
    """The JSON files of each slot as they are; one that goes away meanwhile is done with."""
    for path in sorted(source.glob("*/[!.]*.json")):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            shutil.copy2(path, copy)


def _copied_items(config: NodeConfig, copies: Path, base: Path) -> Iterator[Item]:
    for path in backups.files_of([copies]):
        place = config.data_dir / path.relative_to(backups.normal(copies))
        yield Item(_name(place, base), path)


def _name(path: Path, base: Path) -> str:
    return backups.normal(path).relative_to(base).as_posix()


def _logs(data_dir: Path) -> list[Path]:
    return [path for path in sorted((data_dir / "audit").glob("*")) if audit_backup.is_log(path)]


# --- restore -----------------------------------------------------------------------------------------------------


def restore(
    file: Path, key: UnwrapKey | None, into: Path, replace: bool, advance: Callable[[int], None] = lambda _: None
) -> Restored:
    """Bring a node back into the directory `into`. Raises `UserError`, `Corrupt` (an audit log: rule 2)."""
    into = backups.normal(into)
    with archive.staging(into) as staged:
        manifest = archive.unpack(file, KIND, key, staged)
        archive.require(manifest, file, ("node", "slots"), ("config",), ("data",))
        config = load(staged / manifest.facts["config"])
        data_dir = backups.final(config.data_dir, staged, into)
        backups.refuse_elsewhere(manifest, into, manifest.facts["data"], data_dir)
        head_dir = config.serve.head_dir if config.serve else None
        known = None if head_dir is None else backups.final(head_dir, staged, into)
        audit = PurePosixPath(manifest.facts["data"]) / "audit"
        sizes = {
            slot: audit_backup.check(staged / audit / slot, known, into / audit / slot, advance).size
            for slot in _slots(manifest, audit)
        }
        _refuse_running(data_dir, config)
        aside = backups.aside(into) if replace else None
        there = [str(audit / log.name) for log in _logs(data_dir) if log.name in sizes]
        archive.install(staged, _newer(manifest, staged, into), into, aside, there)
    moved = aside if aside is not None and aside.exists() else None
    return Restored(manifest, into / manifest.facts["config"], sizes, moved)


def _slots(manifest: Manifest, audit: PurePosixPath) -> list[str]:
    """The audit logs in a backup, from its files; raises `Corrupt` unless they are those that it was made with, whole.

    So no file comes to where audit logs are looked for without having been verified.
    """
    names = [PurePosixPath(file.name) for file in manifest.files]
    below = {name.relative_to(audit).parts[0] for name in names if name.is_relative_to(audit)}
    begun = {name.parent.name for name in names if name.parent.parent == audit and name.name == "checkpoint"}
    stated = set(manifest.facts["slots"].split("\n")) - {""}
    if wrong := (below ^ begun) | (begun ^ stated):
        raise Corrupt(f"{audit / min(wrong)}: it is no audit log that the backup was made with")
    return sorted(begun)


def _newer(manifest: Manifest, staged: Path, into: Path) -> Manifest:
    """The manifest without a `registry-seen.json` that is older than the one in its place (rule 4)."""
    name = (PurePosixPath(manifest.facts["data"]) / SEEN).as_posix()
    there, ours = _seen_version(into / name), _seen_version(staged / name)
    if there <= ours:
        return manifest
    return dataclasses.replace(manifest, files=tuple(file for file in manifest.files if file.name != name))


def _seen_version(path: Path) -> int:
    """0 without a file that says it."""
    try:
        return from_plain(Seen, parse_object(path.read_bytes())).version
    except (FileNotFoundError, Fault):
        return 0


def _refuse_running(data_dir: Path, config: NodeConfig) -> None:
    """Rule 3."""
    for log in _logs(data_dir):
        descriptor = lock(log / "lock")
        if descriptor is None:
            raise UserError(_RUNNING, str(log), _STOP)
        os.close(descriptor)
    stores = Stores(data_dir / "stores", config.store_key)
    if any(stores.is_written(number) for number in stores.numbers()):
        raise UserError(_RUNNING, str(stores.directory), _STOP)
