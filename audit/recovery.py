"""What a writer finds when it opens a log: the published head, and the durable frames after it.

1. A log directory without checkpoint is new only when it holds no tile and no frame.
2. The tree and the edge at the published size come from tiles and must have the published root.
3. Frames follow each other without a gap. Those below the published size must be sound; those above are replayed by
   the code of the live path. Only the end of the last segment may be torn.
4. A segment is named by its first index, and one always exists: without it, durable entries would be lost unseen.
5. The highest head known on other storage must be a head that this log had.
Whatever breaks a rule is `Corrupt`, and the log does not start.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from audit import frames
from audit.checkpoints import Checkpoint
from audit.derive import Batch, Edge, replay
from audit.merkle import EMPTY_ROOT, Tree, tree_at
from audit.reader import LogReader
from audit.tiles import WIDTH, prefixed
from contracts.errors import Corrupt


@dataclass(frozen=True, slots=True)
class Segment:
    """A file of frames of entries `first` to `end` - 1."""

    path: Path
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """Where a writer goes on: the tree after all durable frames, and what is not yet published of it.

    `tail` are the bytes of the last segment without a torn frame.
    """

    tree: Tree
    edge: Edge
    batches: Sequence[Batch]
    segments: Sequence[Segment]
    tail: bytes


def segment_path(directory: Path, first: int) -> Path:
    """The segment whose first entry is `first`."""
    return directory / "frames" / f"{first:020d}"


def is_new(directory: Path) -> bool:
    """Whether no log was ever here (rule 1); raises `Corrupt` for a log without checkpoint."""
    if (directory / "checkpoint").exists():
        return False
    if (directory / "tile").exists() or any(path.stat().st_size for path in _segment_paths(directory)):
        raise Corrupt("the log has frames or tiles, but its checkpoint is missing")
    return True


def recover(reader: LogReader, published: Checkpoint) -> Recovered:
    """Everything durable, from the published head on (rules 2 to 4)."""
    tree, edge = at_head(reader, published)
    segments, found, tail = _read_segments(reader.directory)
    batches = []
    for frame in _above(found, segments, published.size):
        tree, batch = replay(tree, frame)
        batches.append(batch)
    return Recovered(tree, edge, batches, segments, tail)


def check_head(known: Checkpoint, reader: LogReader, published: Checkpoint, recovered: Recovered) -> None:
    """Refuse a log that is older than `known`, or another one (rule 5)."""
    if known.size > recovered.tree.size:
        raise Corrupt(f"the log has {recovered.tree.size} entries, but {known.size} were published: an old copy")
    if known.size <= published.size:
        root = tree_at(known.size, reader.nodes(published.size)).root()
    else:
        root = next((batch.root for batch in recovered.batches if batch.end == known.size), EMPTY_ROOT)
    if root != known.root:
        raise Corrupt(f"the log of {known.size} entries is not the one that was published")


def at_head(reader: LogReader, published: Checkpoint) -> tuple[Tree, Edge]:
    """Tree and edge of a head whose files are here (rule 2); raises `Corrupt`."""
    size = published.size
    tree = tree_at(size, reader.nodes(size))
    if tree.root() != published.root:
        raise Corrupt("the tiles do not have the root of the published checkpoint")
    number, width = divmod(size, WIDTH)
    entries = reader.entries(number, size) if width else []
    rows = reader.rows(number, size) if width else []
    levels: list[list[bytes]] = []
    while size:
        levels.append(reader.hashes(len(levels), size // WIDTH, published.size) if size % WIDTH else [])
        size //= WIDTH
    return tree, Edge(published.size, [prefixed(e) for e in entries], [prefixed(r) for r in rows], levels)


def _segment_paths(directory: Path) -> list[Path]:
    return sorted(path for path in (directory / "frames").glob("*") if path.name.isdigit())


def _read_segments(directory: Path) -> tuple[list[Segment], list[frames.Frame], bytes]:
    paths = _segment_paths(directory)
    segments: list[Segment] = []
    found: list[frames.Frame] = []
    tail = b""
    for path in paths:
        data = path.read_bytes()
        inside, end = frames.decode_all(data)
        if end != len(data) and path != paths[-1]:
            raise Corrupt(f"{path.name}: an audit frame at byte {end} is damaged")
        first, tail = int(path.name), data[:end]
        segments.append(Segment(path, first, inside[-1].end if inside else first))
        found.extend(inside)
    _check_order(segments, found)
    return segments, found, tail


def _check_order(segments: Sequence[Segment], found: Sequence[frames.Frame]) -> None:
    if not segments:
        raise Corrupt("the frames are missing: durable entries may be lost")
    position = segments[0].first
    for frame in found:
        if frame.first != position:
            raise Corrupt(f"the audit frames jump from entry {position} to entry {frame.first}")
        position = frame.end
    if segments[-1].end != position or any(a.end != b.first for a, b in pairwise(segments)):
        raise Corrupt("a segment of audit frames is missing")


def _above(found: Sequence[frames.Frame], segments: Sequence[Segment], size: int) -> list[frames.Frame]:
    if not segments[0].first <= size <= segments[-1].end:
        raise Corrupt(
            f"the frames hold entries {segments[0].first} to {segments[-1].end - 1}, but {size} entries are published"
        )
    return [frame for frame in found if frame.end > size]
