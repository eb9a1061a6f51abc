"""The log of the auditors' own questions: an audit log like the others, in the auditors' hands.

1. A question is recorded, durably, before its answer is shown. If it cannot be recorded, nothing is shown.
2. The record says who (ids of the keys used), which command, which filters (tokens for people, never clear values), how
   many answers, when, and over which logs up to which size. Of a list it says how many people or cases it names and, up
   to `MAX_LISTED`, their tokens: a list of one is a search for one. Nothing personal is in it. What might be, words and
   the digest of a list (a list of one is guessed from a bare digest), is its sealed opening; `commit` binds it.
3. An index made with `--own-log` names that log for ever: its questions are recorded without being asked to. Operators
   and supervisors get the log's checkpoint and can tell later that no record went.
4. Programs of several auditors take turns: who comes second waits for `TURN_S` seconds.
5. What was recorded is read only under the signed head: the root is computed from the entries that are given out. With
   `head_dir` an older copy of the log is refused as well.

[own_log]
directory = "own-log"
origin = "audit-office.example/searches"
key = "keys/own-log.pem"               # Ed25519, signs the checkpoints
auditor = "keys/auditor.public.pem"    # X25519, of the auditors
head_dir = "/mnt/other/heads"          # optional: a directory on other storage, for the highest head
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from audit.disk import Disk, lock
from audit.log import AuditLog, LogSettings
from audit.merkle import Tree, leaf_hash
from audit.reader import LogReader
from audit.record import commit_digest
from audit.tiles import WIDTH
from contracts.edge.config import read_toml
from contracts.edge.keys import load_hpke_public, load_signing_key
from contracts.encoding import Json, b64url_encode, canonical, parse_object
from contracts.errors import Corrupt, Unavailable, UserError
from contracts.text import Text

VERSION = 1
SALT_SIZE = 16
MAX_LISTED = 500  # tokens of each kind: 36 KB at most, of the 64 that an entry may have
TURN_S = 30.0
_LOOK_S = 0.02

_BUSY = Text("自有日志正被另一程序使用", "Another program is using the auditors' own log")
_WAIT = Text("请等它结束。", "Wait until it has ended.")
_OTHER = Text("该索引登记的查询日志与配置不符", "The index names another log of searches than the configuration")


@dataclass(frozen=True, slots=True)
class Question:
    """What is recorded (rule 2). `logs`: origin and size of each log asked."""

    command: str
    auditors: Sequence[str]
    filters: dict[str, Json]
    count: int
    logs: Sequence[tuple[str, int]]


def leaf_of(question: Question, now: int) -> bytes:
    """The entry; `now` in Unix ms."""
    return canonical(
        {
            "auditors": list(question.auditors),
            "command": question.command,
            "count": question.count,
            "filters": question.filters,
            "kind": "search",
            "logs": [{"origin": origin, "size": size} for origin, size in question.logs],
            "time": now,
            "v": VERSION,
        }
    )


def entry_of(question: Question, now: int, words: Mapping[str, str], salt: bytes) -> tuple[bytes, bytes]:
    """The entry, and its opening of `words` (rule 2); `now` in Unix ms, `salt` of 128 bits."""
    leaf = leaf_of(question, now)
    if not words:
        return leaf, b"{}"
    opening = canonical(dict(words))
    committed = {**parse_object(leaf), "commit": commit_digest(salt, opening)}
    return canonical(committed), b'{"opening":' + opening + b',"salt":"' + b64url_encode(salt) + b'"}'


def listed(named: Mapping[str, Iterable[bytes]]) -> dict[str, Json]:
    """What is recorded of a list (rule 2); `named`: kind → tokens."""
    found = {kind: sorted(set(tokens)) for kind, tokens in named.items()}
    return {"list": {kind: _listed(tokens) for kind, tokens in found.items()}}


def _listed(tokens: Sequence[bytes]) -> dict[str, Json]:
    few = [token.hex() for token in tokens] if len(tokens) <= MAX_LISTED else None
    return {"count": len(tokens), "tokens": few}


def load(path: Path) -> LogSettings:
    """The log of searches that `path` (TOML) configures; raises `UserError`."""
    outermost = read_toml(path)
    section = outermost.section("own_log")
    directory, origin = section.path("directory"), section.text("origin")
    key, auditor, heads = section.path("key"), section.path("auditor"), section.path("head_dir", None)
    outermost.done()
    return LogSettings(directory, origin, load_signing_key(key, "EdDSA"), load_hpke_public(auditor), heads)


def keep(config: Path, origin: str, question: Question, sealed: Mapping[str, str] | None = None) -> int:
    """Record a question in the log `origin` (rule 1), with its `sealed` words; its position.

    Raises `UserError`, `Corrupt`, `Unavailable`, and `Fault` `record_too_large`.
    """
    settings = load(config)
    if settings.origin != origin:
        raise UserError(_OTHER, f"{settings.origin} / {origin}")
    return record(settings, question, sealed)


def record(settings: LogSettings, question: Question, sealed: Mapping[str, str] | None = None) -> int:
    """The same in the log of these settings."""
    with opened(settings) as log:
        now, salt = time.time_ns() // 1_000_000, os.urandom(SALT_SIZE)
        return log.append_blocking(*entry_of(question, now, sealed or {}, salt))


@contextmanager
def opened(settings: LogSettings) -> Iterator[AuditLog]:
    """The log, for its one writer at a time (rule 4); what was durable is published. Raises as `keep`."""
    disk = Disk()
    if not settings.directory.is_dir():
        disk.sync_directories(disk.make_directories([settings.directory]))
    turn = _turn(settings.directory / "turn")
    try:
        failed: list[BaseException] = []
        log = AuditLog.open(settings, failed.append, disk)
        try:
            yield log
        finally:
            log.close()
            if failed:
                raise Unavailable(f"{settings.directory}: {failed[0]}")
    finally:
        os.close(turn)


def entries(log: AuditLog, settings: LogSettings) -> Iterator[tuple[int, bytes]]:
    """Everything published, with its position. Nothing of it may be used before the end (rule 5): raises `Corrupt`."""
    reader = LogReader(settings.directory, log.verifier)
    head, tree = log.published, Tree()
    for number in range(-(-head.size // WIDTH)):
        bundle = reader.entries(number, head.size)
        tree = tree.extend([leaf_hash(entry) for entry in bundle])[0]
        yield from enumerate(bundle, number * WIDTH)
    if tree.root() != head.root:
        raise Corrupt(f"{settings.directory}: the entries are not those that were signed")


def _turn(path: Path) -> int:
    """A lock beside the log's own, waited for; raises `UserError`."""
    end = time.monotonic() + TURN_S
    while (descriptor := lock(path)) is None:
        if time.monotonic() > end:
            raise UserError(_BUSY, str(path.parent), _WAIT)
        time.sleep(_LOOK_S)
    return descriptor
