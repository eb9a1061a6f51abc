"""The figures of the auditor's index: how fast it follows a log, and how long a filtered page takes.

1. A log of real records is written, spread over a year: 40 organisations of 4 units, 60 service items, 3,000 clerks,
   each holder and case a few times. It is indexed with the keys of two auditors: every entry hashed and checked under
   the signed head, every opening unsealed and held against its leaf, three tokens made, committed to SQLite.
2. Pages of 50 for questions of all kinds: everything, one organisation, a rare combination, a clerk, a case, a holder,
   a time, a page far back, nothing found. Each is asked several times, with the index opened anew; the slowest median
   counts. Questions of people include making the token, not reading the key.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import median

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.log import AuditLog, LogSettings
from audit.record import AccessFacts, record
from audit.search.asked import filters_of, parse
from audit.search.database import keep_checks, meta, open_index, transaction, writing
from audit.search.filters import Cursor
from audit.search.follow import Follower, Source
from audit.search.query import Index
from audit.search.tokens import TokenKeys, token_keys
from contracts.algorithms import SigningKey
from tests.bench.audit import FACTS
from tests.bench.result import Result

SHORT, MILLION = 50_000, 1_000_000
RATE_LIMIT = 20_000.0  # records per second
PAGE_LIMIT = 100.0  # milliseconds
PAGE = 50

_START = 1_763_741_600_000
_YEAR_MS = 365 * 86_400_000
_CHUNK = 20_000
_TIMES = 5

_QUESTIONS: Mapping[str, tuple[str, ...]] = {
    "everything": (),
    "organisation": ("organisation=org-7",),
    "refused": ("decision=refused",),
    "rare": ("organisation=org-7", "unit=unit-3", "item=item-11", "decision=refused"),
    "type": ("type=cn.home", "unit=unit-1"),
    "absent": ("item=item-3", "reason=never_given"),
    "week": ("item=item-3", "from=2026-03-01", "to=2026-03-07"),
    "clerk": ("clerk=clerk-17",),
    "clerk_refused": ("clerk=clerk-17", "decision=refused"),
    "case": ("case=case-17",),
    "holder": ("holder=cn.uscc:HOLDER17",),
}


def index_and_pages(entries: int = SHORT) -> Iterator[Result]:
    """Rules 1 and 2: the rate of the index, and the slowest of the pages."""
    name = "" if entries == SHORT else f"_{entries}"
    with tempfile.TemporaryDirectory(prefix="oncegate-bench-") as directory:
        path = Path(directory)
        auditor, second = X25519PrivateKey.generate(), X25519PrivateKey.generate()
        source = _log(path / "log", auditor, entries)
        started = time.perf_counter()
        with writing(path / "index") as db:
            keys = token_keys(_salt(meta(db)), auditor, second)
            with transaction(db):
                keep_checks(db, keys)
            done = Follower(db, auditor, keys).follow(source)
        elapsed = time.perf_counter() - started
        size = (path / "index").stat().st_size / entries
        facts = {"entries": float(entries), "bytes_per_entry": size}
        yield Result("audit_index" + name, done.new / elapsed, RATE_LIMIT, 1.0, "records/s", facts=facts)
        pages = {question: _page_ms(path / "index", words, keys) for question, words in _QUESTIONS.items()}
        pages["far_back"] = _page_ms(path / "index", ("decision=granted",), keys, Cursor(_START + _YEAR_MS // 10, 1))
        yield Result("audit_page" + name, max(pages.values()), PAGE_LIMIT, 1.0, "ms", at_most=True, facts=pages)


def _salt(found: Mapping[str, str | bytes]) -> bytes:
    salt = found["salt"]
    if not isinstance(salt, bytes):
        raise TypeError("the salt of an index is bytes")
    return salt


def _page_ms(path: Path, words: tuple[str, ...], keys: TokenKeys, after: Cursor | None = None) -> float:
    taken = []
    for _ in range(_TIMES):
        started = time.perf_counter()
        with closing(open_index(path)) as db:
            Index(db).page(filters_of(parse(words), keys, None), PAGE, after)
        taken.append(time.perf_counter() - started)
    return median(taken) * 1000


def _log(directory: Path, auditor: X25519PrivateKey, entries: int) -> Source:
    def on_fatal(error: BaseException) -> None:
        raise error

    settings = LogSettings(directory, "bench.example/index", SigningKey.generate("EdDSA"), auditor.public_key())
    log, chance = AuditLog.open(settings, on_fatal), Random(20261122)
    for first in range(0, entries, _CHUNK):
        numbers = range(first, min(entries, first + _CHUNK))
        asyncio.run(_append(log, [_facts(n, entries, chance) for n in numbers]))
    log.close()
    return Source(directory, log.verifier)


async def _append(log: AuditLog, facts: list[AccessFacts]) -> None:
    await asyncio.gather(*(log.append(*record(one, [b"x" * 900], one.transaction.encode())) for one in facts))


def _facts(number: int, entries: int, chance: Random) -> AccessFacts:
    refused, unit = chance.random() < 0.04, chance.randrange(4)
    return replace(
        FACTS,
        transaction=f"019aa2c0-7c2a-7abc-9def-{number:012d}",
        time=_START + _YEAR_MS * number // entries,
        organisation=f"org-{chance.randrange(40)}",
        unit=f"unit-{unit}",
        service_item=f"item-{chance.randrange(60)}",
        evidence_types=("cn.business-licence", "cn.home") if unit == 1 else ("cn.business-licence",),
        decision="refused" if refused else "granted",
        reason="item_not_granted" if refused else None,
        holder={"scheme": "cn.uscc", "id": f"HOLDER{chance.randrange(entries // 4)}"},
        clerk=f"clerk-{chance.randrange(3000)}",
        case=f"case-{chance.randrange(entries // 3)}",
    )
