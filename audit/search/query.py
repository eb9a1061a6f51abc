"""Questions to an index: pages of hits, facets with counts, a histogram over time, a live proof of a hit.

1. What a hit says comes from the index, which was made from verified entries. A proof is made and checked anew,
   from the log's directory: under a signed head that is one history with what was indexed, for an entry that says what
   the hit says. A directory with another history under the same key proves nothing of ours.
2. A page costs what it shows, not what the index holds (`filters`, rule 5); facets and histogram read every match.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import apsw
import orjson

from audit.checkpoints import Checkpoint, open_note
from audit.merkle import leaf_hash, verify_consistency, verify_inclusion
from audit.notes import parse_vkey
from audit.reader import LogReader
from audit.receipts import Proof
from audit.search import filters as sql
from audit.search.filters import Cursor, Filters
from audit.search.rows import FACETS, Entry, Shape, access_of, place_of
from contracts.encoding import canonical
from contracts.errors import Corrupt, UserError
from contracts.text import Text

HOUR_MS = 3_600_000

_COLUMNS = ", ".join(f"shapes.{name}" for name in FACETS)
_MOVED = Text("该日志的目录已不在原处", "The directory of that log is not where it was")
_INDEX_AGAIN = Text("请用新位置再次运行 oncegate-audit index。", "Run oncegate-audit index again with its new place.")
_NO_LOG = Text("索引中没有该日志", "The index does not have this log")


@dataclass(frozen=True, slots=True)
class Hit:
    """One access record. `log`: the origin; `facets` by name of FACETS; `time` in Unix ms."""

    log: str
    position: int
    time: int
    facets: Mapping[str, str | None]
    types: Sequence[str]
    cursor: Cursor


class Log(NamedTuple):
    """A log that the index holds."""

    number: int
    origin: str
    vkey: str
    directory: str
    size: int
    root: bytes
    other: int
    erased: int


@dataclass(frozen=True, slots=True)
class Stats:
    """What matches, counted. `facets`: name → value (None: not there) → count; `evidence_type` counts a record once for
    each of its types. `hours`: Unix time in hours → count."""

    total: int
    facets: Mapping[str, Mapping[str | None, int]]
    hours: Mapping[int, int]


class Index:
    """An index open for reading."""

    def __init__(self, db: apsw.Connection) -> None:
        self.db = db
        self.logs = {row[0]: Log(*row) for row in db.execute("SELECT * FROM logs ORDER BY origin")}
        self._readers: dict[int, LogReader] = {}
        self._held: set[Checkpoint] = set()  # against what was indexed: once for a page

    def log(self, origin: str) -> Log:
        """The log of this origin; raises `UserError`."""
        for log in self.logs.values():
            if log.origin == origin:
                return log
        known = ", ".join(log.origin for log in self.logs.values())
        raise UserError(_NO_LOG, origin, Text(f"现有:{known}。", f"There are: {known}."))

    def page(self, filters: Filters, limit: int, after: Cursor | None = None) -> list[Hit]:
        """At most `limit` hits, newest first (rule 2)."""
        found = None if filters.people else self._near(filters, limit, after)
        if found is None:
            floor, matches = (0, 0) if filters.people else self._reach(filters, limit, after)
            found = self._select(filters, limit, after, floor, sql.index_for(filters, matches))
        shapes = self._shapes({shape for _, _, shape in found})
        return [self._hit(entry, time, shapes[shape]) for entry, time, shape in found]

    def stats(self, filters: Filters) -> Stats:
        """Everything that matches, counted."""
        where = sql.entries(filters)
        index = sql.index_for(filters, sql.FEW + 1)
        by_shape: Counter[int] = Counter()
        hours: Counter[int] = Counter()
        wanted = ("SELECT shape, time / ?, count(*) FROM entries INDEXED BY", index, "WHERE", where.sql)
        for shape, hour, count in self.db.execute(" ".join((*wanted, "GROUP BY 1, 2")), (HOUR_MS, *where.values)):
            by_shape[shape] += count
            hours[hour] += count
        return Stats(by_shape.total(), self._facets(by_shape), dict(sorted(hours.items())))

    def proof(self, hit: Hit) -> Proof:
        """A fresh proof of a hit, checked (rule 1); raises as `proved`."""
        entry, proof = self.proved(self.log(hit.log), hit.position)
        access = access_of(entry)
        if access is None or (access.time, access.shape) != (hit.time, _shape_of(hit)):
            raise Corrupt(f"{hit.log}: entry {hit.position} is not what the index says of it")
        return proof

    def proved(self, log: Log, position: int) -> tuple[bytes, Proof]:
        """An indexed entry and a fresh proof of it, checked (rule 1).

        Raises `UserError` when the log is not there, `Corrupt`, and `Fault` for a head that its key did not sign.
        """
        reader = self.reader(log)
        found = reader.proof(position)
        if found is None:
            raise Corrupt(f"{log.origin}: the head does not reach entry {position} any more")
        head = open_note(found.note, reader.key)[0]
        if not self.is_one_history(log, head):
            raise Corrupt(f"{log.origin}: the head of this copy is not one of the log that was indexed")
        entry = reader.entry(position, head.size)
        if not verify_inclusion(position, head.size, leaf_hash(entry), found.hashes, head.root):
            raise Corrupt(f"{log.origin}: entry {position} is not the one in the signed tree")
        return entry, found

    def is_one_history(self, log: Log, head: Checkpoint) -> bool:
        """Whether of a signed head and the log as it was indexed one extends the other, by a consistency proof from the
        log's directory; raises as `proved`."""
        if head in self._held:
            return True
        (old, old_root), (new, new_root) = sorted(((log.size, log.root), (head.size, head.root)))
        if old in (0, new):
            same = old == 0 or old_root == new_root
        else:
            proof = self.reader(log).consistency_proof(old, new)
            same = verify_consistency(old, new, proof, old_root, new_root)
        if same:
            self._held.add(head)
        return same

    def reader(self, log: Log) -> LogReader:
        """The log as it lies where it was indexed last; raises `UserError` when it is not there."""
        reader = self._readers.get(log.number)
        if reader is None:
            if not (Path(log.directory) / "checkpoint").is_file():
                raise UserError(_MOVED, log.directory, _INDEX_AGAIN)
            reader = self._readers[log.number] = LogReader(Path(log.directory), parse_vkey(log.vkey))
        return reader

    def occurs(self, filters: Filters) -> bool:
        """Whether a record of the index has these facets and types, whatever its time, log and people."""
        where = sql.shapes(filters)
        if where is None:
            return True
        wanted = ("SELECT 1 FROM shapes WHERE", where.sql, "LIMIT 1")
        return self.db.execute(" ".join(wanted), where.values).get is not None

    def entries(self, filters: Filters) -> Iterator[Entry]:
        """Every entry that matches, log by log, in order of position: for reconciliation, samples and rules."""
        where = sql.entries(filters)
        wanted = ("SELECT id, time, shape, clerk, case_number, holder FROM entries WHERE", where.sql, "ORDER BY id")
        return (Entry(*row) for row in self.db.execute(" ".join(wanted), where.values))

    def hits(self, entries: Sequence[Entry]) -> list[Hit]:
        """What the index says of these entries."""
        shapes = self._shapes({entry.shape for entry in entries})
        return [self._hit(entry.number, entry.time, shapes[entry.shape]) for entry in entries]

    def positions(self, numbers: Iterable[int]) -> list[tuple[str, int]]:
        """Origin and position of entries by their numbers."""
        return [(self.logs[log].origin, position) for log, position in map(place_of, numbers)]

    def shapes(self) -> dict[int, tuple[Mapping[str, str | None], Sequence[str]]]:
        """Every shape: its facets and evidence types."""
        return self._shapes(None)

    def first_times(self) -> dict[int, int]:
        """Shape → the time (Unix ms) of its first entry in the whole index."""
        first = "SELECT id, (SELECT min(time) FROM entries WHERE shape = shapes.id) AS first FROM shapes"
        return dict(self.db.execute(first + " WHERE first IS NOT NULL"))

    def _near(self, filters: Filters, limit: int, after: Cursor | None) -> list[tuple[int, int, int]] | None:
        """The page, if the newest entries alone make one; else None."""
        newest = filters.until - 1 if after is None else min(filters.until - 1, after.time)
        wanted = "SELECT time FROM entries INDEXED BY entries_time WHERE time <= ? ORDER BY time DESC LIMIT 1 OFFSET ?"
        floor = self.db.execute(wanted, (newest, sql.FEW)).get
        found = self._select(filters, limit, after, floor or 0, "entries_time")
        return found if len(found) == limit or floor is None or floor <= filters.since else None

    def _select(
        self, filters: Filters, limit: int, after: Cursor | None, floor: int, index: str
    ) -> list[tuple[int, int, int]]:
        """Number, time and shape of the newest matches from `floor` (ms) on, read by `index`."""
        where = sql.entries(filters, after, floor)
        wanted = ("SELECT id, time, shape FROM entries INDEXED BY", index, "WHERE", where.sql)
        command = " ".join((*wanted, "ORDER BY time DESC, id DESC LIMIT ?"))
        return [(entry, time, shape) for entry, time, shape in self.db.execute(command, (*where.values, limit))]

    def _reach(self, filters: Filters, limit: int, after: Cursor | None) -> tuple[int, int]:
        where = sql.days(filters, after)
        wanted = ("SELECT day, sum(n) FROM counts WHERE", where.sql, "GROUP BY day ORDER BY day DESC")
        return sql.floor_of(self.db.execute(" ".join(wanted), where.values), limit)

    def _shapes(self, numbers: set[int] | None) -> dict[int, tuple[Mapping[str, str | None], Sequence[str]]]:
        some = "" if numbers is None else "WHERE id IN (SELECT value FROM json_each(?))"
        values = () if numbers is None else (orjson.dumps(sorted(numbers)).decode(),)
        found = self.db.execute(" ".join(("SELECT id,", _COLUMNS, ", types FROM shapes", some)), values)
        return {row[0]: (dict(zip(FACETS, row[1:-1], strict=True)), orjson.loads(row[-1])) for row in found}

    def _hit(self, entry: int, time: int, shape: tuple[Mapping[str, str | None], Sequence[str]]) -> Hit:
        log, position = place_of(entry)
        return Hit(self.logs[log].origin, position, time, *shape, Cursor(time, entry))

    def _facets(self, by_shape: Mapping[int, int]) -> Mapping[str, Mapping[str | None, int]]:
        facets: dict[str, Counter[str | None]] = {name: Counter() for name in (*FACETS, "evidence_type")}
        shapes = self._shapes(set(by_shape))
        for shape, count in by_shape.items():
            values, types = shapes[shape]
            for name, value in values.items():
                facets[name][value] += count
            for name in types:
                facets["evidence_type"][name] += count
        return {name: dict(counter.most_common()) for name, counter in facets.items()}


def _shape_of(hit: Hit) -> Shape:
    return Shape(tuple(hit.facets[name] for name in FACETS), canonical(list(hit.types)).decode())
