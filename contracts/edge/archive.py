"""A backup: files with their names, modes and digests in one sealed file (`sealed_file.py`), made and brought back.

1. Inside is a tar (POSIX.1-2001): regular files with relative names, the manifest last. The manifest has a version, the
   kind of the backup, when it was made, facts of that kind, and of each file name, mode, size and SHA-256.
2. A backup is unpacked beside the place that it is for, and checked completely, before anything is put there: each file
   that the manifest names is there with its digest, and no other. Facts that are used as names are names inside.
   Files are for their owner only, whatever the manifest says.
3. Nothing that is there is lost. Other files in the way are a `UserError`, or are moved aside if that is asked for.
4. Places may lie on several file systems. Everything is brought to the right one first; then it is only renamed.
"""

import errno
import hashlib
import os
import shutil
import tarfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from contracts.edge import system_errors
from contracts.edge.files import sync_directory
from contracts.edge.sealed_file import opened_file, sealed_file
from contracts.encoding import canonical, parse_object
from contracts.errors import Fault, UserError
from contracts.hpke import UnwrapKey, WrapKey
from contracts.plain import from_plain, to_plain
from contracts.text import Text

VERSION: Final = 1
MANIFEST: Final = "manifest.json"
MAX_MANIFEST: Final = 256 * 1024 * 1024
_PIECE = 1024 * 1024

_NOT_WHOLE = Text("备份不完整:{name}", "The backup is not whole: {name}")
_ANOTHER_COPY = Text("请使用另一份备份。", "Use another copy.")
_NEWER = Text("备份版本 {version} 未知", "The backup has the unknown version {version}")
_UPGRADE = Text("请使用写出它的版本或更新的程序。", "Use the version of the program that wrote it, or a later one.")
_ANOTHER_KIND = Text("这是 {found} 的备份,不是 {kind} 的", "It is the backup of a(n) {found}, not of a(n) {kind}")
_CHOOSE_FILE = Text("请核对文件。", "Check which file it is.")
_IN_THE_WAY = Text("目标处已有 {count} 个文件,如 {name}", "{count} files are there already, such as {name}")
_REPLACE = Text(
    "请另选 --into 目录,或加 --replace(原文件移到旁边保留)。",
    "Choose another directory with --into, or say --replace: what is there is kept, moved aside.",
)
_UNUSABLE = Text("无法恢复:{why}", "It cannot be restored: {why}")
_CHANGING = Text("备份期间文件被改动:{name}", "A file changed while it was copied: {name}")
_AGAIN = Text("请再试一次。", "Try again.")


@dataclass(frozen=True, slots=True)
class Item:
    """One file to back up: its name in the backup, and where it is."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class File:
    """One file of a backup."""

    name: str
    mode: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. `created` in Unix ms; `facts` are those of its `kind`."""

    version: int
    kind: str
    created: int
    program: str
    facts: Mapping[str, str]
    files: tuple[File, ...]


# --- making ------------------------------------------------------------------------------------------------------


def write(path: Path, manifest: Manifest, items: Iterable[Item], recipient: WrapKey | None) -> Manifest:
    """A new backup at `path` of `items`; its manifest, with the files in it. Raises `UserError`."""
    with sealed_file(path, recipient) as sealed, tarfile.open(fileobj=_as_file(sealed), mode="w|") as tar:
        files = tuple(_add(tar, item) for item in items)
        made = replace(manifest, files=files)
        data = canonical(to_plain(made))
        _member(tar, MANIFEST, 0o600, len(data), BytesIO(data))
    return made


def _as_file(stream: object) -> Any:
    """tarfile asks for a whole file where it only writes, or only reads."""
    return stream


def _add(tar: tarfile.TarFile, item: Item) -> File:
    if not _stays_inside(item.name):
        raise ValueError(f"{item.name} is not a name in a backup")
    with item.path.open("rb") as source:
        status = os.fstat(source.fileno())
        counted = _Counted(source)
        try:
            _member(tar, item.name, status.st_mode & 0o777, status.st_size, counted)
        except OSError as error:
            if error.errno is not None:
                raise
            raise UserError(_CHANGING.fill(name=item.name), str(item.path), _AGAIN) from None
    return File(item.name, status.st_mode & 0o777, status.st_size, counted.digest.hexdigest())


def _member(tar: tarfile.TarFile, name: str, mode: int, size: int, source: "_Counted | BytesIO") -> None:
    info = tarfile.TarInfo(name)
    info.mode, info.size = mode, size
    tar.addfile(info, _as_file(source))


class _Counted:
    """A file while it is read, and the digest of what was."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.digest = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        data = self._source.read(size)
        self.digest.update(data)
        return data


# --- bringing back -----------------------------------------------------------------------------------------------


def unpack(path: Path, kind: str, key: UnwrapKey | None, into: Path) -> Manifest:
    """Unpack and check the backup at `path` into the empty directory `into` (rule 2); raises `UserError`."""
    found: dict[str, tuple[int, str]] = {}
    data = b""
    try:
        with opened_file(path, key) as source, tarfile.open(fileobj=_as_file(source), mode="r|") as tar:
            for member in tar:
                if member.name == MANIFEST:
                    data = _read(tar, member)
                else:
                    found[member.name] = _extract(tar, member, into, path)
            source.read()  # to the last chunk: what was cut off after the tar's end shows
    except tarfile.TarError:
        raise UserError(_NOT_WHOLE.fill(name="tar"), str(path), _ANOTHER_COPY) from None
    manifest = _manifest(data, kind, path)
    named = {file.name: (file.size, file.sha256) for file in manifest.files}
    if wrong := sorted(name for name in named.keys() | found.keys() if named.get(name) != found.get(name)):
        raise UserError(_NOT_WHOLE.fill(name=wrong[0]), str(path), _ANOTHER_COPY)
    for file in manifest.files:
        (into / file.name).chmod(file.mode & 0o700)
    return manifest


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    source = tar.extractfile(member) if member.isreg() and member.size <= MAX_MANIFEST else None
    return b"" if source is None else source.read()


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, into: Path, where: Path) -> tuple[int, str]:
    source = tar.extractfile(member) if member.isreg() else None
    if source is None or not _stays_inside(member.name):
        raise UserError(_NOT_WHOLE.fill(name=member.name), str(where), _ANOTHER_COPY)
    target = into / member.name
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    counted = _Counted(source)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        while piece := counted.read(_PIECE):
            out.write(piece)
        out.flush()
        os.fsync(descriptor)
    return member.size, counted.digest.hexdigest()


def require(
    manifest: Manifest, where: Path, texts: Iterable[str], files: Iterable[str], directories: Iterable[str] = ()
) -> None:
    """Raise `UserError` unless the manifest has these facts, of which some are names of its files or directories."""
    facts, held = manifest.facts, {file.name for file in manifest.files}
    good = {
        **{fact: fact in facts for fact in texts},
        **{fact: facts.get(fact) in held for fact in files},
        **{fact: facts.get(fact) == "." or _stays_inside(facts.get(fact, "")) for fact in directories},
    }
    if wrong := [fact for fact, is_good in good.items() if not is_good]:
        raise UserError(_NOT_WHOLE.fill(name=f"{MANIFEST}: {wrong[0]}"), str(where), _ANOTHER_COPY)


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and path.parts != ()


def _manifest(data: bytes, kind: str, where: Path) -> Manifest:
    try:
        form = parse_object(data)
        if form.get("version") != VERSION:
            raise UserError(_NEWER.fill(version=form.get("version")), str(where), _UPGRADE)
        manifest = from_plain(Manifest, form)
    except Fault:
        raise UserError(_NOT_WHOLE.fill(name=MANIFEST), str(where), _ANOTHER_COPY) from None
    if manifest.kind != kind:
        raise UserError(_ANOTHER_KIND.fill(found=manifest.kind, kind=kind), str(where), _CHOOSE_FILE)
    return manifest


@contextmanager
def staging(into: Path) -> Iterator[Path]:
    """An empty directory beside what is in `into`, for the length of a `with`; raises `UserError`."""
    staged = into / f".restore-{os.urandom(6).hex()}"
    try:
        staged.mkdir(parents=True, mode=0o700)
        yield staged
    except OSError as error:
        if not system_errors.is_circumstance(error):
            raise
        what = _UNUSABLE.fill(why=system_errors.why(error))
        raise UserError(what, str(error.filename or into), system_errors.remedy(error)) from None
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def install(
    staged: Path,
    manifest: Manifest,
    into: Path,
    aside: Path | None,
    whole: Collection[str] = (),
    parts: Iterable[str] = (),
) -> None:
    """Put the files of a checked backup into their places (rules 3 and 4). `aside`: where to move what is in the way.

    `whole`: directories that are moved aside as they are; what the backup has in their place is all new. `parts`:
    other files that must not stay beside those of the backup.
    """
    renewed = whole if aside is not None else ()
    files = [file for file in manifest.files if _is_within(file.name, renewed) or not _is_there(file, into)]
    there = [file.name for file in files if not _is_within(file.name, renewed)]
    there = [name for name in (*parts, *there) if (into / name).exists()]
    if there and aside is None:
        raise UserError(_IN_THE_WAY.fill(count=len(there), name=there[0]), str(into), _REPLACE)
    with _rooms(staged, [file.name for file in files], into, renewed) as ready:
        for name in (*renewed, *there):
            _move_aside(into / name, (aside or into) / name)
        for name, path in ready.items():
            _move(path, into / name)


def _is_within(name: str, directories: Collection[str]) -> bool:
    return any(PurePosixPath(name).is_relative_to(one) for one in directories)


@contextmanager
def _rooms(staged: Path, wanted: Iterable[str], into: Path, renewed: Collection[str]) -> Iterator[dict[str, Path]]:
    """Where each file waits, on the file system of its place (rule 4): as it was unpacked, or a copy near it."""
    rooms: dict[Path, Path] = {}
    try:
        yield {name: _bring_near(staged, name, rooms, _standing(into, name, renewed)) for name in wanted}
    finally:
        for room in rooms.values():
            if room != staged:
                shutil.rmtree(room, ignore_errors=True)


def _standing(into: Path, name: str, renewed: Collection[str]) -> Path:
    """The deepest directory above a place that is there, and stays."""
    above = PurePosixPath(name).parents
    stays = (into / one for one in above if (into / one).is_dir() and not _is_within(str(one), renewed))
    return next(stays, into)


def _bring_near(staged: Path, name: str, rooms: dict[Path, Path], standing: Path) -> Path:
    if standing not in rooms:
        rooms[standing] = _room(standing, staged)
    room = rooms[standing]
    if room != staged:
        _copy(staged / name, room / name)
    return room / name


def _room(standing: Path, staged: Path) -> Path:
    """`staged`, if a rename leads from there to below `standing`; else a new directory there."""
    room = standing / f".restore-{os.urandom(6).hex()}"
    room.mkdir(mode=0o700)
    try:
        room.rename(staged / room.name)  # only this tells: one file system can be mounted at two places
    except OSError as error:
        if error.errno == errno.EXDEV:
            return room
        room.rmdir()
        raise
    return staged


def _move_aside(path: Path, target: Path) -> None:
    """Move a file or directory; to another file system by a durable copy, made before the original goes."""
    try:
        _move(path, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        for file in path.rglob("*") if path.is_dir() else (path,):
            if file.is_file():
                _copy(file, target / file.relative_to(path))
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copy2(path, target)
    with target.open("rb") as copied:
        os.fsync(copied.fileno())
    sync_directory(target.parent)


def _is_there(file: File, into: Path) -> bool:
    """Whether exactly this file is there already."""
    path = into / file.name
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest() == file.sha256


def _move(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.replace(target)
    with suppress(FileNotFoundError):
        sync_directory(target.parent)


def names(paths: Iterable[Path], base: Path) -> Iterator[Item]:
    """Items for files below `base`."""
    for path in paths:
        yield Item(path.relative_to(base).as_posix(), path)
