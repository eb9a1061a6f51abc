"""What an export is about: the logs that were asked, one signed head of each, and the records, proved one by one.

1. One head for each log, taken once: the cosigned one where it reaches as far as the index, else the published one. A
   head that does not reach so far any more is `Corrupt`: somebody cut the log.
2. Records come log by log, in order of position, each with its proof under that head, made from the log's tiles and
   checked. What the index says only chooses them: the leaf itself must be one that was asked for.
3. Nothing is held but a few tiles, so that a million records cost no more memory than ten.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.checkpoints import Checkpoint, open_note
from audit.merkle import TILE_HEIGHT, inclusion_proof, leaf_hash, parents, verify_inclusion
from audit.orders.state import restricted
from audit.package.scope import is_within
from audit.package.sealed import Unsealer
from audit.package.table import Item
from audit.reader import LogReader
from audit.search import filters as sql
from audit.search.query import Index, Log
from audit.search.rows import place_of
from audit.tiles import WIDTH
from contracts.encoding import Json, parse_object
from contracts.errors import Corrupt

if TYPE_CHECKING:
    from audit.search.filters import Filters

_CACHED_TILES = 64

_COUNTED = "SELECT id >> 40, count(*) FROM entries WHERE"
_WANTED = "SELECT id FROM entries WHERE"


@dataclass(frozen=True, slots=True)
class AskedLog:
    """A log that was asked. `records` of it match; `note` is the signed `head` that everything is proved under."""

    log: Log
    reader: LogReader
    note: bytes
    head: Checkpoint
    records: int


@dataclass(frozen=True, slots=True)
class Proved:
    """A record on its way out, and the proof that it is in its log."""

    item: Item
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """A question that will be exported. `recorded`: its filters as the auditors' own log has them; `auditor`: the key
    that openings are sealed to, None when none were asked for."""

    index: Index
    filters: "Filters"
    recorded: Mapping[str, Json]
    auditor: X25519PrivateKey | None
    logs: Sequence[AskedLog]

    @property
    def count(self) -> int:
        """How many records."""
        return sum(one.records for one in self.logs)

    def records(self) -> Iterator[Proved]:
        """All of them (rule 2); raises `Corrupt`, `UserError`, and `Fault` for an unreadable opening."""
        logs = {one.log.number: _Source(one, self.auditor) for one in self.logs if one.records}
        where = sql.entries(self.filters)
        found = self.index.db.execute(" ".join((_WANTED, where.sql, "ORDER BY id")), where.values)
        for number, (entry,) in enumerate(found, 1):
            log, position = place_of(entry)
            proved = logs[log].proved(number, position)
            if not is_within(self.recorded, proved.item.origin, proved.item.leaf):
                raise Corrupt(f"{proved.item.origin}: entry {position} is not what the index says of it")
            yield proved


def select(
    index: Index, filters: "Filters", recorded: Mapping[str, Json], auditor: X25519PrivateKey | None
) -> Selection:
    """The question with heads and counts (rule 1); raises `Corrupt`, `UserError`, `Fault` for a head."""
    where = sql.entries(filters)
    counts = dict(index.db.execute(" ".join((_COUNTED, where.sql, "GROUP BY 1")), where.values))
    wanted = [log for log in index.logs.values() if filters.log in (None, log.number)]
    ordered = sorted(wanted, key=lambda log: log.number)  # as records come
    logs = [_asked(index.reader(log), log, int(counts.get(log.number, 0))) for log in ordered]
    return Selection(index, filters, recorded, auditor, logs)


def _asked(reader: LogReader, log: Log, records: int) -> AskedLog:
    cosigned = reader.cosigned_note()
    for note in (cosigned, reader.note()):
        if note is not None:
            head = open_note(note, reader.key)[0]
            if head.size >= log.size:
                return AskedLog(log, reader, note, head, records)
    raise Corrupt(f"{log.origin}: the head does not reach the {log.size} entries that the index knows")


class _Source:
    """One log that records come from."""

    def __init__(self, asked: AskedLog, auditor: X25519PrivateKey | None) -> None:
        self._reader, self._head = asked.reader, asked.head
        self._trees = _Trees(asked.reader, asked.head.size)
        self._unsealer = None if auditor is None else _unsealer(asked, auditor)
        self._bundle: tuple[int, Sequence[bytes]] = (-1, ())

    def proved(self, number: int, position: int) -> Proved:
        """The record at `position`; raises as `Selection.records`."""
        size, origin = self._head.size, self._head.origin
        leaf = self._entries(position // WIDTH)[position % WIDTH]
        hashed = leaf_hash(leaf)
        hashes = tuple(inclusion_proof(position, size, self._trees.node))
        if not verify_inclusion(position, size, hashed, hashes, self._head.root):
            raise Corrupt(f"{origin}: entry {position} is not the one in the signed tree")
        members = parse_object(leaf)
        opening = None if self._unsealer is None else self._unsealer.opening(position, members.get("commit"))
        return Proved(Item(number, origin, position, leaf, hashed, members, opening), hashes)

    def _entries(self, number: int) -> Sequence[bytes]:
        if self._bundle[0] != number:
            self._bundle = number, self._reader.entries(number, self._head.size)
        return self._bundle[1]


def _unsealer(asked: AskedLog, auditor: X25519PrivateKey) -> Unsealer:
    """Restrictions count up to the newest entry that is there, whatever head the proofs are made under."""
    published = asked.reader.checkpoint().size
    return Unsealer(asked.reader, asked.head.size, auditor, restricted(asked.reader, published))


class _Trees:
    """The perfect subtrees of a log, from its tiles; each tile's inner nodes are computed once while it is in use."""

    def __init__(self, reader: LogReader, size: int) -> None:
        self._reader = reader
        self._size = size
        self._tiles: OrderedDict[tuple[int, int], list[Sequence[bytes]]] = OrderedDict()

    def node(self, height: int, index: int) -> bytes:
        """As `merkle.Nodes`; raises `Corrupt`."""
        level, above = divmod(height, TILE_HEIGHT)
        number, offset = divmod(index << above, WIDTH)
        rows = self._rows(level, number)
        return rows[above][offset >> above]

    def _rows(self, level: int, number: int) -> list[Sequence[bytes]]:
        rows = self._tiles.get((level, number))
        if rows is None:
            rows = [self._reader.hashes(level, number, self._size)]
            while len(rows[-1]) > 1:
                rows.append(parents(rows[-1][: len(rows[-1]) // 2 * 2]))
            self._tiles[level, number] = rows
            if len(self._tiles) > _CACHED_TILES:
                self._tiles.popitem(last=False)
        else:
            self._tiles.move_to_end((level, number))
        return rows
