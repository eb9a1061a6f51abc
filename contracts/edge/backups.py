"""What the backups of nodes and of adapters have in common at the command line (`archive.py` has the file itself).

1. Who makes a backup says who can read it: a recipient's public key, whose private half is offline, or nobody in
   particular (`plain`), explicitly. There is no default.
2. Names in a backup are relative to the deepest directory that has all its files. So it can be brought back elsewhere,
   and relative paths in configurations go on holding.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from contracts.edge import archive
from contracts.edge.archive import Item, Manifest
from contracts.edge.clock import now_ms
from contracts.edge.keys import load_hpke_private, load_hpke_public
from contracts.errors import UserError
from contracts.hpke import DEFAULT_KEM, UnwrapKey, WrapKey
from contracts.text import Text

_CHOOSE = Text("请说明备份由谁解密", "Say who shall be able to read the backup")
_HOW = Text(
    "用 --recipient 给出恢复公钥(oncegate keygen recovery 生成,私钥离线保管),或用 --plain 明文备份。",
    "--recipient PUBLIC_KEY encrypts it (`oncegate keygen recovery` makes one; keep the private half offline); "
    "--plain writes it in the clear, private keys included.",
)
_MISSING = Text("要备份的文件不存在", "A file that belongs into the backup is not there")
_CHECK = Text("请核对配置中的路径。", "Check the paths in the configuration.")
_EXISTS = Text("备份文件已存在", "There is a file of that name already")
_OTHER = Text("请另选文件名,或给出目录。", "Choose another name, or give a directory.")
_EARLY = Text("本机时钟早于备份时间 {created}", "The clock of this machine is before the time of the backup, {created}")
_ELSEWHERE = Text("备份会恢复到配置所指以外的位置", "It would come to another place than the configuration names")
_INTO = Text("配置中为 {place};请用 --into {base}。", "That is {place}; restore with --into {base}.")
_SET_CLOCK = Text("请先校准时钟。", "Set the clock first.")


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was made."""

    path: Path
    manifest: Manifest
    recipient: WrapKey | None

    @property
    def bytes(self) -> int:
        return self.path.stat().st_size


def recipient(public_key: Path | None, plain: bool) -> WrapKey | None:
    """Rule 1; raises `UserError`."""
    if (public_key is None) is not plain:
        raise UserError(_CHOOSE, "", _HOW)
    return None if public_key is None else WrapKey.of(DEFAULT_KEM, load_hpke_public(public_key))


def recovery_key(private_key: Path | None) -> UnwrapKey | None:
    """The key that opens a backup, if one was given; raises `UserError`."""
    return None if private_key is None else UnwrapKey(DEFAULT_KEM, load_hpke_private(private_key))


def make(
    target: Path, kind: str, name: str, facts: Mapping[str, str], items: Iterable[Item], to: WrapKey | None
) -> Made:
    """Write the backup of `name` to the file `target`, or under a name of its own into that directory."""
    created = now_ms()
    path = target / f"{kind}-{name}-{_stamp(created)}.backup" if target.is_dir() else target
    if path.exists():
        raise UserError(_EXISTS, str(path), _OTHER)
    manifest = Manifest(archive.VERSION, kind, created, version("oncegate"), facts, ())
    return Made(path, archive.write(path, manifest, items, to), to)


def base_of(paths: Iterable[Path]) -> Path:
    """The deepest directory that has all of these files and directories (rule 2)."""
    return Path(os.path.commonpath([path if path.is_dir() else path.parent for path in map(normal, paths)]))


def normal(path: Path) -> Path:
    """The absolute path without `..`, as it can be named in a backup."""
    return Path(os.path.normpath(path.absolute()))


def files_of(paths: Iterable[Path]) -> Iterator[Path]:
    """These files, and all regular files below these directories, each once; raises `UserError` if one is not there."""
    seen: set[Path] = set()
    for path in map(normal, paths):
        if not path.exists():
            raise UserError(_MISSING, str(path), _CHECK)
        for file in sorted(path.rglob("*")) if path.is_dir() else (path,):
            if file.is_file() and file not in seen:
                seen.add(file)
                yield file


def refuse_earlier(manifest: Manifest) -> None:
    """Raise `UserError` where the clock is before the backup: what is numbered by time would be numbered wrongly."""
    if now_ms() < manifest.created:
        raise UserError(_EARLY.fill(created=_stamp(manifest.created)), "", _SET_CLOCK)


def final(path: Path, staged: Path, into: Path) -> Path:
    """Where a path of the unpacked configuration will be; what is outside of the backup stays where it is."""
    path = normal(path)
    return into / path.relative_to(staged) if path.is_relative_to(staged) else path


def refuse_elsewhere(manifest: Manifest, into: Path, name: str, place: Path) -> None:
    """Raise `UserError` unless `name` in the backup comes to `place`, where the configuration will look for it."""
    if into / name != normal(place):
        base = manifest.facts.get("base", "/")
        raise UserError(_ELSEWHERE, str(into / name), _INTO.fill(place=place, base=base))


def aside(into: Path) -> Path:
    """Where what is in the way is moved to."""
    return into / f".replaced-{_stamp(now_ms())}"


def _stamp(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
