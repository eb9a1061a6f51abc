"""The log of the auditors' own questions: an audit log like the others, in the auditors' hands.

1. A question is recorded, durably, before its answer is shown. If it cannot be recorded, nothing is shown.
2. The record says who (ids of the keys used), which command, which filters (tokens for people, never clear values), how
   many answers, when, and over which logs up to which size. Nothing personal is in it; its opening is empty.
3. An index made with `--own-log` names that log for ever: its questions are recorded without being asked to. Operators
   and supervisors get the log's checkpoint and can tell later that no record went.

[own_log]
directory = "own-log"
origin = "audit-office.example/searches"
key = "keys/own-log.pem"               # Ed25519, signs the checkpoints
auditor = "keys/auditor.public.pem"    # X25519, of the auditors
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.log import AuditLog, LogSettings
from contracts.edge.config import read_toml
from contracts.edge.keys import load_hpke_public, load_signing_key
from contracts.encoding import Json, canonical
from contracts.errors import Unavailable, UserError
from contracts.text import Text

VERSION = 1

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


def load(path: Path) -> LogSettings:
    """The log of searches that `path` (TOML) configures; raises `UserError`."""
    outermost = read_toml(path)
    section = outermost.section("own_log")
    directory, origin = section.path("directory"), section.text("origin")
    key, auditor = section.path("key"), section.path("auditor")
    outermost.done()
    return LogSettings(directory, origin, load_signing_key(key, "EdDSA"), load_hpke_public(auditor))


def keep(config: Path, origin: str, question: Question) -> int:
    """Record a question in the log `origin` (rule 1); its position. Raises `UserError`, `Corrupt`, `Unavailable`."""
    settings = load(config)
    if settings.origin != origin:
        raise UserError(_OTHER, f"{settings.origin} / {origin}")
    failed: list[BaseException] = []
    log = AuditLog.open(settings, failed.append)
    try:
        return log.append_blocking(leaf_of(question, time.time_ns() // 1_000_000), b"{}")
    finally:
        log.close()
        if failed:
            raise Unavailable(f"{settings.directory}: {failed[0]}")
