"""Copies of logs as directories, and the keys that they must be signed with.

1. A directory is a log, or has logs right below it, or is a mirror's, which has them below `logs`.
2. Where verifier keys are given, each log needs one of them; without, the key beside the log is taken (`beside`).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from audit.notes import NoteKey, parse_vkey
from audit.search.follow import Source
from contracts.errors import Fault, UserError
from contracts.text import Text

_NO_LOG = Text("该目录不是审计日志", "Not the directory of an audit log")
_NO_LOG_REMEDY = Text("请给出含有 checkpoint 文件的目录。", "Give directories that hold a file `checkpoint`.")
_NO_VKEY = Text("缺少该日志的验证公钥", "The verifier key of this log is missing")
_NO_VKEY_REMEDY = Text("请用 --vkey 给出(见注册库)。", "Give it with --vkey; the registry lists it.")


class Found(NamedTuple):
    """A copy of a log; `beside`: its key was taken from its own directory."""

    source: Source
    beside: bool


def logs_in(directories: Iterable[Path]) -> list[Path]:
    """The directory of each log (rule 1); raises `UserError` for a directory without any."""
    found: list[Path] = []
    for directory in directories:
        below = [directory] if (directory / "checkpoint").is_file() else _below(directory)
        if not below:
            raise UserError(_NO_LOG, str(directory), _NO_LOG_REMEDY)
        found += below
    return found


def source_of(directory: Path, vkeys: Iterable[str]) -> Found:
    """The log in a directory with its key (rule 2); raises `UserError`, OSError."""
    given = {key.name: key for key in map(_key, vkeys)}
    origin = (directory / "checkpoint").read_bytes().partition(b"\n")[0].decode("utf-8", "replace")
    if origin in given:
        return Found(Source(directory, given[origin]), beside=False)
    if given:
        raise UserError(_NO_VKEY, origin, _NO_VKEY_REMEDY)
    try:
        key = _key((directory / "vkey").read_text("ascii").strip())
    except (FileNotFoundError, UnicodeDecodeError):
        raise UserError(_NO_VKEY, str(directory), _NO_VKEY_REMEDY) from None
    return Found(Source(directory, key), beside=True)


def _below(directory: Path) -> list[Path]:
    found = sorted(directory.glob("*/checkpoint")) or sorted(directory.glob("logs/*/checkpoint"))
    return [path.parent for path in found]


def _key(text: str) -> NoteKey:
    try:
        return parse_vkey(text)
    except Fault as fault:
        raise UserError(fault.row.title, text, _NO_VKEY_REMEDY) from None
