"""Private files: keys and passwords that only their owner can touch, in directories where nobody can swap them.

1. The file must load as what it is for, and be readable by its owner alone (0600 or less).
2. It must belong to the user whom the process runs as: the owner of the data beside it.
3. Its directory must not be writable for others: who can rename can replace.
"""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from contracts.edge.doctor.examine import of_error
from contracts.edge.doctor.finding import Finding, failed, ok, warning
from contracts.edge.output import Mistake
from contracts.errors import UserError
from contracts.text import Text

_EXPOSED = Text("文件权限 {mode} 使他人可读写", "Others can access the file: its mode is {mode}")
_TIGHTEN = Text(
    "若确认未泄露,请执行 chmod 600 {path};否则更换。", "If it has not leaked, chmod 600 {path}; else replace it."
)
_OWNER = Text("属于用户 {owner},而数据属于用户 {service}", "It belongs to user {owner}, the data to user {service}")
_CHOWN = Text(
    "请以运行服务的用户拥有它:chown {service} {path}。", "Give it to the user of the service: chown {service} {path}."
)
_DIRECTORY = Text("他人可以改写目录 {directory}({mode})", "Others can write its directory {directory} ({mode})")
_GO_W = Text("请执行 chmod go-w {directory}。", "chmod go-w {directory}.")


@dataclass(frozen=True, slots=True)
class PrivateFile:
    """A private file as it was found. `mode`, `owner`: None where it could not be asked. `kid`: its key's id."""

    purpose: Text
    path: Path
    mode: int | None
    owner: int | None
    service: int
    directory_mode: int | None
    problem: Mistake | None
    kid: str = ""


def judge(file: PrivateFile) -> Iterator[Finding]:
    """Rules 1 to 3; one `ok` if there is nothing to say."""
    found = [*_mode(file), *_owner(file), *_directory(file)]
    if file.problem is not None and not any(True for _ in _mode(file)):
        found.insert(0, of_error(file.problem))
    yield from found
    if not found:
        kid = f" {file.kid}" if file.kid else ""
        yield ok(f"{file.purpose.zh}{kid}", f"{file.purpose.en}{kid}", file.path)


def _mode(file: PrivateFile) -> Iterator[Finding]:
    if file.mode is not None and file.mode & 0o077:
        yield failed(_EXPOSED.fill(mode=f"{file.mode:04o}"), _TIGHTEN.fill(path=file.path), file.path)


def _owner(file: PrivateFile) -> Iterator[Finding]:
    if file.owner is not None and file.owner != file.service:
        facts = {"owner": file.owner, "service": file.service, "path": file.path}
        yield failed(_OWNER.fill(**facts), _CHOWN.fill(**facts), file.path)


def _directory(file: PrivateFile) -> Iterator[Finding]:
    mode = file.directory_mode
    if mode is not None and mode & 0o022 and not mode & stat.S_ISVTX:
        facts = {"directory": file.path.parent, "mode": f"{mode:04o}"}
        yield warning(_DIRECTORY.fill(**facts), _GO_W.fill(**facts), file.path)


def gather(purpose: Text, path: Path, service: int, load: Callable[[], str]) -> PrivateFile:
    """What is to be known of a file. `load` reads it as what it is for and gives its key's id ("" for a secret);
    `service`: the user id that the processes run as."""
    problem, kid = None, ""
    try:
        kid = load()
    except (UserError, OSError) as error:
        problem = error
    mode, owner = _status(path)
    directory_mode, _ = _status(path.parent)
    return PrivateFile(purpose, path, mode, owner, service, directory_mode, problem, kid)


def _status(path: Path) -> tuple[int | None, int | None]:
    try:
        found = path.stat()
    except OSError:
        return None, None
    return stat.S_IMODE(found.st_mode), found.st_uid


def service_user(*places: Path) -> int:
    """The owner of the first place that is there; who asks, if there is none."""
    for place in places:
        if place.exists():
            return place.stat().st_uid
    return os.geteuid()
