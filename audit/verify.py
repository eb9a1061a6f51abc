"""Verification of a whole log directory: everything is derived again from the entry bundles, and compared.

1. The checkpoint must be signed by the log's key and be of its origin.
2. For every entry the leaf hash, for every level the tiles, are computed by the code that made them and compared
   byte for byte with what is stored. The root must be the checkpoint's.
3. Partial tiles that older checkpoints left behind must be beginnings of what is there now.
4. A head known from elsewhere (a witness, `head_dir`, an older receipt) must be a head of this log: a truncated or
   exchanged log has valid signatures too.
5. On request each entry must have its opening row, and each erased one an order (`orders.checking`).

The first difference ends the work. It names the file and the entries that it concerns.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from audit.checkpoints import Checkpoint, open_note
from audit.derive import Edge, Files, advance, bundle_path, grow, partials
from audit.disk import TEMPORARY
from audit.merkle import HASH_SIZE, Tree, tree_at
from audit.notes import NoteKey
from audit.orders.checking import MISSING, Rows, Wrong, check_rows
from audit.reader import LogReader
from audit.tiles import WIDTH, Tile, parse_path
from contracts.errors import Corrupt, Fault
from contracts.text import Text

ALTERED = Text("内容与由日志条目重新计算的结果不符", "differs from what its entries give")
DISAGREE = Text("条目与哈希不符(条目或哈希文件被改动)", "entry and stored hash disagree (one of them was altered)")
MALFORMED = Text("格式损坏", "its form is damaged")
WRONG_ROOT = Text("根哈希与检查点不符", "the root is not that of the checkpoint")
NOT_SIGNED = Text("检查点未通过签名验证", "the checkpoint does not verify under the log's key")
TRUNCATED = Text(
    "日志比已知的检查点短(被截断或回滚)", "the log is shorter than a known head (truncated or rolled back)"
)
FORKED = Text("日志与已知的检查点不一致(被改写)", "the log is not the one of a known head (rewritten)")
STRAY = Text("多余或无法解释的文件", "a file that no tree has")


@dataclass(frozen=True, slots=True)
class Difference:
    """What does not fit: the file (path below the log), the entries concerned (`first` to `last`), and how."""

    file: str
    first: int
    last: int
    what: Text


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome. Without `difference` the log is whole. `entries` is how many were read and hashed. `rows`: of the
    openings, if asked for."""

    origin: str
    size: int
    root: bytes
    entries: int
    difference: Difference | None = None
    rows: Rows | None = None


class _Differs(Exception):
    """Ends the work; carries the difference."""

    def __init__(self, file: str, first: int, last: int, what: Text) -> None:
        super().__init__(file, first, last)
        self.difference = Difference(file, first, last, what)


def verify(
    directory: Path,
    key: NoteKey,
    known: Checkpoint | None = None,
    openings: bool = False,
    advanced: Callable[[int], None] = lambda _: None,
    orders_key: NoteKey | None = None,
    successors: Sequence[Path] = (),
) -> Report:
    """Check the log in `directory` under `key`. `advanced(n)` is told when n more entries are done. `orders_key`: under
    which the auditor signs orders about openings; without it only the log's signature under them is checked.
    `successors`: directories of the logs that go on from a closed one, where they are not beside it.

    The log may grow meanwhile: what is checked is the head that was published at the start.
    """
    reader = LogReader(directory, key)
    try:
        head = open_note(reader.note(), key)[0]
    except (Fault, Corrupt):
        return Report(key.name, 0, b"", 0, Difference("checkpoint", 0, 0, NOT_SIGNED))
    done = [0]

    def count(entries: int) -> None:
        done[0] += entries
        advanced(entries)

    try:
        _check_tree(reader, head, count)
        _check_leftovers(reader, head)
        _check_known(reader, head, known)
        rows = _check_openings(reader, head.size, orders_key, successors) if openings else None
    except _Differs as found:
        return Report(head.origin, head.size, head.root, done[0], found.difference)
    return Report(head.origin, head.size, head.root, done[0], rows=rows)


# --- rule 2: the tree ------------------------------------------------------------------------------------------


def _check_tree(reader: LogReader, head: Checkpoint, count: Callable[[int], None]) -> None:
    tree, edge = Tree(), Edge()
    for number in range(-(-head.size // WIDTH)):
        tree, batch = grow(tree, _entries(reader, number, head.size), (), b"")
        edge, full = advance(edge, [batch])
        _compare(reader, full, head.size)
        count(len(batch.entries))
    _compare(reader, partials(edge), head.size)
    if tree.root() != head.root:
        raise _Differs("checkpoint", 0, max(head.size - 1, 0), WRONG_ROOT)


def _entries(reader: LogReader, number: int, size: int) -> list[bytes]:
    """The entries of one bundle, read from the narrowest file that has them."""
    try:
        return reader.entries(number, size)
    except Corrupt:
        first, last = number * WIDTH, min(number * WIDTH + WIDTH, size) - 1
        what = MALFORMED if _exists(reader, number, size) else MISSING
        raise _Differs(bundle_path(number, last - first + 1), first, last, what) from None


def _exists(reader: LogReader, number: int, size: int) -> bool:
    tile = Tile(None, number, min(WIDTH, size - number * WIDTH))
    return any((reader.directory / path).exists() for path in (tile.path, tile.full.path))


def _compare(reader: LogReader, files: Files, size: int) -> None:
    for path, derived in files.items():
        tile = parse_path(path) if path.startswith("tile/") else None
        if tile is not None and tile.level is not None:  # a bundle is what everything else was derived from
            _compare_tile(reader.directory, tile, tile.level, derived, size)


def _compare_tile(directory: Path, tile: Tile, level: int, derived: bytes, size: int) -> None:
    stored = _stored(directory, tile, len(derived))
    if stored == derived:
        return
    place = tile.index * WIDTH + _same_hashes(stored or b"", derived)
    first, last = place * WIDTH**level, min((place + 1) * WIDTH**level, size) - 1
    what = MISSING if stored is None else ALTERED if level else DISAGREE
    raise _Differs(tile.path, first, last, what)


def _same_hashes(stored: bytes, derived: bytes) -> int:
    """How many hashes at the beginning are equal; where both are equal but `stored` is longer, the last counts not."""
    places = range(0, len(derived), HASH_SIZE)
    equal = (stored[at : at + HASH_SIZE] == derived[at : at + HASH_SIZE] for at in places)
    return next((number for number, same in enumerate(equal) if not same), len(places) - 1)


def _stored(directory: Path, tile: Tile, length: int) -> bytes | None:
    """A tile as stored; in place of a partial one the beginning of the full one, where the log grew meanwhile."""
    for candidate, most in ((tile, None), (tile.full, length)):
        with suppress(FileNotFoundError, IsADirectoryError):
            return (directory / candidate.path).read_bytes()[:most]
    return None


# --- rule 3: partial tiles of older heads ----------------------------------------------------------------------


def _check_leftovers(reader: LogReader, head: Checkpoint) -> None:
    for path in _partial_paths(reader.directory):
        try:
            tile = parse_path(path)
        except Fault:
            raise _Differs(path, 0, 0, STRAY) from None
        if tile.index * WIDTH + tile.width <= head.size // WIDTH ** (tile.level or 0):
            _check_leftover(reader, tile, head.size)


def _partial_paths(directory: Path) -> Iterator[str]:
    """Sorted by directory. What goes while we look is gone: its full tile is there, and was compared."""
    for at, directories, files in os.walk(directory / "tile"):
        directories.sort()
        for name in sorted(files) if at.endswith(".p") else ():
            if not name.endswith(TEMPORARY):  # a crash may leave one; no reader asks for it
                yield (Path(at) / name).relative_to(directory).as_posix()


def _check_leftover(reader: LogReader, tile: Tile, size: int) -> None:
    try:
        stored = (reader.directory / tile.path).read_bytes()
    except FileNotFoundError:
        return
    if tile.level is None:
        whole = b"".join(len(e).to_bytes(2, "big") + e for e in reader.entries(tile.index, size)[: tile.width])
    else:
        whole = b"".join(reader.hashes(tile.level, tile.index, size)[: tile.width])
    if stored != whole:
        span = WIDTH ** (tile.level or 0)
        first = tile.index * WIDTH * span
        raise _Differs(tile.path, first, min(first + tile.width * span, size) - 1, ALTERED)


# --- rules 4 and 5 ---------------------------------------------------------------------------------------------


def _check_known(reader: LogReader, head: Checkpoint, known: Checkpoint | None) -> None:
    if known is None:
        return
    if known.size > head.size:
        raise _Differs("checkpoint", head.size, known.size - 1, TRUNCATED)
    if tree_at(known.size, reader.nodes(head.size)).root() != known.root:
        raise _Differs("checkpoint", 0, max(known.size - 1, 0), FORKED)


def _check_openings(reader: LogReader, size: int, orders_key: NoteKey | None, successors: Sequence[Path] = ()) -> Rows:
    found = check_rows(reader, size, orders_key, successors)
    if isinstance(found, Wrong):
        raise _Differs(found.file, found.first, found.last, found.what)
    return found
