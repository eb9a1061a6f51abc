"""The index follows a log: from the last entry that it knows to the published head, nothing unverified.

1. The head must be signed by the log's key. The index keeps that key with the origin; another key later is refused.
2. The hash tiles are checked first: the hashes of level 1 (one for each 256 entries) and the open bundle's leaves must
   lead to the signed root. Each bundle is then checked against its own hash before anything of it is written, so one
   pass reads each entry once. A changed byte ends the work and names the entry.
3. What was indexed before must be the beginning of this log: the root at the old size is computed again from checked
   hashes. A shorter log, or another one, is refused.
4. With the auditor's key each opening must be the one that its leaf committed to; tokens are made from it. An erased
   opening is counted. Opening rows that are missing are refused: a search would not find what they hold. A restricted
   one is not opened (`withheld`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.checkpoints import Checkpoint, open_note
from audit.merkle import TILE_HEIGHT, Tree, leaf_hash, root_of
from audit.notes import NoteKey
from audit.orders.chain import at_hand
from audit.orders.state import Noticed, noticed
from audit.reader import LogReader
from audit.search import withheld
from audit.search.batches import Batch, Batches
from audit.search.database import transaction
from audit.search.opener import Opener
from audit.search.rows import access_of, entry_id
from audit.search.tokens import TokenKeys, Tokens
from audit.search.withheld import Withheld
from audit.tiles import WIDTH
from contracts.errors import Corrupt, Fault
from contracts.text import Text

BUNDLES = 64  # in one transaction

_NOT_SIGNED = Text("检查点未通过签名验证", "the checkpoint does not verify under the log's key")
_KEY_CHANGED = Text("验证公钥与索引中的不同", "the verifier key is not the one in the index")
_SHRUNK = Text("日志比索引所知的短(被截断或回滚)", "the log is shorter than the index knows (truncated or rolled back)")
_FORKED = Text("日志与索引所知的不一致(被改写)", "the log is not the one that was indexed (rewritten)")
_HASHES = Text("哈希文件缺失或与检查点不符", "stored hashes are missing, or do not lead to the signed root")
_MISSING = Text("条目缺失或格式损坏", "entries are missing or damaged")
_ALTERED = Text("条目被改动", "an entry was altered")
_EXCHANGED = Text("密封内容与记录不符", "an opening is not the one that its record committed to")

_PLACED = "UPDATE logs SET directory = ? WHERE id = ?"
_FOLLOWED = "SELECT other, erased FROM logs WHERE id = ?"


@dataclass(frozen=True, slots=True)
class Source:
    """A copy of a log, and the key that it must be signed with."""

    directory: Path
    key: NoteKey


@dataclass(frozen=True, slots=True)
class Followed:
    """How far a log is indexed. `new`: entries of this run; `other`: entries that are no access records; `erased`:
    access records without an opening (both of all runs)."""

    origin: str
    size: int
    root: bytes
    new: int
    other: int
    erased: int


class Differs(Exception):
    """The log is not whole, or not the one that was indexed. `where`: the entry, or the sizes, or empty."""

    def __init__(self, what: Text, where: str = "") -> None:
        super().__init__(what.en, where)
        self.what = what
        self.where = where


@dataclass(frozen=True, slots=True)
class _Known:
    """A row of table `logs`."""

    number: int
    size: int
    root: bytes


class Follower:
    """An index open for writing. `auditor` and `keys` together, or neither."""

    def __init__(
        self, db: apsw.Connection, auditor: X25519PrivateKey | None = None, keys: TokenKeys | None = None
    ) -> None:
        self._db = db
        self._auditor = auditor
        self._keys = keys
        self._batches = Batches(db)

    def follow(self, source: Source, advance: Callable[[int], None] = lambda _: None) -> Followed:
        """Index what is new in a log. Raises `Differs`, `UserError`, OSError, and `Fault` for an unreadable opening."""
        reader = LogReader(source.directory, source.key)
        head = _head(reader)
        known = self._known(source)
        if head.size < known.size:
            raise Differs(_SHRUNK, f"{head.size} < {known.size}")
        hashes = _Hashes(reader, head)
        if hashes.root_at(known.size) != known.root:
            raise Differs(_FORKED)
        self._db.execute(_PLACED, (str(source.directory.resolve()), known.number))  # proofs are made from there
        opener = None if self._auditor is None else Opener(reader, self._auditor, self._keys)
        orders = Withheld() if opener is None else self._orders(hashes, reader, opener, known)
        at = known.size
        while at < head.size:
            end = min(head.size, (at // WIDTH + BUNDLES) * WIDTH)
            batch = self._batch(hashes, opener, orders, known.number, at, end)
            self._batches.write(known.number, batch, end, hashes.root_at(end))
            advance(end - at)
            at = end
        return self._followed(head, known)

    def _known(self, source: Source) -> _Known:
        """The log's row, made at the first sight (rule 1)."""
        with transaction(self._db):
            row = self._row(source.key.name)
            if row is None:
                self._db.execute(
                    "INSERT INTO logs (origin, vkey, directory, size, root, other, erased) VALUES (?,?,?,0,?,0,0)",
                    (source.key.name, source.key.vkey, str(source.directory.resolve()), Tree().root()),
                )
                row = self._row(source.key.name)
        if row is None or row[1] != source.key.vkey:
            raise Differs(_KEY_CHANGED)
        return _Known(row[0], row[2], row[3])

    def _row(self, origin: str) -> tuple[int, str, int, bytes] | None:
        found = self._db.execute("SELECT id, vkey, size, root FROM logs WHERE origin = ?", (origin,)).fetchone()
        return None if found is None else (found[0], found[1], found[2], found[3])

    def _orders(self, hashes: "_Hashes", reader: LogReader, opener: Opener, known: _Known) -> Withheld:
        """What orders say up to the head, carried out on what is indexed already."""
        before = withheld.read(self._db, known.number)
        try:
            chain = at_hand(reader)
            again = before is None or before.is_behind(reader, chain)
            now = withheld.after(None if again else before, hashes.notices(0 if again else known.size), reader, chain)
        except Corrupt as error:
            raise Differs(_MISSING, str(error)) from None
        with transaction(self._db):
            for position in withheld.keep(self._db, known.number, known.size, before, now):
                access = access_of(hashes.entries(position // WIDTH)[position % WIDTH])
                row = opener.rows(position // WIDTH, hashes.size)[position % WIDTH]
                if access is not None:
                    tokens = _tokens(opener, position, row, access.commit)
                    self._batches.again(entry_id(known.number, position), tokens)
        return now

    def _batch(self, hashes: "_Hashes", opener: Opener | None, orders: Withheld, log: int, at: int, end: int) -> Batch:
        batch = Batch()
        for number in range(at // WIDTH, -(-end // WIDTH)):
            first = number * WIDTH
            leaves = hashes.entries(number)
            rows = None if opener is None else opener.rows(number, hashes.size)
            for position in range(max(at, first), min(end, first + len(leaves))):
                access = access_of(leaves[position - first])
                if access is None:
                    batch.other += 1
                    continue
                tokens: Tokens | None = Tokens()
                if position in orders.state.erased:
                    tokens = None
                elif opener is not None and rows is not None and position not in orders.positions:
                    tokens = _tokens(opener, position, rows[position - first], access.commit)
                self._batches.add(batch, entry_id(log, position), access, tokens)
        return batch

    def _followed(self, head: Checkpoint, known: _Known) -> Followed:
        row = self._db.execute(_FOLLOWED, (known.number,)).fetchone()
        other, erased = row or (0, 0)
        return Followed(head.origin, head.size, head.root, head.size - known.size, int(other), int(erased))


def _head(reader: LogReader) -> Checkpoint:
    try:
        return open_note(reader.note(), reader.key)[0]
    except (Fault, Corrupt):
        raise Differs(_NOT_SIGNED) from None


def _tokens(opener: Opener, position: int, row: bytes, commit: str) -> Tokens | None:
    try:
        return opener.tokens(position, row, commit)
    except Corrupt:
        raise Differs(_EXCHANGED, str(position)) from None
    except Fault as fault:  # perhaps the wrong key, perhaps altered: nobody can tell which
        raise Fault(fault.code, fault.pointer, f"{opener.origin}, entry {position}: {fault.detail}") from None


class _Hashes:
    """A log's entries, each bundle checked under the signed head before it is given out (rule 2)."""

    def __init__(self, reader: LogReader, head: Checkpoint) -> None:
        self._reader = reader
        self.size = head.size
        full = head.size // WIDTH
        try:
            self._bundles = list(_level_1(reader, head.size)) if full else []
            self._edge = reader.hashes(0, full, head.size) if head.size % WIDTH else []
        except Corrupt as error:
            raise Differs(_HASHES, str(error)) from None
        self._above = Tree()  # over as many bundle hashes as were asked for last
        if self._root(full, self._edge) != head.root:
            raise Differs(_HASHES)

    def root_at(self, size: int) -> bytes:
        """The root of the first `size` entries, from checked hashes."""
        number, rest = divmod(size, WIDTH)
        leaves = [leaf_hash(entry) for entry in self.entries(number)[:rest]] if rest else []
        return self._root(number, leaves)

    def _root(self, full: int, leaves: Sequence[bytes]) -> bytes:
        """Of `full` whole bundles, by their hashes, and the leaves after them. Sizes mostly rise, so little is new."""
        above = self._above if self._above.size <= full else Tree()
        above = self._above = above.extend(self._bundles[above.size : full])[0]
        return Tree(full * WIDTH, (*(None,) * TILE_HEIGHT, *above.peaks)).extend(leaves)[0].root()

    def entries(self, number: int) -> Sequence[bytes]:
        """The entries of bundle `number`; raises `Differs` with the position of the first that is not right."""
        try:
            entries = self._reader.entries(number, self.size)
        except Corrupt:
            raise Differs(_MISSING, f"{number * WIDTH}–{min(number * WIDTH + WIDTH, self.size) - 1}") from None
        leaves = [leaf_hash(entry) for entry in entries]
        right = root_of(leaves) == self._bundles[number] if number < len(self._bundles) else leaves == self._edge
        if not right:
            raise Differs(_ALTERED, str(self._first_wrong(number, leaves)))
        return entries

    def notices(self, first: int) -> Iterator[Noticed]:
        """The notices about openings from entry `first` on."""
        for number in range(first // WIDTH, -(-self.size // WIDTH)):
            for position, entry in enumerate(self.entries(number), number * WIDTH):
                found = noticed(position, entry) if position >= first else None
                if found is not None:
                    yield found

    def _first_wrong(self, number: int, leaves: Sequence[bytes]) -> int:
        """By the stored leaf hashes, where these are right; else the bundle's first."""
        try:
            stored = self._reader.hashes(0, number, self.size)
        except Corrupt:
            return number * WIDTH
        trusted = number >= len(self._bundles) or root_of(stored) == self._bundles[number]
        pairs = zip(leaves, stored, strict=True) if trusted else ()
        return number * WIDTH + next((at for at, (ours, theirs) in enumerate(pairs) if ours != theirs), 0)


def _level_1(reader: LogReader, size: int) -> Iterator[bytes]:
    for number in range(-(-(size // WIDTH) // WIDTH)):
        yield from reader.hashes(1, number, size)
