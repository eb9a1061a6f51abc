"""A backup: files with their names, modes and digests in one sealed file (`sealed_file.py`), made and brought back.

1. Inside is a tar (POSIX.1-2001): regular files with relative names, the manifest last. The manifest has a version, the
   kind of the backup, when it was made, facts of that kind, and of each file name, mode, size and SHA-256.
2. A backup is unpacked beside the place that it is for, and checked completely, before anything is put there: each file
   that the manifest names is there with its digest, and no other.
3. Nothing that is there is lost. Other files in the way are a `UserError`, or are moved aside if that is asked for.
"""

import hashlib
import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Mapping
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
        (into / file.name).chmod(file.mode)
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


def install(staged: Path, manifest: Manifest, into: Path, aside: Path | None) -> None:
    """Put the files of a checked backup into their places (rule 3). `aside`: where to move what is in the way."""
    files = [file for file in manifest.files if not _is_there(file, into)]
    there = [file.name for file in files if (into / file.name).exists()]
    if there and aside is None:
        raise UserError(_IN_THE_WAY.fill(count=len(there), name=there[0]), str(into), _REPLACE)
    for name in there:
        _move(into / name, (aside or into) / name)
    for file in files:
        _move(staged / file.name, into / file.name)


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
