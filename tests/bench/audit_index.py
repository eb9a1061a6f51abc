"""The figures of the auditor's index: how fast it follows a log, and how long a filtered page takes.

1. A log of real records is written, spread over a year: 40 organisations of 4 units, 60 service items, 3,000 clerks,
   each holder and case a few times. It is indexed with the keys of two auditors: every entry hashed and checked under
   the signed head, every opening unsealed and held against its leaf, three tokens made, committed to SQLite.
2. Pages of 50 for questions of all kinds: everything, one organisation, a rare combination, a clerk, a case, a holder,
   a time, a page far back, nothing found. Each is asked several times, with the index opened anew; the slowest median
   counts. Questions of people include making the token, not reading the key.
3. Of ten million, all but the last `TAIL` come into the index without a log and its cryptography, and SQLite builds its
   B-trees afterwards: making and opening ten million sealed records takes most of an hour and would measure rule 1
   again. Rows are as many and as different as in a log; tokens are random but for whom the questions ask. The last ones
   are a real log that is followed into the index of that size, so the rate is that of following at ten million; the
   pages are of the whole.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from random import Random
from statistics import median
from typing import NamedTuple

import apsw
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.log import AuditLog, LogSettings
from audit.record import AccessFacts, record
from audit.search.asked import filters_of, parse
from audit.search.database import keep_checks, meta, open_index, transaction, writing
from audit.search.filters import Cursor
from audit.search.follow import Follower, Source
from audit.search.query import Index
from audit.search.rows import DAY_MS, FACETS, entry_id
from audit.search.tokens import TokenKeys, case_token, clerk_token, holder_token, token_keys
from contracts.algorithms import SigningKey
from contracts.encoding import canonical
from tests.bench.audit import FACTS
from tests.bench.result import Result

MILLION, TEN_MILLION = 1_000_000, 10_000_000
TAIL = 100_000
RATE_LIMIT = 20_000.0  # records per second
PAGE_LIMIT = 100.0  # milliseconds
PAGE = 50

_START = 1_763_741_600_000
_YEAR_MS = 365 * 86_400_000
_CHUNK = 20_000
_REFUSED, _CLERKS, _ASKED = 0.04, 3000, 17
_SHAPES = 40 * 4 * 60 * 2  # organisations, units, items; granted or refused
_FILLED = "INSERT INTO logs (origin, vkey, directory, size, root, other, erased) VALUES ('filled', '', '', ?, '', 0, 0)"
_SHAPE = "".join(("INSERT INTO shapes VALUES (NULL", ",?" * (len(FACETS) + 1), ")"))
_INDEXES = "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
_COUNTED = "INSERT INTO counts SELECT ?1, shape, time / ?2, count(*) FROM entries GROUP BY 2, 3"
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


def index_and_pages(entries: int = MILLION) -> Iterator[Result]:
    """Rules 1 and 2: the rate of the index, and the slowest of the pages."""
    name = "" if entries == MILLION else f"_{entries}"
    with tempfile.TemporaryDirectory(prefix="oncegate-bench-") as directory:
        path = Path(directory)
        auditor, second = X25519PrivateKey.generate(), X25519PrivateKey.generate()
        numbers = range(entries - TAIL if entries == TEN_MILLION else 0, entries)
        source = _log(path / "log", auditor, entries, numbers)
        with writing(path / "index") as db:
            keys = token_keys(_salt(meta(db)), auditor, second)
            with transaction(db):
                keep_checks(db, keys)
            filled = _fill(db, keys, range(numbers.start), entries)
            started = time.perf_counter()
            done = Follower(db, auditor, keys).follow(source)
            elapsed = time.perf_counter() - started
        size = (path / "index").stat().st_size / entries
        facts = {"entries": float(entries), "bytes_per_entry": size} | filled
        yield Result("audit_index" + name, done.new / elapsed, RATE_LIMIT, 1.0, "records/s", facts=facts)
        pages = {question: _page_ms(path / "index", words, keys) for question, words in _QUESTIONS.items()}
        pages["far_back"] = _page_ms(path / "index", ("decision=granted",), keys, Cursor(_START + _YEAR_MS // 10, 1))
        yield Result("audit_page" + name, max(pages.values()), PAGE_LIMIT, 1.0, "ms", at_most=True, facts=pages)


def _fill(db: apsw.Connection, keys: TokenKeys, numbers: range, entries: int) -> dict[str, float]:
    """Rule 3: rows without a log; what is to be said of them."""
    if not numbers:
        return {}
    started = time.perf_counter()
    with transaction(db):
        db.execute(_FILLED, (len(numbers),))
        log = db.last_insert_rowid()
        db.executemany(_SHAPE, map(_shape, range(_SHAPES)))
        indexes = db.execute(_INDEXES).fetchall()
        for name, _ in indexes:
            db.execute(f"DROP INDEX {name}")
        db.executemany("INSERT INTO entries VALUES (?,?,?,?,?,?)", _rows(keys, log, numbers, entries))
        db.execute(_COUNTED, (log, DAY_MS))
        for _, made in indexes:
            db.execute(str(made))
    elapsed = time.perf_counter() - started
    return {"filled_without_cryptography": float(len(numbers)), "filled_per_second": len(numbers) / elapsed}


def _rows(
    keys: TokenKeys, log: int, numbers: range, entries: int
) -> Iterator[tuple[int, int, int, bytes, bytes, bytes]]:
    chance = Random(20261122).random
    clerks = [clerk_token(keys, f"clerk-{number}") for number in range(_CLERKS)]
    asked_case, asked_holder = (
        case_token(keys, f"case-{_ASKED}"),
        holder_token(keys, "cn.uscc", f"HOLDER{_ASKED}") or b"",
    )
    cases, holders = entries // 3, entries // 4
    for number in numbers:
        drawn = int(chance() * _SHAPES) & ~1 | (chance() < _REFUSED)  # an odd shape is a refusal
        case, holder = int(chance() * cases), int(chance() * holders)
        case_ = asked_case if case == _ASKED else _like(b"c", case)
        holder_ = asked_holder if holder == _ASKED else _like(b"h", holder)
        yield entry_id(log, number), _time(number, entries), drawn + 1, clerks[int(chance() * _CLERKS)], case_, holder_


def _like(kind: bytes, number: int) -> bytes:
    """As random, and as often the same, as the token of somebody whom no question asks for."""
    return blake2b(number.to_bytes(8, "big"), digest_size=16, person=kind).digest()


def _shape(number: int) -> tuple[str | None, ...]:
    rest, refused = divmod(number, 2)
    rest, item = divmod(rest, 60)
    organisation, unit = divmod(rest, 4)
    facts = _facts(0, 1, _Drawn(organisation, unit, item, bool(refused), "", "", ""))
    return (*(getattr(facts, name) for name in FACETS), canonical(sorted(facts.evidence_types)).decode())


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


def _log(directory: Path, auditor: X25519PrivateKey, entries: int, numbers: range) -> Source:
    def on_fatal(error: BaseException) -> None:
        raise error

    settings = LogSettings(directory, "bench.example/index", SigningKey.generate("EdDSA"), auditor.public_key())
    log, chance = AuditLog.open(settings, on_fatal), Random(20261122)
    for first in range(0, len(numbers), _CHUNK):
        asyncio.run(
            _append(log, [_facts(n, entries, _drawn(chance, entries)) for n in numbers[first : first + _CHUNK]])
        )
    log.close()
    return Source(directory, log.verifier)


async def _append(log: AuditLog, facts: list[AccessFacts]) -> None:
    await asyncio.gather(*(log.append(*record(one, [b"x" * 900], one.transaction.encode())) for one in facts))


class _Drawn(NamedTuple):
    """What a record is about, by lot."""

    organisation: int
    unit: int
    item: int
    refused: bool
    holder: str
    clerk: str
    case: str


def _drawn(chance: Random, entries: int) -> _Drawn:
    refused, unit = chance.random() < _REFUSED, chance.randrange(4)
    organisation, item = chance.randrange(40), chance.randrange(60)
    holder, clerk = f"HOLDER{chance.randrange(entries // 4)}", f"clerk-{chance.randrange(_CLERKS)}"
    return _Drawn(organisation, unit, item, refused, holder, clerk, f"case-{chance.randrange(entries // 3)}")


def _time(number: int, entries: int) -> int:
    return _START + _YEAR_MS * number // entries


def _facts(number: int, entries: int, drawn: _Drawn) -> AccessFacts:
    return replace(
        FACTS,
        transaction=f"019aa2c0-7c2a-7abc-9def-{number:012d}",
        time=_time(number, entries),
        organisation=f"org-{drawn.organisation}",
        unit=f"unit-{drawn.unit}",
        service_item=f"item-{drawn.item}",
        evidence_types=("cn.business-licence", "cn.home") if drawn.unit == 1 else ("cn.business-licence",),
        decision="refused" if drawn.refused else "granted",
        reason="item_not_granted" if drawn.refused else None,
        holder={"scheme": "cn.uscc", "id": drawn.holder},
        clerk=drawn.clerk,
        case=drawn.case,
    )
