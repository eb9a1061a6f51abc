"""From entries to a frame, and from durable frames to the files that others read. Pure; recovery runs the same code.

1. `commit` turns entries and rows into one frame, the tree after it, and a `Batch`. `replay` turns a frame that was
   read back into the same `Batch`, checking that it continues the tree and that its root is right.
2. An `Edge` is the unfinished right edge of a log at one size: entries and rows of the open bundle, and for each
   level the hashes of the open tile. `advance` adds batches and cuts off whatever became full.
3. `partials` are the files of the edge itself, for a checkpoint of exactly this size.

Files are path → bytes. Opening bundles are numbered and built like entry bundles, below `openings/`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from audit import frames
from audit.merkle import Tree, leaf_hash
from audit.tiles import WIDTH, Tile, numbered, prefixed
from contracts.errors import Corrupt

Files = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Batch:
    """The content of one frame. `entries` and `rows` are `prefixed`; `nodes` are the new hashes by tile level."""

    first: int
    entries: Sequence[bytes]
    rows: Sequence[bytes]
    nodes: Sequence[Sequence[bytes]]
    root: bytes
    key: bytes

    @property
    def end(self) -> int:
        """The size of the log after this batch."""
        return self.first + len(self.entries)


@dataclass(frozen=True, slots=True)
class Edge:
    """The unfinished right edge of a log of `size` entries (rule 2)."""

    size: int = 0
    entries: Sequence[bytes] = ()
    rows: Sequence[bytes] = ()
    levels: Sequence[Sequence[bytes]] = ()


def commit(tree: Tree, entries: Sequence[bytes], rows: Sequence[bytes], key: bytes) -> tuple[Tree, Batch, bytes]:
    """The tree after `entries`, their batch, and the frame that makes them durable."""
    grown, batch = grow(tree, entries, rows, key)
    return grown, batch, frames.encode(batch.first, batch.root, key, batch.entries, batch.rows)


def replay(tree: Tree, frame: frames.Frame) -> tuple[Tree, Batch]:
    """The tree and batch of a frame that was read back; raises `Corrupt`."""
    if frame.first != tree.size:
        raise Corrupt(f"the audit frames jump from entry {tree.size} to entry {frame.first}")
    grown, batch = grow(tree, frame.entries, frame.rows, frame.key)
    if batch.root != frame.root:
        raise Corrupt(f"the audit frame of entries {frame.first} to {frame.end - 1} does not lead to its root")
    return grown, batch


def grow(tree: Tree, entries: Sequence[bytes], rows: Sequence[bytes], key: bytes) -> tuple[Tree, Batch]:
    """The tree after `entries`, and their batch."""
    grown, nodes = tree.extend([leaf_hash(entry) for entry in entries])
    framed = [prefixed(entry) for entry in entries], [prefixed(row) for row in rows]
    return grown, Batch(tree.size, *framed, nodes, grown.root(), key)


def advance(edge: Edge, batches: Sequence[Batch]) -> tuple[Edge, Files]:
    """The edge after `batches`, and the tiles and bundles that became full."""
    files: Files = {}
    entries = _cut(edge.size, chain(edge.entries, *(b.entries for b in batches)), bundle_path, files)
    rows = _cut(edge.size, chain(edge.rows, *(b.rows for b in batches)), opening_path, files)
    depth = max((len(nodes) for nodes in (edge.levels, *(b.nodes for b in batches))), default=0)
    levels = [_cut_level(edge, batches, level, files) for level in range(depth)]
    return Edge(batches[-1].end if batches else edge.size, entries, rows, levels), files


def partials(edge: Edge) -> Files:
    """The partial tile of each level and the partial bundles at this size; nothing is written for what is empty."""
    files: Files = {}
    number, width = divmod(edge.size, WIDTH)
    if width:
        files[bundle_path(number, width)] = b"".join(edge.entries)
        files[opening_path(number, width)] = b"".join(edge.rows)
    for level, nodes in enumerate(edge.levels):
        if nodes:
            files[Tile(level, edge.size // WIDTH ** (level + 1), len(nodes)).path] = b"".join(nodes)
    return files


def bundle_path(number: int, width: int = WIDTH) -> str:
    """Path of an entry bundle."""
    return Tile(None, number, width).path


def opening_path(number: int, width: int = WIDTH) -> str:
    """Path of the opening rows that belong to an entry bundle."""
    return f"openings/{numbered(number, width)}"


def _cut_level(edge: Edge, batches: Iterable[Batch], level: int, files: Files) -> Sequence[bytes]:
    old = edge.levels[level] if level < len(edge.levels) else ()
    new = (batch.nodes[level] for batch in batches if level < len(batch.nodes))
    return _cut(edge.size // WIDTH**level, chain(old, *new), lambda number: Tile(level, number).path, files)


def _cut(size: int, items: Iterable[bytes], path: Callable[[int], str], files: Files) -> Sequence[bytes]:
    """Put each full 256 of `items` into `files`; the open one of `size` comes first. Returns what is left over."""
    waiting = list(items)
    full = len(waiting) - len(waiting) % WIDTH
    for at in range(0, full, WIDTH):
        files[path((size + at) // WIDTH)] = b"".join(waiting[at : at + WIDTH])
    return waiting[full:]
